"""Fixtures for tests of the whole, and settings for the property tests.

What a fixture starts is ended with the test, whatever happens. Property tests look at the same
examples every time, so that it is a change that makes them fail and not luck. New ones are looked
for by hand: `HYPOTHESIS_PROFILE=thorough` tries thousands, others each time, and
`python -m tests.fuzz` is led by coverage.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start, Subscribe
from support.module import FakeModule
from support.process import Command
from support.subscriber import Subscriber
from websockets.frames import Opcode

# No deadlines: how long an example takes depends more on the machine than on the code.
settings.register_profile(
    "quick",
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("quick"), max_examples=100)
settings.register_profile(
    "thorough", settings.get_profile("quick"), max_examples=10_000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Where this variable is set, every program that a test starts would compile the package again, and
# every worker would rewrite the assertions of all tests: 6 s of CPU each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What is ignored here would be ignored by every program that a test starts, as `nohup` wants it.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    """Leave slow tests out of a run of everything, unless `-m` selects them.

    In the first process only: xdist hands its options on to the workers.
    """
    is_everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if is_everything and config.option.markexpr == "not e2e":
        config.option.markexpr = "not e2e and not slow"


@pytest.fixture
def make_bms() -> Iterator[MakeBms]:
    """Make BMS that listen at once; afterwards, check that no client sent them data or pings."""
    with contextlib.ExitStack() as stack:
        made: list[FakeBms] = []
        began = time.monotonic()

        def make(**options: Any) -> FakeBms:
            bms = FakeBms(**options)
            stack.callback(bms.close)
            made.append(bms)
            return bms.start()

        yield make
        for bms in made:
            # Data never; pings no more often than every 30 s.
            pings = {Opcode.PING} if time.monotonic() - began > 25 else set()
            assert set(bms.received) <= {Opcode.CLOSE, Opcode.PONG} | pings


@pytest.fixture
def bms(make_bms: MakeBms) -> FakeBms:
    """A BMS that sends the two real frames, settings first, and then waits."""
    return make_bms()


@pytest.fixture
def module() -> Iterator[FakeModule]:
    """A module that answers at `/cell`."""
    module = FakeModule()
    yield module
    module.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command with any arguments."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str, **options: Any) -> Command:
            process = Command(*arguments, **options)
            stack.callback(process.clean_up)
            return process

        yield begin


@pytest.fixture
def run(start: Start) -> Run:
    """Start the service, on a free port unless the test publishes elsewhere, or not at all."""

    def begin(*arguments: str, **options: Any) -> Command:
        if not {"--publish", "--no-publish", "--config", "--once"} & set(arguments):
            arguments = ("--publish", "tcp://127.0.0.1:*", *arguments)
        return start("run", *arguments, **options)

    return begin


@pytest.fixture
def subscribe() -> Iterator[Subscribe]:
    """Subscribe to a running service."""
    with contextlib.ExitStack() as stack:

        def begin(endpoint: str, *prefixes: str, **options: Any) -> Subscriber:
            subscriber = Subscriber(endpoint, *prefixes, **options)
            stack.callback(subscriber.close)
            return subscriber

        yield begin

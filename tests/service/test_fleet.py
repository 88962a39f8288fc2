"""What a fleet needs: open files, and no stampedes."""

import json
import logging
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.frames import status
from support.virtual_time import current_loop, run_in_virtual_time

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import BmsConfig, Config
from recbms_zmq.errors import ConfigError
from recbms_zmq.reporting.batch import Batch
from recbms_zmq.sensors.energy import FROM_ZERO
from recbms_zmq.service.fleet import Bms, build_fleet, keep_running, reconnect_spread, start_delay
from recbms_zmq.sources.backoff import reconnect_delays


def test_one_bms_waits_for_nothing() -> None:
    assert (start_delay(0), reconnect_spread(1)) == (0.0, 0.0)


def test_a_thousand_bms_are_opened_over_ten_seconds() -> None:
    assert start_delay(999) == 9.99


def test_a_large_fleet_spreads_its_first_tries_after_an_outage() -> None:
    spread = reconnect_spread(1000)
    assert next(reconnect_delays(lambda: 0.0, spread=spread)) == 0.75
    assert next(reconnect_delays(lambda: 1.0, spread=spread)) == 11.25


def run_with_limit(soft: int, hard: int, **kept: str) -> subprocess.CompletedProcess[str]:
    """Make a service of 100 BMS with so many open files allowed; return the limit that is left."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from recbms_zmq.config.options import BmsConfig, Config\n"
        "from recbms_zmq.errors import RecBmsError\n"
        "from recbms_zmq.service.selector import ServiceSelector\n"
        "from recbms_zmq.service.service import Service\n"
        "bms = tuple(BmsConfig(name=f'b{n}', url='ws://h/ws') for n in range(100))\n"
        f"kept = {{name: Path(path) for name, path in {kept}.items()}}\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "try: Service(Config(bms=bms, **kept), ServiceSelector())\n"
        "except RecBmsError as exc: sys.exit(f'{exc.exit_code} {exc}')\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("soft", "kept", "raised"),
    [(80, {}, 164), (80, {"state_dir": "/nowhere"}, 264), (500, {}, 500)],
)
def test_a_soft_limit_on_open_files_is_raised_as_far_as_needed(
    soft: int, kept: dict[str, str], raised: int
) -> None:
    assert run_with_limit(soft, 1000, **kept).stdout == f"{raised} 1000\n"


def test_a_hard_limit_on_open_files_is_one_clear_sentence() -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 120
    assert run_with_limit(80, 120).stderr == (
        "78 100 BMS take 164 open files, and the limit is 120; raise it with `ulimit -n 164`, or "
        "LimitNOFILE=164 in the systemd unit\n"
    )


class FailingSource:
    """Fails as often as it has errors, and then ends."""

    def __init__(self, *errors: Exception) -> None:
        self.calls: list[tuple[str, Any]] = []
        self._errors = list(errors)

    async def run(self, _receiver: object) -> None:
        self.calls.append(("run", current_loop().time()))
        if self._errors:
            raise self._errors.pop(0)

    def now(self) -> Instant:
        return Instant(len(self.calls), 0.0)

    def bms(self) -> Bms:
        """Return a BMS whose pipeline notes its calls."""
        pipeline: Any = CallsOf(self.calls)
        source: Any = self
        return Bms(source, pipeline)


class CallsOf:
    name = "main"

    def __init__(self, calls: list[tuple[str, Any]]) -> None:
        self._calls = calls

    def __getattr__(self, method: str) -> Callable[..., None]:
        return lambda *arguments: self._calls.append((method, arguments))


def test_a_source_with_a_bug_is_disconnected_and_tried_again_a_minute_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    source = FailingSource(ValueError(), ValueError())
    assert run_in_virtual_time(keep_running(source.bms(), 0.25)) is None
    assert source.calls == [
        ("run", 0.25),
        ("disconnected", ("reading failed", Instant(1, 0.0))),
        ("run", 60.25),
        ("disconnected", ("reading failed", Instant(3, 0.0))),
        ("run", 120.25),
        ("stop", (Instant(5, 0.0),)),
    ]
    bug = "main: reading failed, which is a bug: please report it; trying again in 60 s"
    assert caplog.messages == [bug, bug, "main: the source has ended"]
    assert [record.exc_info is not None for record in caplog.records] == [True, True, False]


def test_a_source_that_cannot_be_read_on_ends_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = ConfigError("cannot read the recording /x from line 3 on: Input/output error")
    source = FailingSource(error)
    assert run_in_virtual_time(keep_running(source.bms(), 0.25)) is error
    assert source.calls == [("run", 0.25), ("stop", (Instant(1, 0.0),))]
    assert caplog.messages == [f"main: {error}; it is no longer read"]
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize(
    ("url", "interval", "longest"),
    [
        ("ws://h/ws", 60.0, 60.0),
        ("http://h/cell", 10.0, 60.0),
        ("http://h/cell", 60.0, 120.0),
        ("http://h/cell", 3600.0, 7200.0),
    ],
)
def test_energy_is_counted_across_two_polls_at_least(
    url: str, interval: float, longest: float
) -> None:
    """Else half of it would be missing where a BMS is polled once a minute, and then all."""
    config = Config(bms=(BmsConfig(url=url, poll_interval=interval),))
    (bms,) = build_fleet(config, lambda _: None)
    pipeline = bms.pipeline
    pipeline.meter.resume(FROM_ZERO)
    for second in (0.0, longest, longest + longest + 0.1):
        pipeline.received(status(ibat=100.0).encode(), Instant(second, second))
    assert pipeline.meter.totals is not None
    assert pipeline.meter.totals.charge_in == pytest.approx(100 * longest / 3600)


def test_each_run_has_a_name_of_its_own_of_eight_hexadecimal_digits() -> None:
    runs = []
    for _ in range(20):
        batches: list[Batch] = []
        config = Config(bms=tuple(BmsConfig(name=name, url="ws://h/ws") for name in ("a", "b")))
        for bms in build_fleet(config, batches.append):
            bms.pipeline.start(Instant(0.0, 0.0))
        first, second = (
            json.loads(body)["run"] for each in batches for _, body, _ in each.messages
        )
        assert first == second
        assert re.fullmatch("[0-9a-f]{8}", first)
        runs.append(first)
    assert len(set(runs)) == 20

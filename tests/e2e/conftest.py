"""What the end-to-end tests share: the programs that are started once a session."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.waiting import eventually

from e2e import installation
from e2e.broker import Broker
from e2e.home_assistant import HomeAssistant
from e2e.node_red import NodeRed
from e2e.pipeline import MakePipeline, Pipeline
from e2e.scripted_bms import ScriptedBms
from e2e.service import Service, children, command_folder

LIMIT_S = 300
"""Of one test: it waits several times, each time for `PATIENCE` at most."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            # Installing and starting the programs is not the test's time.
            item.add_marker(pytest.mark.timeout(LIMIT_S, func_only=True))


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    if installation.home_assistant.cache_info().currsize:
        program = installation.home_assistant()
        companion = os.environ.get("RECBMS_COMPANION") or "the stand-in"
        line = f"Home Assistant {program.version}, companion: {companion}"
        if installation.node_modules.cache_info().currsize:
            package = installation.node_modules() / "node-red" / "package.json"
            line += f", Node-RED {json.loads(package.read_bytes())['version']}"
        if program.reason:
            line = f"NOT THE NEWEST HOME ASSISTANT ({program.reason}): {line}"
        terminalreporter.section("end to end")
        terminalreporter.write_line(line, red=bool(program.reason), bold=bool(program.reason))


@pytest.fixture(scope="session")
def installed() -> Callable[[Callable[[], object]], None]:
    """Install something, or skip; fail instead if RECBMS_E2E is `required`."""

    def install(what: Callable[[], object]) -> None:
        try:
            what()
        except installation.Missing as reason:
            if os.environ.get("RECBMS_E2E") == "required":
                pytest.fail(f"RECBMS_E2E=required, but {reason}")
            pytest.skip(str(reason))

    return install


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture(scope="session")
def home_assistant(
    installed: Callable[[Callable[[], object]], None], folder: Path
) -> Iterator[HomeAssistant]:
    installed(installation.home_assistant)
    program = HomeAssistant(folder / "home-assistant")
    try:
        program.start()
        yield program
    finally:
        program.stop()


@pytest.fixture(scope="session")
def node_red_program(
    installed: Callable[[Callable[[], object]], None],
    home_assistant: HomeAssistant,
    folder: Path,
) -> Iterator[NodeRed]:
    installed(installation.node_modules)
    program = NodeRed(
        folder / "node-red",
        {
            "HA_URL": home_assistant.url,
            "HA_TOKEN": home_assistant.token,
            "PATH": f"{command_folder(folder)}:{os.environ['PATH']}",
        },
    )
    try:
        program.start()
        yield program
    finally:
        program.stop()


@pytest.fixture
def node_red(node_red_program: NodeRed) -> Iterator[NodeRed]:
    """Node-RED without flows, before and after."""
    if not node_red_program.program.is_running:
        node_red_program.start()
    yield node_red_program
    if node_red_program.program.is_running:
        node_red_program.deploy([])
        pid = node_red_program.program.pid
        # Node-RED does not wait for them, and the next test would take one for its own.
        eventually(lambda: not children(pid), "the programs of the flows have ended")


@pytest.fixture
def bms() -> Iterator[ScriptedBms]:
    served = ScriptedBms()
    served.start()
    yield served
    served.close()


second_bms = bms


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The service that the zmq flows subscribe to; the test starts it."""
    program = Service(tmp_path)
    yield program
    program.stop()


@pytest.fixture
def cleared() -> Iterator[ExitStack]:
    """What is called when the test has ended."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pipeline(tmp_path: Path, cleared: ExitStack) -> MakePipeline:
    """Start a pipe of the pages."""

    def make(script: str, **options: str) -> Pipeline:
        made = Pipeline(Path(tempfile.mkdtemp(dir=tmp_path)), script, **options)
        cleared.callback(made.stop)
        made.start()
        return made

    return make


@pytest.fixture(scope="session")
def browser(installed: Callable[[Callable[[], object]], None]) -> None:
    """A real Chromium is there."""
    installed(installation.chromium)


@pytest.fixture(scope="session")
def broker(installed: Callable[[Callable[[], object]], None], folder: Path) -> Iterator[Broker]:
    """A real mosquitto."""
    installed(installation.mosquitto)
    program = Broker(folder)
    program.start()
    yield program
    program.stop()


@pytest.fixture(scope="session")
def mqtt(broker: Broker, home_assistant: HomeAssistant) -> int:
    """The port of a broker that Home Assistant uses."""
    home_assistant.use_mqtt(broker.port)
    return broker.port

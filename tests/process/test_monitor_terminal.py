"""`recbms-zmq monitor` in a real terminal: what is on the screen, and what is left of it after."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run
from support.frames import SETTINGS, status
from support.process import without_package
from support.terminal import PROMPT, Terminal

from recbms_zmq.config.program import install_command

pytestmark = pytest.mark.slow

SCREENS = Path(__file__).parents[1] / "screens"
Open = Callable[..., Terminal]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Open]:
    """Open one terminal."""
    opened: list[Terminal] = []

    def begin(size: tuple[int, int] = (80, 24), env: dict[str, str] | None = None) -> Terminal:
        opened.append(Terminal(tmp_path, size, env))
        return opened[0]

    yield begin
    for each in opened:
        each.close()


@pytest.fixture
def large_bms(make_bms: MakeBms) -> FakeBms:
    """The largest array that REC makes."""
    return make_bms(greeting=(SETTINGS, status(units=15, cells=16)))


def still(screen: str) -> str:
    """Return a screen without what depends on the second: the age, and how long the chart is."""
    screen = re.sub(r"data \d+ s old", "data 0 s old", screen)
    return re.sub(r"^ +█+$", "(chart)", screen, flags=re.MULTILINE)


def expected(name: str) -> str:
    return (SCREENS / f"{name}.txt").read_text(encoding="utf-8")


def test_the_view_of_a_bms_fills_the_terminal_and_follows_its_size(
    terminal: Open, bms: FakeBms
) -> None:
    screen = terminal()
    screen.type(f"$M {bms.url}")
    for columns, rows in ((80, 24), (120, 40), (80, 24)):
        screen.resize(columns, rows)
        bms.send(status())  # else its age may have two digits on a busy machine
        view = expected(f"terminal-{columns}x{rows}")
        screen.until_like(lambda shown, view=view: still(shown) == view)  # type: ignore[misc]
    bms.send(status(soc=0.5, ibat=-3.0))
    screen.until("50.0 %", "▼ -3.00 A discharging   -39.7 W")


def leave(screen: Terminal, how: str) -> None:
    if how.startswith("SIG"):
        os.kill(screen.running, getattr(signal, how))
    else:
        screen.press(how)


@pytest.mark.parametrize("how", ["q", "C-c", "C-\\", "SIGTERM", "SIGHUP", "SIGINT"])
def test_leaving_gives_the_terminal_back_as_it_was(terminal: Open, bms: FakeBms, how: str) -> None:
    screen = terminal()
    screen.type("stty -g > before; echo something from earlier")
    screen.type(f"$M {bms.url}; echo left with $?")
    screen.until("28.5 %")
    assert screen.state == ("own screen", "no cursor")
    leave(screen, how)
    shown = screen.until("left with 0")
    assert "something from earlier" in shown
    assert "28.5 %" not in shown
    assert screen.state == ("shell's screen", "cursor")
    screen.type("stty -g | cmp - before && echo no difference")
    screen.until("\nno difference")


def test_a_crash_gives_the_terminal_back_and_can_be_read(terminal: Open, bms: FakeBms) -> None:
    screen = terminal()
    crash = (
        "import sys, recbms_zmq.monitor.live as live\n"
        "from recbms_zmq.cli import main\n"
        "real = live.render\n"
        "def render(model, *rest):\n"
        "    if model.packs and model.packs[0].online: raise RuntimeError('a mistake of ours')\n"
        "    return real(model, *rest)\n"
        "live.render = render\n"
        "sys.exit(main())\n"
    )
    screen.type(f"cat > crash.py <<'END'\n{crash}END")
    screen.type("stty -g > before; clear")
    screen.type(f"{sys.executable} crash.py monitor {bms.url}; echo left with $?")
    screen.until("RuntimeError: a mistake of ours", "left with 1")
    assert screen.state == ("shell's screen", "cursor")
    screen.type("stty -g | cmp - before && echo no difference")
    screen.until("\nno difference")


def test_a_terminal_that_was_stopped_with_ctrl_s_does_not_stop_the_end(
    terminal: Open, bms: FakeBms
) -> None:
    screen = terminal()
    screen.type(f"$M {bms.url}; echo left with $?")
    screen.until("28.5 %")
    screen.press("C-s", "q")
    screen.until("left with 0")
    assert screen.state == ("shell's screen", "cursor")


def test_it_can_be_suspended_and_comes_back(terminal: Open, bms: FakeBms) -> None:
    screen = terminal()
    screen.type(f"$M {bms.url}")
    screen.until("28.5 %")
    screen.press("C-z")
    screen.until("Stopped")
    assert screen.state == ("shell's screen", "cursor")
    screen.type("fg")
    screen.until("28.5 %", "q quit")
    assert screen.state == ("own screen", "no cursor")
    screen.press("q")
    screen.until(PROMPT)


def test_keys_choose_a_pack_and_scroll_its_cells(
    terminal: Open, bms: FakeBms, large_bms: FakeBms
) -> None:
    screen = terminal()
    screen.type(f"$M small={bms.url} large={large_bms.url}")
    screen.until("▸ REC BMS small", "2/4", "Tab next pack")
    screen.press("Tab")
    screen.until("▸ REC BMS large", "unit  16 ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄ 3.305 to 3.320 V")
    screen.press("c")
    first = screen.until("rows 1-", " 2/1 ")
    assert "16/16" not in first
    screen.press("Down", "j")
    screen.until("rows 3-")
    for _ in range(20):
        screen.press("NPage")
    screen.until("of 80", "16/16")
    screen.press("c")
    screen.until("unit   2 ")
    screen.press("BTab")
    screen.until("▸ REC BMS small")


def test_the_view_of_a_service_sees_it_die_and_come_back(
    terminal: Open, bms: FakeBms, run: Run, tmp_path: Path
) -> None:
    endpoint = f"ipc://{tmp_path}/pub"
    screen = terminal((200, 24))  # the path is long
    screen.type(f"$M {endpoint}")
    screen.until("Waiting for a service at")
    service = run("--publish", endpoint, "--device-name", "House", bms.url)
    screen.until("House", "● online, no alarm", "28.5 %", "limits 3.00 to 3.65 V", "2/4")
    service.stop(signal.SIGKILL)
    reason = f"no connection to the service at {endpoint}; the values below are the last known ones"
    screen.until("● offline", reason)
    run("--publish", endpoint, "--device-name", "House", bms.url)
    screen.until("● online, no alarm", "28.5 %")


def test_without_rich_one_sentence_explains_how_to_install_it(
    terminal: Open, tmp_path: Path
) -> None:
    screen = terminal((400, 24), env=without_package("rich", tmp_path))
    screen.type("$M sim:; echo left with $?")
    shown = screen.until("left with 78")
    assert (
        "recbms-zmq: the live view needs the package rich: "
        f"{install_command('rich')}; "
        "without it, --plain prints lines\n"
        "left with 78\n"
    ) in shown


@pytest.mark.parametrize(("term", "option"), [("dumb", ""), ("xterm", "--plain")])
def test_a_dumb_terminal_gets_plain_lines_also_without_rich(
    terminal: Open, bms: FakeBms, tmp_path: Path, term: str, option: str
) -> None:
    screen = terminal((200, 24), env={**without_package("rich", tmp_path), "TERM": term})
    screen.type(f"$M {option} {bms.url}; echo left with $?")
    screen.until("REC BMS: 28.5 %, 13.24 V, +7.46 A charging, +98.8 W, full in 31 h 00 min")
    assert screen.state == ("shell's screen", "cursor")
    screen.press("C-c")
    screen.until("left with 0")


def test_a_terminal_without_unicode_gets_ascii(terminal: Open, bms: FakeBms) -> None:
    screen = terminal(env={"LC_ALL": "C"})
    screen.type(f"$M {bms.url}")
    assert screen.until("* online", "2/1 ####").isascii()

"""How a run ends: by a signal, or by the end of its reader or of the process that started it."""

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.bms import Connection, FakeBms
from support.fixtures import MakeBms, Run, Start, Subscribe
from support.frames import STATUS, status
from support.process import command, socket_pair, terminal
from support.waiting import PATIENCE, eventually

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_publishes_offline_on_both_outputs_and_ends_with_0(
    number: int, bms: FakeBms, run: Run, subscribe: Subscribe
) -> None:
    service = run(bms.url)
    subscriber = subscribe(service.endpoint())
    subscriber.message(key="soc")
    assert service.stop(number) == 0
    last = subscriber.message(key="availability", payload="offline", reason="stopped")
    assert json.loads(service.stdout.all()[-1]) == last
    assert all(" warning " not in line for line in service.stderr.text().splitlines())


def test_signals_that_come_together_are_one_end(bms: FakeBms, run: Run) -> None:
    service = run("--no-publish", bms.url)
    service.message(key="soc")
    service.send_signal(signal.SIGSTOP)
    for number in SIGNALS:
        service.send_signal(number)
    assert service.stop(signal.SIGCONT) == 0
    assert service.messages[-1]["reason"] == "stopped"
    assert service.stderr.all()[-1].decode().endswith(" info main: online")


def test_nothing_follows_the_offline_though_frames_keep_coming(
    make_bms: MakeBms, run: Run, subscribe: Subscribe
) -> None:
    frames = [status(vbat=12.5), status(vbat=12.6)]

    async def flood(connection: Connection) -> None:
        for frame in itertools.cycle(frames):
            await connection.send(frame)

    bms = make_bms(behave=flood)
    for _ in range(3):
        service = run("--no-stdout", bms.url)
        topics = ("recbms/main/availability", "recbms/main/voltage")
        subscriber = subscribe(service.endpoint(), *topics)
        subscriber.until(lambda m: m["seq"] > 100)
        assert service.stop() == 0
        subscriber.message(reason="stopped")
        assert not subscriber.socket.poll(200)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_the_search_for_an_address_ends_with_0(
    number: int, bms: FakeBms, run: Run
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        service = run("--publish", "tcp://127.0.0.1:*", "--publish", endpoint, bms.url)
        service.endpoint()  # the first; it is busy with the second
        assert service.stop(number) == 0
        assert service.stdout.all() == []


@pytest.mark.parametrize("words", [["check"], ["run", "--once"]], ids=" ".join)
def test_an_interrupted_command_takes_its_leave_of_the_bms(
    words: list[str], make_bms: MakeBms, start: Start
) -> None:
    codes: list[int | None] = []
    is_answered = threading.Event()

    async def wait_for_the_end(connection: Connection) -> None:
        for _ in range(3):  # the first one is answered while the command still connects
            await (await connection.ping())
        is_answered.set()
        await connection.wait_closed()
        codes.append(connection.close_code)

    bms = make_bms(behave=wait_for_the_end)
    asking = start(*words, "--timeout", "60", bms.url)
    assert is_answered.wait(PATIENCE)
    assert asking.stop(signal.SIGINT) == 130
    eventually(lambda: codes, "the end of the connection")
    assert codes == [1000]


def test_an_interrupt_during_an_import_is_not_lost(run: Run) -> None:
    """Python prints and ignores the exception of its own handler where nothing can catch it."""
    program = textwrap.dedent("""
        import os, signal, sys, weakref
        class Thing: pass
        def interrupt(event, arguments):
            if event == "import" and arguments[0] == "recbms_zmq.service.service":
                thing = Thing()
                reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
                del thing
        sys.addaudithook(interrupt)
        from recbms_zmq.cli import main
        sys.exit(main())
    """)
    service = run("--no-publish", "sim:", python=[sys.executable, "-c", program])
    assert service.wait() == 130
    assert service.stderr.all() == service.stdout.all() == []


def test_signals_that_the_parent_has_us_ignore_stay_ignored(bms: FakeBms, run: Run) -> None:
    def as_nohup_does() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    service = run("--no-publish", bms.url, preexec_fn=as_nohup_does)
    service.message(key="soc")
    service.send_signal(signal.SIGHUP)
    service.send_signal(signal.SIGINT)
    bms.send(status(vbat=12.5))
    service.message(key="voltage", payload=12.5)
    assert service.stop(signal.SIGTERM) == 0


def test_the_end_does_not_wait_for_a_name_server_that_is_silent(run: Run, tmp_path: Path) -> None:
    # A name server that does not answer, made by us: one that is asked and never comes back.
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import socket, sys, time
            def getaddrinfo(*args, **kwargs):
                print("asked", file=sys.stderr, flush=True)
                time.sleep(1000)
            socket.getaddrinfo = getaddrinfo
            from recbms_zmq.cli import main
            sys.exit(main())
        """),
        encoding="ascii",
    )
    service = run("--no-publish", "ws://bms.example/ws", python=[sys.executable, str(program)])
    service.stderr.line("asked")
    assert service.stop() == 0
    assert [m["payload"] for m in service.messages] == ["offline", "offline"]


def test_the_end_does_not_wait_for_a_bms_or_a_reader_that_is_stuck(
    make_bms: MakeBms, run: Run, subscribe: Subscribe
) -> None:
    async def ignore_goodbyes(connection: Connection) -> None:
        connection.transport.pause_reading()
        for number in itertools.count():
            await connection.send(status(units=8, vbat=10 + number % 1000 / 100))
            await asyncio.sleep(0.01)

    bms = make_bms(behave=ignore_goodbyes)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb") as stdout:
        service = run("--report", "all", "--hwm", "100", bms.url, stdout=stdout)
        stuck = subscribe(service.endpoint(), rcvhwm=1)
        other = subscribe(service.endpoint(), "recbms/main/availability", "recbms/main/voltage")
        other.until(lambda message: message["seq"] > 100)
        assert service.stop() == 0
        other.message(key="availability", reason="stopped")
        assert stuck.received == []


def pipe() -> tuple[int, int]:
    """Return our end and the command's."""
    theirs, ours = os.pipe()
    return ours, theirs


@pytest.mark.parametrize("make", [pipe, socket_pair, terminal])
def test_the_closing_of_stdin_ends_it_when_that_is_asked_for(
    make: Callable[[], tuple[int, int]], bms: FakeBms, run: Run
) -> None:
    ours, theirs = make()
    service = run("--no-publish", "--exit-on-stdin-close", bms.url, stdin=theirs)
    os.close(theirs)
    service.message(key="soc")
    os.write(ours, b"what comes before the end is thrown away\n" * 50)
    bms.send(status(vbat=12.5))
    service.message(key="voltage", payload=12.5)
    os.close(ours)
    assert service.wait() == 0
    assert service.messages[-1]["reason"] == "stopped"


def test_a_stdin_that_breaks_is_a_closed_one(make_bms: MakeBms, run: Run) -> None:
    """A parent that dies before it has read everything resets the socket that is both ends."""
    bms = make_bms(greeting=[])
    ours, theirs = socket.socketpair()
    with theirs:
        service = run("--no-publish", "--exit-on-stdin-close", bms.url, stdin=theirs, stdout=theirs)
    bms.wait_for_client()
    ours.close()
    assert service.wait() == 0
    # The made-up voltages are remarked on, and the end is no error.
    assert {line.split()[2] for line in service.stderr.text().splitlines()} <= {"info", "warning"}


def test_the_closing_of_stdin_is_no_end_otherwise(bms: FakeBms, run: Run) -> None:
    service = run("--no-publish", bms.url, stdin=subprocess.PIPE)
    service.stdin.close()
    service.message(key="soc")
    bms.send(status(vbat=12.5))
    service.message(key="voltage", payload=12.5)
    assert service.stop() == 0


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-", "<pyproject.toml"])
def test_a_stdin_that_cannot_close_is_a_usage_error(redirection: str, run: Run) -> None:
    words = " ".join(command("run", "--no-publish", "--exit-on-stdin-close", "ws://127.0.0.1:1/ws"))
    shell = ["sh", "-c", f"exec {words} {redirection}"]
    service = run(python=shell, cwd=Path(__file__).parents[2])
    assert service.wait() == 2
    assert service.stderr.text() == (
        "recbms-zmq: --exit-on-stdin-close: stdin has to be a pipe, a socket or a terminal\n"
    )


def test_head_ends_it_quietly(make_bms: MakeBms, run: Run, subscribe: Subscribe) -> None:
    is_heard = threading.Event()

    async def when_heard(connection: Connection) -> None:
        await asyncio.to_thread(is_heard.wait)
        for number in itertools.count():
            await connection.send(status(vbat=10 + number % 1000 / 100))
            await asyncio.sleep(0.001)

    bms = make_bms(behave=when_heard)
    pipeline = f'{" ".join(command())} "$@" | head -3; exit ${{PIPESTATUS[0]}}'
    service = run(bms.url, python=["bash", "-c", pipeline, "bash"])
    subscriber = subscribe(service.endpoint())
    subscriber.message(key="availability")
    is_heard.set()
    subscriber.message(key="availability", reason="stopped")
    assert service.wait() == 141
    assert [m["key"] for m in service.messages] == ["availability", "availability", "device"]
    # The made-up voltages are remarked on, and the end is no error.
    assert {line.split()[2] for line in service.stderr.text().splitlines()} <= {"info", "warning"}


def test_a_reader_that_goes_while_it_is_asleep_ends_it_too(
    make_bms: MakeBms, run: Run, subscribe: Subscribe
) -> None:
    bms = make_bms(greeting=[])
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stdout:
        service = run("--report", "all", bms.url, stdout=stdout)
    subscriber = subscribe(service.endpoint(), "recbms/main/voltage")
    bms.send(*[STATUS] * 20)
    subscriber.message(seq=20)
    os.close(reader)  # nothing more is written, but the pipe is being watched
    assert service.wait() == 141


def test_kill_9_leaves_whole_lines(bms: FakeBms, run: Run) -> None:
    service = run("--no-publish", "--report", "all", bms.url)
    service.message(key="soc")
    bms.send(*[STATUS] * 50)
    service.message(key="soc", seq=2)
    service.send_signal(signal.SIGKILL)
    assert service.wait() == -signal.SIGKILL
    for line in service.stdout.all():
        json.loads(line)


def test_no_process_is_left_in_the_background(bms: FakeBms, run: Run) -> None:
    service = run("--no-publish", bms.url, start_new_session=True)
    service.message(key="soc")
    service.stop()

    def group_is_gone() -> bool:
        try:
            os.killpg(service.pid, 0)
        except ProcessLookupError:
            return True
        return False

    eventually(group_is_gone, "the end of the process group")

"""Targets for what a user gives: configuration file, environment, command line.

The command line is run for real, up to where a service would begin; a fence keeps it from writing
files and from opening sockets.
"""

import contextlib
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from recbms_zmq.cli.dispatch import COMMANDS, main
from recbms_zmq.config.load import Loaded, load
from recbms_zmq.config.readers import LONGEST_PATH
from recbms_zmq.config.toml import as_toml
from recbms_zmq.errors import ConfigError, RecBmsError, UsageError
from recbms_zmq.service import logs
from recbms_zmq.service.fleet import build_fleet

LONGEST = 500
"""Characters of a sentence; those that list what there is are the longest."""
CODES = {0, 1, 2, 69, 73, 78, 141}
"""All exit codes that the README names."""
QUOTES_A_PATH = re.compile(
    r"cannot (read|write|use)|is not a recording|holds |is no key file|subscribing to ipc:"
)
"""A path is quoted as a whole, so that it can be copied."""
PASSWORD = "pa55w0rd-Zq"
"""In front of an `@` it is a password: no output may hold it, but as the name of a file."""
_SHOWN_PASSWORD = re.compile(rf":{PASSWORD}@")
_PASSWORD_OF_A_URL = re.compile(rf"(?<!ipc)://\S*:{PASSWORD}@")


def configuration(data: bytes) -> None:
    """A file is a configuration, or is refused with one sentence."""
    with tempfile.TemporaryDirectory(prefix="recbms-fuzz-") as folder:
        path = Path(folder) / "recbms.toml"
        path.write_bytes(data)
        check_loading({"config": str(path)}, [], {}, origin=str(path))


def environment(data: bytes) -> None:
    """The same for variables, `NAME=VALUE` with a NUL between them, as in /proc."""
    pairs = (item.partition("=") for item in data.decode("utf-8", "surrogateescape").split("\0"))
    variables = {name: value for name, equals, value in pairs if equals}
    variables.pop("RECBMS_CONFIG", None)
    check_loading({}, [], variables, origin="RECBMS_")


def arguments(data: bytes) -> None:
    """Any words are answered with one of the exit codes, and at most one sentence."""
    words = data.decode("utf-8", "surrogateescape").split("\n")
    code, out, err = command_line([word.partition("\0")[0] for word in words])
    check_answer(code, err)
    assert code not in (2, 78) or out == ""


def check_loading(
    given: dict[str, Any], sources: Sequence[str], environ: dict[str, str], *, origin: str
) -> None:
    """Load a configuration and open its sources; if that is refused, hold the words to account."""
    try:
        loaded = load(given, sources, environ)
    except ConfigError as exc:
        sentence = str(exc)
        known = (origin, "a second BMS", "only one BMS", "cannot read")
        assert sentence.startswith(known)
    except UsageError as exc:
        sentence = str(exc)
    else:
        check_loaded(loaded)
        return
    check_sentence(sentence)


def check_loaded(loaded: Loaded) -> None:
    """See that a configuration is one, and can be shown and opened."""
    config = loaded.config
    assert config.bms
    assert len({bms.name for bms in config.bms}) == len(config.bms)
    shown = as_toml(loaded)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert len(tomllib.loads(shown)["bms"]) == len(config.bms)
    if any(bms.url == "-" for bms in config.bms):
        return
    try:
        build_fleet(config, lambda _: None)
    except RecBmsError as exc:
        check_sentence(str(exc))


def check_sentence(sentence: str) -> None:
    """See that it is one, and fit to be printed."""
    assert sentence
    quotes_a_path = QUOTES_A_PATH.search(sentence)
    # Of a file, and of its directory that does not exist.
    assert len(sentence) <= LONGEST + (2 * LONGEST_PATH if quotes_a_path else 0), sentence
    assert len(sentence.splitlines()) == 1, sentence
    wrong = _PASSWORD_OF_A_URL if quotes_a_path else _SHOWN_PASSWORD
    assert not wrong.search(sentence), sentence
    assert "Traceback" not in sentence


def check_answer(code: Any, err: str) -> None:
    """Check that a command has ended as documented."""
    assert code in CODES, (code, err)
    lines = err.splitlines()
    assert all(line.startswith("recbms-zmq: ") for line in lines), err
    assert all(line.isprintable() for line in lines), err
    if code in (2, 73, 78):
        assert len(lines) == 1, err
        assert err.endswith("\n")
    for line in lines:
        check_sentence(line)


def command_line(words: Sequence[str]) -> tuple[Any, str, str]:
    """Run the command line in this process; return exit code, stdout and stderr."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace") as err,
        tempfile.TemporaryDirectory(prefix="recbms-fuzz-") as folder,
        contextlib.chdir(folder),
        Path(os.devnull).open(encoding="utf-8") as nothing,
        mock.patch("sys.stdin", nothing),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _fenced(folder),
    ):
        try:
            code: Any = main(list(words))
        except SystemExit as exc:
            code = exc.code
        written = []
        for stream in (out, err):
            stream.seek(0)
            written.append(stream.read())
    return code, written[0], written[1]


def _begin(_runner: Any, work: Any) -> int:
    """Stand in for the event loop: what would begin here is tried elsewhere."""
    work.close()
    return 0


_inside: list[str] = []
_OPENING = ("open", "os.mkdir", "os.rename", "os.remove", "os.chmod")


def _guard(event: str, what: tuple[Any, ...]) -> None:
    """Allow no write outside of a folder, and no connection."""
    if not _inside:
        return
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise PermissionError(13, "Permission denied")
    if event in _OPENING and isinstance(what[0], str | bytes):
        for_writing = event != "open" or (what[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        place = os.path.realpath(os.fsdecode(what[0]))
        if for_writing and not place.startswith((_inside[0], "/dev/null")):
            raise PermissionError(13, "Permission denied")


_guards: list[Any] = []


@contextlib.contextmanager
def _fenced(folder: str) -> Iterator[None]:
    if not _guards:  # an audit hook cannot be taken away
        sys.addaudithook(_guard)
        _guards.append(_guard)
    for name in COMMANDS:
        __import__(f"recbms_zmq.cli.{name}")
    with (
        mock.patch("asyncio.Runner.run", _begin),
        mock.patch("recbms_zmq.client.lines.print_lines"),
        mock.patch("recbms_zmq.monitor.feeds.SubscriberFeed"),
        mock.patch("recbms_zmq.client.query.ServiceQuery.ask", return_value=[]),
        mock.patch("signal.signal"),
        mock.patch.object(logs, "set_up"),
        mock.patch.dict(os.environ),
    ):
        for variable in [name for name in os.environ if name.startswith("RECBMS_")]:
            del os.environ[variable]
        _inside.append(os.path.realpath(folder))
        try:
            yield
        finally:
            _inside.pop()

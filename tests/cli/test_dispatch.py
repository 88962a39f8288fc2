"""Tests of the command line: its sentences, its exit codes, and that it survives any words."""

import gc
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command_line import answer
from support.process import command, environment

from recbms_zmq import __version__
from recbms_zmq.check import networks
from recbms_zmq.cli import dispatch, sensors
from recbms_zmq.errors import ReaderGone, Unavailable

ENDPOINT = "expected a ZeroMQ endpoint, tcp://ADDRESS:PORT or ipc://PATH"


def test_the_version_is_printed() -> None:
    assert answer("--version") == (0, f"recbms-zmq {__version__}\n", "")


def test_the_help_names_every_command() -> None:
    code, out, err = answer("--help")
    assert (code, err) == (0, "")
    listed = [line.split()[0] for line in out.splitlines() if re.match("  [a-z]+  ", line)]
    assert [word for word in listed if word != "recbms-zmq"] == list(dispatch.COMMANDS)


@pytest.mark.parametrize("name", ["", *dispatch.COMMANDS])
def test_help_has_examples_and_fits_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = answer(*([name] if name else []), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: recbms-zmq {name or 'COMMAND'} ")
    assert re.search(rf"^ +recbms-zmq {name}\b", out, re.MULTILINE)
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "[-h]" not in out
    assert re.search(
        "^exit codes: |^  recbms-zmq run --help +options, examples, exit codes$", out, re.MULTILINE
    )


LOG_LEVEL = "--log-level: not allowed with argument -v/--verbose"
SOURCE = (
    "SOURCE: expected a source: ws://HOST/ws, wss://HOST/ws, http://HOST/cell, sim:, replay:FILE, "
    "or - for stdin"
)
PAIR = "--curve-secret-key: the service's key is needed too: --curve-server-key FILE"
NO_BMS = "no BMS to read: give its address, for example ws://192.168.8.2/ws, or a --config file"
NAME = "--device: expected a name of a-z, 0-9, _ and -, at most 64 characters (perhaps a?), got 'A'"
ABOVE = "expected seconds, a number above 0"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "a command is missing; for example recbms-zmq demo (try: recbms-zmq --help)"),
        ("--stale", "COMMAND is missing (try: recbms-zmq --help)"),
        (
            "run --stale-aftr 5 ws://h/ws",
            "--stale-aftr is UNKNOWN; did you mean --stale-after? (TRY)",
        ),
        (
            "run --stale-aftr=5 ws://h/ws",
            "--stale-aftr is UNKNOWN; did you mean --stale-after? (TRY)",
        ),
        ("run --ref 5 ws://h/ws", "--ref is UNKNOWN; did you mean --refresh? (TRY)"),
        ("run --zzz=ws://u:secret@h/ws", "--zzz is UNKNOWN (TRY)"),
        (
            "demo ws://u:secret@h/ws",
            "ws://***@h/ws is UNKNOWN; to read it: recbms-zmq run ws://***@h/ws (TRY)",
        ),
        ("run --refresh", "--refresh: a value is missing (TRY)"),
        ("run", NO_BMS),
        ("run -v --log-level info sim:", LOG_LEVEL + " (TRY)"),
        (
            "listen --count 0",
            "--count: expected messages, a whole number from 1 to 2147483647, got '0'",
        ),
        ("listen --timeout never", f"--timeout: {ABOVE}, got 'never'"),
        (
            "listen 127.0.0.1",
            f"ENDPOINT: {ENDPOINT} (perhaps tcp://127.0.0.1:5556?), got '127.0.0.1'",
        ),
        ("listen tcp://*:5556", "cannot connect to tcp://*:5556: Invalid argument"),
        ("monitor tcp://127.0.0.1:*", "cannot connect to tcp://127.0.0.1:*: Invalid argument"),
        (
            "monitor tcp://nowhere",
            f"ENDPOINT: {ENDPOINT} (a port is missing: tcp://nowhere:5556), got 'tcp://nowhere'",
        ),
        ("monitor 192.168.8.2", f"{SOURCE} (perhaps ws://192.168.8.2/ws?), got '192.168.8.2'"),
        ("monitor --curve-secret-key a.key_secret", PAIR),
        ("monitor --stale-after no sim:", f"--stale-after: {ABOVE}, got 'no'"),
        (
            "check tcp://nowhere",
            f"TARGET: {ENDPOINT} (a port is missing: tcp://nowhere:5556), got 'tcp://nowhere'",
        ),
        (
            "check r.toml",
            f"TARGET: {SOURCE[8:]} (perhaps recbms-zmq run --config r.toml?), got 'r.toml'",
        ),
        ("check --timeout 0", f"--timeout: {ABOVE}, got '0'"),
        ("check --device A", NAME),
        (
            "simulate --port 65536",
            "--port: expected a port, a whole number from 0 to 65535, got '65536'",
        ),
        (
            "simulate --faults stall|at|3",
            "--faults: expected a time like 500ms, 10s, 5m or 2h, at most 1000h, got '3'",
        ),
        # An option without effect.
        ("completion bash --shell zsh", "--shell: NONE with bash; it belongs to install"),
        ("run --timeout 5 sim:", "--timeout: NONE without --once"),
        ("demo --no-publish --publish tcp://127.0.0.1:1", "--publish: NONE with --no-publish"),
        ("check --device main sim:", "--device: NONE on a BMS; it belongs to a service"),
        (
            "check --stale-after 5 tcp://127.0.0.1:1",
            "--stale-after: NONE on a service; it belongs to a BMS",
        ),
        (
            "monitor --curve-server-key x sim:",
            "--curve-server-key: NONE on a BMS; it belongs to a service",
        ),
        ("monitor --idle-current 1", "--idle-current: NONE on a service; it belongs to a BMS"),
        ("record --force sim:", "--force: NONE without --output"),
        ("record --force -o - sim:", "--force: NONE on stdout"),
        ("flow --force -o -", "--force: NONE on stdout"),
        ("files --force", "--force: NONE without --copy"),
        ("sensors --schema --format json", "--format: NONE with --schema, which is JSON"),
        (
            f"run --tls-fingerprint={0:064} ws://me:s3cret@h",
            "--tls-fingerprint: ws://***@h has no certificate; only wss:// and https:// have",
        ),
        # A password is not quoted.
        ("listen tcp://u:secret@h", f"ENDPOINT: {ENDPOINT}, got 'tcp://***@h'"),
        ("monitor tcp://u:secret@h", f"ENDPOINT: {ENDPOINT}, got 'tcp://***@h'"),
        ("flow --url ws://u:secret@h/|w", f"{SOURCE}, got 'ws://***@h/ w'"),
        (
            "record sim: --duration ws://u:secret@h/",
            f"--duration: {ABOVE}, got 'ws://***@h/'",
        ),
    ],
)
def test_a_wrong_command_line_is_one_sentence(line: str, sentence: str) -> None:
    words = [word.replace("|", " ") for word in line.split()]
    command = f"recbms-zmq {words[0]}" if words else ""
    sentence = sentence.replace("UNKNOWN", f"not an option or argument of {command}")
    sentence = sentence.replace("TRY", f"try: {command} --help").replace("NONE", "has no effect")
    assert answer(*words) == (2, "", f"recbms-zmq: {sentence}\n")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("sim: run", "'sim:' is not a command; the command comes first, as in recbms-zmq run sim:"),
        ("rum demo", "'rum' is not a command; did you mean run?"),
        ("help run", "'help' is not a command; did you mean recbms-zmq run --help?"),
        ("version", "'version' is not a command; did you mean recbms-zmq --version?"),
        ("--once run sim:", "--once has to follow the command, as in recbms-zmq run --once"),
        ("keygen", "NAME is missing"),
        ("run --help=x", "-h/--help: takes no value, got 'x'"),
        ("flow --source exce", "--source: expected one of exec, daemon, zmq, zeromq-node"),
        ("-1", f"COMMAND: expected one of {', '.join(dispatch.COMMANDS)}, got '-1'"),
    ],
)
def test_a_mistake_in_the_order_of_words_is_one_sentence(line: str, sentence: str) -> None:
    code, out, error = answer(*line.split())
    assert (code, out) == (2, "")
    assert error.startswith(f"recbms-zmq: {sentence}")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        # A file, a directory, a form of output.
        ("record ws://h/ws battery.jsonl", "did you mean --output battery.jsonl?"),
        ("record battery.jsonl sim:", "it takes one [NAME=]SOURCE"),
        ("run -o log.json sim:", "the shell writes a file: recbms-zmq run ... > FILE"),
        ("files pipes -o .", "did you mean --copy DIR?"),
        ("alarms /var/lib/recbms-zmq", "did you mean --state-dir /var/lib/recbms-zmq?"),
        ("sensors --json", "did you mean --format json?"),
        ("sensors markdown", "did you mean --format markdown?"),
        ("run --csv sim:", "did you mean --format csv?"),
        ("sensors soc", "it takes options only"),
        # An address, or a part of one.
        (
            "run --host h",
            "an address has no option, as in recbms-zmq run ws://192.168.8.2/ws",
        ),
        ("check --port 81 h", "a port is a part of the address, as in ws://192.168.8.2:81/ws"),
        (
            "listen --port 5556",
            "an address has no option, as in recbms-zmq listen tcp://127.0.0.1:5556",
        ),
        (
            "demo --cells 16",
            "it belongs to the address, as in recbms-zmq run 'sim:?cells=...'",
        ),
        (
            "flow ws://u:secret@h/ws",
            ("the address of a BMS follows --url, as in recbms-zmq flow --url ws://***@h/ws"),
        ),
        ("simulate 8081", "did you mean --port 8081?"),
        ("check ws://h/ws ws://i/ws", "it takes one TARGET"),
        # Words of other programs, and of other commands of this one.
        ("flow dashboard", "did you mean --target dashboard?"),
        ("completion install bash", "did you mean --shell bash?"),
        (
            "run --mqtt h sim:",
            "for MQTT: recbms-zmq files to_mqtt.py, or recbms-zmq flow --target mqtt",
        ),
        ("run -c recbms.toml", "did you mean --config?"),
        ("run --debug sim:", "did you mean --verbose?"),
        ("run --ONCE sim:", "did you mean --once?"),
        ("run --interval 5 sim:", "did you mean --min-interval?"),
        ("run --secret k sim:", "did you mean --curve-secret-key?"),
        ("monitor --device main", "it is an option of check"),
        ("simulate --log-level debug", "it is an option of check, run and record"),
        ("find help", ""),
        ("run --bmz h", ""),
    ],
)
def test_an_unknown_word_behind_a_command_is_answered_with_what_may_be_meant(
    line: str, hint: str
) -> None:
    command = f"recbms-zmq {line.split(maxsplit=1)[0]}"
    code, out, error = answer(*line.split())
    _, _, found = error.partition(f" is not an option or argument of {command}")
    assert (code, out) == (2, "")
    assert found == f"{hint and '; '}{hint} (try: {command} --help)\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "$ recbms-zmq run sim:",
            "'$' is not a command; it is the prompt of an example: leave it out",
        ),
        ("recbms-zmq run sim:", "'recbms-zmq' is not a command; it is there twice: leave one out"),
        ("-V", "COMMAND is missing; did you mean recbms-zmq --version?"),
        (
            "run \N{EM DASH}once sim:",
            "\N{EM DASH}once begins with a dash of a web page: type it as --once",
        ),
        (
            "run sim: \N{EN DASH}-config=ws://u:secret@h",
            (
                "\N{EN DASH}-config=ws://***@h begins with a dash of a web page: "
                "type it as --config=ws://***@h"
            ),
        ),
    ],
)
def test_what_is_pasted_from_a_web_page_is_named(line: str, sentence: str) -> None:
    assert answer(*line.split()) == (2, "", f"recbms-zmq: {sentence} (try: recbms-zmq --help)\n")


@pytest.mark.parametrize("command", [["flow"], ["flow", "--force"]])
def test_a_directory_is_no_file_to_overwrite(command: list[str], tmp_path: Path) -> None:
    sentence = f"{tmp_path} is a directory; give the name of a file in it"
    assert answer(*command, "-o", str(tmp_path)) == (73, "", f"recbms-zmq: {sentence}\n")


def test_a_file_in_a_directory_that_is_not_there_names_it(tmp_path: Path) -> None:
    sentence = f"cannot write {tmp_path}/a/b.json: there is no directory {tmp_path}/a"
    assert answer("flow", "-o", f"{tmp_path}/a/b.json") == (73, "", f"recbms-zmq: {sentence}\n")


def test_a_disk_that_is_full_is_named_by_the_file_on_it() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    sentence = "recbms-zmq: cannot write /dev/full: No space left on device\n"
    assert answer("flow", "-o", "/dev/full") == (73, "", sentence)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("rnu", "did you mean run?"),
        ("RUN", "did you mean run?"),
        ("mon", "did you mean monitor?"),
        ("scan", "did you mean recbms-zmq find?"),
        ("battery", f"the commands are {', '.join(dispatch.COMMANDS)}"),
        (
            "ws://u:secret@192.168.8.2/ws",
            "an address follows one, as in recbms-zmq run ws://***@192.168.8.2/ws",
        ),
    ],
)
def test_an_unknown_command_is_answered_with_what_may_be_meant(word: str, hint: str) -> None:
    shown = word.replace("u:secret", "***")
    sentence = f"'{shown}' is not a command; {hint} (try: recbms-zmq --help)"
    assert answer(word) == (2, "", f"recbms-zmq: {sentence}\n")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "a command is missing; for example PATH demo (try: PATH --help)"),
        ("help run", "'help' is not a command; did you mean PATH run --help? (try: PATH --help)"),
        ("-V", "COMMAND is missing; did you mean PATH --version? (try: PATH --help)"),
        (
            "--once run sim:",
            "--once has to follow the command, as in PATH run --once (try: PATH run --help)",
        ),
        (
            "demo --cells 16",
            (
                "--cells is not an option or argument of recbms-zmq demo; it belongs to the "
                "address, as in PATH run 'sim:?cells=...' (try: PATH demo --help)"
            ),
        ),
    ],
)
def test_what_to_type_has_the_path_of_a_program_that_the_shell_does_not_find(
    line: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/me/recbms/bin/recbms-zmq"])
    monkeypatch.setenv("PATH", "/nowhere")
    sentence = sentence.replace("PATH", "/home/me/recbms/bin/recbms-zmq")
    assert answer(*line.split()) == (2, "", f"recbms-zmq: {sentence}\n")


def test_help_and_version_are_given_whatever_stands_behind_them() -> None:
    assert answer("--version", "battery")[0] == 0
    assert answer("--help", "battery")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["x" * 5000],
        ["--x", "x" * 5000],
        ["demo", "x" * 5000],
        ["run", "9" * 5000],
        ["demo", "--" + "x" * 5000],
        ["listen", "--count", "9" * 5000],
        ["simulate", "--port", "9" * 5000],
        ["simulate", "--seed", "9" * 5000],
    ],
)
def test_what_is_quoted_is_not_long(arguments: list[str]) -> None:
    code, out, err = answer(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert len(err) < 500


@pytest.mark.parametrize(
    "arguments",
    [
        ["record", "sim:", "-o"],
        ["keygen"],
        ["listen", "--curve-server-key"],
        ["listen", "--curve-server-key", "x", "--curve-secret-key"],
    ],
)
def test_the_home_of_an_unknown_user_is_one_sentence(arguments: list[str]) -> None:
    code, out, err = answer(*arguments, "~no-such-user/x")
    assert (code, out) == (2, "")
    assert err.endswith(
        ": expected a path in a home directory that exists, got '~no-such-user/x'\n"
    )


def test_a_sentence_is_one_line_without_control_characters(tmp_path: Path) -> None:
    name = f"{tmp_path}/\x1b[2J\nrecbms-zmq: all is well"
    sentence = f"cannot read {tmp_path}/?[2J?recbms-zmq: all is well: No such file or directory"
    assert answer("run", "--config", name) == (78, "", f"recbms-zmq: {sentence}\n")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["run", "--config", "/no/such/file"], ""),
        (["monitor", "--config", "/no/such/file"], ""),
        (["monitor", "--curve-server-key", "/no/such/file"], "the key file "),
    ],
)
def test_a_file_that_is_not_there_has_a_code_of_its_own(arguments: list[str], what: str) -> None:
    sentence = f"cannot read {what}/no/such/file: No such file or directory"
    assert answer(*arguments) == (78, "", f"recbms-zmq: {sentence}\n")


@pytest.mark.parametrize("line", ["run --print-config sim:", "run nonsense"])
def test_garbage_is_collected_again_after_the_start(line: str) -> None:
    answer(*line.split())
    assert gc.isenabled()


def test_the_configuration_is_printed_and_nothing_is_started() -> None:
    code, out, err = answer(
        "run", "--print-config", "--stale-after", "20", "house=ws://u:secret@192.168.8.2/ws"
    )
    assert (code, err) == (0, "")
    assert "\nstale_after = 20.0  # --stale-after\n" in out
    assert '\nurl = "ws://${RECBMS_LOGIN_HOUSE_URL}@192.168.8.2/ws"  # SOURCE; ' in out


@pytest.mark.parametrize(
    ("flag", "level"),
    [("-v", "debug"), ("--verbose", "debug"), ("-q", "error"), ("--quiet", "error")],
)
def test_the_log_level_has_short_forms(flag: str, level: str) -> None:
    code, out, _ = answer("run", flag, "--print-config", "sim:")
    assert code == 0
    assert f'\nlog_level = "{level}"  # --log-level\n' in out


def test_a_mistyped_variable_is_warned_of_beside_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECBMS_REFESH", "7")
    code, out, err = answer("run", "--print-config", "sim:")
    assert (code, err) == (0, "")
    assert out.startswith("# RECBMS_REFESH is not an option; did you mean RECBMS_REFRESH?\n")


def test_the_demo_is_a_simulated_pack_with_the_options_of_run() -> None:
    code, out, _ = answer("demo", "--print-config", "--name", "boat")
    assert code == 0
    assert '\nurl = "sim:"  # SOURCE\nname = "boat"  # --name\n' in out


def test_keygen_prints_which_file_goes_where(tmp_path: Path) -> None:
    assert answer("keygen", f"{tmp_path}/boat") == (
        0,
        (
            f"{tmp_path}/boat.key_secret: secret; it stays on this machine\n"
            f"{tmp_path}/boat.key: public; copy it to the other machine\n"
        ),
        "",
    )


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (Unavailable("nothing came"), (69, "", "recbms-zmq: nothing came\n")),
        (ReaderGone(), (141, "", "")),
        (KeyboardInterrupt(), (130, "", "")),
    ],
)
def test_how_a_command_ends_is_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, result: tuple[int, str, str]
) -> None:
    def fail(_: Any) -> int:
        raise error

    monkeypatch.setattr(sensors, "main", fail)
    assert answer("sensors") == result


# --- the real command ---


@pytest.mark.parametrize("arguments", [["sensors"], ["--version"], ["run", "--help"]])
def test_a_reader_that_has_gone_is_a_quiet_end(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            command(*arguments),
            stdout=write,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_that_has_no_omega_gets_the_table_all_the_same() -> None:
    done = subprocess.run(
        command("sensors"),
        capture_output=True,
        env=environment(PYTHONIOENCODING="latin-1"),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"m\u03a9" in done.stdout
    assert b"\xb0C" in done.stdout


def test_where_no_network_can_be_found_it_has_to_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A system without the file of routes is macOS."""
    monkeypatch.setattr(networks, "ROUTES", tmp_path / "routes")
    expected = "name one, as in recbms-zmq find 192.168.8.0/24\n"
    missing = f"recbms-zmq: this system does not list its networks: {expected}"
    assert answer("find") == (2, "", missing)
    networks.ROUTES.write_text("Iface Destination\n", encoding="ascii")
    none = (
        f"recbms-zmq: this machine is in no private network of at most 1,022 addresses: {expected}"
    )
    assert answer("find") == (2, "", none)

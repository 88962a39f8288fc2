"""No output of the real command has the serial number, or the credentials of a URL.

The serial number is the password of the module's firmware page. Each place where a text leaves the
process (stdout, ZeroMQ, stderr, recordings, checks, views, errors) is tested with
each shape of the number: as text, as number, behind other keys, inside texts and broken frames.
"""

import base64
import json
import sys
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import MakeBms, Run, Start, Subscribe
from support.frames import SETTINGS as REAL_SETTINGS
from support.frames import STATUS, status
from support.process import Command
from support.raw_server import raw_server

pytestmark = pytest.mark.slow

SERIAL = "1A-73519264"  # longer than the real one, which times and ports can hold by chance
SETTINGS = REAL_SETTINGS.replace("1A-2261", SERIAL)
USER, PASSWORD, PROXY_PASSWORD, TOKEN = "Wilhelmina", "s3/cr@t-1", "s3cret-2", "s3cret-3"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SECRETS = (SERIAL, "73519264", USER, PASSWORD, "cr@t", "s3%2Fcr", PROXY_PASSWORD, TOKEN, BASIC)
BAD_MESSAGES = (
    SETTINGS[:-20],  # cut off
    SETTINGS.replace(f'"{SERIAL}"', f'["{SERIAL}"]'),
    SETTINGS.replace(f'"{SERIAL}"', f'{{"{SERIAL}":1}}'),
    SETTINGS.replace('"type":"settings"', f'"type":"{SERIAL}'),
    SETTINGS.replace('"soc', '"soc\\x'),
    json.dumps([json.loads(SETTINGS)]),
    SETTINGS.replace('"cmax":', '"cmax":"high","x":'),
    SETTINGS.replace('"bms_name"', '"BMS_NAME"'),
    SETTINGS.replace(f'"bms_name":"{SERIAL}"', r'"bms_n\u0061me":"73519264"'),
    SETTINGS.replace('"cmax":', f'"{SERIAL}":1,"cmax":'),
    SETTINGS.replace('"28.09.2025"', f'"{SERIAL}"'),
    json.dumps({"type": SERIAL}),
    json.dumps({"type": "status", "bms_array": {"master": {}, "slave": {SERIAL: {"nap": [3]}}}}),
    status(error=f"unit {SERIAL} is hot", erro={"present": 1, "st": 99}),
    status(time_remaining=f"Full in: {SERIAL}"),
    SETTINGS.replace('"cmax":', '"seri":73519264,"cmax":'),
    SETTINGS.replace('"cmax":', '"SERI" : "73519264","cmax":'),
    SETTINGS.replace('"cmax":', '"seri":[73519264.0],"cmax":'),
    SETTINGS.replace('"cmax":', r'"s\u0065ri":-73519264,"cmax":'),
    SETTINGS.replace('"cmax":', '"serial":73519264,"cmax":'),
    '{"type":"status","seri":73519264,"bms_array":{"master":{"seri":73519264},"slave":{}}}',
    '{"type":"status","seri":73519264',
)


@pytest.fixture
def bms(make_bms: MakeBms) -> FakeBms:
    """A BMS that sends two frames, settings first, and then waits."""
    return make_bms(greeting=(SETTINGS, STATUS))


NO_WEBSOCKET = "the BMS does not speak websocket: invalid Upgrade header: "


def secret_url(bms: FakeBms) -> str:
    """Return the BMS's URL with everything in it that is secret."""
    credentials = f"{USER}:{PASSWORD.replace('/', '%2F').replace('@', '%40')}"
    return f"{bms.url.replace('://', f'://{credentials}@')}?token={TOKEN}"


def assert_no_secret_in(*texts: str) -> None:
    everything = "\n".join(texts)
    assert everything.strip()
    assert [secret for secret in SECRETS if secret in everything] == []


def test_a_service_has_neither(make_bms: MakeBms, run: Run, subscribe: Subscribe) -> None:
    bms, away = make_bms(greeting=(SETTINGS, STATUS)), make_bms()
    away.stop()
    service = run(
        *("--log-level", "debug", "--emit", "both", "--report", "all"),
        *(f"house={secret_url(bms)}", f"van={secret_url(away)}"),
    )
    service.message(device="house", key="settings/remote_switch")
    subscriber = subscribe(service.endpoint())
    subscriber.message(device="house", kind="device")
    bms.send(*BAD_MESSAGES, status(soc=0.5))
    service.message(device="house", key="soc", payload=50.0)
    bms.drop()
    bms.wait_for_connections(2)
    bms.send(status(soc=0.6))
    subscriber.message(device="house", key="soc", payload=60.0)
    assert service.stop() == 0
    bodies = b"\n".join(subscriber.bodies).decode()
    errors = service.stderr.text()
    assert_no_secret_in(service.stdout.text(), bodies, errors)
    assert "van: connection refused" in errors  # something was logged


def test_the_service_did_send_the_credentials(bms: FakeBms, run: Run) -> None:
    run("--no-publish", secret_url(bms)).message(key="soc")
    request = bms.connections[0].request
    assert request is not None
    assert request.headers["Authorization"] == f"Basic {BASIC}"
    assert request.path == f"/ws?token={TOKEN}"


def test_with_include_serial_it_is_in_the_device_message_and_nowhere_else(
    bms: FakeBms, run: Run
) -> None:
    service = run("--no-publish", "--log-level", "debug", "--include-serial", bms.url)
    service.message(key="settings/remote_switch")
    bms.send(*BAD_MESSAGES, status(soc=0.5))
    service.message(key="soc", payload=50.0)
    assert service.stop() == 0
    with_serial = [line for line in service.stdout.text().splitlines() if SERIAL in line]
    assert {json.loads(line)["kind"] for line in with_serial} == {"device"}
    assert json.loads(with_serial[-1])["payload"]["serial"] == SERIAL
    assert SERIAL not in service.stderr.text()


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ("run --once --emit both --log-level debug", ""),
        ("record --log-level debug", r"soc\":0.5"),
        ("check --log-level debug", "dropped"),
        ("check --json --log-level debug", "dropped"),
        ("monitor --plain", "50"),
    ],
)
def test_a_command_that_reads_a_bms_shows_neither(
    words: str, last: str, bms: FakeBms, start: Start
) -> None:
    process = start(*words.split(), secret_url(bms))
    bms.wait_for_connections(1)
    if last:
        bms.send(*BAD_MESSAGES, *[status(soc=0.5)] * 4)
        process.stdout.line(last)
        if process.is_running:
            process.stop()
    process.wait()
    assert_no_secret_in(process.stdout.text(), process.stderr.text())


def test_what_is_no_websocket_is_quoted_without_the_serial_number(run: Run) -> None:
    header = f"Upgrade: {SERIAL}\r\nConnection: Upgrade\r\n\r\n"
    answer = f"HTTP/1.1 101 Switching Protocols\r\n{header}".encode()
    with raw_server(answer) as server:
        service = run("--no-publish", "--refresh", "0.5", f"ws://{server.authority}/ws")
        offline = service.message(key="availability", reason=f"{NO_WEBSOCKET}1A-********")
        service.stderr.line(f"{NO_WEBSOCKET}1A-********")
        assert service.stop() == 0
    assert offline["payload"] == "offline"
    assert_no_secret_in(service.stdout.text(), service.stderr.text())


def test_the_configuration_is_shown_without_credentials(
    bms: FakeBms, run: Run, tmp_path: Path
) -> None:
    proxy = f"http://{USER}:{PROXY_PASSWORD}@127.0.0.1:3128"
    config = tmp_path / "recbms.toml"
    config.write_text(f'proxy = "{proxy}"\n[[bms]]\nurl = "{secret_url(bms)}"\n')
    shown = run("--config", str(config), "--print-config")
    assert shown.wait() == 0
    text = shown.stdout.text()
    assert_no_secret_in(text, shown.stderr.text())
    assert 'proxy = "http://${RECBMS_LOGIN_MAIN_PROXY}@127.0.0.1:3128"  #' in text
    login = "RECBMS_LOGIN_MAIN_URL"
    assert f'url = "ws://${{{login}}}@{bms.authority}/ws?${{{login}_QUERY}}"  #' in text


BROKEN = """
import sys
from recbms_zmq import cli
from recbms_zmq.service import pipeline
def broken(self, data, at):
    raise RuntimeError(f"{sys.argv[-1]} (made by the test)")
pipeline.Pipeline.received = broken
sys.exit(cli.main())
"""


def test_a_traceback_has_no_credentials(bms: FakeBms, run: Run) -> None:
    service = run(
        *("--no-publish", "--log-level", "debug", secret_url(bms)),
        python=[sys.executable, "-c", BROKEN],
    )
    line = service.stderr.line("made by the test")
    assert "Traceback" in line
    assert service.stop() == 0
    assert_no_secret_in(service.stdout.text(), service.stderr.text())


def secret_key(folder: Path, start: Start) -> str:
    """Make a key pair; return the secret one."""
    assert start("keygen", str(folder / "server")).wait() == 0
    text = (folder / "server.key_secret").read_text()
    return text.partition('secret-key = "')[2].partition('"')[0]


def test_the_secret_key_is_nowhere_either(
    bms: FakeBms, run: Run, start: Start, tmp_path: Path
) -> None:
    secret = secret_key(tmp_path, start)
    assert len(secret) == 40
    options = ("--curve-secret-key", str(tmp_path / "server.key_secret"), "--curve-allow-any")
    service = run("--log-level", "debug", *options, bms.url)
    service.message(key="soc")
    shown = run(*options, "--print-config", bms.url)
    assert shown.wait() == 0
    assert service.stop() == 0
    processes: tuple[Command, ...] = (service, shown)
    for process in processes:
        assert secret not in process.stdout.text() + process.stderr.text()

"""What the scripts of flows/pipes answer to a mistake: one sentence, and no traceback."""

import subprocess
import sys

import pytest
from support.flow_scripts import flow_script
from support.pages import ROOT

PIPES = ROOT / "flows" / "pipes"


def failed(*words: str) -> tuple[int, str]:
    """Run a script; return its exit code and the last line of stderr."""
    done = subprocess.run(
        [sys.executable, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("script", "package"),
    [
        ("to_mqtt.py", "paho-mqtt"),
        ("to_prometheus.py", "prometheus-client"),
        ("to_redis_stream.py", "redis"),
        ("redis_worker.py", "redis"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    script: str, package: str
) -> None:
    path = str(PIPES / script)
    sentence = f"{path}: needs a package: {sys.executable} -m pip install {package}"
    # -S: without the packages of the environment.
    assert failed("-S", path) == (1, sentence)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("subscriber.py nonsense", "Invalid argument (addr='nonsense')"),
        ("subscriber.py --server-key x", "CURVE needs both --server-key and --client-key"),
        ("subscriber.py --server-key x --client-key y", "Invalid certificate file: x"),
        ("to_redis_stream.py nonsense recbms:0", "Redis URL must specify one of the following"),
        ("redis_worker.py nonsense recbms:0", "Redis URL must specify one of the following"),
        ("to_prometheus.py --listen x", "argument --listen: expected HOST:PORT, got 'x'"),
        *(
            (f"to_signalk.py --udp {address}", f"--udp: expected HOST:PORT, got '{address}'")
            for address in ("1", "localhost", "localhost:x", "localhost:99999")
        ),
        ("to_mqtt.py --password-file /no/such", "cannot read --password-file: "),
    ],
)
def test_a_wrong_option_is_one_sentence(line: str, sentence: str) -> None:
    script, *words = line.split()
    code, found = failed(str(PIPES / script), *words)
    assert (code, found[: len(script) + 9 + len(sentence)]) == (2, f"{script}: error: {sentence}")


@pytest.mark.parametrize(("word", "is_on"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_a_switch_in_the_environment_can_be_off(
    monkeypatch: pytest.MonkeyPatch, word: str, is_on: bool
) -> None:
    monkeypatch.setenv("MQTT_TLS", word)
    monkeypatch.setenv("MQTT_NO_DISCOVERY", word)
    args = flow_script("to_mqtt").parse([])
    port = 8883 if is_on else 1883
    assert (args.tls, args.no_discovery, args.port) == (is_on, is_on, port)

"""What is refused is quoted without the credentials in it, wherever it was given."""

import json
from pathlib import Path

import pytest
from support.command_line import answer

USER, PASSWORD, TOKEN = "Wilhelmina", "s3/cr@t-1", "s3cret-3"
SECRETS = (USER, PASSWORD, "cr@t", "s3%2Fcr", TOKEN)
MISTAKES = [
    f"ws://{USER}:{PASSWORD}@127.0.0.1/ws",  # a / in a password has to be %2F
    f"House=ws://{USER}:{PASSWORD}@127.0.0.1/ws",
    f"wss:/{USER}:{PASSWORD}@127.0.0.1/ws",
    f"{USER}:{PASSWORD}@127.0.0.1",
    f"ws://{USER}:{PASSWORD}@127.0.0.1:port/ws",
    f"ws://{USER}:{PASSWORD} {PASSWORD}@127.0.0.1/ws",
    f"ws://{USER}:'{PASSWORD}'@[127.0.0.1/ws",
    f"ws;2/{USER}:{PASSWORD}@127.0.0.1/",
    f"{'x' * 60}/{USER}:{PASSWORD}@127.0.0.1/",  # longer than what a sentence shows
]
TAKE_NO_SOURCE = ("alarms", "completion", "demo", "files", "find", "flow")
FILES = [
    f'bms = "{MISTAKES[0]}"',
    f'bms = ["{MISTAKES[0]}"]',
    f'[[bms]]\nurl = ["{MISTAKES[0]}"]',
    f'[[bms]]\nurl = {{ house = "{MISTAKES[0]}" }}',
    f'publish = ["{MISTAKES[0]}"]\n[[bms]]\nurl = "sim:"',
    f'[[bms]]\n"{MISTAKES[0]}" = 1',
    f"[[bms]]\nurl = {MISTAKES[0]}",
    *(f"[[bms]]\nurl = {json.dumps(mistake)}" for mistake in MISTAKES),
]


def assert_refused_without_secret(code: int, *arguments: str) -> None:
    found, out, err = answer(*arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert [secret for secret in SECRETS if secret in err] == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistyped_url(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused_without_secret(2, "run", mistake)
    assert_refused_without_secret(2, "run", "--proxy", f"ftp{mistake}", "ws://127.0.0.1:9/ws")
    assert_refused_without_secret(2, "run", f"--poxy={mistake}", "ws://127.0.0.1:9/ws")
    assert_refused_without_secret(2, "run", f"--once={mistake}", "ws://127.0.0.1:9/ws")
    assert_refused_without_secret(2, "run", f"\N{EN DASH}x/{mistake}", "ws://127.0.0.1:9/ws")
    assert_refused_without_secret(2, f"--={mistake}", "run")
    assert_refused_without_secret(2, mistake, "run")
    for command in ("", "listen", "sensors", "simulate", "monitor", "record", *TAKE_NO_SOURCE):
        words = [command] * bool(command)
        assert_refused_without_secret(2, *words, mistake, "extra", "--unknown")
        assert_refused_without_secret(2, *words, mistake)
    monkeypatch.setenv("RECBMS_SOURCES", mistake)
    assert_refused_without_secret(78, "run")


@pytest.mark.parametrize("toml", FILES)
def test_a_wrong_file(tmp_path: Path, toml: str) -> None:
    path = tmp_path / "recbms.toml"
    path.write_text(toml)
    assert_refused_without_secret(78, "run", "--config", str(path))

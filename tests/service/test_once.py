"""How long `run --once` waits, and for what."""

import json

import pytest
from support.frames import SETTINGS, STATUS
from support.virtual_time import Timetable, current_loop, run_in_virtual_time

from recbms_zmq.config.options import BmsConfig, Config
from recbms_zmq.errors import Unavailable
from recbms_zmq.service import once
from recbms_zmq.service.fleet import Bms, build_fleet


@pytest.mark.parametrize(
    ("timeout", "frames", "sends_settings", "ends", "topics"),
    [
        (None, {1.0: STATUS}, True, 3.0, ["soc"]),
        (None, {1.0: STATUS}, False, 1.0, ["soc"]),
        (None, {1.0: STATUS, 2.9: SETTINGS}, True, 2.9, ["soc", "settings/capacity"]),
        (None, {1.0: STATUS, 3.1: SETTINGS}, True, 3.0, ["soc"]),
        (None, {1.0: SETTINGS, 2.0: STATUS}, True, 2.0, ["soc", "settings/capacity"]),
        (None, {29.9: STATUS, 29.95: SETTINGS}, True, 29.95, ["soc", "settings/capacity"]),
        (None, {31.0: STATUS}, True, 30.0, "no status frame within 30 s"),
        (None, {5.0: ""}, True, 5.0, "no status frame"),
        (2.5, {1.0: STATUS}, True, 2.5, ["soc"]),
        (0.5, {1.0: STATUS}, True, 0.5, "no status frame within 0.5 s"),
    ],
)
def test_the_first_status_is_waited_for_half_a_minute_and_settings_two_seconds_more(
    timeout: float | None,
    frames: dict[float, str],
    sends_settings: bool,
    ends: float,
    topics: list[str] | str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    def build(config: Config, publish: object) -> list[Bms]:
        (bms,) = build_fleet(config, publish)  # type: ignore[arg-type]
        return [bms._replace(source=Timetable(frames, sends_settings=sends_settings))]

    async def main() -> tuple[float, str]:
        reason = ""
        try:
            await once.print_once(Config(bms=(BmsConfig(url="ws://h/ws"),), timeout=timeout))
        except Unavailable as exc:
            reason = str(exc)
        return current_loop().time(), reason

    monkeypatch.setattr(once, "build_fleet", build)
    when, reason = run_in_virtual_time(main())
    keys = [json.loads(line)["key"] for line in capfdbinary.readouterr().out.splitlines()]
    found = [key for key in ("soc", "settings/capacity") if key in keys]
    assert when == pytest.approx(ends)
    assert (reason.partition(" (")[0] or found) == topics

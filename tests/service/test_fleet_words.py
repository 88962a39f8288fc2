"""A fleet in few words: how many BMS are named, in systemd's status line and in the log."""

import logging

import pytest
from support.frames import SETTINGS, STATUS, status

from recbms_zmq.clock import Instant
from recbms_zmq.config.options import BmsConfig, Config
from recbms_zmq.service.fleet import Bms, build_fleet
from recbms_zmq.service.silence import explain_silence
from recbms_zmq.service.systemd import status_line

ONLINE = "28.5 %, charging"
SILENT = "offline: waiting for the first status frame"


def made(offline: int, online: int) -> list[Bms]:
    """Make BMS `b0`, `b1`, …, of which the first ones have sent nothing."""
    names = [f"b{number}" for number in range(offline + online)]
    config = Config(bms=tuple(BmsConfig(name=name, url=f"ws://{name}/ws") for name in names))
    fleet = build_fleet(config, lambda _: None)
    for bms in fleet:
        bms.pipeline.start(Instant(0.0, 1.8e9))
    for bms in fleet[offline:]:
        bms.pipeline.received(SETTINGS.encode(), Instant(1.0, 1.8e9))
        bms.pipeline.received(STATUS.encode(), Instant(1.0, 1.8e9))
    return fleet


@pytest.mark.parametrize(
    ("offline", "online", "named_offline", "named_online", "more"),
    [
        (0, 1, 0, 1, 0),
        (1, 4, 1, 4, 0),
        (1, 5, 1, 4, 1),
        (5, 0, 5, 0, 0),
        (5, 1, 5, 0, 1),
        (7, 9, 5, 0, 11),
    ],
)
def test_the_status_line_names_five_bms_and_counts_the_others(
    offline: int, online: int, named_offline: int, named_online: int, more: int
) -> None:
    line = status_line([bms.pipeline for bms in made(offline, online)])
    assert line.split("; ") == [
        f"{online} of {offline + online} BMS online",
        *[f"b{number} {SILENT}" for number in range(named_offline)],
        *[f"b{offline + number} {ONLINE}" for number in range(named_online)],
        *([f"and {more} more"] if more else []),
    ]


def test_the_status_line_has_the_offline_bms_first_and_the_problem_of_one_that_is_online() -> None:
    silent, online = (bms.pipeline for bms in made(1, 1))
    problem = status(erro={"present": 1, "addr": 2, "st": 1, "con_st": 3})
    online.received(problem.encode(), Instant(2.0, 1.8e9))
    assert status_line([online, silent]) == (
        f"1 of 2 BMS online; b0 {SILENT}; b1 {ONLINE}, problem: Cell voltage too high"
    )


@pytest.mark.parametrize(
    ("silent", "explained", "more"), [(0, 0, []), (5, 5, []), (6, 5, ["1"]), (8, 5, ["3"])]
)
def test_five_silent_bms_are_explained_and_the_others_counted(
    silent: int, explained: int, more: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    fleet = made(silent, online=1)
    caplog.clear()
    caplog.set_level(logging.INFO)
    explain_silence(fleet)
    assert caplog.messages == [
        *[
            f"b{number}: no status frame from ws://b{number}/ws for 5 s (waiting for the first "
            f"status frame); still trying; what to do: recbms-zmq check ws://b{number}/ws"
            for number in range(explained)
        ],
        *[f"{number} more BMS have sent no status frame yet" for number in more],
    ]

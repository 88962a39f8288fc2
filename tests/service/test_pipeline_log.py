"""What a pipeline logs, and when."""

import json
import logging

import pytest
from support.frames import STATUS, status
from support.publishing_bms import at, make_pipeline

from recbms_zmq.service.pipeline import Pipeline

LOST = "connection lost"
FLAPS = (
    "main: error 2 comes and goes: it is not logged for up to an hour; messages have every change"
)
RENEWED = [
    "main: online",
    "main: connection lost; trying again",
    "main: the connection is good again",
]
OFFLINE = "main: offline: no status frame for 20 s; what to do: recbms-zmq check ADDRESS"


@pytest.fixture
def pipeline(caplog: pytest.LogCaptureFixture) -> Pipeline:
    caplog.set_level(logging.INFO)
    pipeline = make_pipeline(lambda _: None, stale_after=20)
    pipeline.start(at(0))
    return pipeline


def test_a_link_that_breaks_every_second_is_logged_once(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(100):
        pipeline.connected(at(second))
        pipeline.received(STATUS.encode(), at(second + 0.1))
        pipeline.disconnected(LOST, at(second + 0.5))
    assert caplog.messages == ["main: online", "main: connection lost; trying again"]


def test_a_link_that_was_good_for_a_while_is_logged_again_when_it_breaks(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    for start in (0.0, 1000.0):
        pipeline.connected(at(start))
        for second in range(32):
            pipeline.received(STATUS.encode(), at(start + second))
        pipeline.disconnected(LOST, at(start + 32))
        pipeline.connected(at(start + 33))
        for second in range(32):
            pipeline.received(STATUS.encode(), at(start + 33 + second))
        pipeline.advance(at(start + 500))
    assert caplog.messages == [*RENEWED, OFFLINE] * 2


@pytest.mark.parametrize(("seconds", "lines"), [(29.0, 2), (30.0, 3)])
def test_a_connection_is_good_again_after_half_a_minute(
    seconds: float, lines: int, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.received(STATUS.encode(), at(0))
    pipeline.disconnected(LOST, at(1))
    pipeline.connected(at(2))
    for second in (10, 20, 2 + seconds):
        pipeline.received(STATUS.encode(), at(second))
    assert caplog.messages == RENEWED[:lines]


def test_a_reason_is_logged_at_once_when_it_has_changed_or_had_ended(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    for reason in ("connection refused", "connection refused", LOST, LOST, "connection refused"):
        pipeline.disconnected(reason, at(1))
    pipeline.received(STATUS.encode(), at(2))
    pipeline.disconnected("connection refused", at(3))
    assert caplog.messages == [
        "main: connection refused; trying again",
        "main: connection lost; trying again",
        "main: connection refused; trying again",
        "main: online",
        "main: connection refused; trying again",
    ]


def test_going_offline_is_logged_before_the_reason_of_the_link(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.connected(at(0))
    pipeline.received(STATUS.encode(), at(1))
    pipeline.disconnected("nothing came for 20 s", at(21))
    assert caplog.messages == [
        "main: online",
        OFFLINE,
        "main: nothing came for 20 s; trying again",
    ]


def test_an_empty_reason_of_a_recording_is_not_logged_as_nothing(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.disconnected("", at(1))
    assert caplog.messages == ["main: connection lost; trying again"]
    assert pipeline.reason == "connection lost"


NO_ERROR = {"present": 0, "addr": 0, "st": 0, "con_st": 0}


@pytest.mark.parametrize(
    ("error", "text", "advice"),
    [
        (
            {"present": 1, "addr": 2, "st": 2, "con_st": 3},
            "error 2, Cell voltage too low (unit 2, cell 3)",
            "REC's manual: discharging is switched off now. Plug in the charger.",
        ),
        (
            {"present": 1, "addr": 2, "st": 4, "con_st": 1},
            "error 4, Cell temperature too high (unit 2, sensor 1)",
            "REC's manual: charging and discharging are switched off now. ",
        ),
        (
            {"present": 1, "addr": 2, "st": 99, "con_st": 1},
            "error 99, Error 99 (unit 2, cell 1)",
            "Look it up in REC's manual.",
        ),
        ({"present": 1}, "Error", "Look it up in REC's manual."),
    ],
)
def test_an_alarm_is_logged_once_when_it_is_raised_and_once_when_it_is_cleared(
    pipeline: Pipeline,
    caplog: pytest.LogCaptureFixture,
    error: dict[str, int],
    text: str,
    advice: str,
) -> None:
    for second, erro in enumerate([NO_ERROR, error, error, error, NO_ERROR, NO_ERROR]):
        pipeline.received(status(erro=erro).encode(), at(second))
    online, raised, cleared = caplog.records
    assert online.getMessage() == "main: online"
    assert raised.levelname == "WARNING"
    assert raised.getMessage().startswith(f"main: alarm raised: {text}")
    assert advice in raised.getMessage()
    assert cleared.levelname == "INFO"
    assert cleared.getMessage().startswith(f"main: alarm cleared: {text}")


def test_an_alarm_that_comes_and_goes_fills_no_log_and_hides_no_other(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    flapping = {"present": 1, "addr": 2, "st": 2, "con_st": 3}
    other = {"present": 1, "addr": 2, "st": 15, "con_st": 1}
    for second in range(2000):
        error = other if second == 1000 else NO_ERROR if second % 2 else flapping
        pipeline.received(status(erro=error).encode(), at(second))
    _, *lines = [message.partition(",")[0] for message in caplog.messages]
    assert lines == [
        *["main: alarm raised: error 2", "main: alarm cleared: error 2"] * 10,
        FLAPS,
        "main: alarm raised: error 15",
        "main: alarm cleared: error 15",
    ]
    pipeline.received(STATUS.encode(), at(3597))  # online again
    caplog.clear()
    pipeline.received(status(erro=flapping).encode(), at(3598))
    pipeline.received(status(erro=NO_ERROR).encode(), at(3599))
    pipeline.received(status(erro=flapping).encode(), at(3600))  # an hour after the first one
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "main: alarm raised: error 2"
    ]


def test_error_numbers_without_end_are_not_logged_without_end(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 1000):
        error = {"present": 1, "addr": 2, "st": number, "con_st": 3}
        pipeline.received(status(erro=error).encode(), at(number))
    assert len([text for text in caplog.messages if "alarm raised" in text]) == 64
    full = "main: no more error numbers are logged for up to an hour; messages have every one"
    assert caplog.messages[-1] == full
    pipeline.received(status(erro=error).encode(), at(3600))  # online again
    caplog.clear()
    pipeline.received(status(erro=error | {"st": 1000}).encode(), at(3601))
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "main: alarm cleared: error 999",
        "main: alarm raised: error 1000",
    ]
    for number in range(1001, 2000):
        error["st"] = number
        pipeline.received(status(erro=error).encode(), at(2600 + number))
    assert caplog.messages[-1] == full


def test_fields_without_end_that_cannot_be_read_are_one_line_of_bounded_length(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    bad = json.loads(status(cells=32))
    bad["bms_array"]["slave"]["0"]["nap"] = {str(cell): "?" for cell in range(32)}
    pipeline.received(json.dumps(bad).encode(), at(1))
    paths = ", ".join(f"$.bms_array.slave.0.nap.{cell}" for cell in range(32))
    assert caplog.messages[0] == (
        f"main: fields that cannot be read were left out ({paths[:200]}); "
        "counted in link/bad_frames"
    )

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.receiver import RecordingReceiver

from recbms_zmq.clock import Instant
from recbms_zmq.errors import DamagedRecording
from recbms_zmq.sources.recording import (
    Connected,
    Disconnected,
    End,
    FrameRecord,
    Recorder,
    Start,
    read_record,
)

TIMES = st.floats(0, 1e9).map(float)


def test_a_recording_is_as_documented() -> None:
    lines: list[bytes] = []
    receiver = RecordingReceiver()
    recorder = Recorder(receiver, lines.append)
    recorder.start(Instant(5120.25, 1790000000.5))
    recorder.connected(Instant(5120.5, 1790000000.75))
    assert recorder.received(b'{"type":"status"}', Instant(5121.0, 1790000001.25))
    assert not recorder.received(b"\xff\xfe", Instant(5122.0, 1790000002.25))
    recorder.disconnected("connection lost by 1A-2261 ü", Instant(5123.0, 1790000003.25))
    recorder.stop(Instant(5124.0, 1790000004.25))
    assert b"\n".join(lines).decode("ascii") == (
        '{"event":"start","monotonic":5120.25,"wall":1790000000.5,"version":1}\n'
        '{"event":"connected","monotonic":5120.5,"wall":1790000000.75}\n'
        '{"event":"frame","monotonic":5121.0,"wall":1790000001.25,'
        '"text":"{\\"type\\":\\"status\\"}"}\n'
        '{"event":"frame","monotonic":5122.0,"wall":1790000002.25,"base64":"//4="}\n'
        '{"event":"trouble","monotonic":5123.0,"wall":1790000003.25,'
        '"reason":"connection lost by 1A-**** \\u00fc"}\n'
        '{"event":"end","monotonic":5124.0,"wall":1790000004.25}'
    )
    # The other receiver gets what came.
    assert receiver.calls == [
        ("connected", ""),
        ("frame", '{"type":"status"}'),
        ("frame", "\xff\xfe"),
        ("disconnected", "connection lost by 1A-2261 ü"),
    ]


@given(st.binary(), TIMES, TIMES)
def test_frames_and_times_come_back_exactly(data: bytes, monotonic: float, wall: float) -> None:
    lines: list[bytes] = []
    Recorder(RecordingReceiver(), lines.append).received(data, Instant(monotonic, wall))
    record = read_record(lines[0])
    assert isinstance(record, FrameRecord)
    assert record.at == Instant(monotonic, wall)
    assert len(record.data) == len(data)
    assert lines[0].isascii()
    assert b"\n" not in lines[0]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"event":"start","monotonic":1,"wall":2,"version":1}', Start),
        ('{"wall":2,"monotonic":1,"event":"connected","more":[]}\r\n', Connected),
        ('{"event":"trouble","monotonic":1,"wall":2,"reason":""}', Disconnected),
        ('{"event":"end","monotonic":1,"wall":2}', End),
    ],
)
def test_lines_may_come_from_another_program(line: str, kind: type) -> None:
    assert isinstance(read_record(line.encode()), kind)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        "\xff",
        '{"event":"other","monotonic":1,"wall":2}',
        '{"event":"start","monotonic":1,"wall":2,"version":2}',
        '{"event":"end","monotonic":-1,"wall":2}',
        '{"event":"end","monotonic":1e300,"wall":2}',
        '{"event":"end","monotonic":1,"wall":1e300}',
        '{"event":"end","monotonic":NaN,"wall":2}',
        '{"event":"end","monotonic":"1","wall":2}',
        '{"event":"end","wall":2}',
        '{"event":"trouble","monotonic":1,"wall":2}',
        '{"event":"frame","monotonic":1,"wall":2,"base64":"???"}',
        '{"event":"frame","monotonic":1,"wall":2,"text":"\\ud800"}',
    ],
)
def test_any_other_line_is_damaged(line: str) -> None:
    with pytest.raises(DamagedRecording):
        read_record(line.encode("latin-1"))


def test_a_damaged_line_is_not_quoted_with_the_serial_number() -> None:
    with pytest.raises(DamagedRecording) as refused:
        read_record(b'{"event":"1A-2261","monotonic":1,"wall":2}')
    assert str(refused.value) == "Invalid value '1A-****' - at `$.event`"

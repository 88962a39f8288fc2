"""How many lines `listen` prints."""

import pytest
from support.monitored_bms import MonitoredBms

from recbms_zmq.client.lines import Lines


@pytest.mark.parametrize(
    ("form", "most", "printed"),
    [
        ("json", 4, 4),
        ("json", None, 10),
        ("text", 4, 4),
        ("text", None, 6),
        ("csv", 2, 3),
        ("csv", None, 4),
    ],
)
def test_no_more_lines_are_printed_than_asked_for(
    form: str, most: int | None, printed: int, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    lines = Lines(form, most)
    for name in ("a", "b", "c"):
        bms = MonitoredBms(name=name, emit="snapshot")
        bms.status()
        for body in bms.bodies.values():
            lines.take(body, 0.0)
    lines.take(b"of another program", 0.0)
    lines.advance(lines.due)
    lines.flush()
    assert lines.is_full == (most is not None)
    assert capsysbinary.readouterr().out.count(b"\n") == printed

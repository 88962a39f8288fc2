"""Why `listen` gets nothing: one sentence when it begins, one when it is over."""

import pytest

from recbms_zmq.client.silence import Silence

A, B = "tcp://192.168.8.2:5556", "tcp://192.168.8.3:5556"
NOBODY = (
    f"still waiting: no service answers at {A}; is recbms-zmq run running there, with --publish "
    "for other machines?"
)
GONE = "no longer answers; is recbms-zmq run running there?"
EMPTY = f"still waiting: connected to {A}, but nothing is published there yet"
REFUSED = f"{A} refused the connection: this key is not allowed"
LEFT_OUT = f"still waiting: connected to {A}, but --only and --except have left out all that came"

Steps = list[tuple[float, str]]


def printed(steps: Steps, *endpoints: str) -> Steps:
    """Return what is printed and when. A step is a time and `+A`, `-A`, `!A`, message or other."""
    now = 0.0
    lines: Steps = []
    silence = Silence(endpoints, [""], lambda text: lines.append((now, text)), lambda: now)
    for at, what in [*steps, (100.0, "")]:
        while silence.due <= at:
            now = silence.due
            silence.explain()
        now = at
        endpoint = {"A": A, "B": B, "a": "tcp://127.0.0.1:5556"}.get(what[1:2], "")
        match what[:1]:
            case "+":
                silence.connected(endpoint)
            case "-":
                silence.disconnected(endpoint)
            case "!":
                silence.refused(endpoint, "this key is not allowed")
            case "m":
                silence.received(wanted=True)
            case "o":
                silence.received(wanted=False)
    return lines


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(1, "+A"), (2, "message")], []),
        ([(1, "+A"), (2, "message"), (3, "-A"), (7, "+A")], []),  # a restart
        (
            [(1, "+A"), (2, "message"), (3, "-A"), (9, "+A")],
            [(8, f"still waiting: {A} {GONE}"), (9, f"connected to {A}")],
        ),
        (  # and a restart after it
            [(1, "+A"), (2, "message"), (3, "-A"), (9, "+A"), (10, "-A"), (14, "+A")],
            [(8, f"still waiting: {A} {GONE}"), (9, f"connected to {A}")],
        ),
        (
            [(1, "+a"), (2, "message"), (3, "-a"), (9, "+A")],
            [(8, f"still waiting: {A} {GONE}"), (9, f"connected to {A}")],
        ),
        ([], [(5, NOBODY)]),
        ([(9, "+A"), (9.5, "message")], [(5, NOBODY), (9, f"connected to {A}")]),
        ([(9, "+A")], [(5, NOBODY), (9, f"connected to {A}"), (14, EMPTY)]),
        ([(1, "+A")], [(5, EMPTY)]),
        ([(1, "+A"), (2, "other")], [(5, LEFT_OUT)]),
        ([(1, "+A"), (2, "-A")], [(7, f"still waiting: {A} {GONE}")]),
        ([(1, "!A"), (2, "-A"), (3, "!A")], [(1, REFUSED)]),
        ([(1, "!A"), (9, "+A"), (9.5, "message")], [(1, REFUSED), (9, f"connected to {A}")]),
        ([(1, "+A"), (2, "message"), (3, "-A"), (4, "!A")], [(4, REFUSED)]),
    ],
)
def test_each_silence_is_explained_once_and_so_is_its_end(steps: Steps, expected: Steps) -> None:
    assert printed(steps, A) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(1, "+A"), (2, "+B"), (3, "message")], []),
        (
            [(1, "+A"), (2, "message"), (9, "+B")],
            [(5, f"still waiting: 1 of 2 services answered ({A})"), (9, f"connected to {B}")],
        ),
        (
            [(1, "+A"), (1, "+B"), (2, "message"), (3, "-B"), (4, "-A"), (5, "+A")],
            [(8, f"still waiting: {B} {GONE}")],
        ),
        (
            [(1, "!A"), (9, "+B"), (9, "message")],
            [(1, REFUSED), (5, NOBODY.replace(A, B)), (9, f"connected to {B}")],
        ),
    ],
)
def test_of_several_services_each_counts(steps: Steps, expected: Steps) -> None:
    assert printed(steps, A, B) == expected

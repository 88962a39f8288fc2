"""Tests of the task words: the two real ones, decoded by hand with REC's layout."""

import pytest

from recbms_zmq.wire.task_word import Task


def test_the_real_word_of_relay_1_watches_the_lowest_cell() -> None:
    # 0111 0101 1111 1111 1111 1111 1111 1110: L is 1, the mode 5, and only `a` is 0.
    task = Task.of(1979711486)
    assert task == Task("minimum cell voltage", "above", tuple(range(2, 20)))
    assert task.unit == "V"
    assert task.disabled_by == "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19"


def test_the_real_word_of_optocoupler_2_watches_the_highest_cell() -> None:
    # 0001 0110 1010 1010 0000 0000 0011 1101: L is 0, the mode 6, and r, f, e, d, c, a are 1.
    task = Task.of(380239933)
    assert task == Task("maximum cell voltage", "below", (1, 3, 4, 5, 6, 18))
    assert task.unit == "V"
    assert task.disabled_by == "1, 3, 4, 5, 6, 18"


@pytest.mark.parametrize(
    ("number", "mode", "unit"),
    [
        (0, "off", None),
        (1, "voltage", "V"),
        (2, "temperature", "°C"),
        (3, "current", "A"),
        (4, "state of charge", None),
        (5, "minimum cell voltage", "V"),
        (6, "maximum cell voltage", "V"),
        (7, "charge enable", None),
        (8, "discharge enable", None),
        (9, "mode 9", None),
        (15, "mode 15", None),
    ],
)
def test_every_mode_has_its_words_and_the_unit_of_what_it_watches(
    number: int, mode: str, unit: str | None
) -> None:
    task = Task.of(number << 24)
    assert (task.mode, task.unit) == (mode, unit)


def test_a_word_without_errors_is_disabled_by_none() -> None:
    assert Task.of(0) == Task("off", "below", ())
    assert Task.of(0).disabled_by == "none"


def test_a_word_that_was_printed_as_a_signed_number_means_the_same() -> None:
    assert Task.of(0xF5FFFFFE - 2**32) == Task.of(0xF5FFFFFE)

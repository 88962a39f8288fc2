"""Tests of the exception tree: sentences for people and exit codes for scripts."""

import inspect

import pytest

from recbms_zmq import errors
from recbms_zmq.errors import FrameError, MalformedFrame, RecBmsError, UnknownFrameType


def test_every_error_has_the_exit_code_that_is_documented() -> None:
    found = {
        name: error.exit_code
        for name, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, RecBmsError)
    }
    assert found == {
        "RecBmsError": 1,
        "FrameError": 1,
        "MalformedFrame": 1,
        "UnknownFrameType": 1,
        "InvalidResponse": 1,
        "NoBatteryData": 1,
        "DamagedRecording": 1,
        "UsageError": 2,
        "ConfigError": 78,
        "Unavailable": 69,
        "OutputError": 73,
        "ReaderGone": 141,
    }


@pytest.mark.parametrize("error", [MalformedFrame, UnknownFrameType])
def test_what_is_wrong_with_a_frame_can_be_caught_as_one_error(error: type[FrameError]) -> None:
    with pytest.raises(FrameError):
        raise error("not JSON")


def test_a_frame_error_has_its_kind_and_its_detail() -> None:
    assert str(MalformedFrame("not JSON", "byte 7")) == "not JSON: byte 7"
    assert str(MalformedFrame("not JSON")) == "not JSON"
    assert MalformedFrame("not JSON", "byte 7").kind == "not JSON"

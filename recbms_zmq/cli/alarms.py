"""`recbms-zmq alarms`: the history of alarms that a service keeps in its state directory."""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recbms_zmq.config import readers
from recbms_zmq.config.load import STATE_VARIABLE
from recbms_zmq.config.option import read_argument
from recbms_zmq.errors import ConfigError, UsageError
from recbms_zmq.text import print_note, printable
from recbms_zmq.wire.alarms import LOOK_IT_UP, alarm_advice, alarm_guidance

if TYPE_CHECKING:  # loaded only where it is used
    from recbms_zmq.service.alarm_history import PastAlarm

EPILOG = """\
A service that runs with --state-dir writes down which alarms are raised and
cleared. Times are local; with --json they are UTC, and durations are seconds.
An alarm that was cleared while no frames came is marked: when is not known.
One that is raised again within an hour is printed once: with the times of the
last time, how many times it was raised, and since when.

examples:
  recbms-zmq alarms --state-dir /var/lib/recbms-zmq
  recbms-zmq alarms --state-dir ~/recbms-state --json | jq -r .text

exit codes: 0 done; 2 wrong option; 78 the directory cannot be read.
"""
_VARIABLE = "RECBMS_STATE_DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `alarms`."""
    parser.usage = "%(prog)s [OPTIONS]"
    parser.description = (
        "Print the last 1,000 alarms that were raised and cleared, the newest last."
    )
    parser.epilog = EPILOG
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        help=f"that of the service (default: ${_VARIABLE} or ${STATE_VARIABLE})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per alarm")


def main(args: argparse.Namespace) -> int:
    """Print the history."""
    from recbms_zmq.service.alarm_history import read_history

    directory = _directory(args.state_dir)
    try:
        found = read_history(directory)
    except OSError as exc:
        reason = exc.strerror or exc
        raise ConfigError(f"cannot read the alarms in {directory}: {reason}") from exc
    now = datetime.now(UTC)
    for past in found.alarms:
        print(json.dumps(_record(past, now)) if args.json else "\n".join(_lines(past, now)))
    if not (found.alarms or found.failures or args.json):
        hint = "" if found.is_used else "; no service has it as its --state-dir"
        print(printable(f"no alarms in {directory}{hint}"))
    for name, number in found.skipped.items():
        print_note(printable(f"{number:,} lines of {directory / name} are no alarms"))
    if found.failures:
        failures = (f"{name}: {reason}" for name, reason in found.failures.items())
        raise ConfigError(f"cannot read all alarms in {directory}: {'; '.join(failures)}")
    return 0


def _directory(given: str | None) -> Path:
    found = given or os.environ.get(_VARIABLE) or os.environ.get(STATE_VARIABLE, "").split(":")[0]
    if not found:
        raise UsageError("name the directory of the service: recbms-zmq alarms --state-dir DIR")
    path: Path = read_argument("--state-dir", readers.path, found)
    return path


def _record(past: "PastAlarm", now: datetime) -> dict[str, Any]:
    alarm = past.alarm
    return {
        "device": past.device,
        "number": alarm.number,
        "text": alarm.text,
        "advice": alarm_advice(alarm.number),
        "unit": alarm.unit,
        "cell": alarm.cell,
        "raised": past.raised,
        "cleared": past.cleared,
        "duration": _seconds(past, now),
        "observed": past.observed,
        "active": past.is_active,
        "times": past.times,
        "first_raised": past.first_raised,
    }


def _lines(past: "PastAlarm", now: datetime) -> list[str]:
    """Return an alarm for people, and below it what to do."""
    from recbms_zmq.reporting.summary import describe_alarm

    line = f"{_local(past.raised)}  {past.device}  {describe_alarm(past.alarm)}: {_end(past, now)}"
    if past.times > 1:
        line += f"; {past.times} times since {_local(past.first_raised)}"
    # What an alarm has switched off is over with it.
    active = past.is_active
    advice = alarm_guidance(past.alarm.number) if active else alarm_advice(past.alarm.number)
    return [printable(line), f"    {advice or LOOK_IT_UP}"]


def _end(past: "PastAlarm", now: datetime) -> str:
    seconds = _seconds(past, now)
    if past.is_active:
        return "not cleared yet" if seconds is None else f"not cleared yet, {_duration(seconds)}"
    if past.cleared is None:
        return "cleared, it is not known when"
    if not past.observed:
        return f"cleared by {_local(past.cleared)} or before, while no frames came"
    if seconds is None:
        return f"cleared at {_local(past.cleared)}, after the clock was set back"
    return f"cleared after {_duration(seconds)}"


def _seconds(past: "PastAlarm", now: datetime) -> float | None:
    """Return how long the alarm was active, or is by now; None if that is not known.

    It is not known after a clock was set back, either.
    """
    if past.cleared is None and not past.is_active:
        return None
    try:
        raised = datetime.fromisoformat(past.raised)
        end = now if past.cleared is None else datetime.fromisoformat(past.cleared)
        seconds = round((end - raised).total_seconds(), 3)
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def _local(ts: str) -> str:
    try:
        return f"{datetime.fromisoformat(ts).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):
        return ts


def _duration(seconds: float) -> str:
    """Return `12 s`, `5 min`, `3 h 05 min` or `2 d 4 h`."""
    minutes = int(seconds // 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"

"""Every exception this package raises on purpose, and the exit code each one means.

Whose fault it is decides the class::

    RecBmsError
    ├── FrameError              the BMS sent something unusable; costs that frame, never the process
    │   ├── MalformedFrame      not JSON, or JSON of another shape
    │   │   └── NoBatteryData   a status without any data of a battery
    │   └── UnknownFrameType    JSON with a `type` we do not know
    ├── InvalidResponse         the BMS answered over HTTP, but with no frame; costs that answer
    ├── DamagedRecording        a line of a recording that cannot be read; costs that line
    ├── UsageError         2    the command line is wrong
    │   └── FaultSyntaxError    a text that orders no fault of the simulator
    ├── ConfigError       78    the configuration file, the environment or a key file is wrong
    ├── Unavailable       69    nothing came from the BMS or the service in time
    ├── OutputError       73    a socket or file cannot be had, or is in use
    └── ReaderGone       141    the reader of stdout has closed it (128 + SIGPIPE)

The numbers are those of sysexits.h where it has one.
"""

from typing import ClassVar


class RecBmsError(Exception):
    """Base of all errors of this package. `str()` is one sentence made for people."""

    exit_code: ClassVar[int] = 1


class FrameError(RecBmsError):
    """A frame that cannot be used. `kind` is a short constant text, fit for "log once per kind"."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class MalformedFrame(FrameError):
    """Not JSON, or not a JSON object of a known shape."""


class NoBatteryData(MalformedFrame):
    """A status without any data of a battery: the module answers, but has no link to the BMS."""

    def __init__(self) -> None:
        super().__init__("the module answers, but knows nothing of the BMS: RS-485 cable?")


class UnknownFrameType(FrameError):
    """A well-formed message of a `type` this version does not know; harmless."""


class InvalidResponse(RecBmsError):
    """An answer over HTTP that holds no frame. `str()` says why, without the address."""


class DamagedRecording(RecBmsError):
    """A line that is not one of a recording. `str()` says what is wrong with it."""


class UsageError(RecBmsError):
    """A wrong option or argument: names it, what came, and what is expected."""

    exit_code = 2


class ConfigError(RecBmsError):
    """A wrong or unreadable configuration: names the place, what came, and what is expected."""

    exit_code = 78


class Unavailable(RecBmsError):
    """Nothing came in the time that was given."""

    exit_code = 69


class OutputError(RecBmsError):
    """A place for the output cannot be had, for example a ZeroMQ address that is in use."""

    exit_code = 73


class ReaderGone(RecBmsError):
    """Whoever read our stdout has gone; there is nobody left to tell."""

    exit_code = 141

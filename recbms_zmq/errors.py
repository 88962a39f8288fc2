"""Every exception that this package raises on purpose, with its exit code.

The class depends on where the mistake is::

    RecBmsError
    ├── FrameError              the BMS sent an unusable frame, which is dropped
    │   ├── MalformedFrame      not JSON, or JSON of another shape
    │   │   └── NoBatteryData   a status without any data of a battery
    │   └── UnknownFrameType    JSON with a `type` we do not know
    ├── InvalidResponse         the BMS answered over HTTP, but without a frame
    ├── DamagedRecording        a line of a recording is not valid, and skipped
    ├── UsageError         2    the command line is wrong
    │   └── FaultSyntaxError    a text that is not a fault of the simulator
    ├── ConfigError       78    the configuration file, the environment or a key file is wrong
    ├── Unavailable       69    nothing came from the BMS or the service in time
    ├── OutputError       73    a socket or file cannot be opened, or is in use
    └── ReaderGone       141    the reader of stdout has closed it (128 + SIGPIPE)

The numbers are those of sysexits.h where it has one.
"""

from typing import ClassVar


class RecBmsError(Exception):
    """Base of all errors of this package. `str()` is one sentence for people."""

    exit_code: ClassVar[int] = 1


class FrameError(RecBmsError):
    """A frame that cannot be used. `kind` is a short constant text, to log each kind once."""

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
    """A response over HTTP without a frame. `str()` is the reason, without the address."""


class DamagedRecording(RecBmsError):
    """A line that does not belong to a recording. `str()` is the reason."""


class UsageError(RecBmsError):
    """A wrong option or argument: names it, what came, and what is expected."""

    exit_code = 2


class ConfigError(RecBmsError):
    """A wrong or unreadable configuration: names the place, what came, and what is expected."""

    exit_code = 78


class Unavailable(RecBmsError):
    """Nothing came within the given time."""

    exit_code = 69


class OutputError(RecBmsError):
    """An output cannot be opened or written to: an address in use, a full disk."""

    exit_code = 73


class ReaderGone(RecBmsError):
    """The reader of our stdout has closed it. The process ends without a message."""

    exit_code = 141

"""The name and the version of this program; the package's metadata takes the version from here."""

from typing import Final

PROGRAM: Final = "recbms-zmq"
__version__ = "0.1.0"

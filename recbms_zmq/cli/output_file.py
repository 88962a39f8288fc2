"""A file that a command writes: never over another one, unless `--force` is given."""

import argparse
import os
import stat
from pathlib import Path
from typing import Final

from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument, refuse_without_effect
from recbms_zmq.errors import OutputError

_CLOSED_ON_EXEC: Final = os.O_WRONLY | os.O_CLOEXEC


def add_arguments(parser: "argparse._ActionsContainer") -> None:
    """Declare `--output` and `--force`."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write (default, and -: stdout)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite a FILE that exists")


def requested(args: argparse.Namespace) -> Path | None:
    """Return the file of a command line; None for standard output.

    Raises:
        UsageError: the path is not valid, or `--force` has no file to overwrite.

    """
    path: Path | None = read_argument("--output", readers.path, args.output)
    if path is None:
        refuse_without_effect(args, ["force"], "without --output")
    elif args.output == "-":
        refuse_without_effect(args, ["force"], "on stdout")
        return None
    return path


def create(path: Path, *, force: bool) -> int:
    """Open a new file, or with `force` an existing one; return its descriptor.

    Raises:
        OutputError: the file exists, or cannot be written.

    """
    flags = _CLOSED_ON_EXEC
    if not _is_special(path):
        # O_EXCL, not a look before: two commands could both find no file.
        flags |= os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        return os.open(path, flags, 0o666)
    except (FileExistsError, IsADirectoryError) as exc:
        if path.is_dir():
            raise OutputError(f"{path} is a directory; give the name of a file in it") from exc
        raise OutputError(f"{path} exists; choose another name, or overwrite: --force") from exc
    except FileNotFoundError as exc:
        raise OutputError(f"cannot write {path}: there is no directory {path.parent}") from exc
    except OSError as exc:
        raise OutputError(f"cannot write {path}: {exc.strerror}") from exc


def _is_special(path: Path) -> bool:
    """Return whether this is a device or a pipe, which is never overwritten."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)

"""`recbms-zmq files`: the flows, scripts and unit files that are installed with the program."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from recbms_zmq.config import readers
from recbms_zmq.config.option import read_argument, refuse_without_effect
from recbms_zmq.errors import OutputError, UsageError
from recbms_zmq.text import did_you_mean, quoted

EPILOG: Final = """\
A README.md in each directory explains its files.

examples:
  recbms-zmq files                        their names
  recbms-zmq files to_mqtt.py             print one
  recbms-zmq files pipes --copy .         copy a directory to ./pipes
  recbms-zmq files --copy DIR             copy all of them

exit codes: 0 done; 2 no such file, or a wrong option; 73 a file exists, or
cannot be written.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `files`."""
    parser.usage = "%(prog)s [OPTIONS] [NAME ...]"
    parser.epilog = EPILOG
    parser.add_argument("names", nargs="*", metavar="NAME", help="a file or directory of the list")
    parser.add_argument("--copy", metavar="DIR", help="copy into this directory")
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")


def main(args: argparse.Namespace) -> int:
    """List, print or copy."""
    chosen = select(args.names)
    directory = read_argument("--copy", readers.path, args.copy)
    if directory is None:
        refuse_without_effect(args, ["force"], "without --copy")
    if directory is not None:
        copy(chosen, directory, force=args.force)
    elif len(args.names) == 1 and len(chosen) == 1:
        sys.stdout.write((root() / chosen[0]).read_text(encoding="utf-8"))
    else:
        print("\n".join(map(str, chosen)))
    return 0


def root() -> Path:
    """Return the directory of the files: in the package, or in a checkout beside it."""
    package = Path(__file__).parents[1]
    installed = package / "flows"
    return installed if installed.is_dir() else package.parent / "flows"


def available() -> list[Path]:
    """Return the paths of all files, relative to their directory; pictures are not installed."""
    # In a checkout there may also be bytecode, and a wheel that the image is built from.
    found = (path.relative_to(root()) for path in root().rglob("*") if path.is_file())
    return sorted(
        path
        for path in found
        if path.parts[0] != "pictures" and path.suffix not in (".pyc", ".whl")
    )


def select(names: Sequence[str]) -> list[Path]:
    """Return the files of these names, or all.

    Args:
        names: paths of files or directories as in the list, or the last part of a path.

    Raises:
        UsageError: there is no such file.

    """
    files = available()
    if not names:
        return files
    return sorted({path for name in names for path in _named(name, files)})


def _named(name: str, files: Sequence[Path]) -> Iterator[Path]:
    wanted = Path(name)
    found = [path for path in files if path == wanted or wanted in path.parents]
    found = found or [path for path in files if path.name == name]
    if not found or wanted == Path():
        hint = did_you_mean(name, [path.name for path in files])
        hint = hint or "; `recbms-zmq files` lists them"
        raise UsageError(f"there is no file {quoted(name)}{hint}")
    yield from found


def copy(files: Sequence[Path], directory: Path, *, force: bool) -> None:
    """Copy files into a directory, with their own; print the path of each.

    Raises:
        OutputError: a file exists and `force` is not set, or a file cannot be written.

    """
    targets = [(root() / path, directory / path) for path in files]
    existing = [target for _, target in targets if _exists(target)]
    if existing and not force:
        raise OutputError(f"{existing[0]} exists; --force overwrites it")
    for source, target in targets:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        except OSError as exc:
            raise OutputError(f"cannot write {target}: {exc.strerror}") from exc
        print(target)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long, or in a directory of another user: it cannot be written either
        return False

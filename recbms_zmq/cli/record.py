"""`recbms-zmq record`: what a BMS sends, with its times, as lines that can be replayed."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from recbms_zmq.cli import output_file
from recbms_zmq.config import readers
from recbms_zmq.config.load import load_one
from recbms_zmq.config.option import declare, read_argument
from recbms_zmq.config.options import SOURCE_OPTIONS
from recbms_zmq.errors import ReaderGone, Unavailable
from recbms_zmq.service import logs

EPILOG = """\
A recording has everything that the BMS sent, and when, except for its serial
number: that is the password of the module's firmware page, and is always
redacted. So it can be given to others, who then see what you saw:

  recbms-zmq record ws://192.168.8.2/ws --duration 600 -o battery.jsonl
  recbms-zmq run replay:battery.jsonl
  recbms-zmq run --no-publish 'replay:battery.jsonl?speed=0' | jq .

It stops after --duration, at the end of the source, or at Ctrl-C. The format
is described in recbms_zmq/sources/recording.py.

exit codes: 0 stopped as asked; 2 wrong option; 69 no frame came; 73 the file
exists, or cannot be written; 78 the source cannot be read; 141 the reader of
stdout has closed it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `record`."""
    parser.usage = "%(prog)s [OPTIONS] [NAME=]SOURCE"
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="[NAME=]SOURCE", help="the BMS, as for run")
    output_file.add_arguments(parser)
    parser.add_argument(
        "--duration", metavar="SECONDS", help="end after this time (default: never)"
    )
    declare(parser, SOURCE_OPTIONS)


def main(args: argparse.Namespace) -> int:
    """Record, and return the exit code."""
    from recbms_zmq.service.record import record_to
    from recbms_zmq.service.runner import run

    config = load_one(vars(args), args.source, os.environ)
    duration = read_argument("--duration", readers.number("seconds", above=True), args.duration)
    output = output_file.requested(args)
    logs.set_up(config.log_level)
    with _output(output, force=args.force) as fd:
        run(record_to(config, fd, output, duration))
    return 0


@contextlib.contextmanager
def _output(path: Path | None, *, force: bool) -> Iterator[int | None]:
    if path is None:
        if sys.stdout is None:
            raise ReaderGone("standard output is closed")
        yield sys.stdout.fileno()
        return
    is_new = True
    with contextlib.suppress(OSError):  # `create` fails for the same reason, with a sentence
        is_new = not path.exists()
    fd = output_file.create(path, force=force)
    try:
        yield fd
    except Unavailable:
        if is_new:  # a recording of nothing would be in the way of the next one
            path.unlink()
        raise
    finally:
        os.close(fd)

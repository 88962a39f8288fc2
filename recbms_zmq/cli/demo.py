"""`recbms-zmq demo`: `run` with a simulated pack."""

import argparse

from recbms_zmq.cli import run

EPILOG = """\
examples:
  recbms-zmq demo
  recbms-zmq demo --report all --bare
  recbms-zmq demo --no-publish | jq -r 'select(.key=="soc").payload'
  recbms-zmq listen --topic recbms/main/soc    in another terminal

It is `recbms-zmq run sim:`, with the same options. More cells, faster days:
  recbms-zmq run 'sim:?units=2&cells=16&speed=600'

exit codes: as for run.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options, which are those of `run`."""
    parser.usage = "%(prog)s [OPTIONS]"
    parser.description = "Do what `run` does, with a simulated pack: no hardware needed."
    parser.epilog = EPILOG
    run.add_options(parser)


def main(args: argparse.Namespace) -> int:
    """Run the service on a simulated pack."""
    args.sources = ["sim:"]
    return run.main(args)

"""`recbms-zmq demo`: `run` with a simulated pack."""

import argparse

from recbms_zmq.commands import run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options, which are those of `run`."""
    run.add_options(parser)


def main(args: argparse.Namespace) -> int:
    """Run the service on a simulated pack."""
    args.sources = ["sim:"]
    return run.main(args)

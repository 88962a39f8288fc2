"""The command line: one module per command, imported only when the command is used.

A command module has `add_arguments(parser)` and `main(args) -> int`, which returns the exit code
and raises errors of `recbms_zmq.errors`; `dispatch` prints them as a sentence.
"""

from recbms_zmq.cli.dispatch import main

__all__ = ["main"]

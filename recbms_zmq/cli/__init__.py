"""The commands of the command line, a module each; only the one that was asked for is imported.

A command module has `add_arguments(parser)` and `main(args) -> int`, the exit code. What goes
wrong is raised as an error of `recbms_zmq.errors`, which `dispatch` turns into a sentence and an
exit code.
"""

from recbms_zmq.cli.dispatch import main

__all__ = ["main"]

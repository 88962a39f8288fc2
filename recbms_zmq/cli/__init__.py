"""The commands of the command line, a module each; only the one that was asked for is imported.

A command module has `add_arguments(parser)` and `main(args) -> int`, the exit code. What goes
wrong is raised as an error of `recbms_zmq.errors`, which `cli` turns into a sentence and a code.
"""

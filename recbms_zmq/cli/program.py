"""The name of this program, as the user has to type it."""

import shutil
import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = "recbms-zmq"


def typed_program(argument: str | None = None) -> str:
    """Return the name, or the path where the shell finds no program of that name.

    In a virtual environment that is not activated, a command with the bare name would fail.

    Args:
        argument: how the program was started (default: `sys.argv[0]`).

    """
    path = sys.argv[0] if argument is None else argument
    return path if Path(path).name == PROGRAM and shutil.which(PROGRAM) is None else PROGRAM

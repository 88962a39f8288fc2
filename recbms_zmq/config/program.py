"""What the user has to type: the name of this program, and how a missing package is installed."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from recbms_zmq.version import PROGRAM


def typed_program(argument: str | None = None) -> str:
    """Return the name, or the path where the shell finds no program of that name.

    In a virtual environment that is not activated, a command with the bare name would fail.

    Args:
        argument: how the program was started (default: `sys.argv[0]`).

    """
    path = sys.argv[0] if argument is None else argument
    return path if Path(path).name == PROGRAM and shutil.which(PROGRAM) is None else PROGRAM


def install_command(package: str) -> str:
    """Return the command that installs a package beside this program, and that for pipx.

    The package itself, not an extra of this program: who has installed it from a copy of the
    repository has it on no index. By the Python that runs, because Debian refuses a bare `pip`.
    `uv tool` makes environments without pip.
    """
    import shlex  # for mistakes only

    python = shlex.quote(sys.executable)
    if find_spec("pip") is None:
        command = f"uv pip install --python {python} {package}"
    else:
        command = f"{python} -m pip install {package}"
    return f"{command} (with pipx: pipx inject {PROGRAM} {package})"

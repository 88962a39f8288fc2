"""A user's home directory after the quick start, to run the pages' commands word for word."""

import sys
from pathlib import Path

from support.pages import ROOT
from support.process import environment


class Home:
    """`~/recbms/bin` with the program and the Python of this checkout.

    Attributes:
        folder: where commands are typed; it has the repository's `flows`.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "copy"
        self.folder.mkdir(parents=True)
        (self.folder / "flows").symlink_to(ROOT / "flows")
        self.path = folder / "home"
        programs = self.path / "recbms" / "bin"
        programs.mkdir(parents=True)
        for name, words in {"recbms-zmq": "-m recbms_zmq ", "python": ""}.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
            program.chmod(0o755)

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a shell of this user."""
        return environment(HOME=str(self.path), **changes)

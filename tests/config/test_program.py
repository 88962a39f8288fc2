"""The program's name in the commands that are printed for the user to type."""

import sys
from pathlib import Path

import pytest

from recbms_zmq.config import program as module
from recbms_zmq.config.program import install_command, typed_program


def test_a_printed_command_can_be_typed_also_without_an_activated_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "recbms-zmq"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    assert typed_program(str(program)) == str(program)
    assert typed_program("/x/recbms_zmq/__main__.py") == "recbms-zmq"  # python -m recbms_zmq
    monkeypatch.setenv("PATH", str(tmp_path))
    assert typed_program(str(program)) == "recbms-zmq"


def test_a_missing_package_is_installed_by_what_the_environment_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/home/me/my tools/bin/python")
    monkeypatch.setattr(module, "find_spec", {"pip": object(), "rich": None}.__getitem__)
    pipx = "(with pipx: pipx inject recbms-zmq rich)"
    assert install_command("rich") == f"'/home/me/my tools/bin/python' -m pip install rich {pipx}"
    monkeypatch.setattr(module, "find_spec", {"pip": None, "rich": None}.__getitem__)
    assert (
        install_command("rich")
        == f"uv pip install --python '/home/me/my tools/bin/python' rich {pipx}"
    )

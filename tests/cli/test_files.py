"""Tests of `recbms-zmq files`: the files that are installed with the program."""

import os
from pathlib import Path

import pytest
from support.pages import ROOT

from recbms_zmq.cli import main

FLOWS = ROOT / "flows"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["files", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_has_everything_but_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    names = printed(capsys).splitlines()
    assert {"pipes/to_mqtt.py", "service/.dockerignore", "exec-to-home-assistant.json"} < set(names)
    assert [name for name in names if not (FLOWS / name).is_file()] == []
    assert [name for name in names if name.startswith("pictures")] == []


@pytest.mark.parametrize("name", ["pipes/to_mqtt.py", "to_mqtt.py"])
def test_a_file_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert printed(capsys, name) == (FLOWS / "pipes" / "to_mqtt.py").read_text()


def test_a_folder_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    names = printed(capsys, "service").splitlines()
    files = (path.name for path in (FLOWS / "service").iterdir() if path.suffix != ".whl")
    assert names == sorted(f"service/{name}" for name in files)


def test_copies_are_the_files_with_their_modes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    paths = printed(capsys, "pipes", "config.toml", "--copy", str(tmp_path)).splitlines()
    names = sorted(str(Path(path).relative_to(tmp_path)) for path in paths)
    pipes = [f"pipes/{path.name}" for path in (FLOWS / "pipes").iterdir() if path.is_file()]
    assert names == sorted([*pipes, "service/config.toml"])
    for name in names:
        assert (tmp_path / name).read_bytes() == (FLOWS / name).read_bytes()
    assert os.access(tmp_path / "pipes" / "to_redis.sh", os.X_OK)


def test_a_file_that_exists_is_overwritten_only_with_force(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "service" / "config.toml"
    target.parent.mkdir()
    target.write_text("mine")
    arguments = ["files", "service", "--copy", str(tmp_path)]
    assert main(arguments) == 73
    assert capsys.readouterr().err == f"recbms-zmq: {target} exists; --force overwrites it\n"
    assert [path.name for path in target.parent.iterdir()] == ["config.toml"]
    assert main([*arguments, "--force"]) == 0
    assert target.read_bytes() == (FLOWS / "service" / "config.toml").read_bytes()


@pytest.mark.parametrize("name", ["", ".", "..", "../README.md", "/etc/passwd", "pictures", "nope"])
def test_other_files_are_refused(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["files", name]) == 2
    assert "there is no file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "reason"), [("file", "Not a directory"), ("a" * 300, "File name too long")]
)
def test_a_directory_that_cannot_be_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "file").touch()
    directory = tmp_path / name
    assert main(["files", "to_mqtt.py", "--copy", str(directory)]) == 73
    assert capsys.readouterr().err == (
        f"recbms-zmq: cannot write {directory}/pipes/to_mqtt.py: {reason}\n"
    )


def test_copies_need_a_directory(capsys: pytest.CaptureFixture[str]) -> None:
    # As from a variable that is not set: the current directory is not meant.
    assert main(["files", "--copy", ""]) == 2
    assert capsys.readouterr().err == "recbms-zmq: --copy: expected a path, got ''\n"

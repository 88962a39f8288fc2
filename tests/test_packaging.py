"""The wheel and the source archive hold what they should, and nothing else."""

import email
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.pages import ROOT, repository_files

from recbms_zmq import __version__

STEM = f"recbms_zmq-{__version__}"
FILES = {str(path) for path in repository_files()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both archives, built in a copy of the repository that has been worked in."""
    copy = tmp_path_factory.mktemp("copy")
    for name in FILES:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    # A virtual environment of any name, whose packages have folders named like ours, and leftovers.
    packages = copy / "venv" / "lib" / "python3.11" / "site-packages"
    for stray in (
        packages / "numpy" / "tests" / "test_core.py",
        packages / "recbms_zmq" / "__init__.py",
        packages / "other" / "flows" / "README.md",
        copy / ".venv" / "lib" / "recbms_zmq" / "README.md",
        copy / "build" / "recbms_zmq" / "old.py",
        copy / "flows" / "service" / f"{STEM}-py3-none-any.whl",
        copy / "recbms_zmq" / "__pycache__" / "errors.pyc",
        copy / "energy.json",
    ):
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.touch()
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(copy / "dist")]
    subprocess.run(words, cwd=copy, check=True, capture_output=True, timeout=120)
    return copy / "dist"


def test_the_source_archive_is_the_repository(built: Path) -> None:
    with tarfile.open(built / f"{STEM}.tar.gz") as archive:
        names = {member.name.removeprefix(f"{STEM}/") for member in archive if member.isfile()}
    assert names == {*FILES, "PKG-INFO"}


def test_the_wheel_has_the_package_and_the_files_for_users(built: Path) -> None:
    with zipfile.ZipFile(built / f"{STEM}-py3-none-any.whl") as archive:
        names = set(archive.namelist())
    package = {name for name in FILES if name.startswith("recbms_zmq/")}
    flows = {name for name in FILES if name.startswith("flows/")}
    pictures = {name for name in flows if name.startswith("flows/pictures/")}
    information = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert names == {
        *package,
        *(f"recbms_zmq/{name}" for name in flows - pictures),
        *(f"{STEM}.dist-info/{name}" for name in information),
    }
    assert "recbms_zmq/py.typed" in names
    assert "recbms_zmq/flows/pipes/to_mqtt.py" in names


def test_scripts_stay_executable(built: Path) -> None:
    with zipfile.ZipFile(built / f"{STEM}-py3-none-any.whl") as archive:
        mode = archive.getinfo("recbms_zmq/flows/pipes/to_redis.sh").external_attr >> 16
    assert mode & 0o111 == 0o111


def test_the_description_names_licence_and_supported_pythons(built: Path) -> None:
    with zipfile.ZipFile(built / f"{STEM}-py3-none-any.whl") as archive:
        metadata = archive.read(f"{STEM}.dist-info/METADATA").decode()
    about = email.message_from_string(metadata)
    assert (about["Name"], about["Version"]) == ("recbms-zmq", __version__)
    assert (about["License-Expression"], about["License-File"]) == ("MIT", "LICENSE")
    assert about["Requires-Python"] == ">=3.11"
    runtime = [line for line in about.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert [line.partition(">=")[0] for line in runtime] == ["msgspec", "pyzmq", "websockets"]
    assert about.get_payload() == (ROOT / "README.md").read_text()

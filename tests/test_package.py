"""Tests of `import recbms_zmq`: the public names are there, and are loaded on first use."""

import subprocess
import sys

import pytest

import recbms_zmq


def test_every_public_name_can_be_imported() -> None:
    namespace: dict[str, object] = {}
    exec("from recbms_zmq import *", namespace)
    assert namespace.keys() - {"__builtins__"} == set(recbms_zmq.__all__)
    assert set(recbms_zmq.__all__) <= set(dir(recbms_zmq))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'recbms_zmq' has no attribute 'Devcie'"):
        _ = recbms_zmq.Devcie


def test_the_package_and_version_load_no_library() -> None:
    """The command line imports the package first: `--version` and `--help` wait for all of it."""
    code = (
        "import contextlib, sys, recbms_zmq\n"
        "from recbms_zmq.cli import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(['--version'])\n"
        "heavy = {'msgspec', 'zmq', 'websockets', 'asyncio', 'ssl', 'logging'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout == f"recbms-zmq {recbms_zmq.__version__}\n[]\n"

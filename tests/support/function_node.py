"""Runs the scripts of a Node-RED function node by Node.js, in `function_node.cjs`."""

import atexit
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

NODE = shutil.which("node")
HARNESS = Path(__file__).with_name("function_node.cjs")

if NODE is None and os.environ.get("RECBMS_E2E") == "required":
    pytest.fail("RECBMS_E2E=required, but node is not installed", pytrace=False)
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


@functools.cache
def _harness() -> "subprocess.Popen[str]":
    """Start Node.js once: a test would pay 0.1 s of CPU for each start of its own."""
    assert NODE is not None
    harness = subprocess.Popen(
        [NODE, str(HARNESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    atexit.register(harness.communicate)
    return harness


def run_scripts(
    start: str, body: str, messages: Sequence[dict[str, Any]] = (), **env: Any
) -> list[dict[str, Any]]:
    """Give messages to a new function node; return what it did with each."""
    harness = _harness()
    assert harness.stdin is not None
    assert harness.stdout is not None
    order = {"start": start, "body": body, "env": env, "messages": messages}
    harness.stdin.write(json.dumps(order) + "\n")
    harness.stdin.flush()
    answer: list[dict[str, Any]] | str = json.loads(harness.stdout.readline())
    assert not isinstance(answer, str), answer
    return answer

"""Runs the scripts of a Node-RED function node by Node.js, in `function_node.cjs`."""

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


def run_scripts(
    start: str, body: str, messages: Sequence[dict[str, Any]], **env: Any
) -> list[dict[str, Any]]:
    """Give messages to a function node; return what it did with each."""
    order = {"start": start, "body": body, "env": env, "messages": messages}
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(HARNESS)], input=json.dumps(order), capture_output=True, text=True, check=True
    )
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer

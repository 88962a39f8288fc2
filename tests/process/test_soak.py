"""The soak, short and with one seed: everything at once, judged from the outside."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.process import environment

ROOT = Path(__file__).parents[2]


@pytest.mark.e2e  # alone: beside other tests a reader is slow for no fault of ours
@pytest.mark.timeout(400)  # it ends by itself; what it waits for is bounded
def test_a_fleet_of_faulty_bms_and_faulty_readers_costs_no_promise() -> None:
    # Ten have every configuration and every fault; what reads twenty needs half a core for itself.
    options = "--bms 10 --seconds 24 --seed 1"
    command = [sys.executable, "-m", "tests.soak", *options.split()]
    soak = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert soak.returncode == 0, soak.stdout + soak.stderr
    assert soak.stdout.endswith("\nPASS\n")

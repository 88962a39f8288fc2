"""The pages for users: tables are the code's, links lead somewhere, every block is run."""

import json
import re
from pathlib import Path

import pytest
from support.bms import FakeBms
from support.fixtures import Run
from support.frames import STATUS
from support.pages import PAGES, README, REFERENCE, ROOT, Block, block, blocks, filled

from recbms_zmq.sensors.normalize import Normalizer
from recbms_zmq.sensors.table import SENSORS
from recbms_zmq.wire.decode import decode
from recbms_zmq.wire.frames import Status


def test_the_readme_fits_on_three_screens() -> None:
    assert len(README.read_text().splitlines()) <= 250


def test_the_tables_are_those_of_the_code() -> None:
    text = REFERENCE.read_text()
    assert filled(text) == text, "python -m tests.support.pages writes them again"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(((?!https?:)[^)\s]+)\)", page.read_text())
    assert links
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("each", blocks(), ids=lambda each: each.mark or each.code[:40])
def test_every_block_is_run_by_a_test_or_gives_the_reason_why_not(each: Block) -> None:
    assert each.mark, "a comment above it names it, or begins with `not run: `"
    if not each.mark.startswith("not run: "):
        sources = [*(ROOT / "tests").rglob("*.py"), *ROOT.glob(".ci/run")]
        users = [
            p for p in sources if re.search(rf"(\"|<!-- ){re.escape(each.mark)}", p.read_text())
        ]
        if not users and not (ROOT / ".ci").exists():
            pytest.skip("it may be run by .ci/run, which is not in an sdist")
        assert users != []
        assert [other.mark for other in blocks()].count(each.mark) == 1


def test_commands_are_typed_with_their_path() -> None:
    """A bare `pip`, `python` or `recbms-zmq` is not found after the quick start."""
    bare = re.compile(r"^(?:.*[|&;] *)?(?:sudo )?(?:pip3?|python|recbms-zmq)\b", re.MULTILINE)
    shell = [each.code for each in blocks() if each.language in ("sh", "console")]
    assert [found[0] for code in shell for found in bare.finditer(code)] == []


def test_the_first_example_is_what_the_real_frame_gives() -> None:
    _, *shown, dots = block("first example").splitlines()
    status = decode(STATUS).frame
    assert isinstance(status, Status)
    readings = [
        [sensor.name, value, sensor.unit]
        for sensor, value in Normalizer().status(status).items()
        if sensor.unit
    ]
    assert [json.loads(line) for line in shown] == readings[: len(shown)]
    assert dots == "..."


def test_the_example_of_a_message_is_one(bms: FakeBms, run: Run) -> None:
    shown = json.loads(block("example message"))
    real = run(bms.url).message(key="soc")
    changing = {name: shown[name] for name in ("ts", "seq", "run")}
    assert list(shown.items()) == list({**real, **changing}.items())


def test_the_short_list_of_sensors_has_every_sensor_of_a_pack() -> None:
    text = README.read_text()
    section = text[text.index("## The sensors") : text.index("## When something fails")]
    named = set(re.findall(r"`([a-z_]+(?:/[a-zU_]+(?:/N)?)?)`", section))
    marks = {"unit": "U", "number": "N"}
    keys = {sensor.key.format_map(marks) for sensor in SENSORS}
    assert named - keys == set()
    left_out = {key for key in keys - named if not key.startswith(("settings/", "link/"))}
    assert left_out == {"time_remaining_minutes", "time_remaining_text", "units", "cells"}

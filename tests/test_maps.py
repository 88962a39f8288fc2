"""The pages for maintainers name files that exist, and every package and test folder."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "recbms_zmq" / "README.md", ROOT / "tests" / "README.md"


@pytest.mark.parametrize("page", [PACKAGE, TESTS], ids=["package", "tests"])
def test_every_path_on_a_page_exists(page: Path) -> None:
    named = set(re.findall(r"`([\w./-]+(?:\.\w+|/))`|\]\(([^)]+)\)", page.read_text("utf-8")))
    paths = {name or link for name, link in named if "/" in (name or link) or ".md" in link}
    assert len(paths) > 5
    assert [
        path for path in paths if not any((at / path).exists() for at in (page.parent, ROOT))
    ] == []


def test_every_package_has_its_layer_on_the_page() -> None:
    packages = {path.parent.name for path in (ROOT / "recbms_zmq").glob("*/__init__.py")}
    layers = PACKAGE.read_text("utf-8").partition("## The layers")[2].partition("## Where")[0]
    assert packages - set(re.findall(r"\w+", layers)) == set()

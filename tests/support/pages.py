"""The pages for users: their tables that are made from the code, and the code blocks in them.

`python -m tests.support.pages` writes the tables again; a test compares them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from recbms_zmq.cli.sensors import markdown
from recbms_zmq.config.option import Option
from recbms_zmq.config.options import OPTIONS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
REFERENCE = ROOT / "recbms_zmq" / "REFERENCE.md"
PAGES = (
    README,
    REFERENCE,
    ROOT / "flows" / "README.md",
    ROOT / "flows" / "service" / "README.md",
    ROOT / "flows" / "pipes" / "README.md",
)
_IGNORED = {"__pycache__", "node_modules"}
_FENCE = re.compile(r"(?:<!-- ([^\n]*) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block, and the comment above it, None if there is none."""

    page: Path
    mark: str | None
    language: str
    code: str


def blocks() -> list[Block]:
    """Return all fenced blocks of all pages."""
    return [Block(page, *found) for page in PAGES for found in _FENCE.findall(page.read_text())]


def block(mark: str, changes: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the code below a mark, with texts in it replaced by others."""
    [code] = [each.code for each in blocks() if each.mark == mark]
    for old, new in changes.items():
        assert old in code, f"{old} is not in the block {mark}"
        code = code.replace(old, new)
    return code


TOP = ("recbms_zmq", "tests", "flows", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")


def repository_files() -> list[Path]:
    """Return the files of the repository as relative paths, without what Git ignores."""
    found = (path for name in TOP for path in (ROOT / name, *(ROOT / name).rglob("*")))
    return sorted(
        path.relative_to(ROOT)
        for path in (*found, ROOT / ".gitignore")
        if path.is_file() and path.suffix != ".whl" and not _IGNORED & set(path.parts)
    )


def options_table() -> str:
    """Return the options of `run` as Markdown."""
    return "\n".join(
        [
            "Of the service:",
            "",
            *_rows(option for option in OPTIONS if not option.bms),
            "",
            "Of each BMS; these can also be in a `[[bms]]` table of the file:",
            "",
            *_rows(option for option in OPTIONS if option.bms),
        ]
    )


def _rows(options: Iterable[Option]) -> Iterator[str]:
    yield "| option | environment | default | what it does |"
    yield "|---|---|---|---|"
    for option in options:
        value = "" if option.is_switch else f" {option.metavar}"
        yield (
            f"| `{option.flag}{value}` | `{option.variable}` | {_default(option)} | {option.help} |"
        )


def _default(option: Option) -> str:
    if option.is_switch or option.default is None:
        return ""
    if option.many:
        return ", ".join(f"`{item}`" for item in option.default)
    return f"`{option.default:g}`" if isinstance(option.default, float) else f"`{option.default}`"


TABLES = {"sensors": markdown, "options of run": options_table}


def filled(text: str) -> str:
    """Return the reference with its tables as they have to be."""
    for name, table in TABLES.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        _, after = rest.split(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{table()}\n<!-- /{name} -->{after}"
    return text


if __name__ == "__main__":
    REFERENCE.write_text(filled(REFERENCE.read_text()))

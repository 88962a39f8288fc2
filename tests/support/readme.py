"""The tables of the README that are made from the code, and the code that stands in it.

`python -m tests.support.readme` writes them anew; a test sees to it that somebody did.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from recbms_zmq.cli.sensors import markdown
from recbms_zmq.config.options import OPTIONS, Option

README = Path(__file__).parents[2] / "README.md"


def options_table() -> str:
    """Return the options of `run` as Markdown."""
    return "\n".join(
        [
            "Of the service:",
            "",
            *_rows(option for option in OPTIONS if not option.bms),
            "",
            "Of each BMS; these can also stand in a `[[bms]]` table of the file:",
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
    """Return the README with its tables as they have to be."""
    for name, table in TABLES.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        _, after = rest.split(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{table()}\n<!-- /{name} -->{after}"
    return text


def block(mark: str, changes: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the code block behind a mark, with texts that stand in it replaced by others."""
    found = re.search(
        rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)```", README.read_text(), re.DOTALL
    )
    assert found is not None, f"the README has no block {mark}"
    code = found[1]
    for old, new in changes.items():
        assert old in code, f"{old} does not stand in {mark}"
        code = code.replace(old, new)
    return code


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))

"""A configuration as TOML, for `run --print-config`: what applies, and where it was set.

What is printed is itself a configuration file, but for passwords, which are masked.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from recbms_zmq.config.layers import Layer
from recbms_zmq.config.load import Loaded
from recbms_zmq.text import masked, printable


def as_toml(loaded: Loaded) -> str:
    """Return the text of the file, without a newline at its end."""
    service = [*(f"# {printable(warning)}" for warning in loaded.warnings), *_lines(loaded.service)]
    tables = (["", "[[bms]]", *_lines(found)] for found in loaded.bms)
    return "\n".join(itertools.chain(service, *tables))


def _lines(found: Layer) -> Iterator[str]:
    for name, setting in found.items():
        if setting.value is None:
            yield f"# {name} is not set"
        else:
            yield f"{name} = {_value(setting.value)}  # {setting.origin}"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if type(value) in (bool, int, float):
        return str(value).lower()
    # A text of TOML is written as one of JSON, and the rest of what cannot be read in its own way.
    text = json.dumps(masked(str(value)), ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    # A byte of a path that is not UTF-8 is half a character here, which TOML cannot write.
    return "?" if "\ud800" <= char <= "\udfff" else f"\\U{ord(char):08x}"

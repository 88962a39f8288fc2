"""A configuration as TOML, for `run --print-config`: what applies, and where it was set.

The output is a configuration file for the same configuration. Credentials of URLs are left to the
environment: the file has `${NAME}` in their place, and a comment with what to set.
"""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from recbms_zmq.config.layers import LOGIN_PREFIX, Layer
from recbms_zmq.config.load import Loaded
from recbms_zmq.text import printable


def as_toml(loaded: Loaded) -> str:
    """Return the text of the file, without a newline at its end."""
    service = [*(f"# {printable(warning)}" for warning in loaded.warnings), *_lines(loaded.service)]
    tables = (["", "[[bms]]", *_lines(found)] for found in loaded.bms)
    return "\n".join(itertools.chain(service, *tables))


def _lines(found: Layer) -> Iterator[str]:
    for name, setting in found.items():
        if setting.value is None:
            yield f"# {name} is not set"
            continue
        value, notes = setting.value, [setting.origin]
        if name in ("url", "proxy"):
            value, hidden = _without_secrets(value, f"{found['name'].value}_{name}")
            notes += [f"set {variable} to the {what}" for variable, what in hidden]
        yield f"{name} = {_value(value)}  # {printable('; '.join(notes))}"


def _without_secrets(url: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a URL with variables for its secrets, and each variable with what to set it to."""
    if not re.match(r"(ws|http|socks)\w*://", url, re.IGNORECASE):
        return url, []
    hidden = []
    variable = LOGIN_PREFIX + name.upper().replace("-", "_")
    login, at, _ = urlsplit(url).netloc.rpartition("@")
    if at:
        url = url.replace(f"://{login}@", f"://${{{variable}}}@", 1)
        hidden.append((variable, "USER:PASSWORD of this URL"))
    address, question, query = url.partition("?")
    if query:
        url = f"{address}{question}${{{variable}_QUERY}}"
        hidden.append((f"{variable}_QUERY", "query of this URL, what follows its ?"))
    return url, hidden


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if type(value) in (bool, int, float):
        return str(value).lower()
    # A JSON string is a TOML string, except for characters that TOML wants as \U.
    text = json.dumps(str(value), ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    # A byte of a path that is not UTF-8 is half a character in Python; TOML has no such thing.
    return "?" if "\ud800" <= char <= "\udfff" else f"\\U{ord(char):08x}"

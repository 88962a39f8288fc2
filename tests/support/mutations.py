"""The two real frames changed by hypothesis: in values, types, keys, structure, tokens and bytes.

What is drawn here is what `test_foreign_*` feed to the program. JSON is written by hand where
Python's own would not: keys that come twice, and tokens that are no JSON.
"""

import copy
import json
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from support.frames import SETTINGS as _SETTINGS
from support.frames import STATUS as _STATUS

SERIAL: Final = "1A-73519264"
NUMBER: Final = SERIAL.partition("-")[2]
"""The part of it that is secret."""
STATUS: Final[Any] = json.loads(_STATUS)
SETTINGS: Final[Any] = json.loads(_SETTINGS) | {"bms_name": SERIAL}


class Token(NamedTuple):
    """Text that stands in the JSON as it is."""

    text: str


class Members(NamedTuple):
    """An object whose keys may come more than once."""

    pairs: list[tuple[str, Any]]


def dump(tree: Any, *, ascii_only: bool = True, spaces: bool = False) -> str:
    """Write as JSON, or nearly so."""
    if isinstance(tree, Token):
        return tree.text
    comma, colon = (", ", ": ") if spaces else (",", ":")
    inner = {"ascii_only": ascii_only, "spaces": spaces}
    if isinstance(tree, dict | Members):
        pairs = tree.items() if isinstance(tree, dict) else tree.pairs
        members = (f"{dump(k, **inner)}{colon}{dump(v, **inner)}" for k, v in pairs)
        return "{" + comma.join(members) + "}"
    if isinstance(tree, list):
        return "[" + comma.join(dump(item, **inner) for item in tree) + "]"
    return json.dumps(tree, ensure_ascii=ascii_only)


# --- values ---

NUMBERS = (
    st.sampled_from([0, -0.0, 0.1, -0.1, 1, 2, 3, 4, 16, 17, 255, 256, -1, 2**31, 2**32, 2**63])
    | st.sampled_from([1e308, -1e308, 5e-324, 10**25, 10**400, 1.7976931348623157e308])
    | st.floats(allow_nan=False, allow_infinity=False)
)
_TOKENS: Final = (
    *("NaN", "-nan", "nan", "Infinity", "-inf", "1e999", "-1E+999", "01", "-01", "+1", ".5", "1."),
    *("0x1F", "1_000", "--1", "", "undefined", "tru", "'a'", '"\\ud800"', '"\\udc00\\ud800"'),
    *('"\\u0000"', '"\n"', '"\\x"', '"a', "9" * 400, "[" * 200 + "]" * 200, '{"a":' * 50 + "1"),
)
TOKENS = st.sampled_from(_TOKENS).map(Token)
TEXTS = st.sampled_from(
    ["", "Full in:<br> 31h 00 min", "Empty in: -1h 5 min", "&#x1F50B;&lt;<br", "NaN", "1", "\0"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = (
    st.sampled_from(["0", "1", "3", "15", "16", "31", "32", "-1", "-0", "00", "01", "+1", " 1"])
    | st.sampled_from(["1.0", "1e0", "99999999999999999999", "x", "../x", "a/b", "\u0661"])
    | st.sampled_from(["type", "nap", "slave", "master", "address", "st_celic", "\u00e9", ""])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | TOKENS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)

# --- places ---


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every container of the tree with every key in it."""
    found: list[tuple[Any, Any]] = []
    items: Any = []
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    for key, value in items:
        found.append((tree, key))
        found += places(value)
    return found


def _change(draw: st.DrawFn, container: Any, key: Any) -> None:
    """Change one place of a tree."""
    hows = ["value", "token", "delete", "rename", "repeat", "array", "wrap", "twice", "deep"]
    how = draw(st.sampled_from(hows))
    value = container[key]
    if how == "value":
        container[key] = draw(VALUES)
    elif how == "token":
        container[key] = draw(TOKENS)
    elif how == "delete":
        del container[key]
    elif how == "wrap":
        container[key] = draw(st.sampled_from([[value], {"0": value}, str(value)[:9]]))
    elif how == "deep":
        depth = draw(st.sampled_from([3, 60, 1100]))
        container[key] = Token("[" * depth + dump(value) + "]" * depth)
    elif how == "array" and isinstance(value, dict):
        container[key] = list(value.values())
    elif how == "repeat" and isinstance(value, dict):
        container[key] = {**value, **dict.fromkeys(map(str, range(40)), draw(VALUES))}
    elif how == "twice" and isinstance(value, dict) and value and "bms_name" not in value:
        again = draw(st.sampled_from(list(value)))
        container[key] = Members([*value.items(), (again, draw(VALUES))])
    elif how == "rename" and isinstance(container, dict) and "bms_name" not in container:
        container[draw(KEYS)] = container.pop(key)


@st.composite
def changed_trees(draw: st.DrawFn, most: int = 6) -> Any:
    """Change a real frame in up to so many places. The serial number stays where it belongs."""
    tree = copy.deepcopy(draw(st.sampled_from([STATUS, SETTINGS])))
    for _ in range(draw(st.integers(0, most))):
        where = [place for place in places(tree) if place[1] != "bms_name"]
        if not where:
            break
        _change(draw, *draw(st.sampled_from(where)))
    return tree


@st.composite
def changed_frames(draw: st.DrawFn) -> bytes:
    """Write a changed frame down."""
    text = dump(draw(changed_trees()), ascii_only=draw(st.booleans()), spaces=draw(st.booleans()))
    return text.encode("utf-8", "replace")


_BETWEEN = (
    st.sampled_from([b"NaN", b"-nan", b"inf", b"1e999", b"null", b"\\ud800", b"\xff", b"\0", b"\n"])
    | st.sampled_from([bytes([char]) for char in b'{}[],:"\\'])
    | st.sampled_from([b"9" * 400, b"[" * 3000, b'{"a":' * 3000])
)


@st.composite
def damaged_bytes(draw: st.DrawFn) -> bytes:
    """Damage a frame as a bad line does: something lost, something put between."""
    data = draw(changed_frames())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        lost = draw(st.sampled_from([0, 0, 1, 4, 50, 10_000]))
        data = data[:start] + draw(_BETWEEN | st.binary(max_size=3)) + data[start + lost :]
    return data


JSON = VALUES.map(dump).map(lambda text: text.encode("utf-8", "replace"))
WIRE = st.one_of(changed_frames(), damaged_bytes(), JSON, st.binary(max_size=50))
"""What may come from a BMS."""

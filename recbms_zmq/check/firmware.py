"""How the keys of a frame differ from the known ones: no list of firmware versions exists.

Pure, and only about keys, because a value may be the serial number. The numbers of cells and units
do not count as keys.
"""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

import msgspec

_LONGEST: Final = 40  # characters of a key that is shown


class KeyDifferences(NamedTuple):
    """Paths of keys (`bms_array.master.soc`), sorted.

    Attributes:
        unknown: keys that this program does not read, as printable ASCII.
        missing: keys that it reads and the frame does not have.

    """

    unknown: tuple[str, ...]
    missing: tuple[str, ...]


def compare(raw: Any, struct: type[msgspec.Struct]) -> KeyDifferences:
    """Compare the keys of a decoded JSON object with those of a frame's struct."""
    unknown: set[str] = set()
    missing: set[str] = set()
    for path, is_known in _differences(raw, struct, ""):
        (missing if is_known else unknown).add(path)
    return KeyDifferences(tuple(sorted(unknown)), tuple(sorted(missing)))


def _differences(raw: Any, struct: type[msgspec.Struct], path: str) -> Iterator[tuple[str, bool]]:
    if not isinstance(raw, dict):
        return
    known = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    tag = struct.__struct_config__.tag_field
    for key in raw.keys() - known.keys() - {tag}:
        yield path + _printable(key), False
    for key, wanted in known.items():
        if key not in raw:
            yield path + key, True
        else:
            yield from _inner_differences(raw[key], wanted, f"{path}{key}.")


def _inner_differences(raw: Any, wanted: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Compare the value of a field, if it is a struct, or a dict or list of structs."""
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        for choice in get_args(wanted):
            yield from _inner_differences(raw, choice, path)
    elif origin is Annotated:
        yield from _inner_differences(raw, get_args(wanted)[0], path)
    elif (origin is dict and isinstance(raw, dict)) or (origin is list and isinstance(raw, list)):
        for value in raw.values() if isinstance(raw, dict) else raw:
            yield from _inner_differences(value, get_args(wanted)[-1], path)
    elif isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        yield from _differences(raw, wanted, path)


def _printable(key: str) -> str:
    shown = "".join(char if char.isascii() and char.isprintable() else "?" for char in key)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."

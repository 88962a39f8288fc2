"""Keeps the good parts of a message that does not fit its struct.

`salvage` works on msgspec structs whose fields are numbers, texts, flags, structs, and dicts or
lists of these. What does not fit its declared type is left out, item by item and field by field,
and reported by its path. The module knows nothing of BMS. Only what strict decoding has refused
comes here; the cost is a few times that of parsing the message, whatever is in it.
"""

import types
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec

_S = TypeVar("_S", bound=msgspec.Struct)
_BAD: Final[Any] = object()  # not None, which is a valid value: null


def salvage(struct: type[_S], raw: dict[Any, Any], dropped: list[str], path: str = "$") -> _S:
    """Build `struct` from the good members of `raw`; append the paths of the bad ones to `dropped`.

    Every field of `struct` must have a default, which a bad field gets. Unknown members are
    ignored.
    """
    good = {}
    for member in msgspec.structs.fields(struct):
        if member.encode_name in raw:
            where = f"{path}.{member.encode_name}"
            value = _fit(member.type, raw[member.encode_name], dropped, where)
            if value is not _BAD:
                good[member.name] = value
    return struct(**good)


def _fit(wanted: Any, raw: Any, dropped: list[str], path: str) -> Any:
    """Return `raw` as the type `wanted`, or the part of it that fits, or `_BAD`."""
    try:
        # One call in C for a part that fits. `str_keys`: keys of JSON are texts, "0" for 0.
        return msgspec.convert(raw, wanted, str_keys=True)
    except (msgspec.ValidationError, RecursionError):
        pass
    for choice, longest in _choices(wanted):
        if isinstance(raw, dict):
            if isinstance(choice, type) and issubclass(choice, msgspec.Struct):
                return salvage(choice, raw, dropped, path)
            if get_origin(choice) is dict:
                return _fit_dict(choice, raw, dropped, path)
        if isinstance(raw, list) and get_origin(choice) is list and len(raw) <= longest:
            # The index of an item is its number, so a bad one leaves a gap.
            (item,) = get_args(choice)
            fitted = (_fit(item, each, dropped, f"{path}[{n}]") for n, each in enumerate(raw))
            return [None if each is _BAD else each for each in fitted]
    dropped.append(path)
    return _BAD


def _fit_dict(wanted: Any, raw: dict[str, Any], dropped: list[str], path: str) -> dict[int, Any]:
    key_type, value_type = get_args(wanted)
    # Looked up, not converted one by one: 90,000 bad keys blocked the event loop for 1.7 s.
    keys = _keys(key_type)
    if not raw.keys() <= keys.keys():
        # Reported once and without the keys: a message can have 90,000, each with any text.
        dropped.append(f"{path}[key]")
    good = {}
    for text, key in keys.items():
        if text in raw:
            value = _fit(value_type, raw[text], dropped, f"{path}.{key}")
            if value is not _BAD:
                good[key] = value
    return good


@lru_cache(maxsize=16)  # there are three such types
def _keys(key_type: Any) -> dict[str, int]:
    """Return every key that the type `Annotated[int, Meta(ge=0, lt=N)]` allows, as in JSON."""
    _, bounds = get_args(key_type)
    # Strict decoding takes "-0" for 0, too.
    return {"-0": 0} | {str(key): key for key in range(bounds.ge, bounds.lt)}


def _choices(wanted: Any) -> list[tuple[Any, float]]:
    """Return the members of a union without their annotations, and the greatest length of each."""
    members = get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)
    choices: list[tuple[Any, float]] = []
    for member in members:
        plain, longest = member, float("inf")
        if get_origin(member) is Annotated:
            plain, *notes = get_args(member)
            longest = next((n.max_length for n in notes if n.max_length is not None), longest)
        choices.append((plain, longest))
    return choices

"""Keep what is good of a message that is partly wrong.

Works on any msgspec struct whose fields are numbers, texts, structs, and dicts or lists of these:
whatever does not fit its declared type is left out, item by item, field by field, and named by
its path. It knows nothing of BMS. Only what strict decoding refused comes here, so it may be slow.
"""

import types
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec

_S = TypeVar("_S", bound=msgspec.Struct)
_BAD: Final[Any] = object()


def salvage(struct: type[_S], raw: dict[Any, Any], dropped: list[str], path: str = "$") -> _S:
    """Build `struct` from the good members of `raw`; append the paths of the bad ones to `dropped`.

    Every field of `struct` must have a default: a bad field is left at it.
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
            # An item's place is its number, so a bad one leaves a gap.
            (item,) = get_args(choice)
            fitted = (_fit(item, each, dropped, f"{path}[{n}]") for n, each in enumerate(raw))
            return [None if each is _BAD else each for each in fitted]
    dropped.append(path)
    return _BAD


def _fit_dict(wanted: Any, raw: dict[Any, Any], dropped: list[str], path: str) -> dict[Any, Any]:
    key_type, value_type = get_args(wanted)
    # In a dict a key is read by the same rules as in strict decoding.
    one_key = types.GenericAlias(dict, (key_type, None))
    good = {}
    for key, value in raw.items():
        try:
            (good_key,) = msgspec.convert({key: None}, one_key, str_keys=True)
        except msgspec.ValidationError:
            dropped.append(f"{path}[key]")  # not the key itself: it can be anything, of any length
            continue
        good_value = _fit(value_type, value, dropped, f"{path}.{good_key}")
        if good_value is not _BAD:
            good[good_key] = good_value
    return good


def _choices(wanted: Any) -> list[tuple[Any, float]]:
    """Take a union apart: each member without its annotations, and its greatest length."""
    members = get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)
    choices: list[tuple[Any, float]] = []
    for member in members:
        plain, longest = member, float("inf")
        if get_origin(member) is Annotated:
            plain, *notes = get_args(member)
            longest = next((n.max_length for n in notes if n.max_length is not None), longest)
        choices.append((plain, longest))
    return choices

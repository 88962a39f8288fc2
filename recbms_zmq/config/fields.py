"""Options as fields of structs: what a field has beside type and default, and what reads it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from recbms_zmq.config.option import Option
from recbms_zmq.config.readers import Reader

_StructT = TypeVar("_StructT", bound=Struct)


class About(NamedTuple):
    """How a field is set; see `Option`. A `derived` default depends on other options."""

    read: Reader
    help: str
    metavar: str | None = None
    many: bool = False
    derived: bool = False


def build(struct: type[_StructT], values: Mapping[str, Any]) -> _StructT:
    """Make a struct, and the structs in its fields, of the values of their options."""
    return struct(
        **{
            field.name: build(field.type, values)
            if _is_struct(field.type)
            else values[field.encode_name]
            for field in msgspec.structs.fields(struct)
        }
    )


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def options_of(struct: type[Struct], *, bms: bool) -> Iterator[Option]:
    """Yield the options of a struct and of the structs in its fields; `bms`: those of each BMS."""
    for field in msgspec.structs.fields(struct):
        if _is_struct(field.type):
            yield from options_of(field.type, bms=bms)
        for about in getattr(field.type, "__metadata__", ()):
            default = None if about.derived else field.default
            yield Option(
                field.encode_name, about.read, default, about.help, about.metavar, bms, about.many
            )

"""Tests of `import recbms_zmq`: the public names are there, and are loaded on first use."""

import msgspec
import pytest

import recbms_zmq


def test_every_public_name_can_be_imported() -> None:
    namespace: dict[str, object] = {}
    exec("from recbms_zmq import *", namespace)
    assert namespace.keys() - {"__builtins__"} == set(recbms_zmq.__all__)
    assert set(recbms_zmq.__all__) <= set(dir(recbms_zmq))


def test_what_a_message_is_made_of_can_be_imported() -> None:
    """A program that annotates a function of its own needs the names."""
    kinds = msgspec.inspect.type_info(recbms_zmq.Message)
    found = list(kinds.types) if isinstance(kinds, msgspec.inspect.UnionType) else []
    classes = set()
    while found:
        each = found.pop()
        if isinstance(each, msgspec.inspect.StructType):
            classes.add(each.cls)
            found += [field.type for field in each.fields]
        elif isinstance(each, msgspec.inspect.VarTupleType):
            found.append(each.item_type)
    public = [getattr(recbms_zmq, name) for name in recbms_zmq.__all__]
    assert len(classes) > 5
    assert [each.__name__ for each in classes if each not in public] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'recbms_zmq' has no attribute 'Devcie'"):
        _ = recbms_zmq.Devcie

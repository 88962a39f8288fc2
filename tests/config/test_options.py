"""Tests of the table of options: names that users' scripts and flows rely on."""

import pytest

from recbms_zmq.config.option import Option
from recbms_zmq.config.options import BY_NAME, OPTIONS, BmsConfig, Config, ReportOptions


def test_an_option_has_one_name_in_three_spellings() -> None:
    option = BY_NAME["stale_after"]
    assert (option.name, option.flag, option.variable) == (
        "stale_after",
        "--stale-after",
        "RECBMS_STALE_AFTER",
    )
    assert len(BY_NAME) == len(OPTIONS)


def test_only_switches_take_no_value() -> None:
    for option in OPTIONS:
        assert option.is_switch == (option.metavar is None)
        assert option.is_switch == (option.default is False)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_default_is_a_value_that_could_have_been_given(option: Option) -> None:
    defaults = option.default if option.many else [option.default]
    for default in defaults:
        if default is not None:
            assert option.read(str(default)) == default


def test_every_field_is_an_option_but_those_that_hold_others() -> None:
    structs = (Config, BmsConfig, ReportOptions)
    fields = [name for struct in structs for name in struct.__struct_encode_fields__]
    assert sorted([*BY_NAME, "bms", "reporting", "url"]) == sorted(fields)

"""Tests of the table of options: names that users' scripts and flows rely on."""

import pytest

from recbms_zmq.config.load import BmsConfig, Config
from recbms_zmq.config.options import BY_NAME, OPTIONS, Option

# Of the design's command line; others may be added, these may not go.
FIXED = {
    "--publish",
    "--no-publish",
    "--no-stdout",
    "--name",
    "--device-name",
    "--prefix",
    "--emit",
    "--report",
    "--refresh",
    "--min-interval",
    "--bare",
    "--stale-after",
    "--idle-current",
    "--max-frame",
    "--hwm",
    "--once",
    "--timeout",
    "--exit-on-stdin-close",
    "--log-level",
    "--include-serial",
    "--allow-plaintext",
}


def test_the_options_that_flows_and_scripts_use_are_there() -> None:
    assert {option.flag for option in OPTIONS} >= FIXED


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


def test_every_option_ends_up_in_the_configuration() -> None:
    consumed = {"no_publish", "allow_plaintext", "curve_allow_any"}  # which only allow something
    assert {option.name for option in OPTIONS if option.bms} == set(BmsConfig.__struct_fields__) - {
        "url"
    }
    assert {option.name for option in OPTIONS if not option.bms} - consumed == set(
        Config.__struct_fields__
    ) - {"bms"}

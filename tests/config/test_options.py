"""Tests of the table of options: names that users' scripts and flows rely on."""

import pytest

from recbms_zmq.config.option import Option
from recbms_zmq.config.options import BY_NAME, OPTIONS, BmsConfig, Config, ReportOptions

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


def test_every_field_is_an_option_but_those_that_hold_others() -> None:
    structs = (Config, BmsConfig, ReportOptions)
    fields = [name for struct in structs for name in struct.__struct_encode_fields__]
    assert sorted([*BY_NAME, "bms", "reporting", "url"]) == sorted(fields)


def test_the_defaults_are_those_of_the_design() -> None:
    assert {option.name: option.default for option in OPTIONS} == {
        "publish": ("tcp://127.0.0.1:5556",),
        "no_publish": False,
        "no_stdout": False,
        "format": None,
        "prefix": "recbms",
        "state_dir": None,
        "hwm": None,
        "max_clients": 256,
        "allow_plaintext": False,
        "curve_secret_key": None,
        "curve_allow": None,
        "curve_allow_any": False,
        "allow_ip": (),
        "ipc_mode": 0o600,
        "once": False,
        "timeout": None,
        "exit_on_stdin_close": False,
        "log_level": "info",
        "name": "main",
        "device_name": None,
        "emit": "readings",
        "report": "changes",
        "refresh": 60.0,
        "min_interval": 0.0,
        "stale_after": 30.0,
        "only": (),
        "except": (),
        "bare": False,
        "poll_interval": 10.0,
        "idle_current": 0.1,
        "energy_max_gap": 60.0,
        "max_frame": 2**20,
        "ca_file": None,
        "tls_fingerprint": None,
        "proxy": None,
        "include_serial": False,
    }

"""Tests of the configuration: what beats what, and one sentence for every mistake."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recbms_zmq.config.load import Loaded, load, load_one
from recbms_zmq.config.options import (
    BY_NAME,
    SOURCE_OPTIONS,
    BmsConfig,
    Config,
    ReportOptions,
)
from recbms_zmq.config.toml import as_toml
from recbms_zmq.errors import ConfigError, RecBmsError, UsageError

URL = "ws://192.168.8.2/ws"
SOURCE = (
    "a source: ws://HOST/ws, wss://HOST/ws, http://HOST/cell, sim:, replay:FILE, or - for stdin"
)


def loaded(
    *sources: str, env: Mapping[str, str] | None = None, file: Path | None = None, **given: Any
) -> Loaded:
    options = {**given, "config": None if file is None else str(file)}
    return load(options, sources, env or {})


def config(
    *sources: str, env: Mapping[str, str] | None = None, file: Path | None = None, **given: Any
) -> Config:
    return loaded(*(sources or (URL,)), env=env, file=file, **given).config


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "recbms.toml"


# --- what applies ---


def test_with_an_address_alone_the_defaults_apply() -> None:
    assert loaded(URL).warnings == []
    assert loaded(URL).config == Config(
        bms=(BmsConfig(url=URL, name="main", device_name="REC BMS", reporting=ReportOptions()),),
        hwm=10_000,
    )


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["REC BMS", "REC BMS boat", "REC BMS van"]),
        ({"device_name": "Battery"}, ["Battery", "Battery boat", "Battery van"]),
    ],
)
def test_no_two_bms_have_one_name_for_people(given: dict[str, str], names: list[str]) -> None:
    urls = ["main=ws://h/ws", "boat=ws://b/ws", "van=ws://v/ws"]
    assert [bms.device_name for bms in load(given, urls, {}).config.bms] == names


def test_a_name_that_one_bms_has_for_itself_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text(
        'device_name = "Battery"\n'
        '[[bms]]\nname = "house"\nurl = "ws://h/ws"\n'
        '[[bms]]\nname = "boat"\nurl = "ws://b/ws"\n'
        '[[bms]]\nname = "van"\nurl = "ws://v/ws"\ndevice_name = "Van battery"\n'
    )
    found = load({"config": str(file)}, [], {}).config
    assert [bms.device_name for bms in found.bms] == [
        "Battery house",
        "Battery boat",
        "Van battery",
    ]


def test_command_line_beats_environment_beats_file_beats_default(toml: Path) -> None:
    toml.write_text(
        'refresh = 1\nstale_after = 1\nmin_interval = 1\nidle_current = 1\nprefix = "file"\n'
        f'[[bms]]\nurl = "{URL}"\nstale_after = 2\nmin_interval = 2\nidle_current = 2\n'
    )
    env = {
        "RECBMS_MIN_INTERVAL": "3",
        "RECBMS_IDLE_CURRENT": "3",
        "RECBMS_PREFIX": "env",
    }
    found = load({"idle_current": "4", "config": str(toml)}, [], env).config
    (bms,) = found.bms
    assert (
        bms.reporting.refresh,
        bms.reporting.stale_after,
        bms.reporting.min_interval,
        bms.idle_current,
    ) == (1, 2, 3, 4)
    assert (found.prefix, bms.max_frame) == ("env", 2**20)


def test_the_file_is_named_on_the_command_line_or_else_in_the_environment(toml: Path) -> None:
    toml.write_text(f'[[bms]]\nurl = "{URL}"\n')
    assert load({}, [], {"RECBMS_CONFIG": str(toml)}).config == config(URL)
    assert loaded(env={"RECBMS_CONFIG": "/no/such/file"}, file=toml).config == config(URL)


def test_every_bms_of_the_file_has_its_own_options(toml: Path) -> None:
    toml.write_text(
        'publish = ["tcp://127.0.0.1:5556", "ipc:///run/recbms/pub"]\n'
        'report = "all"\n'
        '[[bms]]\nname = "house"\ndevice_name = "House battery"\n'
        'url = "ws://192.168.8.2/ws"\nstale_after = 20\nbare = true\n'
        '[[bms]]\nname = "boat"\nurl = "wss://192.168.8.3/ws"\nreport = "changes"\n'
    )
    found = load({"config": str(toml)}, [], {}).config
    assert found.publish == ("tcp://127.0.0.1:5556", "ipc:///run/recbms/pub")
    assert [
        (b.name, b.device_name, b.url, b.reporting.report, b.reporting.stale_after, b.bare)
        for b in found.bms
    ] == [
        ("house", "House battery", "ws://192.168.8.2/ws", "all", 20.0, True),
        ("boat", "REC BMS boat", "wss://192.168.8.3/ws", "changes", 30.0, False),
    ]


def test_sources_of_the_command_line_replace_those_of_environment_and_file(toml: Path) -> None:
    toml.write_text('refresh = 5\n[[bms]]\nurl = "ws://file/ws"\n')
    env = {"RECBMS_SOURCES": "a=ws://one/ws ws://two/ws"}
    in_file = load({"config": str(toml)}, [], {}).config.bms
    in_environment = load({"config": str(toml)}, [], env).config.bms
    given = load({"config": str(toml)}, ["b=ws://three/ws"], env).config.bms
    assert [(b.name, b.url, b.reporting.refresh) for b in in_file] == [
        ("main", "ws://file/ws", 5.0)
    ]
    assert [(b.name, b.url, b.reporting.refresh) for b in in_environment] == [
        ("a", "ws://one/ws", 5.0),
        ("main", "ws://two/ws", 5.0),
    ]
    assert [(b.name, b.url, b.reporting.refresh) for b in given] == [("b", "ws://three/ws", 5.0)]


def test_a_name_before_a_source_beats_the_option(toml: Path) -> None:
    env = {"RECBMS_NAME": "env"}
    found = load({"name": "option"}, ["house=ws://h/ws", "ws://g/ws?a=b"], env).config
    assert [(b.name, b.url) for b in found.bms] == [
        ("house", "ws://h/ws"),
        ("option", "ws://g/ws?a=b"),
    ]
    toml.write_text('[[bms]]\nurl = "ws://h/ws"\nname = "file"\n')
    assert load({"config": str(toml)}, [], env).config.bms[0].name == "env"


def test_options_can_be_given_in_words_of_the_environment() -> None:
    env = {
        "RECBMS_PUBLISH": "tcp://127.0.0.1:1, tcp://127.0.0.1:2  ipc:///x",
        "RECBMS_BARE": "yes",
        "RECBMS_NO_STDOUT": "true",
        "RECBMS_HWM": "7",
        "RECBMS_TIMEOUT": "2.5",
        "RECBMS_PROXY": "http://p",
        "RECBMS_LOG_LEVEL": "debug",
        "HOME": "/nowhere",
    }
    found = config(env=env)
    assert found.publish == ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "ipc:///x")
    assert (found.bms[0].bare, found.bms[0].proxy) == (True, "http://p")
    assert (found.no_stdout, found.hwm, found.timeout, found.log_level) == (True, 7, 2.5, "debug")


def test_empty_sources_in_the_environment_are_none(toml: Path) -> None:
    toml.write_text('[[bms]]\nurl = "ws://file/ws"\n')
    found = load({"config": str(toml)}, [], {"RECBMS_SOURCES": " "}).config
    assert [bms.url for bms in found.bms] == ["ws://file/ws"]


def test_an_empty_variable_counts_as_not_set(toml: Path) -> None:
    toml.write_text('publish = "ipc:///x"\n')
    env = {"RECBMS_PUBLISH": "", "RECBMS_HWM": "", "RECBMS_REFESH": ""}
    found = loaded(URL, env=env, file=toml)
    assert (found.config.publish, found.config.hwm, found.warnings) == (("ipc:///x",), 10_000, [])


def test_room_for_slow_subscribers_grows_with_the_fleet() -> None:
    fleet = [f"b{n}=sim:" for n in range(21)]
    assert config("sim:").hwm == 10_000
    assert config(*fleet[:20]).hwm == 10_000
    assert config(*fleet).hwm == 10_500
    assert config(*fleet, hwm="5").hwm == 5


def test_publishing_is_switched_off_by_an_option_and_by_once() -> None:
    env = {"RECBMS_PUBLISH": "tcp://127.0.0.1:1"}
    for option in ("no_publish", "once"):
        given: dict[str, Any] = {option: "true"}
        assert config(**given).publish == config(**given, env=env).publish == ()


def test_the_state_directory_of_systemd_is_used_unless_another_is_given() -> None:
    systemd = {"STATE_DIRECTORY": "/var/lib/recbms:/var/lib/other"}
    assert config(env=systemd).state_dir == Path("/var/lib/recbms")
    assert config(env=systemd | {"RECBMS_STATE_DIR": "/a"}).state_dir == Path("/a")
    assert config(env=systemd, state_dir="/b").state_dir == Path("/b")
    assert config(env={"STATE_DIRECTORY": ""}).state_dir is None


def test_a_command_that_only_reads_a_bms_takes_the_options_of_the_source_alone() -> None:
    given = {option.name: None for option in SOURCE_OPTIONS} | {"max_frame": "2048"}
    env = {"RECBMS_STALE_AFTER": "20", "RECBMS_PUBLISH": "nonsense", "RECBMS_SOURCES": "sim:"}
    found = load_one(given, "boat=ws://h/ws", env)
    assert [(b.name, b.url, b.max_frame, b.reporting.stale_after) for b in found.bms] == [
        ("boat", "ws://h/ws", 2048, 20.0)
    ]


@pytest.mark.parametrize(
    "options", [{"allow_plaintext": "true"}, {"curve_secret_key": "/key", "curve_allow": "/keys"}]
)
def test_other_machines_can_subscribe_if_plaintext_is_allowed_or_encrypted(
    options: dict[str, Any],
) -> None:
    assert config(publish=["tcp://*:5556"], **options).publish == ("tcp://*:5556",)


def test_a_mistyped_variable_is_warned_of_and_a_foreign_one_is_not() -> None:
    env = {"RECBMS_STALE_AFTR": "5", "RECBMS_QQQQQQQQQ": "5", "PATH": "x", "RECBMS_CONFIG": ""}
    assert loaded(URL, env=env).warnings == [
        "RECBMS_STALE_AFTR is not an option; did you mean RECBMS_STALE_AFTER?"
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("URL", "SOURCES"), ("HOST", "SOURCES"), ("SOURCE", "SOURCES"), ("CONFIG_FILE", "CONFIG")],
)
def test_the_usual_names_of_other_programs_are_warned_of(name: str, meant: str) -> None:
    assert loaded(URL, env={f"RECBMS_{name}": "5"}).warnings == [
        f"RECBMS_{name} is not an option; did you mean RECBMS_{meant}?"
    ]


@pytest.mark.parametrize(
    ("url", "shown", "s"),
    [
        ("http://u:secret@h/", "http://***@h", ""),
        ("ws://h:81", "ws://h:81", ""),
        ("https://h", "https://h", "s"),
    ],
)
def test_an_address_without_a_path_is_warned_of(url: str, shown: str, s: str) -> None:
    host = shown.partition("://")[2]
    assert loaded(url).warnings == [
        (
            f"{shown} has no path; a REC module is at ws{s}://{host}/ws, with older firmware at "
            f"http{s}://{host}/cell"
        )
    ]


def test_only_an_address_in_a_network_needs_a_path() -> None:
    assert loaded("replay://battery.jsonl").warnings == []


def test_a_mistyped_variable_of_any_characters_is_one_line() -> None:
    assert loaded(URL, env={"RECBMS_\udcff\fOURCES": "5"}).warnings == [
        "RECBMS_??OURCES is not an option; did you mean RECBMS_SOURCES?"
    ]


def test_a_variable_that_is_not_an_option_explains_why_there_is_no_bms() -> None:
    hint = "(RECBMS_URL is not an option; did you mean RECBMS_SOURCES?)"
    assert refused(UsageError, {}, [], {"RECBMS_URL": URL}).endswith(f"a --config file {hint}")


# --- every mistake is a sentence ---

NAME = "expected a name of a-z, 0-9, _ and -, at most 64 characters"
SECONDS = "expected seconds, a number"
ENDPOINT = "expected a ZeroMQ endpoint, tcp://ADDRESS:PORT or ipc://PATH"
MESSAGES = "expected messages, a whole number from 1 to 2147483647"
NO_OUTPUT = "nothing to do: --no-stdout and --no-publish leave no output"
NO_BMS = "no BMS to read: give its address, for example ws://192.168.8.2/ws, or a --config file"
REACHED = (
    "other machines can reach {}, and read what is published; encrypt with --curve-secret-key, "
    "or allow it with --allow-plaintext"
)
POLLED = (
    "polled every {0} s, the BMS would be offline after {0} s; make --stale-after longer than "
    "--poll-interval"
)
CHOOSE = (
    "--curve-secret-key: choose which clients can connect: --curve-allow DIR with their public "
    "keys, or --curve-allow-any for all that know this service's public key"
)
CURVE = {"curve_secret_key": "/key", "curve_allow": "/keys", "curve_allow_any": "true"}


def refused(error: type[RecBmsError], *arguments: Any) -> str:
    """Return the sentence with which `load` refuses these arguments."""
    with pytest.raises(error) as caught:
        load(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ([], NO_BMS),
        (["192.168.8.2"], f"SOURCE: expected {SOURCE} (perhaps {URL}?), got '192.168.8.2'"),
        (["house=ftp://u:secret@h/"], f"SOURCE: expected {SOURCE}, got 'ftp://***@h/'"),
        (["House=ws://u:secret@h/ws"], f"SOURCE: {NAME} (perhaps house?), got 'House'"),
        (["x" * 65 + "=ws://h/ws"], f"SOURCE: {NAME}, got '{'x' * 65}'"),
        (
            [URL, "ws://other/ws"],
            "SOURCE: a second BMS has the name 'main'; give it its own name, as NAME=SOURCE",
        ),
        (["a=-", "b=-"], "only one BMS can be read from stdin (-)"),
    ],
)
def test_a_wrong_source_is_one_sentence(sources: list[str], sentence: str) -> None:
    assert refused(UsageError, {}, sources, {}) == sentence


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"stale_after": "0"}, f"--stale-after: {SECONDS} above 0, got '0'"),
        ({"refresh": "0"}, f"--refresh: {SECONDS} of at least 0.01, got '0'"),
        ({"emit": "all"}, "--emit: expected one of readings, snapshot, both, got 'all'"),
        ({"publish": ["tcp://127.0.0.1:1", "x"]}, f"--publish: {ENDPOINT}, got 'x'"),
        ({"publish": ["tcp://*:5556"]}, "--publish: " + REACHED.format("tcp://*:5556")),
        ({"publish": ["ipc:///y", "ipc:///x", "ipc:///x"]}, "--publish: ipc:///x is given twice"),
        ({"no_publish": "true", "no_stdout": "true"}, NO_OUTPUT),
        ({"once": "true", "no_stdout": "true"}, NO_OUTPUT),
        ({"poll_interval": "30"}, "--poll-interval: " + POLLED.format(30)),
        ({"stale_after": "10"}, "--stale-after: " + POLLED.format(10)),
        ({"proxy": "http://p"}, "--proxy: only ws:// and wss:// can use a proxy"),
        ({"curve_secret_key": "/key"}, CHOOSE),
        ({"curve_allow": "/keys"}, "--curve-allow: has no effect without --curve-secret-key"),
        (
            {"curve_allow_any": "true"},
            "--curve-allow-any: has no effect without --curve-secret-key",
        ),
        (CURVE, "--curve-allow-any: contradicts --curve-allow; choose one"),
        (
            {"device_name": "x" * 101},
            f"--device-name: expected a text of at most 100 characters, got '{'x' * 76}...",
        ),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    assert refused(UsageError, options, ["http://h/cell"], {}) == sentence


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("REFRESH", "often", f"RECBMS_REFRESH: {SECONDS} of at least 0.01, got 'often'"),
        ("BARE", " ", "RECBMS_BARE: expected true or false, got ' '"),
        (
            *("SOURCES", "a=ws://h/ws b=h"),
            f"RECBMS_SOURCES: expected {SOURCE} (perhaps ws://h/ws?), got 'h'",
        ),
        (
            *("SOURCES", "a=ws://h/ws a=ws://g/ws"),
            "RECBMS_SOURCES: a second BMS has the name 'a'; give it its own name, as NAME=SOURCE",
        ),
        (
            *("PUBLISH", "tcp://192.168.8.5:5556"),
            "RECBMS_PUBLISH: " + REACHED.format("tcp://192.168.8.5:5556"),
        ),
        ("CONFIG", "/no/such/file", "cannot read /no/such/file: No such file or directory"),
    ],
)
def test_a_mistake_in_the_environment_is_one_sentence(
    variable: str, value: str, sentence: str
) -> None:
    env = {f"RECBMS_{variable}": value}
    assert refused(ConfigError, {}, [] if variable == "SOURCES" else [URL], env) == sentence


BMS = f'[[bms]]\nurl = "{URL}"\n'
FIRST, SECOND = "THE_FILE: [[bms]] number 1: ", "THE_FILE: [[bms]] number 2: "


QUOTES = "a text needs straight quotes, a number no unit; true and false are lower case"
TABLE = "a BMS is a [[bms]] table with a name and a url"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "stale_aftr = 5\n" + BMS,
            "THE_FILE: 'stale_aftr' is not an option; did you mean stale_after?",
        ),
        ("qqqqqqqqq = 5\n" + BMS, "THE_FILE: 'qqqqqqqqq' is not an option"),
        ("stale_after = -1\n" + BMS, f"THE_FILE: stale_after: {SECONDS} above 0, got -1"),
        ("hwm = 1.5\n" + BMS, f"THE_FILE: hwm: {MESSAGES}, got 1.5"),
        (f"hwm = 0x{'f' * 5000}\n" + BMS, f"THE_FILE: hwm: {MESSAGES}, got a number without end"),
        (BMS + 'report = "some"\n', FIRST + "report: expected one of changes, all, got 'some'"),
        (
            BMS + BMS + "prefix = 1\n",
            SECOND + "'prefix' is not an option of one BMS; it goes to the top of the file",
        ),
        (BMS + "stale = 1\n", FIRST + "'stale' is not an option; did you mean stale_after?"),
        ('[[bms]]\nname = "a"\n', FIRST + f"url is missing; expected {SOURCE}"),
        (
            '[[bms]]\nurl = "ws://u:secret@h:x/"\n',
            FIRST + f"url: expected {SOURCE}, got 'ws://***@h:x/'",
        ),
        (
            '[[bms]]\nurl = "ws://${RECBMS_LOGIN_HOUSE}@h/ws"\n',
            FIRST + "url: the environment has no variable RECBMS_LOGIN_HOUSE",
        ),
        (
            'bms = "ws://u:secret@h/ws"\n',
            "THE_FILE: bms: expected [[bms]] tables (two brackets), got 'ws://***@h/ws'",
        ),
        (
            'bms = ["ws://u:secret@h/ws"]\n',
            "THE_FILE: bms: expected [[bms]] tables (two brackets), got ['ws://***@h/ws']",
        ),
        ("publish = 5556\n" + BMS, f"THE_FILE: publish: {ENDPOINT}, got 5556"),
        (
            'publish = "tcp://*:5556"\n' + BMS,
            "THE_FILE: publish: " + REACHED.format("tcp://*:5556"),
        ),
        (
            BMS + BMS,
            SECOND + "a second BMS has the name 'main'; give it its own name, with name in its "
            "table",
        ),
        (
            "refresh = \n",
            f"INVALID Invalid value (at line 1, column 11); {QUOTES}",
        ),
        (
            BMS + "bare = True\n",
            f"INVALID Invalid value (at line 3, column 8); {QUOTES}",
        ),
        (
            "url = sim:\n",
            f"INVALID Invalid value (at line 1, column 7); {QUOTES}",
        ),
        (
            "refresh = 20s\n",
            "INVALID Expected newline or end of document after a statement (at line 1, column 13); "
            + QUOTES,
        ),
        (
            "bms:\n  - url: sim:\n",
            (
                "INVALID Expected '=' after a key in a key/value pair (at line 1, column 4); an "
                "option is written as name = value"
            ),
        ),
        (
            '{"bms": []}',
            (
                "INVALID Invalid statement (at line 1, column 1); recbms-zmq files config.toml "
                "prints an example"
            ),
        ),
        *(
            (f"{key} = 'ws://u:secret@h/ws'\n{BMS}", f"THE_FILE: '{key}' is not an option; {TABLE}")
            for key in ("url", "host", "BMS", "sources")
        ),
        *(
            (f"{BMS}{key} = 'h'\n", f"{FIRST}'{key}' is not an option; did you mean url?")
            for key in ("host", "port", "source")
        ),
        (
            f"{BMS}[mqtt]\nhost = 'h'\n",
            (
                "THE_FILE: 'mqtt' is not an option; the only tables are [[bms]], other options "
                "go to the top of the file"
            ),
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence(toml: Path, text: str, sentence: str) -> None:
    toml.write_text(text)
    found = refused(ConfigError, {"config": str(toml)}, [], {})
    sentence = sentence.replace("INVALID", "THE_FILE is not valid TOML:")
    assert found == sentence.replace("THE_FILE", str(toml))


def test_a_file_without_any_bms_is_not_enough(toml: Path) -> None:
    toml.write_text("refresh = 5\n")
    sentence = f"{toml}: no BMS to read: expected [[bms]] tables with a name and a url"
    assert refused(ConfigError, {"config": str(toml)}, [], {}) == sentence


@pytest.mark.parametrize("content", [b"\xff", b"a = " + b"9" * 5000, b"a = " + b"[" * 100_000])
def test_a_file_that_is_no_toml_is_one_sentence(toml: Path, content: bytes) -> None:
    toml.write_bytes(content)
    found = refused(ConfigError, {"config": str(toml)}, [URL], {})
    assert found.startswith(f"{toml} is not valid TOML: ")


def test_a_file_may_begin_with_a_byte_order_mark(toml: Path) -> None:
    toml.write_bytes(b"\xef\xbb\xbf" + BMS.encode())
    assert load({"config": str(toml)}, [], {}).config == config(URL)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    found = refused(ConfigError, {"config": str(tmp_path)}, [URL], {})
    assert found == f"cannot read {tmp_path}: Is a directory"


# --- what is printed of it ---


def test_every_option_is_shown_with_its_value_and_where_it_was_set(toml: Path) -> None:
    toml.write_text(
        'refresh = 5\n[[bms]]\nurl = "ws://u:secret@h/ws"\nproxy = "http://u:secret@p"\n'
    )
    env = {"RECBMS_LOG_LEVEL": "debug"}
    given = {"bare": "true", "publish": ["ipc:///x", "ipc:///y"], "config": str(toml)}
    toml.chmod(0o600)
    assert as_toml(load(given, [], env)).splitlines() == [
        'publish = ["ipc:///x", "ipc:///y"]  # --publish',
        "no_publish = false  # default",
        "no_stdout = false  # default",
        "# format is not set",
        'prefix = "recbms"  # default',
        "# state_dir is not set",
        "hwm = 10000  # default",
        "max_clients = 256  # default",
        "allow_plaintext = false  # default",
        "# curve_secret_key is not set",
        "# curve_allow is not set",
        "curve_allow_any = false  # default",
        "allow_ip = []  # default",
        'ipc_mode = "0600"  # default',
        "once = false  # default",
        "# timeout is not set",
        "exit_on_stdin_close = false  # default",
        'log_level = "debug"  # RECBMS_LOG_LEVEL',
        "",
        "[[bms]]",
        (
            f'url = "ws://${{RECBMS_LOGIN_MAIN_URL}}@h/ws"  # {toml}: [[bms]] number 1: url; '
            "set RECBMS_LOGIN_MAIN_URL to the USER:PASSWORD of this URL"
        ),
        'name = "main"  # default',
        'device_name = "REC BMS"  # default',
        'emit = "readings"  # default',
        'report = "changes"  # default',
        f"refresh = 5.0  # {toml}: refresh",
        "min_interval = 0.0  # default",
        "stale_after = 30.0  # default",
        "only = []  # default",
        "except = []  # default",
        "bare = true  # --bare",
        "poll_interval = 10.0  # default",
        "idle_current = 0.1  # default",
        "energy_max_gap = 60.0  # default",
        "max_frame = 1048576  # default",
        "# ca_file is not set",
        "# tls_fingerprint is not set",
        (
            f'proxy = "http://${{RECBMS_LOGIN_MAIN_PROXY}}@p"  # {toml}: [[bms]] number 1: '
            "proxy; set RECBMS_LOGIN_MAIN_PROXY to the USER:PASSWORD of this URL"
        ),
        "include_serial = false  # default",
    ]


LOGINS = ["", "u:pa55w0rd@", "t0k%40en@"]
HOSTS = st.sampled_from(["h", "bms.local:81", "[::1]:8080", "192.168.8.2"])
PATHS = st.sampled_from(["/ws", "/a@b/ws", "/", "/cell"])
QUERIES = st.sampled_from(["", "?token=pa55w0rd", "?a=1&b=x@y"])
NUMBERS = st.floats(0.01, 1e6).map(str)
FILES = st.sampled_from(
    ["/etc/me@home/x", "/a b", "c:\\\\d", "/\u00fc\u2028\x7f", "~/x", "/${HOME}/x"]
)
VALID = {
    "prefix": st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True),
    "name": st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True),
    "device_name": st.text(st.characters(codec="utf-8"), min_size=1, max_size=100).filter(
        lambda text: text.isprintable() and bool(text.strip())
    ),
    "publish": st.lists(
        st.sampled_from(["tcp://127.0.0.1:1", "ipc://@x", "ipc:///me@home/y", "tcp://[::1]:*"]),
        min_size=1,
        unique=True,
    ),
    "allow_ip": st.lists(st.sampled_from(["10.0.0.0/8", "::1", "192.168.8.2"]), unique=True),
    "format": st.sampled_from(["json", "text", "csv"]),
    **dict.fromkeys(
        ("only", "except"), st.lists(st.sampled_from(["soc", "soh,link/*", "*/2/?", "*"]))
    ),
    "emit": st.sampled_from(["readings", "snapshot", "both"]),
    "report": st.sampled_from(["changes", "all"]),
    "log_level": st.sampled_from(["debug", "info", "warning", "error"]),
    "ipc_mode": st.sampled_from(["0600", "660", "0666"]),
    "tls_fingerprint": st.just("AB:" * 31 + "ab"),
    "max_frame": st.integers(1024, 2**30).map(str),
    "hwm": st.integers(1, 2**31 - 1).map(str),
    "max_clients": st.integers(1, 1000).map(str),
    "poll_interval": st.floats(1, 29).map(str),
    "stale_after": st.floats(30, 1e9).map(str),
    "proxy": st.tuples(st.sampled_from(LOGINS), HOSTS).map("".join).map("socks5h://".__add__),
    **dict.fromkeys(("refresh", "min_interval", "idle_current", "energy_max_gap"), NUMBERS),
    "timeout": NUMBERS,
    **dict.fromkeys(("state_dir", "ca_file"), FILES),
    **dict.fromkeys(
        ("bare", "include_serial", "no_publish", "allow_plaintext", "exit_on_stdin_close"),
        st.sampled_from(["true", "no"]),
    ),
}
TOGETHER = {"no_stdout", "once", "curve_secret_key", "curve_allow", "curve_allow_any"}
SOURCES = st.one_of(
    st.tuples(
        st.sampled_from(["ws://", "wss://"]), st.sampled_from(LOGINS), HOSTS, PATHS, QUERIES
    ).map("".join),
    st.sampled_from(["sim:?units=2", "replay:/me@home/a b?speed=2", "-"]),
)


@given(st.fixed_dictionaries({}, optional=VALID), st.lists(SOURCES, min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_shown_configures_the_same(
    toml: Path, given_options: dict[str, Any], urls: list[str]
) -> None:
    if {"ca_file", "tls_fingerprint", "proxy"} & given_options.keys():
        urls = [url for url in urls if url.startswith("wss:")] or ["wss://h/ws"]
    if urls.count("-") > 1:
        urls = ["-"]
    names = ["", "boat=", "a-van="]
    env = {"RECBMS_TIMEOUT": given_options.pop("timeout", "")}
    shown = load(given_options, [name + url for name, url in zip(names, urls, strict=False)], env)
    text = as_toml(shown)
    toml.write_text(text, encoding="utf-8")
    assert "pa55w0rd" not in text
    assert "t0k%40en" not in text
    assert load({"config": str(toml)}, [], _secrets(text, shown)).config == shown.config
    assert text.count("set RECBMS_LOGIN_") == len(_secrets(text, shown))


def _secrets(text: str, shown: Loaded) -> dict[str, str]:
    """Set the variables that the comments name, to what is in the URLs."""
    env: dict[str, str] = {}
    for bms in shown.config.bms:
        for key in ("url", "proxy"):
            parts = urlsplit(getattr(bms, key) or "")
            name = f"RECBMS_LOGIN_{bms.name.upper().replace('-', '_')}_{key.upper()}"
            env |= {name: parts.netloc.rpartition("@")[0], f"{name}_QUERY": parts.query}
    return {name: secret for name, secret in env.items() if f"${{{name}}}" in text}


def test_every_option_is_in_this_property() -> None:
    assert set(VALID) | TOGETHER == set(BY_NAME)


def test_keys_and_switches_that_need_each_other_are_shown_for_the_same_configuration(
    toml: Path,
) -> None:
    for name, value in (("curve_allow", "/d@e"), ("curve_allow_any", "true")):
        keys: dict[str, Any] = {"curve_secret_key": "/a@b/k", name: value}
        shown = loaded(URL, no_stdout="true", **keys)
        toml.write_text(as_toml(shown), encoding="utf-8")
        assert load({"config": str(toml)}, [], {}).config == shown.config
    shown = loaded(URL, once="true")
    toml.write_text(as_toml(shown), encoding="utf-8")
    assert load({"config": str(toml)}, [], {}).config == shown.config


@pytest.mark.parametrize(
    ("line", "mode", "warned"),
    [
        ('url = "ws://u:secret@h/ws"', 0o644, True),
        ('url = "ws://u:secret@h/ws"', 0o604, True),
        ('url = "ws://h/ws"\nproxy = "http://u:secret@p"', 0o644, True),
        ('url = "ws://u:secret@h/ws"', 0o640, False),
        ('url = "ws://${RECBMS_LOGIN_HOUSE}@h/ws"', 0o644, False),
        ('url = "wss://h/ws"\nca_file = "/me@home/ca.pem"', 0o644, False),
    ],
)
def test_a_password_that_every_user_can_read_is_warned_of(
    toml: Path, line: str, mode: int, warned: bool
) -> None:
    toml.write_text(f"[[bms]]\n{line}\n")
    toml.chmod(mode)
    warning = (
        f"{toml} holds a password, and every user of this machine can read it; "
        f"run: chmod o-r {toml}"
    )
    found = load({"config": str(toml)}, [], {"RECBMS_LOGIN_HOUSE": "u:p"})
    assert found.warnings == ([warning] if warned else [])


def test_what_is_shown_can_be_read_by_people_and_by_toml(toml: Path) -> None:
    shown = loaded(URL, env={"STATE_DIRECTORY": "/a\nb\x7f\x9b\u2028"})
    text = as_toml(shown)
    toml.write_text(text, encoding="utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    assert 'state_dir = "/a\\nb' in text
    assert "  # STATE_DIRECTORY\n" in text
    assert loaded(file=toml).config.state_dir == shown.config.state_dir

"""What applies in this run: options from the command line, the environment, a file, and defaults.

Command line beats environment beats file; in the file a `[[bms]]` table beats the top level. Every
mistake is one sentence that says where it is, what is expected, and what came.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from recbms_zmq import values
from recbms_zmq.errors import ConfigError, RecBmsError, UsageError
from recbms_zmq.options import BY_NAME, OPTIONS, SOURCE_OPTIONS, Option

CONFIG_VARIABLE: Final = "RECBMS_CONFIG"
SOURCES_VARIABLE: Final = "RECBMS_SOURCES"
STATE_VARIABLE: Final = "STATE_DIRECTORY"
"""Set by systemd for a unit with StateDirectory=: paths with colons between them."""


class BmsConfig(Struct, frozen=True, kw_only=True):
    """What applies to one BMS; the fields are the options of the same names."""

    url: str
    name: str
    device_name: str
    emit: Literal["readings", "snapshot", "both"]
    report: Literal["changes", "all"]
    refresh: float
    min_interval: float
    bare: bool
    stale_after: float
    poll_interval: float
    idle_current: float
    energy_max_gap: float
    max_frame: int
    ca_file: Path | None
    tls_fingerprint: str | None
    proxy: str | None
    include_serial: bool


class Config(Struct, frozen=True, kw_only=True):
    """What applies to the service; the fields are the options of the same names."""

    bms: tuple[BmsConfig, ...]
    publish: tuple[str, ...]
    no_stdout: bool
    prefix: str
    state_dir: Path | None
    hwm: int
    curve_secret_key: Path | None
    curve_allow: Path | None
    allow_ip: tuple[Any, ...]
    ipc_mode: int
    once: bool
    timeout: float | None
    exit_on_stdin_close: bool
    log_level: str


class Setting(NamedTuple):
    """The value of an option, where it was set, and whose mistake it is if it is wrong."""

    value: Any
    origin: str
    error: type[RecBmsError] = ConfigError


Layer = dict[str, Setting]
"""Options that were set in one place, by their names."""


class Loaded(NamedTuple):
    """A configuration, and what is to be told of it.

    Attributes:
        config: what applies.
        origins: lines that say of every option what applies and where it was set.
        warnings: sentences about what was ignored.

    """

    config: Config
    origins: list[str]
    warnings: list[str]


def load(given: Mapping[str, Any], sources: Sequence[str], environ: Mapping[str, str]) -> Loaded:
    """Put the configuration together.

    Args:
        given: options of the command line by their names, as texts; `config` may be among them.
        sources: `[NAME=]SOURCE` of the command line.
        environ: the environment.

    Raises:
        UsageError: a mistake on the command line.
        ConfigError: a mistake in the environment or in the file, or the file cannot be read.

    """
    warnings: list[str] = []
    command_line = _command_line(given)
    environment = _environment(environ, warnings)
    file = given.get("config") or environ.get(CONFIG_VARIABLE)
    top, tables = _file(Path(file)) if file else ({}, [])
    bms_layers = _bms_layers(sources, environ, tables)
    above = (command_line, environment)

    fleet = []
    for layer in bms_layers:
        layers = (*_without_name(above, layer), layer, top)
        found = {option.name: _find(option, layers) for option in OPTIONS if option.bms}
        found["url"] = layer["url"]
        if found["url"].value.startswith("http"):
            _check_polling(found)
        fleet.append(found)
    _name_devices(fleet)
    bms = []
    origins: list[str] = []
    for found in fleet:
        bms.append(BmsConfig(**{name: setting.value for name, setting in found.items()}))
        origins += _explain(f"[{found['name'].value}] ", found)
    _check_names(bms, bms_layers)
    _check_stdin(bms, bms_layers)

    service = {option.name: _find(option, (*above, top)) for option in OPTIONS if not option.bms}
    state_directory = environ.get(STATE_VARIABLE, "").partition(":")[0]
    if service["state_dir"].value is None and state_directory:
        service["state_dir"] = Setting(Path(state_directory), STATE_VARIABLE)
    config = _service(service, tuple(bms))
    return Loaded(config, _explain("", service) + origins, warnings)


def load_one(given: Mapping[str, Any], source: str, environ: Mapping[str, str]) -> Config:
    """Put the configuration together for a command that only reads one BMS.

    Args:
        given: `SOURCE_OPTIONS` of the command line by their names, as texts.
        source: `[NAME=]SOURCE`.
        environ: the environment, of which only the same options count.

    Raises:
        UsageError, ConfigError: as `load`.

    """
    known = {option.variable for option in SOURCE_OPTIONS}
    variables = {name: value for name, value in environ.items() if name in known}
    options = {option.name: given[option.name] for option in SOURCE_OPTIONS}
    return load(options, [source], variables).config


def _command_line(given: Mapping[str, Any]) -> Layer:
    layer: Layer = {}
    for name, value in given.items():
        option = BY_NAME.get(name)
        if option is not None and value is not None:
            layer[name] = _read(option, value, option.flag, UsageError)
    return layer


def _environment(environ: Mapping[str, str], warnings: list[str]) -> Layer:
    layer: Layer = {}
    known = {option.variable: option for option in OPTIONS}
    for variable, value in environ.items():
        if variable in known:
            option = known[variable]
            words = value.replace(",", " ").split() if option.many else value
            layer[option.name] = _read(option, words, variable, ConfigError)
        elif variable.startswith("RECBMS_") and variable not in (
            CONFIG_VARIABLE,
            SOURCES_VARIABLE,
        ):
            near = _nearest(variable, known)
            if near:
                warnings.append(f"{variable} is not an option{near}")
    return layer


def _file(path: Path) -> tuple[Layer, list[Layer]]:
    """Return the options at the top of the file, and those of each `[[bms]]` table."""
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:  # not UTF-8, not TOML, a number without end
        raise ConfigError(f"{path} is not valid TOML: {exc}") from exc
    tables = document.pop("bms", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path}: bms: expected [[bms]] tables, got {_quoted(tables)}")
    top = _table(document, str(path), BY_NAME)
    per_bms = {option.name: option for option in OPTIONS if option.bms}
    per_bms["url"] = Option("url", values.source, None, "")
    layers = []
    for number, table in enumerate(tables, 1):
        where = f"{path}: [[bms]] number {number}"
        layer = _table(table, where, per_bms)
        if "url" not in layer:
            raise ConfigError(f"{where}: url is missing; expected {_expected(values.source)}")
        layers.append(layer)
    return top, layers


def _table(table: dict[str, Any], where: str, known: Mapping[str, Option]) -> Layer:
    layer: Layer = {}
    for key, value in table.items():
        if key not in known:
            if key in BY_NAME:
                hint = " of one BMS; it goes to the top of the file"
            else:
                hint = _nearest(key, known)
            raise ConfigError(f"{where}: {_quoted(key)} is not an option{hint}")
        layer[key] = _read(known[key], value, f"{where}: {key}", ConfigError)
    return layer


def _bms_layers(
    sources: Sequence[str], environ: Mapping[str, str], tables: list[Layer]
) -> list[Layer]:
    """Return one layer a BMS: those of the command line, else of the environment, else the file."""
    if sources:
        return [_named_source(source, "SOURCE", UsageError) for source in sources]
    if words := environ.get(SOURCES_VARIABLE, "").split():
        return [_named_source(word, SOURCES_VARIABLE, ConfigError) for word in words]
    if not tables:
        raise UsageError(
            "no BMS to read: give its address, for example ws://192.168.8.2/ws, or a --config file"
        )
    return tables


def _named_source(word: str, origin: str, error: type[RecBmsError]) -> Layer:
    name, equals, url = word.partition("=")
    layer: Layer = {}
    if equals and values.NAME.fullmatch(name):
        layer["name"] = _read(BY_NAME["name"], name, origin, error)
    else:
        url = word
    layer["url"] = _read(Option("url", values.source, None, ""), url, origin, error)
    return layer


def _without_name(above: Iterable[Layer], layer: Layer) -> list[Layer]:
    """Drop `--name` for a BMS that has a name of its own on the command line."""
    named = "name" in layer and layer["name"].origin in ("SOURCE", SOURCES_VARIABLE)
    return [
        {key: setting for key, setting in each.items() if not (named and key == "name")}
        for each in above
    ]


def _read(option: Option, value: Any, origin: str, error: type[RecBmsError]) -> Setting:
    try:
        if option.many:
            items = [value] if isinstance(value, str) else value
            if not isinstance(items, list | tuple):
                items = [items]
            single = option._replace(many=False)
            found = [_read(single, item, origin, error).value for item in items]
            return Setting(tuple(found), origin, error)
        return Setting(option.read(value), origin, error)
    except ValueError as exc:
        # Not `from exc`: a traceback must not show more of the value than the sentence does.
        raise error(f"{origin}: expected {exc}, got {_quoted(value)}") from None


def _name_devices(fleet: Sequence[dict[str, Setting]]) -> None:
    """Give every BMS a name for people that no other has: Home Assistant makes its ids of it."""
    how_many = Counter(found["device_name"].value for found in fleet)
    for found in fleet:
        given, name = found["device_name"], found["name"].value
        text = given.value or "REC BMS"
        if name != "main" and (given.value is None or how_many[given.value] > 1):
            text = f"{text} {name}"
        found["device_name"] = given._replace(value=text)


def _find(option: Option, layers: Iterable[Layer]) -> Setting:
    default = Setting(option.default, "default")
    return next((layer[option.name] for layer in layers if option.name in layer), default)


def _service(found: Mapping[str, Setting], bms: tuple[BmsConfig, ...]) -> Config:
    plain = {name: setting.value for name, setting in found.items()}
    publish = found["publish"]
    if plain["once"] and publish.error is UsageError:
        raise UsageError("--publish: --once prints the state on stdout, and nowhere else")
    if plain["no_publish"] or plain["once"]:
        plain["publish"] = ()
    if plain["no_stdout"] and not plain["publish"]:
        raise UsageError("nothing to do: neither stdout nor ZeroMQ is wanted")
    _check_curve(found)
    is_open = plain["curve_secret_key"] is None and not plain["allow_plaintext"]
    for endpoint in plain["publish"]:
        if is_open and not values.is_loopback(endpoint):
            raise publish.error(
                f"{publish.origin}: other machines can reach {endpoint}, and anybody there could "
                "read it; encrypt with --curve-secret-key, or if it may be read by anybody, "
                "say --allow-plaintext"
            )
    if plain["hwm"] is None:
        # Room for many frames, and for a newcomer's whole state: a large pack has 900 readings.
        plain["hwm"] = max(10_000, 500 * len(bms))
    known = {field: plain[field] for field in Config.__struct_fields__ if field != "bms"}
    return Config(bms=bms, **known)


def _check_polling(found: Mapping[str, Setting]) -> None:
    """Check what goes together with polling a BMS over HTTP."""
    interval, stale_after, proxy = found["poll_interval"], found["stale_after"], found["proxy"]
    if interval.value >= stale_after.value:
        wrong = stale_after if interval.origin == "default" else interval
        raise wrong.error(
            f"{wrong.origin}: asked every {interval.value:g} s, the BMS would count as offline "
            f"after {stale_after.value:g} s; make --stale-after longer than --poll-interval"
        )
    if proxy.value is not None:
        raise proxy.error(f"{proxy.origin}: only ws:// and wss:// can go through a proxy")


def _check_curve(found: Mapping[str, Setting]) -> None:
    """See that it is said who may come in: a server's public key is no secret, so it cannot say."""
    secret, allow, allow_any = (
        found[name] for name in ("curve_secret_key", "curve_allow", "curve_allow_any")
    )
    given = allow if allow.value else allow_any
    if secret.value is None:
        if given.value:
            raise given.error(f"{given.origin}: means nothing without --curve-secret-key")
    elif not given.value:
        raise secret.error(
            f"{secret.origin}: say who may come in: --curve-allow FOLDER with the public keys of "
            "clients, or --curve-allow-any for all who know this service's public key"
        )
    elif allow.value and allow_any.value:
        raise allow_any.error(f"{allow_any.origin}: --curve-allow says the opposite; choose one")


def _check_names(bms: Sequence[BmsConfig], layers: Sequence[Layer]) -> None:
    names = [each.name for each in bms]
    for name, layer in zip(names, layers, strict=True):
        if names.count(name) > 1:
            raise layer["url"].error(
                f"two BMS are called {_quoted(name)}; give each a name of its own, "
                "on the command line as NAME=SOURCE"
            )


def _check_stdin(bms: Sequence[BmsConfig], layers: Sequence[Layer]) -> None:
    readers = [layer for each, layer in zip(bms, layers, strict=True) if each.url == "-"]
    if len(readers) > 1:
        raise readers[-1]["url"].error("only one BMS can be read from stdin (-)")


def _explain(where: str, found: Mapping[str, Setting]) -> list[str]:
    return [
        f"{where}{name} = {_shown(setting.value)}  # {setting.origin}"
        for name, setting in found.items()
    ]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return values.masked(value) if isinstance(value, str) else str(value)


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        text = repr(values.masked(value))
    else:
        try:
            text = values.masked(repr(value))
        except ValueError:  # Python does not print integers of more than 4300 digits
            text = "a number without end"
    return text if len(text) <= 80 else text[:77] + "..."


def _nearest(word: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _expected(read: values.Reader) -> str:
    try:
        read(None)
    except ValueError as exc:
        return str(exc)
    raise AssertionError("every reader refuses None")

"""The configuration of a run: options from command line, environment, file, and defaults.

Command line beats environment beats file; in the file a `[[bms]]` table beats the top level.
`layers` refuses wrong values, this module what does not go together, each with one sentence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from recbms_zmq.config import readers
from recbms_zmq.config.entity_ids import shared_entities
from recbms_zmq.config.fields import build
from recbms_zmq.config.layers import (
    SOURCE,
    SOURCES_VARIABLE,
    Layer,
    Setting,
    bms_layers,
    find,
    path_of_file,
    read_command_line,
    read_environment,
    read_file,
    without_name,
)
from recbms_zmq.config.options import OPTIONS, SOURCE_OPTIONS, BmsConfig, Config
from recbms_zmq.errors import UsageError
from recbms_zmq.text import masked, quoted

STATE_VARIABLE: Final = "STATE_DIRECTORY"
"""Set by systemd for a unit with StateDirectory=: paths, separated by colons."""


class Loaded(NamedTuple):
    """A configuration, and where it comes from.

    Attributes:
        config: the configuration.
        service, bms: the options of the service and of each BMS, with where each was set.
        warnings: sentences about what was ignored, or is risky.

    """

    config: Config
    service: Layer
    bms: list[Layer]
    warnings: list[str]


def load(given: Mapping[str, Any], sources: Sequence[str], environ: Mapping[str, str]) -> Loaded:
    """Return the configuration of `run`.

    Args:
        given: options of the command line by their names, as texts, and `config`.
        sources: `[NAME=]SOURCE` of the command line.
        environ: the environment.

    Raises:
        UsageError: a mistake on the command line.
        ConfigError: a mistake in the environment or in the file, or the file cannot be read.

    """
    warnings: list[str] = []
    above = (read_command_line(given), read_environment(environ, warnings))
    path = path_of_file(given, environ)
    top, tables = read_file(path, environ, warnings)
    if sources and tables:
        path = path_of_file(given, environ)
        warnings.append(f"the BMS of {path} are not read: the command line names what to read")
    sets = [
        _bms(layer, above, top) for layer in bms_layers(sources, environ, tables, path, warnings)
    ]
    _name_devices(sets)
    _check_names(sets)
    _check_stdin(sets)
    _check_stdin_is_read_once(sets, given)
    warnings += _without_path(sets)
    bms = [build(BmsConfig, _values(found)) for found in sets]
    warnings += shared_entities([each.name for each in bms if not each.bare])

    service = {option.name: find(option, (*above, top)) for option in OPTIONS if not option.bms}
    state_directory = environ.get(STATE_VARIABLE, "").partition(":")[0]
    # Last: --state-dir is the owner's choice, STATE_DIRECTORY the default of the unit.
    if service["state_dir"].value is None and state_directory:
        service["state_dir"] = Setting(Path(state_directory), STATE_VARIABLE)
    if service["hwm"].value is None:
        # Room for many frames, and for a newcomer's whole state: a large pack has 900 readings.
        service["hwm"] = Setting(max(10_000, 500 * len(bms)), "default")
    return Loaded(_service(service, tuple(bms)), service, sets, warnings)


def load_one(given: Mapping[str, Any], source: str, environ: Mapping[str, str]) -> Config:
    """Return the configuration of a command that only reads one BMS.

    Args:
        given: `SOURCE_OPTIONS` of the command line by their names, as texts.
        source: `[NAME=]SOURCE`.
        environ: the environment, of which only the same options are used.

    Raises:
        UsageError, ConfigError: as `load`.

    """
    known = {option.variable for option in SOURCE_OPTIONS}
    variables = {name: value for name, value in environ.items() if name in known}
    options = {option.name: given[option.name] for option in SOURCE_OPTIONS}
    return load(options, [source], variables).config


def _bms(layer: Layer, above: tuple[Layer, Layer], top: Layer) -> Layer:
    """Return the options of one BMS: its own layer is between those above and the file's top."""
    layers = (*without_name(above, layer), layer, top)
    found = {"url": layer["url"]}
    found |= {option.name: find(option, layers) for option in OPTIONS if option.bms}
    if found["url"].value.startswith("http"):
        _check_polling(found)
    _check_network(found)
    return found


def _without_path(sets: Sequence[Layer]) -> list[str]:
    """Return a warning for each address that has been copied from a browser."""
    found = []
    for url in (each["url"].value for each in sets):
        parts = urlsplit(url)
        is_network = parts.scheme in ("ws", "wss", "http", "https")
        if is_network and parts.hostname and parts.path in ("", "/") and not parts.query:
            shown = masked(url).rstrip("/")
            host = shown.partition("://")[2]
            s = "s" if parts.scheme in ("wss", "https") else ""
            found.append(
                f"{shown} has no path; a REC module is at ws{s}://{host}/ws, "
                f"with older firmware at http{s}://{host}/cell"
            )
    return found


def _name_devices(fleet: Sequence[Layer]) -> None:
    """Give each BMS its own name for people: Home Assistant makes its entity ids of it."""
    how_many = Counter(found["device_name"].value for found in fleet)
    for found in fleet:
        given, name = found["device_name"], found["name"].value
        text = given.value or "REC BMS"
        if name != "main" and (given.value is None or how_many[given.value] > 1):
            text = f"{text[: 99 - len(name)]} {name}"  # as long as it may be in a file
        found["device_name"] = given._replace(value=text)


def _service(found: Layer, bms: tuple[BmsConfig, ...]) -> Config:
    plain = _values(found)
    publish = found["publish"]
    if plain["no_publish"] or plain["once"]:
        plain["publish"] = ()
    if plain["no_stdout"] and not plain["publish"]:
        raise UsageError("nothing to do: --no-stdout and --no-publish leave no output")
    _check_curve(found)
    is_open = plain["curve_secret_key"] is None and not plain["allow_plaintext"]
    for endpoint in plain["publish"]:
        # Refused here: bind would retry for 5 s, and then name another process as the reason.
        if plain["publish"].count(endpoint) > 1 and not endpoint.endswith("*"):
            raise publish.error(f"{publish.origin}: {endpoint} is given twice")
        if is_open and not readers.is_loopback(endpoint):
            raise publish.error(
                f"{publish.origin}: other machines can reach {endpoint}, and read what is "
                "published; encrypt with --curve-secret-key, or allow it with --allow-plaintext"
            )
    return build(Config, plain | {"bms": bms})


def _values(found: Layer) -> dict[str, Any]:
    return {name: setting.value for name, setting in found.items()}


def _check_polling(found: Mapping[str, Setting]) -> None:
    """Check the options that concern polling a BMS over HTTP."""
    interval, stale_after = found["poll_interval"], found["stale_after"]
    if interval.value >= stale_after.value:
        wrong = stale_after if interval.origin == "default" else interval
        raise wrong.error(
            f"{wrong.origin}: polled every {interval.value:g} s, the BMS would be offline "
            f"after {stale_after.value:g} s; make --stale-after longer than --poll-interval"
        )


def _check_network(found: Mapping[str, Setting]) -> None:
    """Refuse TLS options and a proxy that would have no effect with this address."""
    url = found["url"].value
    for name in ("ca_file", "tls_fingerprint"):
        given = found[name]
        if given.value is not None and not url.startswith(("wss:", "https:")):
            raise given.error(
                f"{given.origin}: {masked(url)} has no certificate; only wss:// and https:// have"
            )
    proxy = found["proxy"]
    if proxy.value is not None and not url.startswith(("ws:", "wss:")):
        raise proxy.error(f"{proxy.origin}: only ws:// and wss:// can use a proxy")


def _check_curve(found: Mapping[str, Setting]) -> None:
    """Check that the clients are chosen: the public key of the service is no secret."""
    secret, allow, allow_any = (
        found[name] for name in ("curve_secret_key", "curve_allow", "curve_allow_any")
    )
    given = allow if allow.value else allow_any
    if secret.value is None:
        if given.value:
            raise given.error(f"{given.origin}: has no effect without --curve-secret-key")
    elif not given.value:
        raise secret.error(
            f"{secret.origin}: choose which clients can connect: --curve-allow DIR with their "
            "public keys, or --curve-allow-any for all that know this service's public key"
        )
    elif allow.value and allow_any.value:
        raise allow_any.error(f"{allow_any.origin}: contradicts --curve-allow; choose one")


def _check_names(sets: Sequence[Layer]) -> None:
    names = set()
    for found in sets:
        name, url = found["name"].value, found["url"]
        if name in names:
            from_words = url.origin in (SOURCE, SOURCES_VARIABLE)
            how = "as NAME=SOURCE" if from_words else "with name in its table"
            raise url.error(
                f"{url.origin.removesuffix(': url')}: a second BMS has the name "
                f"{quoted(name)}; give it its own name, {how}"
            )
        names.add(name)


def _check_stdin_is_read_once(sets: Sequence[Layer], given: Mapping[str, Any]) -> None:
    if given.get("config") == "-" and any(found["url"].value == "-" for found in sets):
        raise UsageError("--config: stdin (-) is already the source of a BMS")


def _check_stdin(sets: Sequence[Layer]) -> None:
    readers = [found["url"] for found in sets if found["url"].value == "-"]
    if len(readers) > 1:
        raise readers[-1].error("only one BMS can be read from stdin (-)")

"""Where options are set: command line, environment and file, each read into a layer of its own.

`load` puts the layers together. Each mistake is one sentence: where it is, what is expected, and
what was given.
"""

import errno
import re
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from recbms_zmq.config import readers
from recbms_zmq.config.files import read_limited, read_regular
from recbms_zmq.config.option import Option
from recbms_zmq.config.options import BY_NAME, OPTIONS, URL
from recbms_zmq.errors import ConfigError, RecBmsError, UsageError
from recbms_zmq.text import did_you_mean, masked, printable, quoted, shortened

CONFIG_VARIABLE: Final = "RECBMS_CONFIG"
SOURCES_VARIABLE: Final = "RECBMS_SOURCES"
SOURCE: Final = "SOURCE"
"""Name of the command line as the origin of an address."""
LOGIN_PREFIX: Final = "RECBMS_LOGIN_"
"""Variables for `${...}` in the URLs of a file, which have no option of the same name."""
_ADDRESS_VARIABLES: Final = ("RECBMS_ADDRESS", "RECBMS_BMS", "RECBMS_HOST", "RECBMS_URL")
"""What other programs would call it."""
_ADDRESS_KEYS: Final = ("address", "host", "ip", "port", "source", "sources")
_URLS: Final = ("url", "proxy")
# Both are for files only, so they are compiled when they are used first.
_VARIABLE: Final = r"\$\{(\w+)\}"
# Process substitution, as in `--config <(command)`, is a pipe under such a name.
_DESCRIPTOR: Final = r"/dev/stdin|/dev/fd/\d+|/proc/self/fd/\d+"


class Setting(NamedTuple):
    """The value of an option, where it was set, and the error to raise if it is wrong."""

    value: Any
    origin: str
    error: type[RecBmsError] = ConfigError


Layer = dict[str, Setting]
"""Options by their names, as they are set in one place."""


def read_command_line(given: Mapping[str, Any]) -> Layer:
    """Read the options of the command line, which are texts by their names."""
    layer: Layer = {}
    for name, value in given.items():
        option = BY_NAME.get(name)
        if option is not None and value is not None:
            layer[name] = _read(option, value, option.flag, UsageError)
    return layer


def read_environment(environ: Mapping[str, str], warnings: list[str]) -> Layer:
    """Read the options of the environment; add a warning for each name that looks mistyped.

    An empty variable counts as not set, because a file of variables cannot leave one out.
    """
    layer: Layer = {}
    known = {option.variable: option for option in OPTIONS}
    for variable, value in environ.items():
        if not value:
            continue
        if variable in known:
            option = known[variable]
            words = value.replace(",", " ").split() if option.many else value
            layer[option.name] = _read(option, words, variable, ConfigError)
        elif (
            variable.startswith("RECBMS_")
            and not variable.startswith(LOGIN_PREFIX)
            and variable not in (CONFIG_VARIABLE, SOURCES_VARIABLE)
        ):
            meant = SOURCES_VARIABLE if variable in _ADDRESS_VARIABLES else variable
            near = did_you_mean(meant, [*known, CONFIG_VARIABLE, SOURCES_VARIABLE])
            if near:
                warnings.append(f"{shortened(printable(variable))} is not an option{near}")
    return layer


def path_of_file(given: Mapping[str, Any], environ: Mapping[str, str]) -> Path | None:
    """Return the path of the configuration file, if one is given; `-` is stdin."""
    option = Option("config", readers.path, None, "")
    found: Path | None = None
    if given.get("config") is not None:
        found = _read(option, given["config"], option.flag, UsageError).value
    elif environ.get(CONFIG_VARIABLE):
        found = _read(option, environ[CONFIG_VARIABLE], CONFIG_VARIABLE, ConfigError).value
    return found


def read_file(
    path: Path | None, environ: Mapping[str, str], warnings: list[str]
) -> tuple[Layer, list[Layer]]:
    """Return the options at the top of the file, and those of each `[[bms]]` table.

    `${NAME}` in a URL is the value of that variable of the environment, so that a password need
    not be in the file. A warning is added for a file with a password that every user can read.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.

    """
    if path is None:
        return {}, []
    import tomllib

    try:
        content, is_public = _content(path)
        document = tomllib.loads(content.decode("utf-8-sig"))  # some editors write the mark
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not valid TOML: it is not UTF-8 text") from exc
    except (ValueError, RecursionError) as exc:  # not TOML, a huge number
        raise ConfigError(f"{path} is not valid TOML: {exc}{_hint(str(exc))}") from exc
    tables = document.pop("bms", [])
    # `[bms]` instead of `[[bms]]` is a table, and no list.
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(
            f"{path}: bms: expected [[bms]] tables (two brackets), got {quoted(tables)}"
        )
    if is_public and any(_has_password(table) for table in (document, *tables)):
        warnings.append(
            f"{path} holds a password, and every user of this machine can read it; "
            f"run: chmod o-r {path}"
        )
    top = _table(document, str(path), BY_NAME, environ)
    per_bms = {option.name: option for option in OPTIONS if option.bms} | {"url": URL}
    layers = []
    for number, table in enumerate(tables, 1):
        where = f"{path}: [[bms]] number {number}"
        layer = _table(table, where, per_bms, environ)
        if "url" not in layer:
            raise ConfigError(f"{where}: url is missing; expected {_expected(readers.source)}")
        layers.append(layer)
    return top, layers


def _content(path: Path) -> tuple[bytes, bool]:
    """Return the bytes of the file, and whether every user can read it."""
    if str(path) == "-":
        if sys.stdin is None:
            raise OSError(errno.EBADF, "stdin is closed")
        return read_limited(sys.stdin.buffer), False
    if re.fullmatch(_DESCRIPTOR, str(path)):
        with path.open("rb") as file:
            return read_limited(file), False
    return read_regular(path), bool(path.stat().st_mode & stat.S_IROTH)


def _has_password(table: Mapping[str, Any]) -> bool:
    urls = (table.get(name) for name in _URLS)
    return any(isinstance(url, str) and url != masked(url) and "${" not in url for url in urls)


def _with_variables(value: Any, origin: str, environ: Mapping[str, str]) -> Any:
    """Return a URL with the values of the variables that it names."""

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise ConfigError(f"{origin}: the environment has no variable {match[1]}")
        return environ[match[1]]

    return re.sub(_VARIABLE, value_of, value) if isinstance(value, str) else value


def _table(
    table: dict[str, Any], where: str, known: Mapping[str, Option], environ: Mapping[str, str]
) -> Layer:
    layer: Layer = {}
    for key, value in table.items():
        if key not in known:
            hint = _instead_of(key, value, known)
            raise ConfigError(f"{where}: {quoted(key)} is not an option{hint}")
        origin = f"{where}: {key}"
        given = _with_variables(value, origin, environ) if key in _URLS else value
        layer[key] = _read(known[key], given, origin, ConfigError)
    return layer


def _hint(reason: str) -> str:
    """Return what a mistake in the syntax of TOML usually is."""
    # Not the line itself: it can hold a password.
    return next((hint for start, hint in _SYNTAX if reason.startswith(start)), "")


_QUOTES: Final = "; a text needs straight quotes, a number no unit; true and false are lower case"
_SYNTAX: Final = (
    ("Invalid value", _QUOTES),
    ("Expected newline or end of document after a statement", _QUOTES),
    ("Expected '=' after a key", "; an option is written as name = value"),
    ("Invalid statement", "; recbms-zmq files config.toml prints an example"),
)


def _instead_of(key: str, value: Any, known: Mapping[str, Option]) -> str:
    """Return what may be meant by a key of the file that is not an option there."""
    is_table_of_bms = URL.name in known
    if key in BY_NAME:
        return " of one BMS; it goes to the top of the file"
    if key.lower() in ("bms", URL.name, *_ADDRESS_KEYS):
        url = "; did you mean url?"
        return url if is_table_of_bms else "; a BMS is a [[bms]] table with a name and a url"
    if isinstance(value, dict):
        return "; the only tables are [[bms]], other options go to the top of the file"
    return did_you_mean(key, known)


def bms_layers(
    sources: Sequence[str],
    environ: Mapping[str, str],
    tables: list[Layer],
    path: Path | None,
    warnings: Sequence[str] = (),
) -> list[Layer]:
    """Return a layer for each BMS: of the command line, else the environment, else the file.

    The first of the `warnings` may explain why there is none.
    """
    if sources:
        return [_named_source(source, SOURCE, UsageError) for source in sources]
    if words := environ.get(SOURCES_VARIABLE, "").split():
        return [_named_source(word, SOURCES_VARIABLE, ConfigError) for word in words]
    if not tables and path is not None:
        raise ConfigError(f"{path}: no BMS to read: expected [[bms]] tables with a name and a url")
    if not tables:
        raise UsageError(
            "no BMS to read: give its address, for example ws://192.168.8.2/ws, or a --config file"
            + "".join(f" ({warning})" for warning in warnings[:1])
        )
    return tables


def _named_source(word: str, origin: str, error: type[RecBmsError]) -> Layer:
    name, equals, url = word.partition("=")
    layer: Layer = {}
    if equals and not any(sign in name for sign in ":/?"):  # not as in ws://h/?a=b or sim:?units=2
        layer["name"] = _read(BY_NAME["name"], name, origin, error)
    else:
        url = word
    layer["url"] = _read(URL, url, origin, error)
    return layer


def without_name(above: Iterable[Layer], layer: Layer) -> list[Layer]:
    """Leave `--name` out for a BMS that is named on the command line, as in `boat=ws://...`."""
    named = "name" in layer and layer["name"].origin in (SOURCE, SOURCES_VARIABLE)
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
        # Without the cause, whose traceback could show a password.
        raise error(f"{origin}: expected {exc}, got {quoted(value)}") from None


def find(option: Option, layers: Iterable[Layer]) -> Setting:
    """Return the setting of the first layer that has the option, or its default."""
    default = Setting(option.default, "default")
    return next((layer[option.name] for layer in layers if option.name in layer), default)


def _expected(read: readers.Reader) -> str:
    try:
        read(None)
    except ValueError as exc:
        return str(exc)
    raise AssertionError("every reader refuses None")

"""Tests of the shape: data flows one way, the middle is pure, and `run` loads what it needs."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import Run
from support.bms import FakeBms

import recbms_zmq

PACKAGE = Path(recbms_zmq.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path.parent != PACKAGE or path.stem not in ("__init__", "__main__")
}
# From left to right; a module of a later row is to the right of all those before.
LINE = (
    ("sources",),
    ("salvage", "frames"),
    ("sensor", "task", "energy", "alarms"),
    ("pack",),
    ("formulas",),
    ("settings_sensors", "sensors"),
    ("normalize",),
    ("messages",),
    ("streams", "snapshots", "report"),
    ("device", "sinks"),
    ("wiring",),
    ("service", "once"),
    ("commands", "cli"),
)
PURE = (
    *("salvage", "frames", "sensor", "task", "energy", "alarms", "pack", "formulas"),
    "settings_sensors",
    *(
        "sensors",
        "normalize",
        "messages",
        "streams",
        "snapshots",
        "report",
        "advice",
        "findings",
        "variant",
    ),
)
HARMLESS = {
    *("collections.abc", "enum", "functools", "html", "itertools", "json", "math", "msgspec"),
    *("operator", "re", "textwrap", "types", "typing"),
}


def imports(module: str) -> tuple[set[str], set[str]]:
    """Return what a module imports anywhere in it: of this package, and of others."""
    own: set[str] = set()
    others: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            others |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "relative imports are not used here"
            if node.module == "recbms_zmq":
                own |= {alias.name for alias in node.names} & MODULES.keys()
            elif node.module.startswith("recbms_zmq."):
                name = node.module.removeprefix("recbms_zmq.")
                inner = {f"{name}.{alias.name}" for alias in node.names} & MODULES.keys()
                own |= inner or {name}
            else:
                others.add(node.module)
    return own, others


def place(module: str) -> int | None:
    return next((n for n, rooms in enumerate(LINE) if module.partition(".")[0] in rooms), None)


def test_no_module_of_the_line_imports_from_its_right() -> None:
    assert {room for rooms in LINE for room in rooms} <= {
        name.partition(".")[0] for name in MODULES
    }
    assert [
        f"{module} imports {other}"
        for module in MODULES
        for other in imports(module)[0]
        if (here := place(module)) is not None and (there := place(other)) is not None
        if there > here
    ] == []


def test_what_is_right_of_the_line_is_imported_by_nothing_in_front_of_it() -> None:
    outside = ("commands", "cli")
    assert [
        f"{module} imports {other}"
        for module in MODULES
        if not module.startswith(outside)
        for other in imports(module)[0]
        if other.startswith(outside)
    ] == []


def test_no_modules_import_each_other() -> None:
    # A circle raises an error.
    assert list(
        TopologicalSorter({module: imports(module)[0] for module in MODULES}).static_order()
    )


@pytest.mark.parametrize("module", PURE)
def test_the_middle_reads_no_clock_socket_file_or_environment(module: str) -> None:
    assert imports(module)[1] - HARMLESS == set()


UNWANTED = re.compile(
    r"recbms_zmq\.(monitor|simulator|flow|advice|findings|visit|variant|roll_call|recording|once"
    r"|state|config_text|subscribing|curve)(\.|$)"
    r"|recbms_zmq\.sources\.(http|lines|replay|simulated)$|recbms_zmq\.sinks\.access$"
    r"|(rich|shtab|pygments|markdown_it|zmq\.auth|zmq\.asyncio|zmq\.green)(\.|$)"
    r"|(tomllib|difflib|sqlite3|multiprocessing|unittest|xml|pdb|pydoc)(\.|$)"
)


def test_reading_one_websocket_loads_nothing_that_it_does_not_need(bms: FakeBms, run: Run) -> None:
    service = run(bms.url, env={"PYTHONPROFILEIMPORTTIME": "1"})
    service.message(key="soc")
    service.stop()
    loaded = re.findall(r"(?m)^import time: .*\| +(\S+)$", service.stderr.text())
    assert {"recbms_zmq.sources.websocket", "recbms_zmq.sinks.zmq_pub"} <= set(loaded)
    assert [name for name in loaded if UNWANTED.match(name)] == []

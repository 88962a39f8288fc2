"""The Python programs of `flows/pipes`, which are no part of a package, as modules."""

import importlib.util
from functools import cache
from types import ModuleType

from support.pages import ROOT


@cache
def flow_script(name: str) -> ModuleType:
    """Import a program by its name, without running it."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "flows" / "pipes" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

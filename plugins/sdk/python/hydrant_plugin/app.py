"""What runs once, in the sandbox's Python, while a plugin is built: imports the author's module. Refuses to go on without
a transform.
"""

import importlib
import os

from . import component, preload, sandbox
from .building import PROJECT, VENDOR, attempt, finish, refuse
from .component import Transform
from .registry import registry

MODULES = ("plugin", "app")
"""The author's module is one of these."""


def main() -> None:
    """Builds a plugin of the author's module."""
    sandbox.enter()
    component.log_to_host()
    name = next(name for name in MODULES if os.path.exists(f"{PROJECT}/{name}.py"))
    attempt(lambda: importlib.import_module(name))
    if registry.transform is None:
        refuse(f"{name}.py registers nothing: put @transform above a function of one record")
    notes = preload.late_imports(PROJECT + "/")
    preload.late_imports(VENDOR)  # packages of others try much that need not be there: nothing is told of it
    component.install(registry.configure, registry.transform)
    finish(notes, [PROJECT])


main()

__all__ = ["Transform"]

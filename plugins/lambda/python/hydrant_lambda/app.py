"""What runs once, in the sandbox's Python, while a handler is made a plugin: runs the handler's modules, so that all that
they import is there, and forgets them again. Refuses a handler that cannot be there at run time.
"""

import json
import logging
import os
import sys
from typing import Any

from hydrant_plugin import component, preload, sandbox
from hydrant_plugin.building import PROJECT, finish, refuse, told
from hydrant_plugin.component import Transform
from hydrant_plugin.outcome import Fail
from hydrant_plugin.output import describe

from . import aws
from .event import TASK_ROOT, environment
from .function import Function
from .modules import Modules

HANDLER = "/1/handler.json"
"""Module and function, from the command that builds."""
HINT = (
    "only Python's own modules, and modules and packages of pure Python beside the handler "
    "(pip install --target FOLDER NAME) can be imported"
)
FILES = "put what it holds into a module"

_ROUNDS = 20


def main() -> None:
    """Builds a plugin of a handler."""
    sandbox.enter()
    component.log_to_host()
    with open(HANDLER, encoding="utf-8") as file:
        handler = json.load(file)
    function = Function(handler["module"], handler["function"])
    modules = Modules(PROJECT)
    sys.meta_path.insert(0, modules)
    aws.install()
    notes = rehearse(function, modules)
    notes += load_late(modules)
    # Packages that pip installed beside the handler try much that need not be there: nothing is told of it.
    preload.late_imports(PROJECT + "/")
    modules.sealed = True
    modules.forget()
    component.install(function.configure, function.apply)
    finish(notes, [], FILES)


def rehearse(function: Function, modules: Modules) -> list[str]:
    """Loads the handler as an instance will; without its settings, which there are none of yet."""
    before = dict(os.environ)
    logs = _logs()
    os.environ.update(environment({}, f"{function.module}.{function.function}"))
    notes: list[str] = []
    try:
        function.load()
    except (ImportError, SyntaxError) as error:
        refuse(told(error, TASK_ROOT, HINT))
    except Fail as error:
        refuse(error.reason)
    except (Exception, SystemExit) as error:
        notes.append(
            f"loading {function.module} without settings raised {describe(error)}; "
            "it is loaded again, with the settings, before each batch"
        )
    os.environ.clear()
    os.environ.update(before)
    _restore(logs)
    return notes


def load_late(modules: Modules) -> list[str]:
    """Imports what the modules name inside functions; returns a line for each that will be missing."""
    notes: list[str] = []
    seen: set[str] = set()
    for _ in range(_ROUNDS):
        new = {name: source for name, source in modules.sources.items() if name not in seen}
        if not new:
            break
        for name, source in new.items():
            seen.add(name)
            package = name if source.is_package else name.rpartition(".")[0]
            notes += preload.load(source.text, source.place, package)
    return notes


def _logs() -> Any:
    root = logging.getLogger()
    return root.level, list(root.handlers), set(logging.Logger.manager.loggerDict)


def _restore(logs: Any) -> None:
    """Loggers as they were: the modules will set them up again."""
    root = logging.getLogger()
    level, root.handlers[:], known = logs
    root.setLevel(level)
    for name in set(logging.Logger.manager.loggerDict) - known:
        logger = logging.Logger.manager.loggerDict[name]
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.setLevel(logging.NOTSET)


main()

__all__ = ["Transform"]

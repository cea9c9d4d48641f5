"""Finds what a plugin's sources import inside functions, and imports it while the plugin is built, for at run time there
is no file to import from. Refuses to fail a build for it: a branch that is never taken may name what is not there.
"""

from __future__ import annotations

import codecs
import importlib
import sys
from typing import Iterator, NamedTuple, Optional

_ENCODING_CHARACTERS = 24
_ROUNDS = 20
AST_ONLY = 0x400  # ast.PyCF_ONLY_AST, without the module `ast` and what it brings into the snapshot


class Found(NamedTuple):
    """A module that a source names, and whether the source is ready for it to be missing."""

    module: str
    names: tuple[str, ...]
    line: int
    guarded: bool


def late_imports(folder: str) -> list[str]:
    """Imports what the loaded modules of a folder name anywhere, until there is nothing new; returns what is missing."""
    notes: list[str] = []
    seen: set[str] = set()
    for _ in range(_ROUNDS):
        new = [(name, file) for name, file in _files() if file not in seen and file.startswith(folder)]
        if not new:
            break
        for name, file in new:
            seen.add(file)
            package = name if file.endswith("__init__.py") else name.rpartition(".")[0]
            with open(file, "rb") as source:
                notes += load(source.read(), file, package)
    return notes


def _files() -> Iterator[tuple[str, str]]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py"):
            yield name, file


def load(source: bytes, file: str, package: str) -> list[str]:
    """Imports what one source names; returns a line for each module that will be missing."""
    try:
        tree = compile(source, file, "exec", AST_ONLY, dont_inherit=True)
    except (SyntaxError, ValueError):
        return []
    notes = []
    for found in imports(tree, package):
        error = _load(found)
        if error is not None and not found.guarded:
            where = f"{file.rpartition('/')[2]}:{found.line}"
            notes.append(f"{where} imports {found.module}, which fails when it is reached: {error}")
    for text in _strings(tree):
        try:
            codecs.lookup(text)
        except (LookupError, ValueError):
            pass
    return notes


def _load(found: Found) -> Optional[str]:
    try:
        module = importlib.import_module(found.module)
        for name in found.names:
            if name != "*" and not hasattr(module, name):
                importlib.import_module(f"{found.module}.{name}")
    except ImportError as error:
        return str(error)
    except Exception:  # there is such a module, and it may fare better with settings
        pass
    return None


def imports(tree: object, package: str) -> Iterator[Found]:
    """What a source imports anywhere; `package` is that of the source."""
    pending: list[tuple[object, bool]] = [(tree, False)]
    while pending:
        node, guarded = pending.pop()
        kind = type(node).__name__
        line = getattr(node, "lineno", 0)
        if kind == "Import":
            for alias in getattr(node, "names"):
                yield Found(alias.name, (), line, guarded)
        elif kind == "ImportFrom":
            module = _absolute(getattr(node, "module") or "", getattr(node, "level"), package)
            if module:
                yield Found(module, tuple(alias.name for alias in getattr(node, "names")), line, guarded)
        elif kind in ("Try", "TryStar"):
            pending += [(child, True) for child in getattr(node, "body")]
            rest = [*getattr(node, "handlers"), *getattr(node, "orelse"), *getattr(node, "finalbody")]
            pending += [(child, guarded) for child in rest]
        elif kind == "If" and "TYPE_CHECKING" in (_name(getattr(node, "test"))):
            pending += [(child, guarded) for child in getattr(node, "orelse")]
        else:
            pending += [(child, guarded) for child in _children(node)]


def _absolute(module: str, level: int, package: str) -> str:
    if not level:
        return module
    parts = package.split(".") if package else []
    if level - 1 >= len(parts):
        return ""
    base = parts[: len(parts) - (level - 1)]
    return ".".join([*base, module] if module else base)


def _name(node: object) -> str:
    return getattr(node, "id", "") or getattr(node, "attr", "")


def _children(node: object) -> Iterator[object]:
    for field in getattr(node, "_fields", ()):
        value = getattr(node, field, None)
        if isinstance(value, list):
            yield from value
        elif hasattr(value, "_fields"):
            yield value


def _strings(tree: object) -> Iterator[str]:
    """Short words in a source, one of which may be the name of an encoding."""
    pending = [tree]
    while pending:
        node = pending.pop()
        value = getattr(node, "value", None)
        if isinstance(value, str) and 2 <= len(value) <= _ENCODING_CHARACTERS and value.isascii():
            if value.replace("-", "").replace("_", "").isalnum():
                yield value
        pending += _children(node)

"""The author's modules: read from the folder while the plugin is built, run again from memory in every instance, so that
their top level sees the settings as environment. Refuses modules that pip installed beside them: those are loaded once.
"""

from __future__ import annotations

import linecache
import os
import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import NamedTuple, Optional, Sequence

from .event import TASK_ROOT


class Source(NamedTuple):
    """A module as it was found: its place in the folder, its code, and whether it is a package."""

    place: str
    text: bytes
    code: Optional[CodeType]
    is_package: bool


class Modules:
    """Finder and loader of the author's modules."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.sources: dict[str, Source] = {}
        self.sealed = False
        self._installed = installed(root)

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """A module of the author's, or nothing."""
        source = self.sources.get(name)
        if source is None and not self.sealed:
            source = self._read(name)
        if source is None:
            return None
        self.sources[name] = source
        file = f"{TASK_ROOT}/{source.place}"
        spec = ModuleSpec(name, self, origin=file, is_package=source.is_package)  # type: ignore[arg-type]
        if source.is_package:
            spec.submodule_search_locations = [file.removesuffix("/__init__.py")]
        spec.has_location = source.code is not None
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """As Python makes modules."""

    def exec_module(self, module: ModuleType) -> None:
        """Runs a module."""
        source = self.sources[module.__name__]
        if source.code is not None:
            exec(source.code, module.__dict__)

    def forget(self) -> None:
        """The modules are found as if never imported."""
        for name in self.sources:
            sys.modules.pop(name, None)

    def _read(self, name: str) -> Optional[Source]:
        top = name.partition(".")[0]
        if top in self._installed or top in sys.stdlib_module_names:
            return None
        base = name.replace(".", "/")
        for place, is_package in ((f"{base}/__init__.py", True), (f"{base}.py", False)):
            path = f"{self.root}/{place}"
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    text = file.read()
                shown = f"{TASK_ROOT}/{place}"
                lines = text.decode("utf-8", "replace").splitlines(keepends=True)
                # Without a time of change, a stack shows these lines and looks for no file.
                linecache.cache[shown] = (len(text), None, lines, shown)
                return Source(place, text, compile(text, shown, "exec", dont_inherit=True), is_package)
        folder = f"{self.root}/{base}"
        if os.path.isdir(folder) and any(file.endswith(".py") for file in os.listdir(folder)):
            return Source(base, b"", None, True)
        return None


def installed(root: str) -> frozenset[str]:
    """Top-level modules that pip installed into a folder, by its own notes of what it put there."""
    names = set()
    for folder in os.listdir(root):
        if not folder.endswith(".dist-info"):
            continue
        try:
            with open(f"{root}/{folder}/RECORD", encoding="utf-8") as record:
                places = [line.partition(",")[0] for line in record]
        except OSError:
            continue
        for place in places:
            top = place.partition("/")[0]
            if not top.endswith((".dist-info", ".data")) and top not in ("..", "__pycache__"):
                names.add(top.removesuffix(".py"))
    return frozenset(names)

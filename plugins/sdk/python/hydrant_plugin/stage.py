"""Copies what a build may read into a folder of its own, so that the toolchain sees the author's files and the SDK, and
nothing of the machine. Refuses what is too large for a plugin.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Iterator

from .toolchain import BuildError

_FILES = 10_000
_BYTES = 64 << 20
# At the top of the folder; further down they may be part of a package.
_SKIPPED = frozenset(("fixtures", "hydrant_plugin", "node_modules", "target"))
_NATIVE = (".so", ".pyd", ".dylib", ".dll")


def stage(source: Path, target: Path) -> list[Path]:
    """Copies the files of an author's folder; returns those that are machine code, by their place in the folder."""
    count = size = 0
    native = []
    for path in _files(source):
        place = path.relative_to(source)
        if path.suffix in _NATIVE:
            native.append(place)
            continue
        count += 1
        size += path.stat().st_size
        if count > _FILES or size > _BYTES:
            raise BuildError(
                f"{source} holds more than {_FILES:,} files or {_BYTES >> 20} MiB",
                "everything in the folder can be read while the plugin is built: move out what it does not need",
            )
        copy = target / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    target.mkdir(parents=True, exist_ok=True)
    return native


def stage_package(package: Path, target: Path) -> None:
    """Copies the sources of one package, such as the SDK."""
    for path in package.rglob("*.py"):
        copy = target / package.name / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def native_hint(native: list[Path]) -> str:
    """Why a package with machine code does not work."""
    if not native:
        return ""
    return f"{native[0]} is machine code of another kind of machine; a plugin can only use packages of pure Python"


def _files(source: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(source):
        here = Path(folder)
        skipped = _SKIPPED if here == source else ()
        folders[:] = sorted(name for name in folders if name not in skipped and not _is_skipped(here / name))
        for name in sorted(files):
            path = here / name
            if not name.startswith(".") and path.suffix != ".wasm" and path.is_file():
                yield path


def _is_skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name == "__pycache__" or (folder / "pyvenv.cfg").exists()

"""Finds componentize-py and runs it. Refuses every version but the pinned one, and whatever Python packages this machine
has: only what was staged reaches a component.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Sequence

VERSION = "0.25.1"
"""Of componentize-py; requirements.txt names the same."""

WIT = Path(__file__).resolve().parent / "wit"

_RUN = "import sys; from componentize_py import script; sys.exit(script())"
_TIMEOUT_SECONDS = 600
_OUTPUT_LINES = 40
_INSTALL = f"python3 -m venv .venv && .venv/bin/pip install componentize-py=={VERSION}"


class BuildError(Exception):
    """Why there is no component, for the author; `hint` says what to do."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


class Report(NamedTuple):
    """What the code that ran inside the toolchain left."""

    error: Optional[str]
    notes: list[str]


def find(*folders: Path) -> list[str]:
    """The command that is the pinned componentize-py: of `.venv` in a folder or above it, of this Python, or on PATH."""
    others = []
    for command in _candidates([folder.resolve() for folder in folders]):
        version = _version(command)
        if version == VERSION:
            return command
        if version is not None:
            others.append(version)
    if others:
        raise BuildError(f"componentize-py {others[0]} is installed, and this SDK needs {VERSION}", _INSTALL)
    raise BuildError("componentize-py, which makes components of Python, is not installed", _INSTALL)


def _candidates(folders: Sequence[Path]) -> Iterator[list[str]]:
    for parent in (parent for folder in folders for parent in (folder, *folder.parents)):
        for python in (parent / ".venv/bin/python", parent / ".venv/Scripts/python.exe"):
            if python.exists():
                yield [str(python), "-I", "-c", _RUN]
    yield [sys.executable, "-I", "-c", _RUN]
    on_path = shutil.which("componentize-py")
    if on_path is not None:
        yield [on_path]


def _version(command: Sequence[str]) -> Optional[str]:
    try:
        asked = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = asked.stdout.split()
    return words[-1] if asked.returncode == 0 and words else None


def componentize(command: Sequence[str], app: str, paths: Sequence[Path], report: Path, output: Path) -> Report:
    """Makes the component of `app`, a module found in `paths`; raises `BuildError`."""
    with tempfile.TemporaryDirectory(prefix="hydrant-") as scratch:
        # An environment without packages: else it would take those of the Python that it finds on this machine.
        empty = Path(scratch) / "empty"
        (empty / "lib/site-packages").mkdir(parents=True)
        made = Path(scratch) / "made.wasm"
        arguments = ["-q", "-d", str(WIT), "-w", "plugin", "componentize", app, "-o", str(made)]
        for path in paths:
            arguments += ["-p", str(path)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RUST_", "PIPENV"))}
        environment = {**kept, "VIRTUAL_ENV": str(empty), "RUST_BACKTRACE": "0"}
        try:
            ran = subprocess.run(
                [*command, *arguments],
                cwd=scratch,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise BuildError(
                f"the build took longer than {_TIMEOUT_SECONDS} seconds",
                "module-level code runs while a plugin is built: look there for an endless loop",
            ) from None
        left = _read(report)
        if left.error is not None:
            raise BuildError(left.error)
        if ran.returncode != 0 or not made.exists():
            raise BuildError(f"componentize-py failed:\n{_tail(ran.stdout)}")
        # Renamed into place: a host that watches the folder never sees half a file.
        output.parent.mkdir(parents=True, exist_ok=True)
        new = output.with_name(f".{output.name}.new")
        shutil.copyfile(made, new)
        os.replace(new, output)
        return left


def _read(report: Path) -> Report:
    try:
        left = json.loads(report.read_text("utf-8"))
    except (OSError, ValueError):
        return Report(None, [])
    return Report(left.get("error"), left.get("notes", []))


def _tail(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").splitlines()
    lines = lines[: next((at for at, line in enumerate(lines) if line.startswith("Stack backtrace")), None)]
    return "\n".join(lines[-_OUTPUT_LINES:])

"""`python -m hydrant_plugin.build OUT.wasm`, run in a project's folder: makes the component of its `plugin.py` or
`app.py`. Refuses to use anything that is not in the folder.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

from . import stage, toolchain
from .toolchain import BuildError

MODULES = ("plugin", "app")
"""The author's module is one of these, `app.MODULES`."""
USAGE = "usage: python -m hydrant_plugin.build OUT.wasm (in the folder of plugin.py or app.py)"


def build(project: Path, output: Path) -> list[str]:
    """Makes the component; returns what the author should know. Raises `BuildError`."""
    present = [name for name in MODULES if (project / f"{name}.py").is_file()]
    if not present:
        raise BuildError(f"{project} has neither plugin.py nor app.py", "run this in the folder of the plugin")
    if len(present) > 1:
        raise BuildError(f"{project} has both plugin.py and app.py", "keep the one that registers the transform")
    command = toolchain.find(project)
    with tempfile.TemporaryDirectory(prefix="hydrant-") as scratch:
        own, sdk = Path(scratch) / "project", Path(scratch) / "sdk"
        native = stage.stage(project, own)
        stage.stage_package(Path(__file__).resolve().parent, sdk)
        paths = [own, sdk]
        if (own / "vendor").is_dir():
            paths.append(own / "vendor")
        try:
            report = toolchain.componentize(command, "hydrant_plugin.app", paths, sdk / "report.json", output)
        except BuildError as error:
            raise BuildError(str(error), error.hint or stage.native_hint(native)) from None
    return report.notes


def run(make: Callable[[], list[str]], output: Path) -> int:
    """Runs a build and tells how it went; returns the exit code."""
    began = time.monotonic()
    try:
        notes = make()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    size = output.stat().st_size / 1e6
    print(f"{output} has {size:.1f} MB; made in {time.monotonic() - began:.0f} s")
    return 0


def main(arguments: list[str]) -> int:
    """The command."""
    if len(arguments) != 1 or not arguments[0].endswith(".wasm"):
        print(USAGE, file=sys.stderr)
        return 2
    output = Path(arguments[0]).absolute()
    return run(lambda: build(Path.cwd(), output), output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

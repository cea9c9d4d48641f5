#!/usr/bin/env python3
"""`python build_lambda.py HANDLER_FILE[:FUNCTION] OUT.wasm`: makes a Hydrant plugin of an unmodified Lambda handler for
Firehose and the modules beside it. Refuses to change the handler.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The SDK is a folder of the repository, or was copied beside this file.
sys.path[:0] = [str(HERE), str(HERE / "../../sdk/python")]

from hydrant_plugin import build, stage, toolchain  # noqa: E402
from hydrant_plugin.toolchain import BuildError  # noqa: E402

USAGE = "usage: python build_lambda.py HANDLER_FILE[:FUNCTION] OUT.wasm"
FUNCTION = "lambda_handler"


def make(handler: str, output: Path) -> list[str]:
    """Makes the component; returns what the author should know. Raises `BuildError`."""
    file, function = split(handler)
    if not file.is_file() or file.suffix != ".py":
        raise BuildError(f"{file} is no Python file", "name the handler's file, and its function after a colon")
    if file.stem in getattr(sys, "stdlib_module_names", ()):
        raise BuildError(f"{file.name} has the name of one of Python's own modules", "give the file another name")
    folder = file.resolve().parent
    command = toolchain.find(folder, Path.cwd())
    with tempfile.TemporaryDirectory(prefix="hydrant-") as scratch:
        own, shim = Path(scratch) / "task", Path(scratch) / "shim"
        native = stage.stage(folder, own)
        stage.stage_package(Path(stage.__file__).resolve().parent, shim)
        stage.stage_package(HERE / "hydrant_lambda", shim)
        (shim / "handler.json").write_text(json.dumps({"module": file.stem, "function": function}), "utf-8")
        try:
            report = toolchain.componentize(command, "hydrant_lambda.app", [own, shim], shim / "report.json", output)
        except BuildError as error:
            raise BuildError(str(error), error.hint or stage.native_hint(native)) from None
    return report.notes


def split(handler: str) -> tuple[Path, str]:
    """File and function of `FILE[:FUNCTION]`."""
    file, colon, function = handler.rpartition(":")
    if not colon or not function.isidentifier():
        return Path(handler), FUNCTION
    return Path(file), function


def main(arguments: list[str]) -> int:
    """The command."""
    if len(arguments) != 2 or not arguments[1].endswith(".wasm"):
        print(USAGE, file=sys.stderr)
        return 2
    output = Path(arguments[1]).absolute()
    return build.run(lambda: make(arguments[0], output), output)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

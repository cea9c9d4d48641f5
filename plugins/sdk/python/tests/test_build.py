"""Finding the toolchain, staging a project, and what is imported ahead; no component is built here."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hydrant_plugin import build, preload, stage, toolchain
from hydrant_plugin.toolchain import BuildError

SDK = Path(__file__).resolve().parents[1]


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def write(self, place: str, text: str = "") -> Path:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def tool(self, place: str, version: str) -> Path:
        path = self.write(place, f"#!/bin/sh\necho componentize-py {version}\n")
        path.chmod(0o755)
        return path


class Toolchain(Folder):
    def test_the_one_in_a_folder_above_is_found_before_the_one_on_the_path(self) -> None:
        python = self.tool(".venv/bin/python", toolchain.VERSION)
        self.assertEqual(toolchain.find(self.folder / "deep/project")[0], str(python.resolve()))

    def test_another_version_is_passed_over_and_told_when_there_is_no_other(self) -> None:
        python = str(self.tool(".venv/bin/python", "0.1.0"))
        on_path = str(self.tool("bin/componentize-py", toolchain.VERSION))
        with mock.patch.object(toolchain, "_candidates", lambda _folders: iter([[python], [on_path]])):
            self.assertEqual(toolchain.find(self.folder), [on_path])
        with mock.patch.object(toolchain, "_candidates", lambda _folders: iter([[python]])):
            with self.assertRaisesRegex(BuildError, "0.1.0 is installed"):
                toolchain.find(self.folder)

    def test_none_at_all_is_told_with_what_to_do(self) -> None:
        with mock.patch.object(toolchain, "_candidates", lambda _folders: iter([["/no/such/python"]])):
            with self.assertRaisesRegex(BuildError, "not installed") as raised:
                toolchain.find(self.folder)
        self.assertIn(f"pip install componentize-py=={toolchain.VERSION}", raised.exception.hint)

    def test_the_requirements_pin_the_same_version(self) -> None:
        self.assertIn(f"componentize-py=={toolchain.VERSION}\n", (SDK / "requirements.txt").read_text())

    def test_the_tool_gets_no_packages_of_this_machine(self) -> None:
        seen: dict[str, str] = {}

        def ran(command: list[str], **how: object) -> "subprocess.CompletedProcess[bytes]":
            seen.update(how["env"])  # type: ignore[call-overload]
            empty = Path(seen["VIRTUAL_ENV"]) / "lib/site-packages"
            seen["packages"] = str(list(empty.iterdir()))
            return subprocess.CompletedProcess(command, 1, b"broken\nStack backtrace:\n 0: x\n")

        with mock.patch.object(subprocess, "run", ran), mock.patch.dict("os.environ", {"PYTHONPATH": "/machine"}):
            with self.assertRaisesRegex(BuildError, "broken$"):
                toolchain.componentize(["tool"], "app", [], self.folder / "report.json", self.folder / "out.wasm")
        self.assertEqual(seen["packages"], "[]")
        self.assertNotIn("PYTHONPATH", seen)

    def test_what_the_sandbox_reported_is_the_error(self) -> None:
        report = self.write("report.json", '{"error": "plugin.py registers nothing"}')
        failed = subprocess.CompletedProcess([], 1, b"panic")
        with mock.patch.object(subprocess, "run", lambda *_a, **_k: failed):
            with self.assertRaisesRegex(BuildError, "^plugin.py registers nothing$"):
                toolchain.componentize(["tool"], "app", [], report, self.folder / "out.wasm")


class Staging(Folder):
    def test_sources_and_data_are_copied_and_the_rest_is_not(self) -> None:
        places = ("plugin.py", "data/table.csv", "vendor/other/target/__init__.py")
        others = (".git/x", ".venv/x", "env/pyvenv.cfg", "env/x.py", "old.wasm", "sub/__pycache__/x", "hydrant_plugin/x.py")
        for place in (*places, *others, "fixtures/first.json", "vendor/numpy/core.so"):
            self.write(place)
        target = self.folder / "staged"
        native = stage.stage(self.folder, target)
        copied = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
        self.assertEqual(copied, sorted(places))
        self.assertEqual(native, [Path("vendor/numpy/core.so")])
        self.assertIn("pure Python", stage.native_hint(native))
        self.assertEqual(stage.native_hint([]), "")

    def test_a_folder_that_is_too_large_is_refused(self) -> None:
        self.write("plugin.py")
        self.write("other.py")
        with mock.patch.object(stage, "_FILES", 1), self.assertRaisesRegex(BuildError, "more than"):
            stage.stage(self.folder, self.folder / "../staged")

    def test_a_folder_without_a_plugin_or_with_two_is_told(self) -> None:
        with self.assertRaisesRegex(BuildError, "neither"):
            build.build(self.folder, self.folder / "out.wasm")
        self.write("plugin.py")
        self.write("app.py")
        with self.assertRaisesRegex(BuildError, "both"):
            build.build(self.folder, self.folder / "out.wasm")

    def test_the_command_wants_one_output(self) -> None:
        for arguments in ([], ["a"], ["a.wasm", "b.wasm"]):
            asked = subprocess.run(
                [sys.executable, "-m", "hydrant_plugin.build", *arguments], cwd=SDK, capture_output=True, text=True
            )
            self.assertEqual((asked.returncode, asked.stderr.startswith("usage:")), (2, True), arguments)


class Preload(unittest.TestCase):
    def test_imports_inside_functions_are_found_and_guarded_ones_may_be_missing(self) -> None:
        source = (
            b"import json\n"
            b"def f():\n"
            b"    import colorsys\n"
            b"    from . import beside\n"
            b"    try:\n"
            b"        import no_such_one\n"
            b"    except ImportError:\n"
            b"        import no_such_two\n"
            b"if TYPE_CHECKING:\n"
            b"    import no_such_three\n"
        )
        found = list(preload.imports(compile(source, "x", "exec", preload.AST_ONLY), "package"))
        guarded = {each.module: each.guarded for each in found}
        self.assertEqual(
            guarded,
            {"json": False, "colorsys": False, "package": False, "no_such_one": True, "no_such_two": False},
        )
        sys.modules.pop("colorsys", None)
        notes = preload.load(source, "/0/x.py", "")
        self.assertIn("colorsys", sys.modules)
        self.assertEqual(len(notes), 1)
        self.assertRegex(notes[0], r"^x.py:8 imports no_such_two, which fails when it is reached: No module")

    def test_encodings_that_a_source_names_are_loaded(self) -> None:
        sys.modules.pop("encodings.cp1250", None)
        __import__("encodings")._cache.pop("cp1250", None)
        preload.load(b"def f(data):\n    return data.decode('cp1250')\n", "/0/x.py", "")
        self.assertIn("encodings.cp1250", sys.modules)

    def test_relative_imports_are_resolved(self) -> None:
        source = b"from ..other import x\nfrom .one import y\nfrom .... import z\n"
        found = preload.imports(compile(source, "x", "exec", preload.AST_ONLY), "a.b")
        self.assertEqual(sorted(each.module for each in found), ["a.b.one", "a.other"])


if __name__ == "__main__":
    unittest.main()

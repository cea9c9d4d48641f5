"""Loading a handler's modules again from memory, the stand-in for the AWS SDK, and the command that builds."""

from __future__ import annotations

import importlib
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import shim  # noqa: E402, F401, before what it finds

import build_lambda
from hydrant_lambda.modules import Modules, installed
from hydrant_plugin.toolchain import BuildError


class FromMemory(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        for place, text in {
            "hl_handler.py": "import os, hl_package.part\nfrom hl_names.inner import WORD\nSEEN = os.environ.get('HL')\n",
            "hl_package/__init__.py": "from .part import VALUE\n",
            "hl_package/part.py": "VALUE = 5\n",
            "hl_names/inner.py": "WORD = 'in a folder without __init__'\n",
            "installed_one/__init__.py": "",
            "single.py": "",
            "one-1.0.dist-info/RECORD": "installed_one/__init__.py,,\nsingle.py,,\none-1.0.dist-info/RECORD,,\n",
        }.items():
            path = self.folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.modules = Modules(str(self.folder))
        sys.meta_path.insert(0, self.modules)  # type: ignore[arg-type]
        self.addCleanup(sys.meta_path.remove, self.modules)
        self.addCleanup(self.modules.forget)

    def test_modules_run_again_without_their_files(self) -> None:
        first = importlib.import_module("hl_handler")
        self.assertEqual((first.SEEN, first.hl_package.VALUE), (None, 5))
        self.assertEqual(first.__file__, "/var/task/hl_handler.py")
        self.modules.sealed = True
        self.modules.forget()
        for path in self.folder.rglob("*.py"):
            path.unlink()
        with unittest.mock.patch.dict("os.environ", HL="set"):
            second = importlib.import_module("hl_handler")
        self.assertEqual((second.SEEN, second.hl_package.VALUE, second.WORD[:4]), ("set", 5, "in a"))
        self.assertIsNot(first, second)

    def test_what_pip_installed_is_not_run_again(self) -> None:
        self.assertEqual(installed(str(self.folder)), {"installed_one", "single"})
        self.assertIsNone(self.modules.find_spec("installed_one"))
        self.assertIsNone(self.modules.find_spec("json"), "Python's own modules are found by Python")
        self.assertIsNone(self.modules.find_spec("no_such_module"))

    def test_the_aws_sdk_can_be_imported_and_not_used(self) -> None:
        boto3 = importlib.import_module("boto3")
        exceptions = importlib.import_module("botocore.exceptions")
        self.assertTrue(issubclass(exceptions.ClientError, Exception))
        self.assertIs(exceptions.ClientError, exceptions.ClientError)
        table = boto3.resource("dynamodb").Table("orders")
        for use in (lambda: boto3.client("s3").get_object(Bucket="b"), lambda: table.put_item(Item={})):
            with self.assertRaisesRegex(RuntimeError, "no network"):
                use()


class Command(unittest.TestCase):
    def test_file_and_function_are_told_apart(self) -> None:
        self.assertEqual(build_lambda.split("a/b.py"), (Path("a/b.py"), "lambda_handler"))
        self.assertEqual(build_lambda.split("a/b.py:handler"), (Path("a/b.py"), "handler"))

    def test_what_is_no_handler_is_told(self) -> None:
        with self.assertRaisesRegex(BuildError, "no Python file"):
            build_lambda.make("no/such.py", Path("out.wasm"))
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "json.py"
            file.write_text("")
            with self.assertRaisesRegex(BuildError, "one of Python's own"):
                build_lambda.make(str(file), Path("out.wasm"))


if __name__ == "__main__":
    unittest.main()

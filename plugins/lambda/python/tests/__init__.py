"""Tests of the shim; `python3 -m unittest` in the folder above runs them, without WebAssembly."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "../../sdk/python"), str(ROOT / "handlers")]

from hydrant_lambda import aws  # noqa: E402

# Before a handler is imported: this machine may have the real one.
aws.install()

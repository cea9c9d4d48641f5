"""Tests of the shim; `python3 -m unittest` in the folder above runs them, without WebAssembly."""

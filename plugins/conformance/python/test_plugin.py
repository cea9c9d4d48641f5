"""The scenarios, at the desk: `PYTHONPATH=../../sdk/python python3 -m unittest` runs them."""

import unittest

from hydrant_plugin import Context
from hydrant_plugin.testing import Delivered, Dropped, Failed, Kept, Replaced, logged, run_plugin

import plugin  # noqa: F401, registers itself


class Scenarios(unittest.TestCase):
    def check(self, record: "str | bytes", fate: object, **settings: str) -> None:
        self.assertEqual(run_plugin([record], Context("orders", settings)), [fate], record)

    def test_each_record_gets_what_it_asks_for(self) -> None:
        logged()
        for record, outputs in (
            ("", ["empty"]),
            (b"\xff\x01a", [b"a\x01\xff"]),
            ("one:ö", ["ö"]),
            ("many:a,,c", ["a", "", "c"]),
            ("many:", [""]),
            ("setting:x", ["1"]),
            ("stream", ["orders"]),
            ("arrived", ["0"]),
            ("count:é😀", ["2"]),
            ("length:é", ["9"]),
            ("repeat:3", ["xxx"]),
        ):
            bytes_of = [output if isinstance(output, bytes) else output.encode() for output in outputs]
            self.check(record, Replaced(tuple(map(Delivered, bytes_of))), x="1")
        self.check("keep me", Kept())
        for record in ("none", "drop", "log:warn:wörld"):
            self.check(record, Dropped())
        self.assertEqual(logged(), [("warn", "wörld")])
        self.check("fail:bad", Failed("bad"))
        self.check("code:C.1:why", Failed("why", "C.1"))
        for record, reason in (("setting:y", "no setting y"), ("column:y", "no column y"), ("half:", "half")):
            self.check(record, Failed(reason))
        self.check("what", Failed("unknown"))

    def test_keys(self) -> None:
        columns = {"key": "k", "$document-id": "k", "$index": "conformance"}
        self.check("keys:k", Replaced((Delivered(b"keys:k", columns),)))
        self.check("spread:a,b", Replaced((Delivered(b"a", {"part": "a"}), Delivered(b"b", {"part": "b"}))))

    def test_the_modes(self) -> None:
        self.check("none", Kept(), mode="keep")
        edited = b'{"level":"info","n":1.5,"pipeline":"hydrant"}'
        self.check('{"level": "info", "n": 1.5}', Replaced((Delivered(edited, {"level": "info"}),)), mode="edit")
        self.check('{"level": 5}', Replaced((Delivered(b'{"level":5,"pipeline":"hydrant"}'),)), mode="edit")
        self.check('{"level": "debug"}', Dropped(), mode="edit")
        for record in ("", "[]", "{", "[" * 100_000):
            self.check(record, Failed("no JSON object", "bad-json"), mode="edit")
        with self.assertRaisesRegex(Exception, "^no$"):
            self.check("", None, refuse="no")


if __name__ == "__main__":
    unittest.main()

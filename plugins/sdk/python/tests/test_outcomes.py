"""What becomes of a record, for each thing that a transform may do with it."""

from __future__ import annotations

import logging
import unittest
from typing import Any, Iterator

from hydrant_plugin import DROP, KEEP, Batch, Context, Outcome, Record, fail, json_bytes, log, testing
from hydrant_plugin.batch import NOT_VISITED
from hydrant_plugin.testing import Delivered, Dropped, Failed, Kept, Replaced, run, run_batch


def replaced(*records: bytes, **columns: str) -> Replaced:
    return Replaced(tuple(Delivered(record, columns) for record in records))


class Outcomes(unittest.TestCase):
    def setUp(self) -> None:
        testing.logged()

    def fate(self, outcome: Any, record: bytes = b"in") -> testing.Fate:
        return run(lambda _record: outcome, [record])[0]

    def test_a_record_is_kept_by_returning_it(self) -> None:
        self.assertEqual(run(lambda record: record, ["a"]), [Kept()])
        self.assertEqual(self.fate(KEEP), Kept())

    def test_bytes_and_text_replace_it(self) -> None:
        for outcome in (b"\xc3\xb6", "ö", bytearray(b"\xc3\xb6"), memoryview(b"\xc3\xb6")):
            self.assertEqual(self.fate(outcome), replaced("ö".encode()), outcome)
        self.assertEqual(self.fate(""), replaced(b""))

    def test_a_list_replaces_it_by_several_and_an_empty_one_drops_it(self) -> None:
        self.assertEqual(self.fate(["a", b"", "c"]), replaced(b"a", b"", b"c"))
        self.assertEqual(self.fate(("a",)), replaced(b"a"))
        self.assertEqual(self.fate(iter(["a", "b"])), replaced(b"a", b"b"))
        self.assertEqual(self.fate([]), Dropped())
        self.assertEqual(self.fate(iter([])), Dropped())

    def test_drop_and_fail(self) -> None:
        self.assertEqual(self.fate(DROP), Dropped())
        self.assertEqual(self.fate(fail("no")), Failed("no"))
        self.assertEqual(self.fate(fail("no", "bad-order")), Failed("no", "bad-order"))
        self.assertEqual(testing.logged(), [])

    def test_nothing_and_strange_values_fail_and_say_what_to_return(self) -> None:
        for outcome, said in ((None, "returned nothing: return the record"), (5, "type int"), ({}, "json_bytes")):
            fate = self.fate(outcome)
            assert isinstance(fate, Failed)
            self.assertIn(said, fate.reason)
        fate = self.fate(["a", 5])
        self.assertEqual(fate, Failed("a record is replaced by bytes or text, not by a value of type int"))

    def test_half_a_surrogate_pair_fails_and_does_not_reach_the_host(self) -> None:
        for outcome in ("\ud800", ["\ud800"]):
            fate = self.fate(outcome)
            assert isinstance(fate, Failed)
            self.assertIn("surrogate", fate.reason)
        self.assertEqual(self.fate(fail("\ud800", "\ud800")), Failed("?", "?"))

    def test_an_exception_fails_its_record_and_no_other_and_the_stack_is_logged_once(self) -> None:
        def transform(record: Record) -> Outcome:
            if record.data != b"good":
                raise KeyError(record.text)
            return record

        fates = run(transform, ["bad", "good", "worse"])
        self.assertEqual(fates, [Failed("KeyError: 'bad'"), Kept(), Failed("KeyError: 'worse'")])
        logged = testing.logged()
        self.assertEqual({level for level, _ in logged}, {"warn"})
        self.assertEqual([line for _, line in logged if line.startswith("KeyError")], ["KeyError: 'bad'"])
        self.assertFalse([line for _, line in logged if "batch.py" in line], "frames of the SDK are of no use")

    def test_exit_fails_the_record(self) -> None:
        def transform(_record: Record) -> Outcome:
            raise SystemExit(3)

        self.assertEqual(run(transform, ["a"]), [Failed("SystemExit: 3")])

    def test_a_raised_failure_has_its_code_and_no_stack(self) -> None:
        def transform(_record: Record) -> Outcome:
            raise fail("no", "bad")

        self.assertEqual(run(transform, ["a"]), [Failed("no", "bad")])
        self.assertEqual(testing.logged(), [])

    def test_an_exception_that_cannot_be_shown_still_fails_the_record(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise ValueError

        def transform(_record: Record) -> Outcome:
            raise Mute

        self.assertEqual(run(transform, ["a"]), [Failed("Mute")])

    def test_reasons_are_cut(self) -> None:
        self.assertEqual(self.fate(fail("x" * 5_000)), Failed("x" * 1_024))


class Keys(unittest.TestCase):
    def test_a_kept_record_with_keys_is_replaced_by_itself(self) -> None:
        def transform(record: Record) -> Outcome:
            if record.data:
                record.set("key", "first")
                record.set("key", record.text)
            return record

        fates = run(transform, ["a", "", "b", "a"])
        self.assertEqual(fates, [replaced(b"a", key="a"), Kept(), replaced(b"b", key="b"), replaced(b"a", key="a")])

    def test_each_yielded_output_has_the_keys_of_its_moment(self) -> None:
        def transform(record: Record) -> Iterator[str]:
            yield "head"
            for part in record.text.split(","):
                record.set("part", part)
                yield part

        self.assertEqual(
            run(transform, ["a,b"]),
            [Replaced((Delivered(b"head"), Delivered(b"a", {"part": "a"}), Delivered(b"b", {"part": "b"})))],
        )

    def test_what_a_generator_returns_decides_alone_and_leaves_nothing_of_what_it_yielded(self) -> None:
        def transform(record: Record) -> Iterator[str]:
            record.set("lost", "x")
            yield "lost"
            if record.data == b"raise":
                raise fail("half")
            return {b"fail": fail("half"), b"drop": DROP}[record.data]  # type: ignore[return-value]

        given = "fail", "drop", "raise"
        ends: list[Any] = []

        def batch(batch: Batch) -> None:
            batch.each(transform)
            ends.append(batch.output.finish())

        self.assertEqual(run_batch(batch, given), [Failed("half"), Dropped(), Failed("half")])
        self.assertEqual(ends, [(b"", [], [])])

    def test_names_and_values_are_checked(self) -> None:
        cases: list[tuple[Any, Any, str]] = [
            ("", "x", "1 to 128"),
            ("k" * 129, "x", "1 to 128"),
            ("ö" * 65, "x", "1 to 128"),
            ("$other", "x", "no reserved column"),
            ("k", 5, "wants text"),
            ("k", "\ud800", "surrogate"),
        ]
        for name, value, said in cases:

            def transform(record: Record, name: Any = name, value: Any = value) -> Outcome:
                record.set(name, value)
                return record

            fate = run(transform, ["a"])[0]
            assert isinstance(fate, Failed)
            self.assertIn(said, fate.reason)

    def test_reserved_columns_may_be_set(self) -> None:
        def transform(record: Record) -> Outcome:
            record.set("$document-id", "7")
            return "x"

        self.assertEqual(run(transform, ["a"]), [Replaced((Delivered(b"x", {"$document-id": "7"}),))])


class Records(unittest.TestCase):
    def test_text_must_be_utf_8(self) -> None:
        fates = run(lambda record: record.text.upper(), ["ö".encode(), b"a\xff"])
        self.assertEqual(fates, [replaced("Ö".encode()), Failed("invalid UTF-8 at byte 1: invalid start byte")])

    def test_json_is_strict_and_says_where_it_breaks(self) -> None:
        good = [b'{"a":[1,2.5,null,"\xc3\xb6"]}', b" 5 \n", b'"x"']
        self.assertEqual(run(lambda record: json_bytes(record.json()), good)[0], replaced(good[0]))
        self.assertEqual(run(lambda record: json_bytes(record.json()), good)[1:], [replaced(b"5"), replaced(b'"x"')])
        for bad in (b"", b"{", b"1 2", b"NaN", b"[1,]", b"\xff", b"\xef\xbb\xbf{}", b"{}\x0b"):
            fate = run(lambda record: json_bytes(record.json()), [bad])[0]
            assert isinstance(fate, Failed)
            self.assertRegex(fate.reason, "^(no JSON|invalid UTF-8)", bad)

    def test_json_bytes_are_compact_and_always_json(self) -> None:
        self.assertEqual(json_bytes({"b": [1, 0.5, True, None], "a": "ö"}), '{"b":[1,0.5,true,null],"a":"ö"}'.encode())
        self.assertEqual(json_bytes("\ud800"), b'"\\ud800"')
        for bad in (float("nan"), float("inf"), b"x", {"a": {1}}):
            self.assertRaises((ValueError, TypeError), json_bytes, bad)
        ring: list[Any] = []
        ring.append(ring)
        self.assertRaises(ValueError, json_bytes, ring)
        self.assertEqual(json_bytes([[]]), b"[[]]")

    def test_context_arrival_and_columns_are_seen(self) -> None:
        def transform(record: Record) -> Outcome:
            context = record.context
            seen = [context.stream, context.setting("a"), context.setting("b"), context.setting("b", "c")]
            return json_bytes([*seen, record.arrived_ms, record.column("k"), record.column("none")])

        context = Context("orders", {"a": "1"})
        fates = run(transform, ["x", "y"], context, arrived_ms=7, columns={"k": "v"})
        self.assertEqual(fates[1].text, ['["orders","1",null,"c",7,"v",null]'])


class Batches(unittest.TestCase):
    def test_records_that_are_not_visited_fail(self) -> None:
        self.assertEqual(run_batch(lambda _batch: None, ["a"]), [Failed(NOT_VISITED)])

    def test_all_are_kept_at_once(self) -> None:
        self.assertEqual(run_batch(Batch.keep_all, ["a", "b"]), [Kept(), Kept()])
        self.assertEqual(run_batch(Batch.keep_all, []), [])

    def test_a_second_pass_finds_what_the_first_left(self) -> None:
        def transform(batch: Batch) -> None:
            batch.settle(["first", KEEP])
            batch.each(lambda record: record.data + b"!")
            batch.each(lambda record: b"never")

        self.assertEqual(run_batch(transform, ["a", "b", "c"]), [replaced(b"first"), Kept(), replaced(b"c!")])

    def test_outcomes_may_be_given_for_all(self) -> None:
        def transform(batch: Batch) -> None:
            self.assertEqual((len(batch), batch.payload, list(batch.ends)), (3, b"abc", [1, 2, 3]))
            self.assertEqual(batch.data, [b"a", b"b", b"c"])
            batch.settle([DROP, ["x", "y"], fail("no")])

        self.assertEqual(run_batch(transform, ["a", "b", "c"]), [Dropped(), replaced(b"x", b"y"), Failed("no")])

    def test_an_exception_fails_what_is_left(self) -> None:
        def transform(batch: Batch) -> None:
            batch.settle([KEEP])
            raise ValueError("bad")

        fates = run_batch(transform, ["a", "b", "c"])
        self.assertEqual(fates, [Kept(), Failed("ValueError: bad"), Failed("ValueError: bad")])
        self.assertEqual(len([line for _, line in testing.logged() if line.startswith("ValueError")]), 1)

    def test_more_outcomes_than_records_are_told(self) -> None:
        testing.logged()
        self.assertEqual(run_batch(lambda batch: batch.settle([KEEP, KEEP]), ["a"]), [Kept()])


class Log(unittest.TestCase):
    def setUp(self) -> None:
        testing.logged()

    def test_lines_are_kept_for_the_test(self) -> None:
        log.warn("stock is 3")
        log.info(5)
        log.debug("\ud800")
        log.error("x")
        self.assertEqual(testing.logged(), [("warn", "stock is 3"), ("info", "5"), ("debug", "?"), ("error", "x")])
        self.assertEqual(testing.logged(), [])

    def test_the_logging_module_has_a_way_to_the_host(self) -> None:
        logger = logging.Logger("orders")
        logger.addHandler(log.Handler())
        logger.info("a %d", 5)
        logger.critical("two\nlines")
        logger.error("%d", "five")
        logged = testing.logged()
        self.assertEqual(logged[:3], [("info", "orders: a 5"), ("error", "orders: two"), ("error", "lines")])
        self.assertIn("arguments do not fit", logged[3][1])

    def test_a_long_text_is_cut(self) -> None:
        log.write_all("info", "x\n" * 100)
        self.assertEqual(testing.logged()[-1], ("info", "… 60 more lines"))


if __name__ == "__main__":
    unittest.main()

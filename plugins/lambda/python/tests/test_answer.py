"""Firehose's rules, by the handler that breaks each of them."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))
import shim  # noqa: E402, F401, before what it finds

from hydrant_lambda import answer, aws
from hydrant_lambda.function import Function
from hydrant_plugin import Context, testing
from hydrant_plugin.testing import Delivered, Dropped, Fate, Kept, Replaced, run_batch

MISSING = testing.Failed(*answer.MISSING)
FINE = Replaced((Delivered(b"fine"),))


def configured(module: str, function: str = "lambda_handler", **settings: str) -> Function:
    made = Function(module, function)
    with mock.patch.dict("os.environ"):
        made.configure(Context("orders", settings))
    return made


class Rules(unittest.TestCase):
    function: Function

    @classmethod
    def setUpClass(cls) -> None:
        cls.function = configured("misbehaving")

    def setUp(self) -> None:
        testing.logged()

    def fates(self, *records: str) -> list[Fate]:
        return run_batch(self.function.apply, records, Context("orders"))

    def test_each_result(self) -> None:
        for record, fate in (
            ("ok", FINE),
            ("same", Kept()),
            ("empty", Replaced((Delivered(b""),))),
            ("dropped", Dropped()),
            ("failed", testing.Failed("ProcessingFailed status set for record", "Lambda.ProcessingFailedStatus")),
            ("missing", MISSING),
            ("no-id", MISSING),
            ("null", MISSING),
            ("twice", testing.Failed(*answer.DUPLICATED)),
            ("unknown", FINE),
            ("decimal", FINE),
        ):
            self.assertEqual(self.fates(record), [fate], record)

    def test_what_is_no_result_is_invalid(self) -> None:
        for record, told in (
            ("no-data", "data is missing"),
            ("null-data", "data is null"),
            ("number-data", "data is a number"),
            ("no-base64", "data is not base64"),
            ("result", "result is another text"),
            ("no-result", "result is missing"),
            ("bad-keys", "partition key a is an object"),
            ("list-keys", "partitionKeys is no object"),
            ("name-keys", "no reserved column"),
        ):
            (fate,) = self.fates(record)
            assert isinstance(fate, testing.Failed), record
            self.assertEqual(fate.code, "Lambda.InvalidReturnFormat", record)
            self.assertIn(told, fate.reason)

    def test_base64_is_strict(self) -> None:
        for data in ("Zm9v\n", "Zm9vYg", "Zm 9v", "Zm9-", "ö"):
            fates = self.answered({"records": [{"recordId": "0" * 56, "result": "Ok", "data": data}]}, "x")
            assert isinstance(fates[0], testing.Failed), data
            self.assertEqual(fates[0].code, "Lambda.InvalidReturnFormat", data)

    def test_the_other_records_go_on_in_any_order(self) -> None:
        fates = self.fates("reversed", "dropped", "missing", "keys", "twice")
        self.assertEqual([type(fate).__name__ for fate in fates], ["Replaced", "Dropped", "Failed", "Replaced", "Failed"])
        self.assertEqual(fates[3], Replaced((Delivered(b"keys", {"a": "x", "number": "5"}),)))

    def test_an_answer_without_records_misses_every_record(self) -> None:
        for record in ("answer:null", "answer:text", "answer:object", "answer:map"):
            self.assertEqual(self.fates("ok", record), [MISSING, MISSING], record)

    def test_a_function_that_fails_fails_every_record(self) -> None:
        for record, message in (
            ("raise", "ValueError: raised by the handler"),
            ("exit", "SystemExit: 3"),
            ("environment", "KeyError: 'NO_SUCH_SETTING'"),
            (
                "answer:bytes",
                "Runtime.MarshalError: Unable to marshal response: Object of type bytes is not JSON serializable",
            ),
            ("boto3", f"AwsUnavailable: boto3.client('s3').get_object(): {aws.WHY}"),
        ):
            fate = testing.Failed(message, "Lambda.FunctionError")
            self.assertEqual(self.fates("ok", record), [fate, fate], record)
            self.assertTrue(testing.logged(), record)

    def test_what_json_changes_is_changed(self) -> None:
        record_id = "0" * 56
        entry = {"recordId": record_id, "result": "Ok", "data": "Zm9v", "metadata": {"partitionKeys": {1: "x"}}}
        self.assertEqual(self.answered({"records": (entry,)}, "x"), [Replaced((Delivered(b"foo", {"1": "x"}),))])

    def test_no_records_are_no_call(self) -> None:
        self.assertEqual(self.fates(), [])

    def answered(self, given: Any, *records: str) -> list[Fate]:
        function = Function("", "")
        function._handler = lambda _event, _context: given
        function._environment = {**self.function._environment}
        return run_batch(function.apply, records, Context("orders"))


class Handlers(unittest.TestCase):
    def test_settings_are_the_environment_and_their_lack_is_told(self) -> None:
        with self.assertRaisesRegex(Exception, "wants the setting 'TABLE_NAME' as environment"):
            configured("json_edit")
        function = configured("json_edit", TABLE_NAME="orders")
        records = ['{"level":"info"}', '{"level":"debug"}', "nope"]
        edited, gone, failed = run_batch(function.apply, records, Context("orders"), arrived_ms=1_700_000_000_000)
        data = b'{"level": "info", "table": "orders", "arrived": "2023-11-14T22:13:20.000+00:00"}\n'
        self.assertEqual(edited, Replaced((Delivered(data, {"level": "info", "year": "2023"}),)))
        self.assertEqual((gone, type(failed)), (Dropped(), testing.Failed))

    def test_a_handler_that_is_not_there_is_told(self) -> None:
        with self.assertRaisesRegex(Exception, "Handler 'other' missing on module 'misbehaving'"):
            configured("misbehaving", "other")

    def test_the_event_and_the_context_are_those_of_firehose(self) -> None:
        seen: list[Any] = []
        function = configured("misbehaving", AWS_REGION="eu-west-1")
        function._handler = lambda event, context: seen.extend((event, context))
        run_batch(function.apply, ["a", ""], Context("orders"), arrived_ms=5)
        event, context = seen
        first = {"recordId": "0" * 56, "approximateArrivalTimestamp": 5, "data": "YQ=="}
        self.assertEqual(event["records"][0], first)
        self.assertEqual((event["records"][1]["recordId"][-2:], event["records"][1]["data"]), ("01", ""))
        self.assertEqual(event["deliveryStreamArn"], "arn:aws:firehose:eu-west-1:000000000000:deliverystream/orders")
        self.assertEqual((event["region"], event["invocationId"]), ("eu-west-1", context.aws_request_id))
        self.assertEqual(context.function_name, "misbehaving")
        self.assertTrue(context.invoked_function_arn.endswith(":function:misbehaving"))
        self.assertGreater(context.get_remaining_time_in_millis(), 0)


if __name__ == "__main__":
    unittest.main()

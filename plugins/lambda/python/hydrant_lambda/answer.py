"""Holds what a handler answered to Firehose's rules. Refuses to guess what was meant."""

from __future__ import annotations

import decimal
import json
from binascii import a2b_base64
from typing import Any, Sequence

from hydrant_plugin.output import Output
from hydrant_plugin.outcome import DROP, KEEP
from hydrant_plugin.record import check_key

from .event import record_ids

MISSING = (
    "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
    "Lambda.MissingRecordId",
)
DUPLICATED = (
    "Multiple records with the same record ID are returned. "
    "Ensure that the Lambda function returns unique record IDs for each record.",
    "Lambda.DuplicatedRecordId",
)
FAILED = ("ProcessingFailed status set for record", "Lambda.ProcessingFailedStatus")
INVALID = "Lambda.InvalidReturnFormat"
FUNCTION_ERROR = "Lambda.FunctionError"

_TWICE: dict[str, Any] = {}
_NAMES = {dict: "an object", list: "a list", str: "another text", bool: "a boolean"}
_PLAIN = (str, type(None))


class MarshalError(Exception):
    """The answer is nothing that JSON can carry: Lambda itself fails the call."""


class _Encoder(json.JSONEncoder):
    """Lambda's own: a decimal becomes a number."""

    def default(self, value: object) -> object:
        if isinstance(value, decimal.Decimal):
            return float(value)
        return super().default(value)


def carried(answer: Any) -> Any:
    """The answer as Firehose gets it, which is what JSON made of it; raises `MarshalError`."""
    if type(answer) is dict and len(answer) == 1 and type(answer.get("records")) is list:
        if all(map(_is_plain, answer["records"])):  # JSON would change nothing
            return answer
    try:
        return json.loads(json.dumps(answer, cls=_Encoder))
    except Exception as error:
        raise MarshalError(f"Runtime.MarshalError: Unable to marshal response: {error}") from None


def _is_plain(entry: object) -> bool:
    if type(entry) is not dict:
        return False
    for name, value in entry.items():
        if type(value) not in _PLAIN and not (name == "metadata" and _is_plain_metadata(value)):
            return False
        if type(name) is not str:
            return False
    return True


def _is_plain_metadata(metadata: object) -> bool:
    if type(metadata) is not dict or list(metadata) != ["partitionKeys"]:
        return False
    keys = metadata["partitionKeys"]
    return type(keys) is dict and all(type(name) is str and type(value) is str for name, value in keys.items())


def settle(output: Output, sent: Sequence[str], answer: Any) -> None:
    """Settles every record of a batch by the answer to what was sent as this base64."""
    for given, entry in zip(sent, _entries(answer, len(sent))):
        if entry is None:
            output.refuse(*MISSING)
        elif entry is _TWICE:
            output.refuse(*DUPLICATED)
        else:
            _settle(output, given, entry)


def settle_error(output: Output, count: int, message: str) -> None:
    """Fails every record of a batch: the function itself failed."""
    for _ in range(count):
        output.refuse(message, FUNCTION_ERROR)


def _entries(answer: Any, count: int) -> "list[dict[str, Any] | None]":
    """The entry of each record that was sent; what was never sent is passed over."""
    entries: "list[dict[str, Any] | None]" = [None] * count
    records = answer.get("records") if isinstance(answer, dict) else None
    if not isinstance(records, list):
        return entries
    ids = record_ids(count)
    places: dict[object, int] = {}
    for at, entry in enumerate(records):
        if not isinstance(entry, dict):
            continue
        record_id = entry.get("recordId")
        # Nearly every handler answers in the order of the event.
        if at >= count or record_id != ids[at]:
            if not isinstance(record_id, str):
                continue
            places = places or {known: place for place, known in enumerate(ids)}
            place = places.get(record_id)
            if place is None:
                continue
        else:
            place = at
        entries[place] = entry if entries[place] is None else _TWICE
    return entries


def _settle(output: Output, sent: str, entry: dict[str, Any]) -> None:
    result, data = entry.get("result"), entry.get("data")
    if result == "Ok":
        if type(data) is not str:
            output.refuse(f"result is Ok, but data is {_named(entry, 'data')}: it must be base64 text", INVALID)
        else:
            _settle_ok(output, sent, data, entry.get("metadata"))
    elif result == "Dropped":
        output.settle(DROP, b"", None)
    elif result == "ProcessingFailed":
        output.refuse(*FAILED)
    else:
        told = f"result is {_named(entry, 'result')}: it must be Ok, Dropped or ProcessingFailed"
        output.refuse(told, INVALID)


def _settle_ok(output: Output, sent: str, data: str, metadata: Any) -> None:
    try:
        decoded = b"" if data == sent else a2b_base64(data, strict_mode=True)
    except ValueError:
        output.refuse("result is Ok, but data is not base64", INVALID)
        return
    keys = None
    if metadata is not None:
        try:
            keys = _keys(metadata)
        except (TypeError, ValueError) as error:
            output.refuse(str(error), INVALID)
            return
    if data != sent:
        output.replace(decoded, keys)
    elif keys is None:
        output.settle(KEEP, b"", None)  # the same bytes need not cross the boundary again
    else:
        output.replace(a2b_base64(data), keys)


def _keys(metadata: Any) -> "dict[str, str] | None":
    given = metadata.get("partitionKeys") if isinstance(metadata, dict) else None
    if given is None:
        return None
    if not isinstance(given, dict):
        raise TypeError("metadata.partitionKeys is no object")
    keys = {}
    for name, value in given.items():
        if isinstance(value, (int, float)):
            value = json.dumps(value)
        elif type(value) is not str:
            raise TypeError(f"the value of partition key {name} is {_NAMES.get(type(value), 'null')}: it must be text")
        check_key(name, value)
        keys[name] = value
    return keys or None


def _named(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if value is None:
        return "null" if name in entry else "missing"
    return _NAMES.get(type(value), "a number")

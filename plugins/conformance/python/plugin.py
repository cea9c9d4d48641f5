"""The conformance guest in Python: does what every language's conformance guest does, record by record. Refuses to be an
example; `hydrant plugin new --lang python` writes one.
"""

from __future__ import annotations

from typing import Callable, Iterator

from hydrant_plugin import (
    DROP,
    Batch,
    Context,
    Outcome,
    Record,
    configure,
    fail,
    json_bytes,
    log,
    transform_batch,
)

_mode = "scenario"

LOG = {"debug": log.debug, "info": log.info, "warn": log.warn, "error": log.error}


@configure
def setup(context: Context) -> None:
    """Takes the settings."""
    global _mode
    refuse = context.setting("refuse")
    if refuse is not None:
        raise fail(refuse)
    _mode = context.setting("mode", "scenario")


@transform_batch
def conform(batch: Batch) -> None:
    """Does what the mode asks for."""
    if _mode == "keep":
        batch.keep_all()
    else:
        batch.each(edit if _mode == "edit" else scenario)


def edit(record: Record) -> Outcome:
    """The JSON edit that languages are measured with."""
    try:
        value = record.json()
    except (ValueError, RecursionError):
        value = None
    if type(value) is not dict:
        return fail("no JSON object", "bad-json")
    level = value.get("level")
    if level == "debug":
        return DROP
    if type(level) is str:
        record.set("level", level)
    value["pipeline"] = "hydrant"
    return json_bytes(value)


def scenario(record: Record) -> Outcome:
    """What the record itself asks for."""
    data = record.data
    if not data:
        return b"empty"
    if data[0] == 0xFF:
        return data[::-1]
    text = record.text
    if text.startswith("keep"):
        return record
    word, colon, rest = text.partition(":")
    act = SCENARIO.get(word + colon)
    return act(record, rest) if act is not None else fail("unknown")


def spread(record: Record, rest: str) -> Iterator[str]:
    """Several outputs, each with a key of its own."""
    for part in rest.split(","):
        record.set("part", part)
        yield part


def half(record: Record, _rest: str) -> Iterator[str]:
    """An output that must not survive the failure after it."""
    record.set("lost", "x")
    yield "lost"
    raise fail("half")


def coded(_record: Record, rest: str) -> Outcome:
    """Fails with a code."""
    code, _, reason = rest.partition(":")
    return fail(reason, code)


def keys(record: Record, rest: str) -> Outcome:
    """Keeps it with keys."""
    record.set("key", rest)
    record.set("$document-id", rest)
    record.set("$index", "conformance")
    return record


def setting(record: Record, name: str) -> Outcome:
    """A setting's value."""
    value = record.context.setting(name)
    return fail(f"no setting {name}") if value is None else value


def column(record: Record, name: str) -> Outcome:
    """What an earlier processor set."""
    value = record.column(name)
    return fail(f"no column {name}") if value is None else value


def line(_record: Record, rest: str) -> Outcome:
    """Logs."""
    level, _, text = rest.partition(":")
    LOG[level](text)
    return DROP


SCENARIO: dict[str, Callable[[Record, str], Outcome]] = {
    "arrived": lambda record, _rest: str(record.arrived_ms),
    "code:": coded,
    "column:": column,
    "count:": lambda _record, rest: str(len(rest)),
    "drop": lambda _record, _rest: DROP,
    "fail:": lambda _record, rest: fail(rest),
    "half:": half,
    "keys:": keys,
    "length:": lambda record, _rest: str(len(record.data)),
    "log:": line,
    "many:": lambda _record, rest: rest.split(","),
    "none": lambda _record, _rest: [],
    "one:": lambda _record, rest: rest,
    "repeat:": lambda _record, rest: "x" * int(rest),
    "setting:": setting,
    "spread:": spread,
    "stream": lambda record, _rest: record.context.stream,
}

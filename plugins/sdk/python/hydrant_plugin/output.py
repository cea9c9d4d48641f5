"""The columns of an answer, filled in the order of the inputs. Refuses to hold anything of an input that failed: outputs
are added when an input is settled, never before.
"""

from __future__ import annotations

from itertools import accumulate, repeat
from typing import Iterable, Iterator, NamedTuple, Optional

from . import log
from .outcome import DROP, KEEP, Data, Fail, unknown
from .record import Record

KEEP_CODE, REPLACE_CODE, DROP_CODE, FAIL_CODE = range(4)

_REASON_CHARACTERS = 1_024
"""The host cuts reasons at as many bytes."""


class Column(NamedTuple):
    """A dictionary-coded column: the value of output `i` is `dictionary[codes[i] - 1]`, or none where the code is 0."""

    name: str
    dictionary: list[str]
    codes: list[int]


class Reason(NamedTuple):
    """Why an input failed."""

    at: int
    code: str
    message: str


class Output:
    """What became of the inputs so far."""

    __slots__ = ("outcomes", "chunks", "inputs", "reasons", "_columns", "_traced")

    def __init__(self) -> None:
        self.outcomes = bytearray()
        self.chunks: list[bytes] = []
        self.inputs: list[int] = []
        self.reasons: list[Reason] = []
        self._columns: dict[str, tuple[dict[str, int], list[int]]] = {}
        self._traced = False

    def settle(self, outcome: object, data: bytes, record: Optional[Record]) -> None:
        """Settles the next input; raises, and has settled nothing, when the outcome is none."""
        keys = None if record is None else record.keys
        if isinstance(outcome, (str, bytes, bytearray, memoryview)):
            self.replace(encode(outcome), keys)
        elif outcome is record and record is not None or outcome is KEEP:
            # Keys belong to outputs, so a kept record with keys is delivered as a copy of itself.
            if keys is not None:
                self.replace(data, keys)
            else:
                self.outcomes.append(KEEP_CODE)
        elif outcome is DROP:
            self.outcomes.append(DROP_CODE)
        elif isinstance(outcome, Fail):
            self.fail(outcome)
        elif isinstance(outcome, (list, tuple)):
            self._replace_many([encode(each) for each in outcome], repeat(keys))
        elif isinstance(outcome, Iterator):
            self._consume(outcome, data, record)
        else:
            raise unknown(outcome)

    def keep(self, count: int) -> None:
        """Settles the next inputs: all are kept."""
        self.outcomes.extend(bytes(count))

    def fail(self, error: BaseException) -> None:
        """Settles the next input: it failed."""
        if isinstance(error, Fail):
            reason, code = error.reason, error.code
        else:
            reason, code = describe(error), ""
            if not self._traced:
                self._traced = True
                log.trace(error)
        self.refuse(reason, code)

    def refuse(self, reason: str, code: str) -> None:
        """Settles the next input: it failed, for this reason."""
        message = log.clean(str(reason))[:_REASON_CHARACTERS]
        self.reasons.append(Reason(len(self.outcomes), log.clean(str(code)), message))
        self.outcomes.append(FAIL_CODE)

    def finish(self) -> tuple[bytes, list[int], list[Column]]:
        """Payload, ends and columns."""
        count = len(self.chunks)
        columns = []
        for name, (known, codes) in self._columns.items():
            codes.extend(repeat(0, count - len(codes)))
            columns.append(Column(name, list(known), codes))
        return b"".join(self.chunks), list(accumulate(map(len, self.chunks))), columns

    def replace(self, data: bytes, keys: Optional[dict[str, str]]) -> None:
        """Settles the next input: these bytes are delivered instead."""
        self._end(data, keys)
        self.outcomes.append(REPLACE_CODE)

    def _replace_many(self, many: list[bytes], keys: Iterable[Optional[dict[str, str]]]) -> None:
        for data, of_output in zip(many, keys):
            self._end(data, of_output)
        self.outcomes.append(REPLACE_CODE if many else DROP_CODE)

    def _consume(self, outputs: Iterator[object], data: bytes, record: Optional[Record]) -> None:
        """Outputs that a transform yields; each has the keys of its moment."""
        many: list[bytes] = []
        keys: list[Optional[dict[str, str]]] = []
        while True:
            try:
                output = next(outputs)
            except StopIteration as stop:
                if stop.value is not None:  # `return fail(…)` and the like, which decides alone
                    return self.settle(stop.value, data, record)
                return self._replace_many(many, keys)
            many.append(encode(output))
            keys.append(None if record is None or record.keys is None else dict(record.keys))

    def _end(self, data: bytes, keys: Optional[dict[str, str]]) -> None:
        if keys is not None:
            position = len(self.chunks)
            columns = self._columns
            for name, value in keys.items():
                try:
                    known, codes = columns[name]
                except KeyError:
                    known, codes = columns[name] = ({}, [])
                if len(codes) < position:
                    codes.extend(repeat(0, position - len(codes)))
                code = known.get(value)
                if code is None:
                    code = known[value] = len(known) + 1
                codes.append(code)
        self.chunks.append(data)
        self.inputs.append(len(self.outcomes))


def encode(data: object) -> bytes:
    """An output's bytes."""
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError as error:
            raise Fail(f"the replacement has half a surrogate pair at {error.start}, which UTF-8 cannot hold") from None
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise Fail(f"a record is replaced by bytes or text, not by a value of type {type(data).__name__}")


def describe(error: BaseException) -> str:
    """An exception in one line, as Python's own traceback ends."""
    if isinstance(error, Fail):
        return error.reason
    try:
        text = str(error)
    except Exception:
        text = ""
    name = type(error).__name__
    return f"{name}: {text}" if text else name


__all__ = ["Column", "Data", "Output", "Reason", "describe", "encode"]

"""What becomes of a record: what a transform may return. Refuses to guess what anything else could mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Union

if TYPE_CHECKING:
    from .record import Record


class _Word:
    """An outcome that is told by being itself."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


class _Drop(_Word):
    __slots__ = ()


class _Keep(_Word):
    __slots__ = ()


DROP = _Drop("DROP")
"""Deliver nothing, on purpose."""

KEEP = _Keep("KEEP")
"""Deliver the record as it is, with the keys that were set on it: the same as returning the record itself."""


class Fail(Exception):
    """Sends the record to the error output; may be returned or raised. Made by `fail`.

    The reason is for people and must not hold payload. The code is for machines: 1 to 64 of `A-Z a-z 0-9 . _ -`, the
    error output's `errorCode`; empty means `Lambda.ProcessingFailedStatus`.
    """

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Invalid(Fail, ValueError):
    """The record's bytes are not what was asked for: no UTF-8, or no JSON."""


def fail(reason: str, code: str = "") -> Fail:
    """Sends the record to the error output: `return fail(…)`, or `raise fail(…)` from further down."""
    return Fail(reason, code)


Data = Union[bytes, bytearray, memoryview, str]
"""A record's new bytes; text becomes UTF-8."""

Outcome = Union["Record", Data, Iterable[Data], Fail, _Drop, _Keep]
"""What a transform returns for one record."""


def unknown(outcome: object) -> Fail:
    """The failure of a record for which a transform returned something else."""
    wanted = "return the record itself to keep it, bytes, text, a list of these, DROP or fail(reason)"
    if outcome is None:
        return Fail(f"the transform returned nothing: {wanted}")
    name = type(outcome).__name__
    hint = "; json_bytes(…) makes bytes of it" if isinstance(outcome, (dict, int, float)) else ""
    return Fail(f"the transform returned a value of type {name}: {wanted}{hint}")

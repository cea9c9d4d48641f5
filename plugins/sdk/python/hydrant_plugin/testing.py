"""Runs a transform at the desk, over records, and shows what became of each. No WebAssembly is involved, so nothing of
the sandbox's limits shows here.

    class Orders(unittest.TestCase):
        def test_heartbeats_go(self) -> None:
            kept, gone = testing.run(by_country, ["FR; 6 mugs", "heartbeat"])
            self.assertEqual(kept.text, ["6 mugs"])
            self.assertEqual(gone, testing.Dropped())
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Iterable, Mapping, Optional, Sequence, Union

from . import log
from .batch import Batch
from .batch import run as _run
from .context import Context
from .outcome import Outcome
from .output import DROP_CODE, KEEP_CODE, REPLACE_CODE, Output
from .record import Record
from .registry import each, registry

Input = Union[bytes, str]


@dataclass(frozen=True)
class Delivered:
    """One output record: its bytes, and the keys and reserved columns that are set on it."""

    data: bytes
    columns: Mapping[str, str] = field(default_factory=dict)


class Fate:
    """What became of one record."""

    @property
    def text(self) -> list[str]:
        """The replacements as text; empty unless replaced."""
        return []


@dataclass(frozen=True)
class Kept(Fate):
    """Delivered as it is."""


@dataclass(frozen=True)
class Replaced(Fate):
    """Replaced by these."""

    records: tuple[Delivered, ...]

    @property
    def text(self) -> list[str]:
        """The replacements as text."""
        return [record.data.decode("utf-8", "replace") for record in self.records]


@dataclass(frozen=True)
class Dropped(Fate):
    """Dropped on purpose."""


@dataclass(frozen=True)
class Failed(Fate):
    """Sent to the error output."""

    reason: str
    code: str = ""


def run(
    transform: Callable[[Record], Outcome],
    records: Iterable[Input],
    context: Optional[Context] = None,
    *,
    arrived_ms: int = 0,
    columns: Optional[Mapping[str, str]] = None,
) -> list[Fate]:
    """Runs a function of one record; each of the records has the given columns."""
    return run_batch(each(transform), records, context, arrived_ms=arrived_ms, columns=columns)


def run_batch(
    transform: Callable[[Batch], None],
    records: Iterable[Input],
    context: Optional[Context] = None,
    *,
    arrived_ms: int = 0,
    columns: Optional[Mapping[str, str]] = None,
) -> list[Fate]:
    """Runs a function of a batch over one batch of these records."""
    inputs = [record.encode() if isinstance(record, str) else bytes(record) for record in records]
    ends: list[int] = []
    for data in inputs:
        ends.append(len(data) + (ends[-1] if ends else 0))
    count = len(inputs)
    earlier = [(name, [value], [1] * count) for name, value in (columns or {}).items()]
    batch = Batch(b"".join(inputs), ends, [arrived_ms] * count, earlier, context or Context())
    return fates(_run(batch, transform))


def run_plugin(records: Iterable[Input], context: Optional[Context] = None) -> list[Fate]:
    """Runs what the imported plugin registered, as the host would: configured, then given one batch.

    Raises what `@configure` raises.
    """
    if registry.transform is None:
        raise RuntimeError("no plugin is imported: nothing has @transform or @transform_batch")
    context = context or Context()
    if registry.configure is not None:
        registry.configure(context)
    return run_batch(registry.transform, records, context)


def logged() -> list[tuple[str, str]]:
    """Level and text of the lines logged since this was last asked; the last 10,000."""
    lines = list(log.lines)
    log.lines.clear()
    return lines


def fates(output: Output) -> list[Fate]:
    """What became of each input of a batch."""
    payload, ends, columns = output.finish()
    delivered: list[list[Delivered]] = [[] for _ in output.outcomes]
    start = 0
    for at, (end, of) in enumerate(zip(ends, output.inputs)):
        set_here = {column.name: column.dictionary[column.codes[at] - 1] for column in columns if column.codes[at]}
        delivered[of].append(Delivered(payload[start:end], set_here))
        start = end
    reasons = {reason.at: reason for reason in output.reasons}
    return [_fate(code, delivered[at], reasons.get(at)) for at, code in enumerate(output.outcomes)]


def _fate(code: int, delivered: Sequence[Delivered], reason: object) -> Fate:
    if code == KEEP_CODE:
        return Kept()
    if code == REPLACE_CODE:
        return Replaced(tuple(delivered))
    if code == DROP_CODE:
        return Dropped()
    return Failed(getattr(reason, "message", ""), getattr(reason, "code", ""))

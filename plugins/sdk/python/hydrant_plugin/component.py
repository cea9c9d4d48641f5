"""The component's side of the boundary, imported in WebAssembly only: moves columns in and out. Refuses to transform:
that is the work of whoever is installed.
"""

from __future__ import annotations

import logging
from typing import Callable, Optional

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.imports import log as host  # type: ignore[import-not-found]
from wit_world.imports.types import Batch as RawBatch  # type: ignore[import-not-found]
from wit_world.imports.types import Column as RawColumn
from wit_world.imports.types import Context as RawContext
from wit_world.imports.types import Output as RawOutput
from wit_world.imports.types import Reason as RawReason
from wit_world.imports.types import Records as RawRecords

from . import log
from .batch import Batch, run
from .context import Context
from .output import describe
from .outcome import Fail

_LEVELS = {level.name.lower(): level for level in host.Level}

_configure: Optional[Callable[[Context], None]] = None
_transform: Optional[Callable[[Batch], None]] = None
_context: Optional[Context] = None


def install(configure: Optional[Callable[[Context], None]], transform: Callable[[Batch], None]) -> None:
    """Says what this component does; called while it is built."""
    global _configure, _transform
    _configure = configure
    _transform = transform


def log_to_host() -> None:
    """Sends the lines of `logging` where the plugin's own go."""
    logging.getLogger().addHandler(log.Handler())


def send_lines() -> None:
    """Sends lines to the host from now on; there is none while a component is built."""
    log.to(lambda level, line: host.log(_LEVELS[level], line))


class Transform:
    """The exports of the world."""

    def configure(self, context: RawContext) -> None:
        """Called once per instance, before its first batch."""
        global _context
        made = Context(context.stream, dict(context.settings))
        try:
            if _configure is not None:
                _configure(made)
        except (Exception, SystemExit) as error:
            if not isinstance(error, Fail):
                log.trace(error)
            raise Err(log.clean(describe(error))) from None
        _context = made

    def apply(self, batch: RawBatch) -> RawOutput:
        """Transforms a batch."""
        if _context is None or _transform is None:
            # The host configures before it applies; outcomes that are missing are refused there.
            log.error("apply was called before configure")
            return RawOutput(RawRecords(b"", [], []), [], b"", [])
        records = batch.records
        columns = [(column.name, column.dictionary, column.codes) for column in records.columns]
        given = Batch(records.payload, records.ends, batch.arrived_ms, columns, _context)
        output = run(given, _transform)
        payload, ends, made = output.finish()
        return RawOutput(
            RawRecords(payload, ends, [RawColumn(*column) for column in made]),
            output.inputs,
            bytes(output.outcomes),
            [RawReason(*reason) for reason in output.reasons],
        )

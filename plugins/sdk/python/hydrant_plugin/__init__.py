"""Write a Hydrant plugin in Python: a function of one record.

    from hydrant_plugin import DROP, Outcome, Record, fail, transform

    @transform
    def by_country(record: Record) -> Outcome:
        text = record.text                      # an exception fails this record, with its text as the reason
        if text.startswith("heartbeat"):
            return DROP
        country, separator, order = text.partition(";")
        if not separator:
            return fail("no country")
        record.set("country", country)          # a partition key
        return order.strip()

It returns the record itself to keep it, bytes or text to replace it by one record, a list (or yields) to replace it by
several, `DROP`, or `fail(reason, code)`. `@configure` marks a function that is given the settings once,
`@transform_batch` a function of a whole batch, for speed. `hydrant_plugin.testing` runs either without WebAssembly.

Module-level code runs once, while the plugin is built; nothing can be imported or read from a file afterwards.
An instance may be thrown away after any batch and a batch may come again, whole or in parts, so an answer must depend on
the record and the context alone. There is no clock but `Record.arrived_ms`, no file and no network.
"""

from . import log
from .batch import Batch
from .context import Context
from .jsontext import json_bytes
from .outcome import DROP, KEEP, Fail, Invalid, Outcome, fail
from .record import Record
from .registry import configure, transform, transform_batch

__all__ = [
    "DROP",
    "KEEP",
    "Batch",
    "Context",
    "Fail",
    "Invalid",
    "Outcome",
    "Record",
    "configure",
    "fail",
    "json_bytes",
    "log",
    "transform",
    "transform_batch",
]

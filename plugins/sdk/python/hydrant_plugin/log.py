"""Lines for the host's log, also those of Python's `logging`. Refuses to keep them: a host cuts and counts; at the desk
the last ones are kept for the test.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections import deque
from typing import Callable, Optional

Sink = Callable[[str, str], None]

_LINES = 10_000
_TRACE_LINES = 40
_TRACE_FRAMES = 12
# Frames that tell an author nothing: ours, and those of an import.
OURS = re.compile(r"/hydrant_(plugin|lambda)/|^<frozen importlib|/python/importlib/")

lines: deque[tuple[str, str]] = deque(maxlen=_LINES)
"""Level and text of what was logged at the desk; `testing.logged` reads it."""

_sink: Optional[Sink] = None


def debug(line: object) -> None:
    """For the author."""
    write("debug", line)


def info(line: object) -> None:
    """Worth a line."""
    write("info", line)


def warn(line: object) -> None:
    """Odd but safe."""
    write("warn", line)


def error(line: object) -> None:
    """Somebody must act."""
    write("error", line)


def write(level: str, line: object) -> None:
    """One line at a level."""
    text = clean(str(line))
    if _sink is not None:
        _sink(level, text)
    else:
        lines.append((level, text))


def write_all(level: str, text: str) -> None:
    """The lines of a longer text, up to a limit."""
    several = text.splitlines()
    for line in several[:_TRACE_LINES]:
        write(level, line)
    if len(several) > _TRACE_LINES:
        write(level, f"… {len(several) - _TRACE_LINES} more lines")


def trace(error: BaseException) -> None:
    """An exception's stack, at level warn."""
    try:
        shown = traceback.TracebackException.from_exception(error)
        part: Optional[traceback.TracebackException] = shown
        while part is not None:
            frames = [frame for frame in part.stack if not OURS.search(frame.filename)]
            part.stack = traceback.StackSummary.from_list(frames[-_TRACE_FRAMES:])
            part = part.__cause__ or part.__context__
        text = "".join(shown.format())
    except Exception:  # a stack that cannot be shown must not cost the batch
        text = type(error).__name__
    # Files are mounted as numbers while a plugin is built.
    write_all("warn", text.replace('File "/0/', 'File "'))


def to(sink: Optional[Sink]) -> None:
    """Sends lines there from now on."""
    global _sink
    _sink = sink


def clean(text: str) -> str:
    """Text that UTF-8 can hold: halves of surrogate pairs, which a JSON escape can make, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Handler(logging.Handler):
    """Python's `logging`, on its way to the host's log."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record of `logging`."""
        try:
            text = self.format(record)
        except Exception as broken:
            text = f"{record.msg} (its arguments do not fit: {broken})"
        if record.name != "root" and self.formatter is None:
            text = f"{record.name}: {text}"
        number = record.levelno
        level = "debug" if number < 20 else "info" if number < 30 else "warn" if number < 40 else "error"
        write_all(level, text)

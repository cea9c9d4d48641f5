"""One record, as an author sees it. Refuses to change its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from .context import Context
from .jsontext import SPACE, parse, scan
from .outcome import Invalid

if TYPE_CHECKING:
    from .batch import Batch

_RESERVED = frozenset(("$document-id", "$index", "$table", "$operation"))
_NAME_BYTES = 128
# Names that passed; bounded, for a name made of payload would grow it with every record.
_good_names: set[str] = set()
_GOOD_NAMES = 1_000


class Record:
    """One record, and the keys that its outputs get."""

    __slots__ = ("data", "keys", "_at", "_batch")

    data: bytes
    """Its bytes."""
    keys: Optional[dict[str, str]]
    """What was `set` so far; None while nothing was."""

    def __init__(self, data: bytes, at: int, batch: Batch) -> None:
        self.data = data
        self.keys = None
        self._at = at
        self._batch = batch

    @property
    def text(self) -> str:
        """Its bytes as text; raises `Invalid` (a `ValueError`) when they are not UTF-8, which fails the record."""
        try:
            return self.data.decode()  # without the name of the encoding, which is UTF-8 then: a shorter way
        except UnicodeDecodeError as error:
            raise Invalid(f"invalid UTF-8 at byte {error.start}: {error.reason}") from None

    def json(self) -> Any:
        """Its bytes as JSON; raises `Invalid` (a `ValueError`) when they are none, which fails the record."""
        try:
            text = self.data.decode()
            value, end = scan(text, 0)
            if end == len(text) or not text[end:].strip(SPACE):
                return value
        except (StopIteration, ValueError):
            pass
        return parse(self.text)  # the long way, which tells what is wrong

    @property
    def arrived_ms(self) -> int:
        """When it arrived, milliseconds since 1970. The only clock there is."""
        return self._batch.arrived_ms[self._at]

    @property
    def context(self) -> Context:
        """The stream and the operator's settings."""
        return self._batch.context

    def column(self, name: str) -> Optional[str]:
        """Its value in a column that an earlier processor set."""
        return self._batch.column(name, self._at)

    def set(self, name: str, value: str) -> None:
        """Sets a partition key (or `$document-id`, `$index`, `$table`, `$operation`) on the record's outputs.

        A transform that yields its outputs may set another value before each of them.
        """
        if name not in _good_names or type(value) is not str or not value.isascii():
            check_key(name, value)
        if self.keys is None:
            self.keys = {name: value}
        else:
            self.keys[name] = value

    def __repr__(self) -> str:
        return f"Record({self.data!r})"


def check_key(name: str, value: str) -> None:
    """Raises `TypeError` or `ValueError` when a host would refuse the key, or its column."""
    for text in (name, value):
        if type(text) is not str:
            raise TypeError(f"set({name!r}, …) wants text, not a value of type {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"set({ascii(name)}, …): half a surrogate pair is no text") from None
    if not 1 <= len(name.encode()) <= _NAME_BYTES:
        raise ValueError(f"a key's name has 1 to {_NAME_BYTES} bytes")
    if name.startswith("$") and name not in _RESERVED:
        raise ValueError(f"{name!r} is no reserved column: those are {', '.join(sorted(_RESERVED))}")
    if len(_good_names) < _GOOD_NAMES:
        _good_names.add(name)

"""What a plugin works for. Refuses to be changed."""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping, Optional, overload


class Context:
    """The stream and the operator's settings."""

    __slots__ = ("stream", "settings")

    stream: str
    """Name of the delivery stream; empty while the host tries a new version out."""
    settings: Mapping[str, str]
    """All of the operator's settings for this plugin."""

    def __init__(self, stream: str = "", settings: Optional[Mapping[str, str]] = None) -> None:
        self.stream = stream
        self.settings = MappingProxyType(dict(settings or {}))

    @overload
    def setting(self, name: str) -> Optional[str]: ...

    @overload
    def setting(self, name: str, default: str) -> str: ...

    def setting(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The operator's setting of this name."""
        return self.settings.get(name, default)

    def __repr__(self) -> str:
        return f"Context({self.stream!r}, {dict(self.settings)!r})"

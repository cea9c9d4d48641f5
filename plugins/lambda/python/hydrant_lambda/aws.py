"""Stands in for the AWS SDK, which Lambda has and a plugin cannot use: handlers may import it and make clients. Refuses
every call of theirs, with a text that says why.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn, Optional, Sequence

PACKAGES = ("aws_xray_sdk", "boto3", "botocore", "s3transfer")

WHY = "a plugin has no network, so the AWS SDK cannot call anything"


class AwsUnavailable(RuntimeError):
    """A handler used the AWS SDK."""


class Stub:
    """Something of the SDK: has every attribute, and cannot be used."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Stub(f"{self._name}.{name}")

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        # A client is often made at the top of a module, and then not used for what Firehose sends.
        last = self._name.rpartition(".")[2]
        if last in ("client", "resource", "Session", "session", "get_session", "Config", "Table", "Bucket", "patch_all"):
            first = arguments[0] if arguments and isinstance(arguments[0], str) else ""
            return Stub(f"{self._name}({first!r})" if first else f"{self._name}()")
        refuse(f"{self._name}()")

    def __repr__(self) -> str:
        return f"<{self._name}, which a plugin cannot use>"


class Finder:
    """Finds the SDK's packages, whatever is installed."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """A stub module, or nothing."""
        if name.partition(".")[0] not in PACKAGES:
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that has every attribute."""
        return Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs."""


class Module(ModuleType):
    """A module of the SDK."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if name.endswith(("Error", "Exception", "Failed", "Timeout")) or self.__name__ == "botocore.exceptions":
            made: Any = type(name, (Exception,), {"__module__": self.__name__})  # something to `except`
        else:
            made = Stub(f"{self.__name__}.{name}")
        setattr(self, name, made)
        return made


def refuse(what: str) -> NoReturn:
    """Says why a call cannot be."""
    raise AwsUnavailable(f"{what}: {WHY}")


def install() -> None:
    """From here on, the SDK's packages are stubs."""
    sys.meta_path.insert(0, Finder())

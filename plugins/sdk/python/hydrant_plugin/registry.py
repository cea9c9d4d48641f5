"""The decorators that make a module a plugin. Refuses a second transform, and what cannot be one."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Optional, TypeVar

from .batch import Batch
from .context import Context
from .outcome import Outcome
from .record import Record

F = TypeVar("F", bound=Callable[..., Any])


class Registry:
    """What a module registered."""

    def __init__(self) -> None:
        self.configure: Optional[Callable[[Context], None]] = None
        self.transform: Optional[Callable[[Batch], None]] = None

    def settle(self, function: Callable[[Batch], None]) -> None:
        """Takes the one transform that there may be."""
        if self.transform is not None:
            raise TypeError("a plugin has one @transform or @transform_batch, and this is the second")
        self.transform = function


registry = Registry()


def transform(function: F) -> F:
    """Marks the function of one `Record` that returns its `Outcome`."""
    _check(function, "@transform", "record")
    registry.settle(each(function))
    return function


def transform_batch(function: F) -> F:
    """Marks the function of a whole `Batch`, which settles its records."""
    _check(function, "@transform_batch", "batch")
    if inspect.isgeneratorfunction(function):
        raise TypeError(f"{function.__name__} cannot yield: give what it yields to batch.settle(…)")
    registry.settle(function)
    return function


def configure(function: F) -> F:
    """Marks the function that is given the `Context` before the first batch.

    What it raises is told to the operator, and the version before this one goes on running.
    """
    _check(function, "@configure", "context")
    if registry.configure is not None:
        raise TypeError("a plugin has one @configure, and this is the second")
    registry.configure = function
    return function


def each(function: Callable[[Record], Outcome]) -> Callable[[Batch], None]:
    """A function of a batch, made of one of a record."""

    def each_record(batch: Batch) -> None:
        batch.each(function)

    return each_record


def _check(function: Any, decorator: str, argument: str) -> None:
    if not callable(function):
        raise TypeError(f"{decorator} stands above a function of one {argument}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__name__} is async, and nothing can be waited for in a plugin: write def without async")

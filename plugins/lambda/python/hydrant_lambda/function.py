"""A handler as a plugin: configured by loading it, called once for each batch. Refuses to call it with no records, which
Firehose never does.
"""

from __future__ import annotations

import importlib
import os
from types import TracebackType
from typing import Any, Callable, Optional

from hydrant_plugin import Batch, Context, fail, log
from hydrant_plugin.output import describe

from . import answer as rules
from .event import LambdaContext, environment, event


class Function:
    """The handler `module.function`."""

    def __init__(self, module: str, function: str) -> None:
        self.module = module
        self.function = function
        self._handler: Optional[Callable[[Any, Any], Any]] = None
        self._environment: dict[str, str] = {}

    def load(self) -> Callable[[Any, Any], Any]:
        """Runs the handler's module and takes the handler out of it."""
        module = importlib.import_module(self.module)
        handler: Optional[Callable[[Any, Any], Any]] = getattr(module, self.function, None)
        if handler is None or not callable(handler):
            raise fail(f"Runtime.HandlerNotFound: Handler '{self.function}' missing on module '{self.module}'")
        return handler

    def configure(self, context: Context) -> None:
        """Makes the settings the environment, and loads the handler."""
        self._environment = environment(context.settings, f"{self.module}.{self.function}")
        os.environ.update(self._environment)
        try:
            self._handler = self.load()
        except KeyError as error:
            if not _is_of_environment(error.__traceback__):
                raise
            log.trace(error)
            raise fail(f"the handler wants the setting {error} as environment, and the plugin has none") from None

    def apply(self, batch: Batch) -> None:
        """Calls the handler and settles the records by its answer."""
        if not len(batch) or self._handler is None:
            return
        made, sent = event(batch, self._environment)
        try:
            answer = rules.carried(self._handler(made, LambdaContext(self._environment)))
        except rules.MarshalError as error:
            message = str(error)
            log.warn(message)
        except (Exception, SystemExit) as error:
            message = describe(error)
            log.trace(error)
        else:
            rules.settle(batch.output, sent, answer)
            return
        rules.settle_error(batch.output, len(batch), message)


def _is_of_environment(trace: Optional[TracebackType]) -> bool:
    """Whether an exception was raised by `os.environ` itself."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "os"

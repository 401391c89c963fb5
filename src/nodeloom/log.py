"""Logging: one named logger, set up by the command line or the program; where nobody did, its warnings are Python's."""

from __future__ import annotations

import logging
import sys
import warnings

from nodeloom.words import InWords


class NodeloomWarning(UserWarning):
    """Something a person should know of a result, such as nodes that were not trained."""


class _ToWarnings(logging.Handler):
    """Hands records from WARNING on to :mod:`warnings`, unless the program has handlers of its own that get them."""

    def emit(self, record: logging.LogRecord) -> None:
        if len(logger.handlers) > 1 or (logger.propagate and logging.getLogger().handlers):
            return
        frame, level = sys._getframe(), 1
        while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
            frame, level = frame.f_back, level + 1
        warnings.warn(record.getMessage(), NodeloomWarning, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in ("nodeloom", "logging")


logger = logging.getLogger("nodeloom")
logger.addHandler(_ToWarnings(logging.WARNING))
logger.addFilter(InWords())

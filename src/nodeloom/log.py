"""Logging: one named logger, silent as a library, set up by the command line only."""

from __future__ import annotations

import logging

from nodeloom.words import InWords

logger = logging.getLogger("nodeloom")
logger.addHandler(logging.NullHandler())
logger.addFilter(InWords())

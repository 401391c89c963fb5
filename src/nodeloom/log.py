"""Logging: one named logger, silent as a library, set up by the command line only."""

from __future__ import annotations

import logging

logger = logging.getLogger("nodeloom")
logger.addHandler(logging.NullHandler())

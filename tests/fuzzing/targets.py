"""All targets, in the order in which they take turns."""

from __future__ import annotations

from tests.fuzzing import files, texts, uses

TARGETS = [*texts.TARGETS, *files.TARGETS, *uses.TARGETS]

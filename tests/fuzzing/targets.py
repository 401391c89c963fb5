"""All targets, in the order in which they take turns."""

from __future__ import annotations

from tests.fuzzing import files, named_tables, texts, uses

TARGETS = [*texts.TARGETS, *files.TARGETS, *named_tables.TARGETS, *uses.TARGETS]

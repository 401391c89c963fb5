"""All targets, in the order in which they take turns."""

from __future__ import annotations

from tests.fuzzing import files, named_tables, texts, triples, uses

TARGETS = [*texts.TARGETS, *triples.TARGETS, *files.TARGETS, *named_tables.TARGETS, *uses.TARGETS]

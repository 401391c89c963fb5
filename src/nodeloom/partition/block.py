"""A block of the grid: the pairs whose head is in one vertex part and whose context is in one context part."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Side: TypeAlias = Literal["vertex", "context"]
"""Of which table a part is."""


class Block(NamedTuple):
    """A block: its vertex part and its context part."""

    vertex: int
    context: int

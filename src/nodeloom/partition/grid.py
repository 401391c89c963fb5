"""The grid: the parts of the two tables, and how much is trained of them at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A grid and what it needs.

    Attributes
    ----------
    num_vertex_part, num_context_part : int
        Parts of the two tables.
    vertex_slots, context_slots : int
        Buffers for parts on the device; if tables are tied, their sum.
    episode_pairs : int
        Positive pairs of an episode, on average.
    row_pairs : int
        Room for the pairs of one vertex part: its share of an episode, and the margin.
    context_bytes : int
        Bytes of a context in the list of pairs: 2 if the rows of a context part can be numbered with them, else 4.
    moved_bytes : int
        Bytes of tables that an episode moves to the device, and as many back.
    memory : dict of str to int
        Bytes on the device by what they are for.
    reason : str
        Which memory led to what.
    """

    num_vertex_part: int
    num_context_part: int
    vertex_slots: int
    context_slots: int
    episode_pairs: int
    row_pairs: int
    context_bytes: int
    moved_bytes: int
    memory: dict[str, int]
    reason: str

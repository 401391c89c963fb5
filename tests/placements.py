"""What tests ask of a placement."""

from __future__ import annotations

import numpy as np


def node_of(placement):
    """Return the node of each slot; -1 where there is none."""
    nodes = np.full(placement.num_slot, -1, placement.slot.dtype)
    nodes[placement.slot] = np.arange(len(placement.slot))
    return nodes


def parts_of(placement, side):
    """Return the slots of each part of one side."""
    rows = placement.rows(side)
    count = placement.num_vertex_part if side == "vertex" else placement.num_context_part
    return [slice(part * rows, (part + 1) * rows) for part in range(count)]

"""Names for the arrays that are handed from layer to layer.

Shape letters: N nodes, E edges, D dim, T tile, K negatives, W walks, L walk length, P partitions.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""float32 values: vectors [N, D], weights [E], ..."""

DoubleArray: TypeAlias = npt.NDArray[np.float64]
"""float64 values: scores, probabilities, the tables of the reference."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
"""float32 or float64 values."""

IndexArray: TypeAlias = npt.NDArray[np.integer[Any]]
"""int32 or int64 node ids: walks [W, L + 1], CSR indices [nnz], ..."""

OffsetArray: TypeAlias = npt.NDArray[np.int64]
"""int64 offsets: CSR indptr [N + 1]."""

KeyArray: TypeAlias = npt.NDArray[np.uint64]
"""uint64 keys of random streams."""

Auto: TypeAlias = Literal["auto"]
"""A value that the plan decides."""

NodeName: TypeAlias = str | int
"""What the user calls a node."""

Operator: TypeAlias = Literal["translate", "multiply", "complex", "swap", "rotate", "hamilton"]
"""What makes the query of a head row and a relation row: see :class:`nodeloom.model.relational.Relational`."""

Comparator: TypeAlias = Literal["dot", "l1", "l2", "squared", "modulus"]
"""What compares a query with a row."""

TripleIds: TypeAlias = npt.NDArray[np.int32]
"""int32 ids of a knowledge graph: heads [E], relations [E], tails [E], triples [E, 3]."""

LossName: TypeAlias = Literal["cross entropy", "self adversarial", "logistic", "margin"]
"""A loss of triples: see :class:`nodeloom.model.relational.TripleLoss`."""

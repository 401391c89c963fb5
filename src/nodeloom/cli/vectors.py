"""The vectors of a model that stand for its nodes, and what is to be said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.errors import ModelError, describe
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.io.model_data import ModelData
    from nodeloom.tasks.tables import Table
    from nodeloom.typing import FloatArray


def vectors_of(data: ModelData, name: Table, where: str) -> FloatArray:
    """Return the vectors of a model that stand for its nodes, float32 [N, D or 2 D], and say so if they are not the vertex table.

    Raises
    ------
    ModelError
        The model does not have the table.
    """
    from nodeloom.tasks import node_vectors

    if name in ("context", "joined") and data.context is None:
        raise ModelError(
            describe(
                where, expected="a model with context vectors", got=sorted(data.tensors), hint="Use --table vertex."
            )
        )
    directed = data.graph.get("directed", True)
    vectors = data.vertex if name == "auto" and not directed else node_vectors(data.vertex, data.context, name)
    say_table(vectors, data.vertex, name)
    return vectors


def say_table(vectors: FloatArray, vertex: FloatArray, name: Table = "auto") -> None:
    """Say in one line that vectors are others than the vertex table though nobody asked for them, or that some are zeros."""
    if name == "auto" and vectors.shape[1] != vertex.shape[1]:
        empty = int((~vertex.any(axis=1)).sum())
        logger.warning(
            "%s of %s nodes have no vertex vector, since no edge leaves them: vertex and context vectors are joined, %d values. "
            "--table vertex or --table context takes one of them.",
            f"{empty:,}", f"{len(vertex):,}", vectors.shape[1],
        )  # fmt: skip
    elif empty := int((~vectors.any(axis=1)).sum()):
        logger.warning(
            "%s of %s vectors are zeros: these nodes were not trained in this table.", f"{empty:,}", f"{len(vertex):,}"
        )

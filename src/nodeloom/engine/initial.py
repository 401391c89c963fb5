"""Warm start: rows of another model as first values, carried over by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from nodeloom.engine.checkpoint import Tables
from nodeloom.engine.plan import Plan
from nodeloom.errors import ModelError, describe
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.log import logger
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    from nodeloom.graph import Graph


class Vectors(Protocol):
    """What a warm start needs of another model."""

    vectors_: FloatArray
    context_vectors_: FloatArray
    graph_names_: Vocabulary


def warm_tables(graph: Graph, plan: Plan, model: Vectors) -> tuple[Tables, npt.NDArray[np.bool_]]:
    """Return first tables from another model, and which rows they fill.

    A node that the model knows gets its row; a new node the mean of its known neighbours, weighted by the edges, in both
    tables.

    Parameters
    ----------
    graph : Graph
        The graph to train on.
    plan : Plan
        Its plan.
    model : Vectors
        A fitted model or anything with its vectors and names.

    Returns
    -------
    tables : Tables
        ``vertex`` and, unless tied, ``context``.
    known : bool [N]
        Rows that hold values of the model.

    Raises
    ------
    ModelError
        If the dimensions differ, or no node has the name of one in the model.
    """
    vectors = np.asarray(model.vectors_)
    if vectors.shape[1] != plan.dim:
        raise ModelError(describe("init", expected=f"vectors of dim {plan.dim}", got=f"dim {vectors.shape[1]}"))
    rows = model.graph_names_.find(
        graph.names.to_arrow() if not graph.names.is_range else np.arange(graph.num_nodes), missing=-1
    )
    known = rows >= 0
    if not known.any():
        raise ModelError(
            describe(
                "init",
                expected="a model that shares node names with the graph",
                got="none in common",
                hint="Are the names of the same kind?",
            )
        )
    tables = Tables(plan)
    adjacency = None if known.all() else graph.to_scipy()
    sources = {"vertex": vectors}
    if not tables.tied:
        sources["context"] = np.asarray(model.context_vectors_)
    for name, source in sources.items():
        table = np.zeros((graph.num_nodes, plan.dim), np.float32)
        table[known] = source[rows[known]]
        if adjacency is not None:
            new = adjacency[~known]
            weight = np.asarray(new @ known.astype(np.float32)).ravel()
            table[~known] = (new @ table) / np.maximum(weight, np.finfo(np.float32).tiny)[:, None]
            known_now = known.copy()
            known_now[~known] = weight > 0
        tables.tensors[name] = table
    filled = known if adjacency is None else known_now
    logger.info(
        "init: %d of %d nodes carried over, %d from their neighbours",
        known.sum(),
        len(known),
        filled.sum() - known.sum(),
    )
    return tables, filled

"""Warm start: rows of another model as first values, carried over by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from nodeloom.engine.checkpoint import ModelTables
from nodeloom.engine.warm_triples import warm_triples
from nodeloom.errors import ModelError, describe
from nodeloom.graph import KnowledgeGraph
from nodeloom.log import logger
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.plan.triple_plan import TriplePlan
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.plan.training_plan import TrainingPlan
    from nodeloom.typing import FloatArray


class Vectors(Protocol):
    """What a warm start needs of another model."""

    vectors_: FloatArray
    context_vectors_: FloatArray
    graph_names_: Vocabulary


def warm_tables(graph: Graph | KnowledgeGraph, plan: TrainingPlan, model: Vectors) -> ModelTables:
    """Return first tables from another model; see :func:`warm_nodes` and :func:`nodeloom.engine.warm_triples.warm_triples`."""
    if isinstance(graph, KnowledgeGraph):
        assert isinstance(plan, TriplePlan)
        return warm_triples(graph, plan, model)
    return warm_nodes(graph, plan, model)


def warm_nodes(graph: Graph, plan: TrainingPlan, model: Vectors) -> ModelTables:
    """Return first tables from another model.

    A node that the model knows gets its row; a new node the mean of its known neighbours (in a directed graph those at
    either end of its arcs), weighted by the edges, in both tables; a new node without any a row of zeros.

    Parameters
    ----------
    graph : Graph
        The graph to train on.
    plan : TrainingPlan
        Its plan.
    model : Vectors
        A fitted model or anything with its vectors and names.

    Returns
    -------
    ModelTables
        ``vertex`` and, unless tied, ``context``.

    Raises
    ------
    ModelError
        If the dimensions differ, a table has another shape or is not finite, or no node has the name of one in the model.
    """
    where = setting("load.file_name")
    if not all(hasattr(model, name) for name in ("vectors_", "context_vectors_", "graph_names_")):
        hint = "Read a model from a file with nodeloom.load."
        raise ModelError(describe(where, expected="a fitted model", got=type(model).__name__, hint=hint))
    tables = ModelTables(plan)
    sources = {"vertex": np.asarray(model.vectors_)}
    if not all(stage.tied for stage in plan.stages):
        sources["context"] = np.asarray(model.context_vectors_)
    for name, source in sources.items():
        if source.ndim == 2 and source.shape[1] != plan.dim:
            hint = f"Give {setting('resource.dim', source.shape[1])}."
            raise ModelError(
                describe(where, expected=f"vectors of dim {plan.dim}", got=f"dim {source.shape[1]}", hint=hint)
            )
        if source.shape != (len(model.graph_names_), plan.dim):
            expected = f"a {name} vector for each of its {len(model.graph_names_)} names"
            raise ModelError(describe(where, expected=expected, got=f"shape {list(source.shape)}"))
    rows = model.graph_names_.find(
        graph.names.to_arrow() if not graph.names.is_range else np.arange(graph.num_nodes), missing=-1
    )
    known = rows >= 0
    if not known.any():
        raise ModelError(
            describe(
                where,
                expected="a model that shares node names with the graph",
                got="none in common",
                hint="Are the names of the same kind?",
            )
        )
    weight = np.zeros(0, np.float32)
    new = None
    if not known.all():
        adjacency = graph.to_scipy(copy=False)
        new = adjacency[~known]
        if graph.directed:
            new = new + adjacency[:, ~known].T.tocsr()
        weight = new @ known.astype(np.float32)
    for name, source in sources.items():
        table = np.zeros((graph.num_nodes, plan.dim), np.float32)
        table[known] = source[rows[known]]
        if not np.isfinite(table).all():
            raise ModelError(describe(where, expected="finite vectors", got=f"NaN or infinity in the {name} table"))
        if (largest := float(np.abs(table).max(initial=0.0))) > LARGEST_VALUE:  # training would take it as diverged
            hint = "Scale the vectors: rows of length 1 to 3 are a good start."
            expected = f"values of the {name} table up to {LARGEST_VALUE:g}"
            raise ModelError(describe(where, expected=expected, got=float(f"{largest:.3g}"), hint=hint))
        if new is not None:
            table[~known] = (new @ table) / np.maximum(weight, np.finfo(np.float32).tiny)[:, None]
        tables.tensors[name] = table
    logger.info(
        "init: %d of %d nodes carried over, %d from their neighbours",
        known.sum(),
        len(known),
        np.count_nonzero(weight),
    )
    return tables

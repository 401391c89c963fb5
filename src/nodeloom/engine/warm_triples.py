"""Warm start of a knowledge graph: rows of entities and relations of another model, carried over by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.engine.checkpoint import ModelTables
from nodeloom.errors import ModelError, describe
from nodeloom.kernels.cpu.relational import queries
from nodeloom.log import logger
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.plan.triple_plan import TriplePlan
    from nodeloom.typing import FloatArray, IndexArray

_NEEDED = ("entity_vectors_", "relation_vectors_", "inverse_relation_vectors_", "entity_names_", "relation_names_")
_BLOCK = 1 << 16  # queries at a time


def warm_triples(graph: KnowledgeGraph, plan: TriplePlan, model: Any) -> ModelTables:
    """Return first tables from another model of the same kind.

    Entities and relations that the model knows get their rows. A new entity begins at the mean of the queries that it answers, of known
    entities and relations, for products scaled to the mean length of known rows. All others keep their random first values.

    Parameters
    ----------
    graph : KnowledgeGraph
        The knowledge graph to train on.
    plan : TriplePlan
        Its plan.
    model : model
        A fitted model with the same operator, or anything with its vectors and names.

    Returns
    -------
    ModelTables
        ``entity`` and ``relation``; rows of zeros for what is not known.

    Raises
    ------
    ModelError
        If the model scores triples in another way, dimensions differ, a table has another shape or is not finite, or no entity has the
        name of one in the model.
    """
    where = setting("load.file_name")
    if not all(hasattr(model, name) for name in _NEEDED):
        hint = "Read a model from a file with nodeloom.load."
        raise ModelError(
            describe(where, expected="a fitted model of a knowledge graph", got=type(model).__name__, hint=hint)
        )
    other = getattr(model, "_relational", plan.scoring)
    if other.operator != plan.scoring.operator:
        hint = "The vectors of one mean nothing to the other."
        raise ModelError(describe(where, expected=f"a model of {plan.model}", got=type(model).__name__, hint=hint))
    entity, relation, inverse = (np.asarray(getattr(model, name)) for name in _NEEDED[:3])
    width = plan.scoring.relation_dim(plan.dim)
    for name, table, dim, names in (
        ("entity", entity, plan.dim, model.entity_names_),
        ("relation", relation, width, model.relation_names_),
        ("inverse relation", inverse, width, model.relation_names_),
    ):
        _check(where, name, table, dim, len(names))
    rows, known_rows = _rows(graph.entity_names, model.entity_names_)
    relations, known_relations = _rows(graph.relation_names, model.relation_names_)
    if not known_rows.any():
        hint = "Are the names of the same kind?"
        expected = "a model that shares entity names with the knowledge graph"
        raise ModelError(describe(where, expected=expected, got="none in common", hint=hint))
    tables = ModelTables(plan)
    both = np.concatenate([relation, inverse], axis=1)
    tables.tensors["relation"] = np.where(known_relations[:, None], both[relations], np.float32(0.0))
    first = np.where(known_rows[:, None], entity[rows], np.float32(0.0))
    found = _add_new(first, tables.tensors["relation"], known_rows, known_relations, graph, plan)
    tables.tensors["entity"] = first
    logger.info(
        "init: %d of %d entities and %d of %d relations carried over, %d entities from their triples",
        known_rows.sum(), len(known_rows), known_relations.sum(), len(known_relations), found,
    )  # fmt: skip
    return tables


def _add_new(
    entity: FloatArray, relation: FloatArray, known: Any, known_relations: Any, graph: KnowledgeGraph, plan: TriplePlan
) -> int:
    """Give new entities the mean of the queries that they answer; return how many there are."""
    width = relation.shape[1] // 2
    sums = np.zeros_like(entity)
    counts = np.zeros(len(entity), np.int64)
    ends = (graph.heads, graph.tails, slice(0, width)), (graph.tails, graph.heads, slice(width, 2 * width))
    for heads, tails, columns in ends:
        chosen = np.flatnonzero(~known[tails] & known[heads] & known_relations[graph.relations])
        for first in range(0, len(chosen), _BLOCK):
            some = chosen[first : first + _BLOCK]
            rows = np.ascontiguousarray(relation[graph.relations[some], columns])
            np.add.at(sums, tails[some], queries(plan.scoring.operator, entity[heads[some]], rows))
            np.add.at(counts, tails[some], 1)
    new = np.flatnonzero(counts)
    if len(new):
        means = sums[new] / counts[new, None].astype(np.float32)
        if plan.scoring.is_product:
            lengths = np.linalg.norm(means, axis=1, keepdims=True)
            means *= np.linalg.norm(entity[known], axis=1).mean() / np.maximum(lengths, 1e-12)
        entity[new] = means
    return len(new)


def _rows(wanted: Vocabulary, there: Vocabulary) -> tuple[IndexArray, Any]:
    """Return the row of each name among others, 0 where there is none, and where there is one."""
    rows = there.find(wanted.to_arrow() if not wanted.is_range else np.arange(len(wanted)), missing=-1)
    return np.maximum(rows, 0), rows >= 0


def _check(where: str, name: str, table: FloatArray, dim: int, count: int) -> None:
    if table.ndim == 2 and len(table) == count and table.shape[1] != dim:
        raise ModelError(describe(where, expected=f"{name} vectors of {dim} values", got=f"{table.shape[1]} values"))
    if table.shape != (count, dim):
        expected = f"{name} vectors [{count}, {dim}], one for each name"
        raise ModelError(describe(where, expected=expected, got=f"shape {list(table.shape)}"))
    if not np.isfinite(table).all():
        raise ModelError(describe(where, expected="finite vectors", got=f"NaN or infinity in the {name} table"))
    if (largest := float(np.abs(table).max(initial=0.0))) > LARGEST_VALUE:  # training would take it as diverged
        expected = f"values of the {name} table up to {LARGEST_VALUE:g}"
        raise ModelError(describe(where, expected=expected, got=float(f"{largest:.3g}")))

"""Bytes that the training of a knowledge graph needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.plan.triple_plan import TriplePlan

_QUERIES = 128  # of a slice: their scores stay in the second cache
_SHARES = 1 << 26  # values of the gradients of candidates that slices keep apart


def query_slices(plan: TriplePlan, num_query: int) -> int:
    """Return the slices that the queries of a batch are cut into. With distances each has gradients of all candidates of its own."""
    most = num_query if plan.scoring.is_product else max(1, _SHARES // (plan.num_negative * plan.dim))
    return min(most, -(-num_query // _QUERIES))


def host_memory(plan: TriplePlan, graph: KnowledgeGraph) -> dict[str, int]:
    """Return the bytes of main memory by purpose, on the CPU."""
    tables = plan.objective.tables
    width, count = tables[1].dim // 2, plan.num_negative
    queries = 2 * -(-plan.triples.num_triple // plan.triples.num_batch)
    values = queries * count + queries * (4 * plan.dim + width + 2) + 2 * count * plan.dim
    if not plan.scoring.is_product:
        values += query_slices(plan, queries) * count * plan.dim
    memory = {"tables": sum(4 * spec.num_rows * spec.dim for spec in tables)}
    if plan.optimizer.num_moment:
        moments = sum(spec.num_rows * spec.moment.dim for spec in tables)
        memory["moments"] = 4 * plan.optimizer.num_moment * moments
    memory["triples"] = 12 * graph.num_triples + 24 * graph.num_entities
    memory["buffers"] = 4 * values
    return memory

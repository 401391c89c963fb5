"""Bytes that the training of a knowledge graph needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.plan.triple_plan import TriplePlan

_QUERIES = 128  # of a slice: their scores stay in the second cache
_LIBRARY = 256 << 20  # what products and sorting take beside, on a GPU
_SHARES = 1 << 26  # values of the gradients of candidates that slices keep apart


def query_slices(plan: TriplePlan, num_query: int) -> int:
    """Return the slices that the queries of a batch are cut into. With distances each has gradients of all candidates of its own."""
    most = num_query if plan.scoring.is_product else max(1, _SHARES // (plan.num_negative * plan.dim))
    return min(most, -(-num_query // _QUERIES))


def host_memory(plan: TriplePlan, graph: KnowledgeGraph) -> dict[str, int]:
    """Return the bytes of main memory by purpose."""
    tables = plan.objective.tables
    if plan.device != "cpu":
        vectors = sum(4 * spec.num_rows * spec.dim for spec in tables)
        return {"vectors": vectors, "triples": 12 * graph.num_triples + 24 * graph.num_entities}
    width, count = tables[1].dim // 2, plan.num_negative
    queries = plan.num_query
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


def device_memory(plan: TriplePlan, graph: KnowledgeGraph) -> dict[str, int]:
    """Return the bytes on a GPU by purpose."""
    queries, every, product = plan.num_query, plan.negatives.count is None, plan.scoring.is_product
    drawn = 0 if every else plan.num_negative
    rows = 5 * queries + 4 * drawn + (0 if product else 4 * max(queries, drawn))
    memory = {"tables": 4 * sum(spec.num_rows * spec.dim for spec in plan.objective.tables)}
    if plan.optimizer.num_moment:
        moments = sum(spec.num_rows * spec.moment.dim for spec in plan.objective.tables)
        memory["moments"] = 4 * plan.optimizer.num_moment * moments
    memory["triples"] = (16 if graph.weights is not None else 12) * graph.num_triples + 12 * graph.num_entities
    # Batches have two sizes, and a step of each is recorded with memory of its own.
    memory["scores"] = 2 * queries * plan.num_negative * (2 if product else 12)
    memory["batches"] = 8 * plan.dim * rows + 4 * plan.tiles_per_pool * (drawn + 5)
    if every:  # gradients of all entities, and their rows in bf16
        memory["products"] = plan.num_nodes * plan.dim * 6
    memory["library"] = _LIBRARY
    return memory

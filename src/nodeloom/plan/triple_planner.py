"""The decision for a knowledge graph: every "auto" as a number, and the memory, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.config import TripleTrain
from nodeloom.errors import ConfigError, GraphError, MemoryLimitError, describe
from nodeloom.model.objective import EntityNegatives, Objective, Triples
from nodeloom.model.optimizer import optimizer_of
from nodeloom.model.relational import DISTANCES, RELATIONAL, Relational, TripleLoss
from nodeloom.model.stage import Stage
from nodeloom.model.tables import TableSpec, Uniform
from nodeloom.plan import triple_defaults as defaults
from nodeloom.plan.triple_memory import device_memory, host_memory
from nodeloom.plan.triple_plan import TriplePlan
from nodeloom.rng import Purpose, stream
from nodeloom.units import size, sizes
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.plan.machine import Machine
    from nodeloom.plan.settings import Settings

_POOL = 2e10  # operations of a pool on a CPU: a fraction of a second
_POOL_ON_GPU = 2e13


def make_triple_plan(graph: KnowledgeGraph, settings: Settings, machine: Machine) -> TriplePlan:
    """Resolve all settings for a knowledge graph. A function of its arguments.

    Raises
    ------
    GraphError
        If there is no triple to learn from, or one entity only.
    ConfigError
        If values contradict each other.
    MemoryLimitError
        If the machine has less memory than the plan needs.
    """
    train, resource = settings.of_kind(TripleTrain), settings.resource
    count = graph.num_triples if graph.weights is None else int(np.count_nonzero(graph.weights))
    if count == 0 or graph.num_entities < 2:
        hint = "There is nothing to learn from."
        raise GraphError(
            describe("knowledge graph", expected="triples of at least two entities", got=repr(graph), hint=hint)
        )
    scoring = scoring_of(train)
    _check_dim(resource.dim, scoring)
    device = machine.own.device
    _check_format(settings)
    negatives = _negatives(train, scoring, graph.num_entities, device)
    most = train.triples_per_batch
    if most == "auto":
        most = defaults.triples_per_batch(count, scoring, negatives.count, device)
    work = 12.0 * resource.dim * (negatives.count or graph.num_entities)  # operations of a triple
    num_batch, tiles = _batches(count, most, work, _POOL if device == "cpu" else _POOL_ON_GPU)
    epochs = defaults.num_epoch(count, scoring, device) if train.num_epoch == "auto" else train.num_epoch
    optimizer = settings.build.optimizer
    loss = _loss(train, scoring, count, graph.num_entities, every=negatives.count is None)
    tables = _tables(train, scoring, loss.margin, resource.dim, graph, optimizer.type)
    objective = Objective(
        tables, Triples(count, num_batch, train.bernoulli), negatives,
        head="entity", tail="entity", relation="relation", scoring=scoring, loss=loss,
    )  # fmt: skip
    plan = TriplePlan(
        model=train.model,
        device=device,
        num_nodes=graph.num_entities,
        num_edges=count,
        num_relations=graph.num_relations,
        dim=resource.dim,
        stages=(Stage(objective, 0, train.seed),),
        num_thread=machine.own.num_thread,
        num_epoch=epochs,
        total_pair=epochs * count,
        tiles_per_pool=tiles,
        lr=defaults.learning_rate(optimizer.type, epochs * num_batch) if optimizer.lr == "auto" else optimizer.lr,
        weight_decay=0.0 if optimizer.weight_decay == "auto" else optimizer.weight_decay,
        optimizer=optimizer_of(optimizer),
        schedule=optimizer.schedule,
        seed=train.seed,
        memory={},
        relation_lr=train.relation_lr_multiplier,
    )
    plan = dataclasses.replace(plan, memory=host_memory(plan, graph))
    if device != "cpu":
        plan = dataclasses.replace(plan, device_memory=device_memory(plan, graph))
    return _within_memory(plan, machine)


def scoring_of(train: TripleTrain) -> Relational:
    """Return how a model scores triples.

    Raises
    ------
    ConfigError
        If it does not have the distance.
    """
    scoring = RELATIONAL[train.model]
    if train.distance == "auto" or scoring.is_product:
        return scoring
    if train.distance == "modulus" and scoring.num_part != 2:
        raise ConfigError(describe(setting("train.distance"), expected="L1, L2 or squared with TransE", got="modulus"))
    return dataclasses.replace(scoring, comparator=DISTANCES[train.distance])


def _check_dim(dim: int, scoring: Relational) -> None:
    parts = scoring.num_part
    if dim % parts:
        what = {2: "an even number: halves", 4: "a multiple of 4: quarters"}[parts]
        hint = f"Give {setting('resource.dim', dim + parts - dim % parts)}."
        raise ConfigError(describe(setting("resource.dim"), expected=f"{what} belong together", got=dim, hint=hint))


def _batches(count: int, most: int, work: float, pool: float) -> tuple[int, int]:
    """Return the batches of an epoch, and of a pool: an epoch is a whole number of pools, so that it ends with a look."""
    batches = -(-count // most)
    per_pool = max(1, min(batches, int(pool / (work * most))))
    pools = -(-batches // per_pool)
    per_pool = -(-batches // pools)
    return min(count, pools * per_pool), per_pool


def _negatives(train: TripleTrain, scoring: Relational, num_entity: int, device: str) -> EntityNegatives:
    asked = train.num_shared_negative
    count = None if asked == "all" else asked
    if count == "auto":
        count = defaults.num_shared_negative(scoring, num_entity, device)
    if count is not None and count >= num_entity:
        count = None
    exponent = train.negative_sample_exponent
    return EntityNegatives(
        count,
        defaults.negative_exponent(scoring) if exponent == "auto" else exponent,
        train.filter_negatives,
        train.typed_negatives,
    )


def _loss(train: TripleTrain, scoring: Relational, num_triple: int, num_entity: int, *, every: bool) -> TripleLoss:
    name = train.loss
    if name == "auto":
        name = "cross entropy" if scoring.is_product else "self adversarial"
    temperature = 1.0 if train.adversarial_temperature == "auto" else train.adversarial_temperature
    n3, dura = train.l3_regularization, train.dura_regularization
    if dura == "auto":
        dura = defaults.dura(num_triple, num_entity) if n3 == "auto" and every else 0.0
    if n3 == "auto":
        n3 = defaults.n3(num_triple, num_entity) if dura == 0.0 else 0.0
    return TripleLoss(
        name,
        margin=defaults.margin(scoring, num_triple, num_entity) if train.margin == "auto" else train.margin,
        temperature=1.0 / temperature if temperature > 1e-15 else 0.0,  # GraphVite's bound
        n3=n3 if scoring.is_product else 0.0,
        dura=dura if scoring.is_product else 0.0,
    )


def _tables(
    train: TripleTrain, scoring: Relational, margin: float, dim: int, graph: KnowledgeGraph, optimizer: str
) -> tuple[TableSpec, TableSpec]:
    """Return the tables: entities, and relations with their inverses side by side."""
    scale = 1e-3 if scoring.is_product else (margin + 2.0) / dim * scoring.num_part
    turns = np.pi if scoring.operator == "rotate" else scale
    entity = Uniform(stream(train.seed, Purpose.INITIAL_VERTEX), scale)
    relation = Uniform(stream(train.seed, Purpose.INITIAL_RELATION), float(turns))
    many = graph.num_entities >= defaults.ROW_WISE
    row_wise = optimizer == "AdaGrad" and (train.adagrad_state == "row" or (train.adagrad_state == "auto" and many))
    return (
        TableSpec("entity", graph.num_entities, dim, entity, kind="entity", row_wise=row_wise),
        TableSpec("relation", graph.num_relations, 2 * scoring.relation_dim(dim), relation, kind="relation"),
    )


def _check_format(settings: Settings) -> None:
    if settings.resource.table_dtype == "bf16":
        hint = "Tables of knowledge graphs are fp32; their products are bf16 on a GPU."
        raise ConfigError(describe(setting("resource.table_dtype"), expected="auto or fp32", got="bf16", hint=hint))


def _within_memory(plan: TriplePlan, machine: Machine) -> TriplePlan:
    limit = machine.own.main_memory
    if limit is not None and plan.num_bytes > limit:
        hint = f"Lower {setting('resource.dim')} or {setting('train.triples_per_batch')}, or use a machine with more memory."
        raise MemoryLimitError(
            describe("plan", expected=f"at most {size(limit)} of memory", got=sizes(plan.memory), hint=hint)
        )
    if plan.device == "cpu":
        return plan
    limit = machine.own.device_memory
    if plan.num_device_bytes > limit:
        hint = (
            f"Lower {setting('resource.dim')}, {setting('train.triples_per_batch')} or {setting('train.num_shared_negative')}, or give "
            f"{setting('resource.device', 'cpu')}."
        )
        raise MemoryLimitError(
            describe(
                plan.device, expected=f"at most {size(limit)} of its memory", got=sizes(plan.device_memory), hint=hint
            )
        )
    return plan

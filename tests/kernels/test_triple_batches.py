"""A batch of triples: the definition against finite differences, and the CPU against the definition, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.graph import KnowledgeGraph
from nodeloom.kernels.reference.optimizer import update_row
from nodeloom.kernels.reference.triples import Batch, Formula, batch_gradients, value
from nodeloom.model.relational import RELATIONAL
from triple_training import device_of, plan_of

LOSSES = ["cross entropy", "self adversarial", "logistic", "margin"]


def formula_of(plan):
    loss, scoring = plan.loss, plan.scoring
    return Formula(
        scoring.operator, scoring.comparator, scoring.num_modulus, loss.name, loss.margin, loss.temperature, loss.n3, loss.dura
    )  # fmt: skip


def random_graph(num_entities=30, num_relations=4, count=60, weights=False, seed=0):
    rng = np.random.default_rng(seed)
    triples = np.unique(rng.integers((num_entities, num_relations, num_entities), size=(count, 3)), axis=0)
    given = rng.uniform(0.5, 2.0, len(triples)) if weights else None
    return KnowledgeGraph.from_triples(
        triples, weights=given, num_entities=num_entities, num_relations=num_relations, duplicates="keep"
    )


def batch_of(device, number, plan):
    """Return the batch of a number as the definition takes it."""
    asked = device._triples.batch(number)
    if device._negatives is None:
        drawn, correction = np.arange(plan.num_nodes), np.zeros(plan.num_nodes)
    else:
        drawn = device._negatives.draw(number)
        correction = device._negatives.correction[drawn] * (plan.loss.name == "cross entropy")
    left_out = np.zeros((len(asked.heads), len(drawn)), bool)
    if device._left_out is not None:
        left_out = device._left_out.of(asked.heads, asked.relations, drawn.astype(np.int32))
    return Batch(asked.heads, asked.relations, asked.tails, asked.weights, drawn, correction, left_out)


@pytest.mark.parametrize(
    ("model", "loss"), [*((model, "logistic") for model in RELATIONAL), *(("ComplEx", loss) for loss in LOSSES)]
)
def test_gradients_of_a_batch(model, loss):
    regularized = {"l3_regularization": 0.1, "dura_regularization": 0.2} if RELATIONAL[model].is_product else {}
    plan = plan_of(
        random_graph(count=8), model, dim=8, loss=loss, margin=1.0, num_shared_negative=5, triples_per_batch=4,
        adversarial_temperature=0.0, **regularized,
    )  # fmt: skip
    device, _ = device_of(random_graph(count=8), plan)
    rng = np.random.default_rng(1)
    entity, relation = (rng.normal(size=array.shape) for array in (device._entity, device._relation))
    formula, batch = formula_of(plan), batch_of(device, 0, plan)
    _, d_entity, d_relation = batch_gradients(formula, entity, relation, batch)
    if loss == "self adversarial":  # its weights are not differentiated: with a temperature of 0 they are constant
        assert formula.temperature == 0.0
    for table, gradient in ((entity, d_entity), (relation, d_relation)):
        places = list(np.ndindex(table.shape))
        for chosen in [places[i] for i in rng.choice(len(places), 10, replace=False)]:
            before, slopes = table[chosen], []
            for step in (1e-6, -1e-6):
                table[chosen] = before + step
                slopes.append(value(formula, entity, relation, batch))
            table[chosen] = before
            assert gradient[chosen] == pytest.approx((slopes[0] - slopes[1]) / 2e-6, abs=1e-6, rel=1e-4)


CASES = [
    *({"model": model} for model in RELATIONAL),
    *({"model": model, "num_shared_negative": "all"} for model in RELATIONAL),
    *({"model": model, "loss": loss} for model in ("ComplEx", "TransE") for loss in LOSSES),
    *({"model": "TransE", "distance": distance} for distance in ("L2", "squared")),
    {"model": "RotatE", "distance": "squared"},
    *({"model": "ComplEx", "optimizer": {"type": name}} for name in ("SGD", "Momentum", "RMSprop", "Adam")),
    *({"model": "ComplEx", "optimizer": {"type": "AdaGrad"}, "adagrad_state": state} for state in ("row", "full")),
    {"model": "ComplEx", "dura_regularization": 0.1},
    {"model": "ComplEx", "bernoulli": True},
    {"model": "ComplEx", "filter_negatives": True},
    {"model": "ComplEx", "filter_negatives": True, "num_shared_negative": "all"},
    {"model": "ComplEx", "typed_negatives": True},
    {"model": "ComplEx", "typed_negatives": True, "num_shared_negative": "all"},
    {"model": "ComplEx", "relation_lr_multiplier": 0.5, "optimizer": {"type": "SGD", "weight_decay": 0.1}},
    {"model": "ComplEx", "weighted": True},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(f"{value}" for value in case.values()))
def test_cpu_does_what_the_definition_says(case):
    """Two batches; the values of the tables differ by rounding."""
    given = {"num_shared_negative": 12, "triples_per_batch": 16, "optimizer": {"type": "SGD"}, **case}
    graph = random_graph(weights=given.pop("weighted", False))
    plan = plan_of(graph, given.pop("model"), dim=8, num_thread=2, num_epoch=1, **given)
    device, tables = device_of(graph, plan)
    for name in ("entity", "relation"):
        scale = 3.0 if name == "relation" and plan.scoring.operator == "rotate" else 0.5
        tables.of(name)[0][:] = np.random.default_rng(2).normal(size=tables.of(name)[0].shape) * scale
    shapes = device._entity.shape, device._relation.shape
    slow = [device._entity.astype(np.float64), device._relation.astype(np.float64)]
    moments = [[np.zeros(shape) for _ in range(2)] for shape in shapes]
    formula, lr = formula_of(plan), 0.05 if "optimizer" in case else 1.0
    losses = []
    for number in range(2):
        batch = batch_of(device, number, plan)
        loss, *gradients = batch_gradients(formula, *slow, batch)
        losses.append(loss)
        touched = np.unique(np.concatenate([batch.heads, batch.tails, batch.candidates])), np.unique(batch.relations)
        for table, gradient, rows, own, rate in zip(
            slow, gradients, touched, moments, (lr, lr * plan.relation_lr), strict=True
        ):
            for row in rows:
                if plan.optimizer.name == "AdaGrad" and plan.objective.tables[0].row_wise and table is slow[0]:
                    own[0][row] += (gradient[row] ** 2).mean()
                    table[row] -= rate * gradient[row] / (np.sqrt(own[0][row]) + plan.optimizer.settings[0])
                    continue
                update_row(
                    plan.optimizer.code, table[row], own[0][row], own[1][row], gradient[row], table.shape[1], plan.weight_decay, rate,
                    plan.optimizer.settings,
                )  # fmt: skip
    with device.running():
        for number in range(2):
            count, loss = device.train(number, np.float32(lr))
            assert count == len(device._triples.batch(number).heads) // 2
            assert loss == pytest.approx(losses[number], rel=1e-4)
    assert np.allclose(device._entity, slow[0], atol=2e-4)
    assert np.allclose(device._relation, slow[1], atol=2e-4)

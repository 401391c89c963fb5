"""A step of the GPU on a batch of triples: every row changes by the sum of what the formulas give it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from nodeloom.kernels.reference import relational as formulas
from nodeloom.kernels.reference import relational_loss
from nodeloom.kernels.reference.optimizer import ADAGRAD, ADAM, SGD, update_row
from nodeloom.model.relational import RELATIONAL, Relational

torch = pytest.importorskip("torch", reason="the step runs on a GPU, or in Triton's interpreter")
pytest.importorskip("triton", reason="the step runs on a GPU, or in Triton's interpreter")

N, ROWS, DIM, BATCH, DRAWN = 11, 4, 8, 6, 5
MODELS = RELATIONAL | {"TransE-L2": Relational("translate", "l2"), "RotE": Relational("rotate", "squared")}


@dataclass(frozen=True)
class Loss:
    name: str
    margin: float = 0.0
    temperature: float = 0.0
    n3: float = 0.0
    dura: float = 0.0


ENTROPY, ADVERSARIAL = Loss("cross entropy"), Loss("self adversarial", 2.0, 1.0)
CASES = [
    ("ComplEx", Loss("cross entropy", n3=0.1), True, True),
    ("ComplEx", Loss("cross entropy", dura=0.1), False, False),
    ("DistMult", Loss("cross entropy", dura=0.1), True, False),
    ("QuatE", Loss("cross entropy", n3=0.1, dura=0.1), True, False),
    ("SimplE", Loss("cross entropy", n3=0.1), False, True),
    ("SimplE", Loss("margin", 1.0), True, False),
    ("TransE", ADVERSARIAL, False, True),
    ("TransE", ENTROPY, True, False),
    ("TransE-L2", ENTROPY, False, False),
    ("TransE-L2", Loss("logistic"), True, False),
    ("RotatE", ADVERSARIAL, False, False),
    ("RotatE", Loss("margin", 1.0), False, True),
    ("RotE", ENTROPY, False, False),
]


def device():
    return "cuda" if torch.cuda.is_available() else "cpu"


def tensor(values, kind=np.float32):
    return None if values is None else torch.tensor(np.asarray(values, kind), device=device())


def gradients(model, loss, entity, relation, batch, negatives, correction, weights):
    """Return the loss and the gradients of both tables, by the reference."""
    heads, relations, tails = batch
    asked = formulas.queries(model.operator, entity[heads], relation[relations])
    among = np.arange(N) if negatives is None else negatives
    score = formulas.scores(model.comparator, asked, entity[among])
    score = score if correction is None else score - correction
    score[among[None] == tails[:, None]] = -np.inf
    truth = np.array(
        [formulas.scores(model.comparator, asked[b : b + 1], entity[tails[b]][None])[0, 0] for b in range(BATCH)]
    )
    numbers = {"self adversarial": (loss.margin, loss.temperature), "margin": (loss.margin,)}.get(loss.name, ())
    total, d_entity, d_relation = 0.0, np.zeros_like(entity), np.zeros_like(relation)
    for b in range(BATCH):  # one after the other, so that each can have a weight
        q, share = asked[b : b + 1], weights[b] / BATCH
        value, up, down = getattr(relational_loss, loss.name.replace(" ", "_"))(
            truth[b : b + 1], score[b : b + 1], *numbers
        )
        total += share * value
        d_q, d_rows = formulas.score_gradients(model.comparator, q, entity[among], share * np.nan_to_num(down))
        np.add.at(d_entity, among, d_rows)
        more, d_tail = formulas.score_gradients(model.comparator, q, entity[tails[b]][None], share * up[:, None])
        d_q = d_q + more + 2 * loss.dura * share * q
        d_entity[tails[b]] += d_tail[0] + 2 * loss.dura * share * entity[tails[b]]
        d_head, d_row = formulas.query_gradients(
            model.operator, entity[heads[b]][None], relation[relations[b]][None], d_q
        )
        d_entity[heads[b]] += d_head[0]
        d_relation[relations[b]] += d_row[0]
        if loss.n3:
            for table, d_table, row in (
                (entity, d_entity, heads[b]),
                (entity, d_entity, tails[b]),
                (relation, d_relation, relations[b]),
            ):
                d_table[row] += loss.n3 * share * relational_loss.n3(table[row][None], model.num_modulus)[1][0]
    return total, d_entity, d_relation


def start(model, seed=1):
    rng = np.random.default_rng(seed)
    entity = rng.normal(size=(N, DIM)).astype(np.float32).astype(np.float64)
    relation = rng.normal(size=(ROWS, model.relation_dim(DIM))).astype(np.float32).astype(np.float64)
    batch = rng.integers(0, N, BATCH), rng.integers(0, ROWS, BATCH), rng.integers(0, N, BATCH)
    return rng, entity, relation, batch


def trained(model, loss, entity, relation, batch, optimizer=SGD, settings=(0.0, 0.0, 0.0), steps=1, **how):
    from nodeloom.engine.gpu.triple_step import Batch, Learned, TripleStep

    row_wise, product = how.pop("row_wise", False), how.pop("product", "fp32")
    rate, decay = how.pop("rate", 1.0), how.pop("decay", 0.0)
    first, second = (
        Learned(tensor(t), tensor(np.zeros_like(t[:, :1] if wise else t)), tensor(np.zeros_like(t)), wise)
        for t, wise in ((entity, row_wise), (relation, False))
    )
    step = TripleStep(model, loss, first, second, optimizer, settings, decay=decay, product=product)
    step.prepare(how.get("negatives") is None)
    ids = [tensor(a, np.int32) for a in batch]
    how = {name: tensor(a, np.int32 if name == "negatives" else np.float32) for name, a in how.items()}
    value = [float(step.step(Batch(*ids, **how), tensor([rate]))) for _ in range(steps)][-1]
    return value, *(t.rows.cpu().numpy() for t in (first, second))


@pytest.mark.parametrize(
    ("name", "loss", "every", "weighted"), CASES, ids=[f"{c[0]}-{c[1].name}-{c[2]}" for c in CASES]
)
def test_rows_change_by_the_sums_of_their_gradients(name, loss, every, weighted):
    model = MODELS[name]
    rng, entity, relation, batch = start(model)
    weights = rng.uniform(0.5, 1.5, BATCH).astype(np.float32) if weighted else np.ones(BATCH)
    negatives = None if every else rng.integers(0, N, DRAWN)
    correction = None if every or loss.name != "cross entropy" else rng.normal(size=DRAWN)
    total, d_entity, d_relation = gradients(model, loss, entity, relation, batch, negatives, correction, weights)
    value, new_entity, new_relation = trained(
        model, loss, entity, relation, batch, negatives=negatives, correction=correction, weights=weights if weighted else None
    )  # fmt: skip
    assert value == pytest.approx(total, rel=1e-5)
    np.testing.assert_allclose(entity - new_entity, d_entity, atol=2e-6)
    np.testing.assert_allclose(relation - new_relation, d_relation, atol=2e-6)


@pytest.mark.parametrize("optimizer", [SGD, ADAGRAD, ADAM])
def test_optimizers_change_rows_as_the_definition_does(optimizer):
    model, loss, decay = MODELS["TransE"], ADVERSARIAL, 0.1
    settings = {SGD: (0.01, 0.0, 0.0), ADAGRAD: (1e-6, 0.0, 0.0), ADAM: (0.9, 0.99, 1e-6)}[optimizer]
    rng, entity, relation, batch = start(model)
    negatives = rng.integers(0, N, DRAWN)
    given = entity, relation, batch, optimizer, settings
    _, new_entity, new_relation = trained(model, loss, *given, steps=2, negatives=negatives, rate=0.1, decay=decay)
    tables = entity.copy(), relation.copy()
    moments = [(np.zeros_like(t), np.zeros_like(t)) for t in tables]
    for _ in range(2):
        _, *slopes = gradients(model, loss, *tables, batch, negatives, None, np.ones(BATCH))
        rows = {*batch[0].tolist(), *batch[2].tolist(), *negatives.tolist()}, set(batch[1].tolist())
        for table, (m, v), slope, changed in zip(tables, moments, slopes, rows, strict=True):
            for row in changed:
                update_row(
                    optimizer, table[row], m[row], v[row], slope[row], slope.shape[1], decay, 0.1, np.append(settings, 0)
                )  # fmt: skip
    np.testing.assert_allclose(new_entity, tables[0], atol=2e-5)
    np.testing.assert_allclose(new_relation, tables[1], atol=2e-5)


def test_one_moment_for_a_row():
    model = MODELS["ComplEx"]
    _, entity, relation, batch = start(model)
    _, d_entity, _ = gradients(model, ENTROPY, entity, relation, batch, None, None, np.ones(BATCH))
    _, new, _ = trained(model, ENTROPY, entity, relation, batch, ADAGRAD, (1e-10, 0.0, 0.0), row_wise=True, rate=0.1)
    expected = 0.1 * d_entity / np.sqrt((d_entity**2).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(entity - new, expected, atol=1e-5)


def test_a_step_is_the_same_to_the_last_bit():
    model = MODELS["RotatE"]
    rng, entity, relation, batch = start(model)
    negatives = rng.integers(0, N, DRAWN)
    first, second = (trained(model, ADVERSARIAL, entity, relation, batch, negatives=negatives) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.gpu
@pytest.mark.parametrize("every", [True, False])
def test_products_of_bf16_change_rows_nearly_as_those_of_fp32(every):
    model = MODELS["ComplEx"]
    rng, entity, relation, batch = start(model)
    negatives = None if every else rng.integers(0, N, DRAWN)
    _, precise, _ = trained(model, ENTROPY, entity, relation, batch, negatives=negatives)
    _, rounded, _ = trained(model, ENTROPY, entity, relation, batch, negatives=negatives, product="bf16")
    assert np.linalg.norm(rounded - precise) < 2e-2 * np.linalg.norm(precise - entity)

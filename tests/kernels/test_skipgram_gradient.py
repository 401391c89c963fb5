"""The reference against its own loss, and the comparison against wrong kernels."""

from __future__ import annotations

import inspect
from functools import cache

import numpy as np
import pytest
from backends import CPU, GPU, REFERENCE
from skipgram_cases import Case, Problem, compare, train

from nodeloom.kernels.reference import skipgram as reference

NEEDS = ("skipgram",)


def loss_at(case, tables):
    """Return the loss of a case with these tables: a rate of zero changes nothing."""
    problem = Problem(case, REFERENCE)
    for mine, table in zip(problem.tables, tables, strict=True):
        mine[:] = table
    problem.train(lr=0.0)
    np.testing.assert_array_equal(problem.tables[0], tables[0])
    return problem.statistics[0]


@pytest.mark.parametrize(
    "case",
    [
        Case(nodes=6, num_walk=1, num_nodes=8, step=2, num_negative=3, seed=1),
        Case(nodes=6, num_walk=1, num_nodes=8, step=2, num_negative=3, two_sided=False, scale=1.0),
        Case(nodes=5, num_walk=4, num_nodes=4, step=9, num_negative=6, dead=0.5, seed=2),
        Case(nodes=7, num_walk=1, num_nodes=4, step=3, num_negative=4, shared_table=True),
    ],
    ids=str,
)
def test_steps_are_the_derivative_of_the_loss(case):
    # One tile of one chunk: every gradient is taken at the same tables, so the sum of all steps of SGD is the gradient of the
    # whole loss, whatever is repeated.
    before, after = Problem(case, REFERENCE), Problem(case, REFERENCE)
    rate = 1.0
    after.train(lr=rate)
    assert case.num_tile == case.num_chunk == 1
    h = 1e-5
    for t in (0, 1):
        gradient = (before.tables[t] - after.tables[t]) / rate
        columns = [0, 7, 15]
        numeric = np.zeros((case.num_nodes, len(columns)))
        for node in range(case.num_nodes):
            for k, column in enumerate(columns):
                losses = []
                for sign in (1, -1):
                    tables = [table.copy() for table in before.tables]
                    if case.shared_table:
                        tables[1] = tables[0]
                    tables[t][node, column] += sign * h
                    losses.append(loss_at(case, tables))
                numeric[node, k] = (losses[0] - losses[1]) / (2 * h)
        assert np.abs(numeric).max() > 0.05
        np.testing.assert_allclose(gradient[:, columns], numeric, rtol=1e-6, atol=1e-8)


def test_loss_of_one_pair_by_hand():
    case = Case(nodes=2, num_walk=1, num_nodes=5, two_sided=False, num_negative=2, step=1, negative_weight=3.0)
    problem = Problem(case, REFERENCE)
    problem.walks[:] = [[1, 2]]
    problem.negatives[:] = [[[3, 1]]]  # the second is the vertex itself
    x, c, n = problem.tables[0][1].copy(), problem.tables[1][2].copy(), problem.tables[1][3].copy()
    problem.train()
    positive = -np.log(1 / (1 + np.exp(-x @ c)))
    negative = -np.log(1 - 1 / (1 + np.exp(-x @ n)))
    np.testing.assert_allclose(problem.statistics, [positive + 3 / 2 * negative, 1 + 3], rtol=1e-7)


# What a kernel could do wrong, as changes of the text of the reference: (what, [(text, replaced by), ...]).
MISTAKES = [
    ("positive gradient of the vertex half a percent off", [("(score - 1.0) * c[j]", "(score - 1.005) * c[j]")]),
    (
        "positive gradient of the context with the wrong sign",
        [("+= (score - 1.0) * x[i]", "-= (score - 1.0) * x[i]")],
    ),
    (
        "negative gradient of the vertex half a percent off",
        [("+= weight * score * n[k]", "+= weight * score * 1.005 * n[k]")],
    ),
    ("negatives not moved", [("n_gradient[k] += weight", "n_gradient[k] += 0.0 * weight")]),
    (
        "window one too short",
        [("<= step if two_sided else 0 < j - i <= step", "< step if two_sided else 0 < j - i < step")],
    ),
    ("window one too long", [("<= step if two_sided", "<= step + 1 if two_sided")]),
    ("pairs across walks", [("same_walk = i // nodes_per_walk == j // nodes_per_walk", "same_walk = True")]),
    ("a node paired with itself", [(" and nodes[i] != nodes[j]", "")]),
    ("the vertex as its own negative", [(" and noise[k] != nodes[i]", "")]),
    (
        "negatives weighted by K + 1",
        [
            (
                "weight = negative_weight / num_negative * vertex_weight",
                "weight = negative_weight / (num_negative + 1) * vertex_weight",
            )
        ],
    ),
    (
        "decay without the negatives",
        [("weight = (1.0 + negative_weight) * vertex_weight[i]", "weight = vertex_weight[i]")],
    ),
    (
        "decay of negatives not shared",
        [("weight = negative_weight / num_negative * chunk_weight", "weight = negative_weight * chunk_weight")],
    ),
    (
        "decay of contexts from the vertex weight",
        [("c_gradient[j], context_weight[j])", "c_gradient[j], vertex_weight[j])")],
    ),
    ("negatives of the first chunk for all", [("noise = negatives[tile, chunk]", "noise = negatives[tile, 0]")]),
    (
        "negatives read when the tile begins",
        [("x = vertex[nodes]", "x, begin = vertex[nodes], context.copy()"), ("n = context[noise]", "n = begin[noise]")],
    ),
    (
        "context rows read again in every chunk",
        [("noise = negatives[tile, chunk]", "noise = negatives[tile, chunk]; c = context[nodes]")],
    ),
    (
        "vertex rows read again in every chunk",
        [("noise = negatives[tile, chunk]", "noise = negatives[tile, chunk]; x = vertex[nodes]")],
    ),
    (
        "context rows changed in reverse",
        [
            (
                "for j in range(len(nodes)):\n            if context_weight",
                "for j in reversed(range(len(nodes))):\n            if context_weight",
            )
        ],
    ),
    (
        "vertex rows changed in reverse",
        [
            (
                "for i in places:\n                if vertex_weight",
                "for i in reversed(places):\n                if vertex_weight",
            )
        ],
    ),
    ("rate of the first tile for all", [("rate = float(lr[tile])", "rate = float(lr[0])")]),
    (
        "loss without the negatives",
        [("loss += weight * -np.log(1.0 - score", "loss += 0.0 * weight * -np.log(1.0 - score")],
    ),
    ("loss of every tile", [("if tile % LOSS_EVERY == 0", "if True")]),
]

# What the GPU does in another order or at another time, in units instead of tiles; test_skipgram_gpu looks at that.
LEFT_TO_THE_GPU = {
    "negatives read when the tile begins",
    "context rows read again in every chunk",
    "vertex rows read again in every chunk",
    "context rows changed in reverse",
    "vertex rows changed in reverse",
}

WITNESSES = {
    CPU: [
        Case(nodes=130, num_walk=2, num_nodes=25, optimizer="Momentum", weight_decay=0.02, shared_table=True),
        Case(nodes=9, num_walk=16, num_nodes=25, optimizer="Momentum", weight_decay=0.02, two_sided=False, dead=0.3),
        Case(nodes=130, num_walk=2, num_nodes=25, optimizer="SGD", lr=0.03),
    ],
    # Where the GPU equals the reference to rounding, and walks of several units in small steps.
    GPU: [
        Case(
            nodes=9, num_walk=16, num_nodes=80, optimizer="Momentum", weight_decay=0.02, two_sided=False, dead=0.3,
            distinct=True,
        ),
        Case(nodes=64, num_walk=2, num_nodes=25, optimizer="SGD"),
        Case(nodes=130, num_walk=2, num_nodes=25, optimizer="SGD", lr=2e-4),
    ],
}  # fmt: skip


@cache
def trained_once(case, family):
    return train(case, family)


def agree(case, fast, kernel):
    """Compare a case that bears witness with a kernel in place of the reference."""
    small_steps = fast is GPU and not case.exact_on_gpu
    options = {"within": 0.01, "loss_tolerance": 1e-3} if small_steps else {}
    compare(case, fast, kernel=kernel, trained=trained_once, **options)


@pytest.mark.parametrize(("what", "changes"), MISTAKES, ids=[what for what, _ in MISTAKES])
def test_the_comparison_notices(fast, what, changes):
    text = inspect.getsource(reference)
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the reference"
        text = text.replace(old, new)
    mistaken = {}
    exec(compile(text, what, "exec"), mistaken)
    noticed = 0
    for case in WITNESSES[fast]:
        try:
            agree(case, fast, mistaken["train_walks"])
        except AssertionError:
            noticed += 1
    assert (noticed > 0) == (fast is CPU or what not in LEFT_TO_THE_GPU)


@pytest.mark.parametrize("number", range(3))
def test_the_witnesses_agree_without_a_mistake(fast, number):
    agree(WITNESSES[fast][number], fast, reference.train_walks)

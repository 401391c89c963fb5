"""The kernel of the GPU: every layout of it, stores, and what only its signature has; against ``skipgram_units``."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import skipgram_units
from backends import GPU, REFERENCE
from covering import SKIPGRAM_LAYOUTS, launches
from optimizer_cases import SETTINGS
from skipgram_cases import Case, Problem, check, train

pytestmark = pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")


def agrees(case, layout, **options):
    """Train with a layout and compare with units."""
    from nodeloom.kernels.gpu._triton import OutOfResources

    merge = None if layout.get("add") is None else not layout["add"]
    reread = None if layout.get("fold", True) else False
    try:
        got, num_got = train(case, GPU, launch=GPU.skipgram.Launch(**layout), **options)
    except OutOfResources as error:
        pytest.skip(f"this layout does not fit the device: {error}")
    want, num_want = train(case, REFERENCE, skipgram_units.train_walks, merge=merge, reread=reread, **options)
    assert num_got == num_want > 0
    assert check(got, want) > 1e-3
    np.testing.assert_allclose(got.statistics, want.statistics, rtol=1e-5)


# Rows that are no whole number of blocks, tiles that are not full, a step beyond the walk, more negatives than a block.
SHAPES = [
    Case(nodes=64, num_walk=1, dim=2, num_negative=1),
    Case(nodes=9, num_walk=9, dim=10, num_negative=33, dead=0.3, weight_decay=0.02, apart=True),
    Case(nodes=33, num_walk=3, dim=48, num_negative=17, step=60, lr=0.02, apart=True),
    Case(nodes=20, num_walk=3, dim=100, two_sided=False, scale=0.1, weight_decay=0.02, shared_table=True),
    Case(nodes=64, num_walk=1, dim=128, num_negative=70, scale=0.1, optimizer="SGD with a largest step"),
]
SEVERAL_UNITS = Case(nodes=100, num_walk=1, dim=80, scale=0.1, weight_decay=0.02)
STORED = [
    Case(nodes=21, num_walk=3, dim=100, num_nodes=90, distinct=True, optimizer="Adam", weight_decay=0.02, scale=0.1),
    Case(nodes=21, num_walk=3, dim=40, num_nodes=9, shared_table=True, optimizer="AdaGrad", lr=0.02),
]


@pytest.mark.covering(1)
@pytest.mark.parametrize("layout", launches(SKIPGRAM_LAYOUTS))
@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_layouts(case, layout):
    agrees(case, layout)


@pytest.mark.parametrize("layout", [{"block": 16}, {"keep": 0}, {"fold": False}, {"add": False}], ids=str)
def test_layouts_of_walks_of_several_units(layout):
    agrees(SEVERAL_UNITS, {"num_program": 1, **layout})


@pytest.mark.covering(1)
@pytest.mark.parametrize("layout", [{"block": 16}, {"keep": 0}, {"num_program": 2}, {"reload": False}], ids=str)
@pytest.mark.parametrize("case", STORED, ids=str)
def test_layouts_that_store(case, layout):
    # Where rows are not read again, a node must not be a negative and a context of one tile; a table for both is read again.
    assert case.distinct or case.shared_table
    agrees(case, layout)


@pytest.mark.covering(1)
@pytest.mark.parametrize("layout", [{}, {"add": False}], ids=str)
@pytest.mark.parametrize("dim", [300, 304, 2048])
def test_wide_rows(dim, layout):
    # Wider than what is kept between scores and gradients.
    agrees(Case(nodes=33, num_walk=1, dim=dim, scale=0.03, weight_decay=0.02), {"block": 128, **layout})


def test_many_tiles_in_turns():
    # Every 32nd tile is trained by a launch of its own: each once, with its own rate, by whichever program.
    case = Case(nodes=2, num_walk=34 * 32 - 5, num_negative=2, num_nodes=30, apart=True)
    agrees(case, {"num_program": 5})


def test_more_nodes_than_a_tile_would_draw_twice():
    case = Case(nodes=9, num_walk=7, num_nodes=1 << 16, distinct=True, optimizer="Adam")
    agrees(case, {})


@pytest.mark.covering(1)
@pytest.mark.parametrize("layout", [{}, {"add": False}, {"keep": 0}, {"fold": False}], ids=str)
@pytest.mark.parametrize("case", [SHAPES[1], SHAPES[3], SHAPES[4], SEVERAL_UNITS], ids=str)
def test_no_node_exceeds_its_largest_rate(case, layout):
    layout = {"num_program": 1, **layout} if case is SEVERAL_UNITS else layout
    problem = Problem(case, GPU)
    largest = np.random.default_rng(0).choice([0.0, 0.3, 0.8, 2.0], len(problem.tables[0])).astype(np.float32)
    largest *= np.float32(case.lr)
    agrees(case, layout, largest_rate=largest)
    got = train(case, GPU, launch=GPU.skipgram.Launch(**layout), largest_rate=largest)[0]
    for a, b in zip(got.tables[:2], problem.tables[:2], strict=True):
        np.testing.assert_array_equal(a[largest == 0.0], b[largest == 0.0])


def test_rates_above_the_learning_rate_change_nothing():
    case = SHAPES[1]
    a, b = (
        train(case, GPU, largest_rate=rates)[0]
        for rates in (None, np.full(case.num_nodes * case.num_tile, np.float32(case.lr)))
    )
    for one, other in zip(a.tables, b.tables, strict=True):
        np.testing.assert_array_equal(one, other)


# Few nodes, so that each stands in many places, as a vertex, as a context and as a negative drawn several times.
REPEATED = [
    Case(nodes=64, num_walk=1, num_nodes=8, num_negative=16, weight_decay=0.02, lr=0.02),
    Case(nodes=5, num_walk=14, num_nodes=6, num_negative=9, dead=0.4, two_sided=False, lr=0.02, apart=True),
    Case(nodes=70, num_walk=1, num_nodes=5, num_negative=4, shared_table=True, weight_decay=0.02, lr=0.02),
]


@pytest.mark.covering(1)
@pytest.mark.parametrize("case", REPEATED, ids=str)
@pytest.mark.parametrize("name", SETTINGS)
def test_stores_add_up_the_places_of_a_node(name, case):
    agrees(replace(case, optimizer=name), {"add": False, "num_program": 1})


def test_a_node_is_stored_whichever_of_its_places_has_pairs():
    # Node 0 is the end of the first walk and the begin of the second: as a vertex it has a pair in its second place only, and
    # node 2 as a context. Once the first place decided, and the row stayed what it was.
    case = Case(nodes=2, num_walk=2, num_nodes=5, num_negative=1, step=1, two_sided=False, optimizer="Adam")
    problem, before = Problem(case, GPU), Problem(case, GPU)
    problem.walks[:] = [[2, 0], [0, 2]]
    problem.negatives[:] = 4
    assert problem.train() == 2
    moved = [set(np.flatnonzero((a != b).any(1))) for a, b in zip(problem.tables[:2], before.tables[:2], strict=True)]
    assert moved == [{0, 2}, {0, 2, 4}]


# What the units of the GPU could do wrong without being wrong where the GPU equals the reference: (what, [(text, by), ...]).
MISTAKES = [
    ("contexts of the same unit only", [("if i // TILE == chunk", "if i // TILE == j // TILE == chunk")]),
    ("negatives of the first unit for all", [("noise = negatives[tile, chunk]", "noise = negatives[tile, 0]")]),
    (
        "rows read when the tile begins",
        [
            ("    for tile, chunk in", "    old = vertex.copy(), context.copy()\n    for tile, chunk in"),
            ("= vertex[nodes], context[nodes], context[noise]", "= old[0][nodes], old[1][nodes], old[1][noise]"),
        ],
    ),
    ("places not added up", [("if merge:", "if False:"), ("table[ids[place]] -= cut", "table[ids[place]] -= rate")]),
    ("only the first place", [("g, d = gradient[places].sum(0)", "g, d = gradient[places[0]]")]),
    ("decay of the first place", [("decay[places].sum()", "decay[places[0]]")]),
    ("largest step of each place", [("g, d = gradient[places].sum(0)", "g, d = len(places) * gradient[places[0]]")]),
    ("rows not read again", [("table[node] -= _rate", "table[node] = start[places[0]] - _rate")]),
]
WITNESSES = [
    (Case(nodes=70, num_walk=1, num_nodes=20, weight_decay=0.02), {"num_program": 1}),
    (Case(nodes=64, num_walk=1, num_nodes=20, weight_decay=0.02, optimizer="SGD with a largest step"), {"add": False}),
    (Case(nodes=20, num_walk=3, num_nodes=20, weight_decay=0.02, optimizer="Momentum"), {}),
]


@cache
def trained(number):
    case, layout = WITNESSES[number]
    return train(case, GPU, launch=GPU.skipgram.Launch(**layout))[0]


def noticed(kernel):
    """Return which witnesses do not agree with a kernel in place of the units."""
    numbers = []
    for number, (case, layout) in enumerate(WITNESSES):
        try:
            check(trained(number), train(case, REFERENCE, kernel, merge="add" in layout or None)[0])
        except AssertionError:
            numbers.append(number)
    return numbers


@pytest.mark.parametrize(("what", "changes"), MISTAKES, ids=[what for what, _ in MISTAKES])
def test_the_comparison_notices(what, changes):
    text = inspect.getsource(skipgram_units)
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the units"
        text = text.replace(old, new)
    mistaken = {}
    exec(compile(text, what, "exec"), mistaken)
    assert noticed(mistaken["train_walks"])


def test_the_witnesses_agree_without_a_mistake():
    assert noticed(skipgram_units.train_walks) == []


@pytest.mark.covering(1)
@pytest.mark.parametrize("product", ["fp32", "bf16"])
@pytest.mark.parametrize("layout", [{"add": False}, {"add": False, "reload": False}, {"add": True}], ids=str)
def test_a_rate_of_zero_changes_nothing(layout, product):
    # Rows that are rounded for bf16 products once came back rounded where they were stored without being read again.
    case = Case(nodes=9, num_walk=7, num_nodes=70, distinct=True)
    problem, before = Problem(case, GPU), Problem(case, GPU)
    assert problem.train(lr=0.0, launch=GPU.skipgram.Launch(**layout), product=product) > 0
    for a, b in zip(problem.tables[:2], before.tables[:2], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.covering(1)
@pytest.mark.parametrize("nodes", [10, 64, 70])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_walks_of_any_strides(nodes, dtype):
    # Step by step, as they are drawn on a card; and in a pool of which they are a part.
    case = Case(nodes=nodes, num_walk=10 if nodes < 64 else 2, dead=0.2, dtype=dtype, apart=True)
    plain, stepwise, part = train(case, GPU)[0], Problem(case, GPU), Problem(case, GPU)
    stepwise.walks = np.asfortranarray(stepwise.walks)
    pool = np.full((case.num_walk + 2, 2 * nodes + 3), -7, dtype)
    pool[1:-1, 1:-2:2] = part.walks
    part.walks = pool[1:-1, 1:-2:2]
    for problem in (stepwise, part):
        problem.train()
        for a, b in zip(plain.tables, problem.tables, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_pairs_and_losses_are_added_to_what_is_there():
    case = Case(nodes=64, num_walk=3, apart=True)
    problem, want = Problem(case, GPU), train(case, REFERENCE)
    count = np.array([1000])
    problem.statistics[:] = [50.0, 5.0]
    assert problem.train(num_pairs=count) == 1000 + want[1]
    assert count.tolist() == [1000 + want[1]]
    assert problem.train(num_pairs=count) == 1000 + 2 * want[1]
    before = problem.statistics - [50.0, 5.0]
    np.testing.assert_allclose(before[1], 2 * want[0].statistics[1], rtol=1e-6)
    assert before[0] > want[0].statistics[0]


def test_without_a_tile_nothing_is_done():
    case = Case(nodes=64, num_walk=2)
    problem, before = Problem(case, GPU), Problem(case, GPU)
    count = np.array([7])
    assert problem.train(0, 0, num_pairs=count) == 7
    for a, b in zip(problem.tables, before.tables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert problem.statistics.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", SETTINGS)
def test_columns_of_zeros_stay_zeros(name):
    # The engine rounds rows up to a multiple of 16 columns; nothing may grow behind the dimension.
    case = Case(nodes=20, num_walk=2, dim=16, optimizer=name, weight_decay=0.02)
    problem = Problem(case, GPU)
    for table in problem.tables:
        table[:, 10:] = 0.0
    problem.train()
    for table in problem.tables:
        np.testing.assert_array_equal(table[:, 10:], 0.0)
        assert np.isfinite(table).all()

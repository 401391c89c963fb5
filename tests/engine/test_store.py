"""The tables that are trained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.engine import make_plan
from nodeloom.engine.store import Store, aligned_zeros
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.plan import defaults


@given(rows=st.integers(0, 50), row=st.integers(1, 20).map(lambda n: 16 * n))
@settings(deadline=None)
def test_rows_start_on_cache_lines(rows, row):
    table = aligned_zeros(rows, row)
    assert table.shape == (rows, row)
    assert table.dtype == np.float32
    assert table.flags.c_contiguous and table.flags.writeable
    assert rows == 0 or table.ctypes.data % 64 == 0
    assert not table.any()


def store_of(engine, graph, **values):
    plan = make_plan(graph, engine.settings(**values))
    return plan, [Store.allocate(plan.num_nodes, part, plan.optimizer.num_moment) for part in plan.parts]


def test_order_one_has_one_table(engine, graph):
    _, (first, second) = store_of(engine, graph, model="LINE", order="both", optimizer="Adam")
    assert first.tied and not second.tied
    assert sorted(first.tables()) == ["vertex", "vertex_moment1", "vertex_moment2"]
    assert sorted(second.tables()) == sorted(
        f"{table}{moment}" for table in ("vertex", "context") for moment in ("", "_moment1", "_moment2")
    )
    assert len({id(table) for table in second.tables().values()}) == 6
    assert first.context_moments is first.vertex_moments


@pytest.mark.parametrize("dim", [1, 16, 20, 100])
def test_first_values(engine, graph, dim):
    tables = []
    for num_thread in (1, 2, 3, 5):
        plan, (store,) = store_of(engine, graph, dim=dim)
        store.initialize(plan.parts[0], num_thread)
        tables.append(store.vertex)
        assert not store.context.any()
        assert not store.vertex[:, dim:].any()  # padding
    for table in tables:
        assert (table == tables[0]).all()
    values, scale = tables[0][:, :dim], defaults.initial_scale(dim)
    assert np.abs(values).max() <= scale
    assert np.abs(values.mean()) < 5 * scale / np.sqrt(3 * values.size)
    assert values.std() == pytest.approx(scale / np.sqrt(3), rel=0.1)
    assert len(np.unique(values)) > 0.99 * values.size


def test_first_values_have_a_seed(engine, graph):
    tables = []
    for seed in (0, 1):
        plan, (store,) = store_of(engine, graph, seed=seed)
        store.initialize(plan.parts[0], 1)
        tables.append(store.vertex)
    assert (tables[0] == tables[1]).mean() < 0.01


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.1 * LARGEST_VALUE, -1e30])
def test_one_bad_value_anywhere_is_seen(engine, graph, bad):
    _, (store,) = store_of(engine, graph)
    assert store.is_sound()
    for table in (store.vertex, store.context):
        for place in [(0, 0), (299, 15), (150, 7)]:
            table[place] = bad
            assert not store.is_sound()
            table[place] = 0
    assert store.is_sound()

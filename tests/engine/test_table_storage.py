"""The tables that are trained."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.engine import make_plan
from nodeloom.engine.memory import MainMemory, aligned_zeros, packed, unpacked
from nodeloom.engine.modes import allocate
from nodeloom.engine.storage import storage_in
from nodeloom.engine.tables import Tables
from nodeloom.kernels.reference.initial import uniform_rows
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.model.tables import TableSpec, Uniform
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


def tables_of(engine, graph, **values):
    plan = make_plan(graph, engine.settings(**values))
    return plan, [allocate(plan, part, graph) for part in plan.stages]


def test_order_one_has_one_table(engine, graph):
    plan, (first, second) = tables_of(engine, graph, model="LINE", order="both", optimizer="Adam")
    assert [stage.objective.tail for stage in plan.stages] == ["vertex", "context"]
    assert sorted(first.names()) == ["vertex", "vertex_moment1", "vertex_moment2"]
    assert sorted(second.names()) == sorted(
        f"{table}{moment}" for table in ("vertex", "context") for moment in ("", "_moment1", "_moment2")
    )
    arrays = [array for name in ("vertex", "context") for array in second.of(name)]
    assert len(arrays) == 6 and len({array.ctypes.data for array in arrays}) == 6


@pytest.mark.parametrize("dim", [1, 16, 20, 100])
def test_first_values(engine, graph, dim):
    tables = []
    for num_thread in (1, 2, 3, 5):
        _, (store,) = tables_of(engine, graph, dim=dim, num_thread=num_thread)
        store.initialize()
        tables.append(store.read("vertex"))
        assert not store.read("context").any()
        assert not store.read("vertex")[:, dim:].any()  # padding
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
        _, (store,) = tables_of(engine, graph, seed=seed)
        store.initialize()
        tables.append(store.read("vertex"))
    assert (tables[0] == tables[1]).mean() < 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_tables_of_any_name_are_written_and_read_in_blocks(monkeypatch, dtype):
    monkeypatch.setattr("nodeloom.engine.storage._BLOCK", 50)
    specs = [TableSpec("entity", 37, 3, Uniform(5, 0.5), align=16), TableSpec("relation", 4, 2)]
    memory = MainMemory(2, dtype)
    tables = Tables(specs, 1, storage_in(memory))
    assert tables.names() == ("entity", "entity_moment1", "relation", "relation_moment1")
    assert [tables.read(name).shape for name in tables.names()] == [(37, 16), (37, 16), (4, 2), (4, 2)]
    tables.initialize()
    expected = np.zeros((37, 16), np.float32)
    uniform_rows(5, 0, 3, 0.5, expected)
    rounded = unpacked(packed(expected, dtype))
    assert (tables.read("entity") == rounded).all() and not tables.read("relation").any()
    assert np.abs(rounded - expected).max() <= (0 if dtype == np.float32 else 2**-8)
    values = np.arange(74, dtype=np.float32).reshape(37, 2)
    chosen = np.arange(37) % 3 == 1
    tables.write("entity", values, chosen)
    rounded[chosen, :2] = values[chosen]
    assert (tables.read("entity") == rounded).all()
    tables.write("entity_moment1", values)
    assert (tables.read("entity_moment1")[:, :2] == values).all() and not tables.read("entity_moment1")[:, 2:].any()
    assert (tables.of("entity", slice(10, 20))[1][:, :2] == packed(values[10:20], dtype)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.1 * LARGEST_VALUE, -1e30])
def test_one_bad_value_anywhere_is_seen(engine, graph, bad):
    _, (store,) = tables_of(engine, graph, optimizer="Adam")
    assert store.is_sound()
    for name in store.names():
        table = store.read(name)
        for place in [(0, 0), (299, 15), (150, 7)]:
            table[place] = bad
            assert store.is_sound() == ("moment" in name and np.isfinite(bad))
            table[place] = 0
    assert store.is_sound()

"""The rate that a plan promises."""

from __future__ import annotations

import dataclasses

import pytest

from nodeloom.engine import calibrate, make_plan


@pytest.mark.parametrize("values", [{}, {"model": "LINE", "order": "both", "optimizer": "Adam"}, {"dim": 100}])
def test_rate_and_seconds(engine, graph, monkeypatch, values):
    monkeypatch.setattr(calibrate, "_SECONDS", 0.02)
    plan = calibrate.with_rate(make_plan(graph, engine.settings(**values)))
    assert 1e5 < plan.rate < 1e9
    assert plan.seconds == plan.total_pair / plan.rate
    assert "M pairs/s, as measured here" in dict(plan.rows())["time"]


def test_no_more_memory_than_a_large_table(engine, graph, monkeypatch):
    # Regression: 2^18 rows were taken at any width.
    class EnoughError(Exception):
        pass

    def allocate(rows, row):
        assert rows * row <= 1 << 25
        raise EnoughError

    monkeypatch.setattr(calibrate, "aligned_zeros", allocate)
    for dim in (1, 128, 65536):
        plan = dataclasses.replace(make_plan(graph, engine.settings(dim=dim)), num_nodes=10**9)
        with pytest.raises(EnoughError):
            calibrate.with_rate(plan)

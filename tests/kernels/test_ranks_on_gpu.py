"""Ranks that a GPU counts are those of the CPU, also where the table stays in main memory."""

from __future__ import annotations

import gpu_calls
import numpy as np
import pytest

from nodeloom.model.relational import RELATIONAL
from nodeloom.tasks.ranking import Candidates, rank
from nodeloom.tasks.sampled_ranks import relation_ranks, sampled_ranks

pytestmark = pytest.mark.skipif(bool(gpu_calls.missing()), reason=gpu_calls.missing())

N, R = 90, 3


def model(name, dim=8):
    rng = np.random.default_rng(3)
    entity = rng.normal(size=(N, dim)).astype(np.float32)
    entity[40:60] = entity[3]
    relation = rng.normal(size=(R, 2 * RELATIONAL[name].relation_dim(dim))).astype(np.float32)
    return RELATIONAL[name], entity, relation


def triples(count, seed):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(high, size=count) for high in (N, R, N)], 1).astype(np.int32)


def assert_same(got, expected):
    np.testing.assert_array_equal(got.optimistic, expected.optimistic)
    np.testing.assert_array_equal(got.pessimistic, expected.pessimistic)
    np.testing.assert_array_equal(got.num_candidates, expected.num_candidates)


@pytest.mark.filterwarnings("ignore:an answer scores the same")
@pytest.mark.parametrize("name", ["ComplEx", "RotatE"])
def test_ranks_are_those_of_the_cpu(name):
    import torch

    relational, entity, relation = model(name)
    train, test = triples(400, 1), triples(20, 2)
    expected = rank(relational, entity, relation, test, [train, test])
    tensors = [torch.from_numpy(table).to(gpu_calls.device()) for table in (entity, relation)]
    assert_same(rank(relational, *tensors, test, [train, test], device=tensors[0].device), expected)
    assert_same(rank(relational, *tensors, test, [train, test], device=tensors[0].device, memory=20_000), expected)
    device = torch.device(gpu_calls.device())
    if device.type == "cuda":  # else arrays are ranked by the CPU
        assert_same(rank(relational, entity, relation, test, [train, test], device=device), expected)
        assert_same(rank(relational, entity, relation, test, [train, test], device=device, memory=3000), expected)


@pytest.mark.filterwarnings("ignore:an answer scores the same")
def test_every_kind_of_candidates():
    import torch

    relational, entity, relation = model("ComplEx")
    train, test = triples(400, 1), triples(12, 2)
    tensors = [torch.from_numpy(table).to(gpu_calls.device()) for table in (entity, relation)]
    on = {"device": tensors[0].device}
    observed = Candidates.observed(train, N, R)
    assert_same(
        rank(relational, *tensors, test, [train, test], candidates=observed, **on),
        rank(relational, entity, relation, test, [train, test], candidates=observed),
    )
    known = [train, test]
    assert_same(
        sampled_ranks(relational, *tensors, test, 7, known, **on),
        sampled_ranks(relational, entity, relation, test, 7, known),
    )
    assert_same(
        relation_ranks(relational, *tensors, test, known, **on),
        relation_ranks(relational, entity, relation, test, known),
    )


def test_rows_stay_in_main_memory_if_they_do_not_fit():
    from nodeloom.engine.gpu.ranking import GpuScorer, _HostRows

    relational, entity, relation = model("ComplEx")
    device = gpu_calls.device()
    assert isinstance(GpuScorer(relational, entity, relation, device, 1000).table, _HostRows)
    large = GpuScorer(relational, entity, relation, device, 1 << 20)
    small = GpuScorer(relational, entity, relation, device, 1000)
    assert large.num_nan() == small.num_nan() == 0
    heads, rows, tails = np.arange(5), np.array([0, 1, 2, 3, 4]), np.arange(5, 10)
    scores = [s.pair_scores(s.ask(heads, rows), np.arange(5), tails) for s in (large, small)]
    np.testing.assert_array_equal(*scores)

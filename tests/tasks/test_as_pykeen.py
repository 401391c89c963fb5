"""Metrics are those of PyKEEN's evaluators, on triples drawn here and on Nations, Kinships and UMLS."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pykeen_ranks import EXPECTED, METRICS

from nodeloom.model.relational import RELATIONAL
from nodeloom.tasks.rank_groups import query_weights
from nodeloom.tasks.ranking import metrics, rank


def tables(name, num_entity, num_relation, *, coarse):
    rng = np.random.default_rng(17)
    width = RELATIONAL[name].relation_dim(16)
    entity = rng.normal(size=(num_entity, 16)).astype(np.float32)
    relation = rng.normal(size=(num_relation, 2 * width)).astype(np.float32)
    return (np.round(entity), np.round(relation)) if coarse else (entity, relation)


def data(case):
    if case.startswith("random"):
        rng = np.random.default_rng(3)
        train, test = (np.stack([rng.integers(h, size=n) for h in (50, 3, 50)], 1) for n in (900, 200))
        return 50, 3, test, [train, test]
    path = Path(os.environ.get("NODELOOM_DATA", "")) / "kg" / case / "triples.npz"
    if "NODELOOM_DATA" not in os.environ or not path.is_file():
        pytest.skip(f"no kg/{case}/triples.npz in the folder that NODELOOM_DATA names")
    with np.load(path) as file:
        sets = [file[name] for name in ("train", "valid", "test")]
        return int(file["num_entities"]), int(file["num_relations"]), sets[2], sets


@pytest.mark.filterwarnings("ignore:an answer scores the same")
@pytest.mark.parametrize(("case", "model"), EXPECTED, ids="-".join)
def test_metrics_are_those_of_pykeen(case, model):
    num_entity, num_relation, test, known = data(case)
    entity, relation = tables(model, num_entity, num_relation, coarse="coarse" in case)
    ranks = rank(RELATIONAL[model], entity, relation, test, known)
    for (mean, side, kind), expected in EXPECTED[case, model].items():
        weights = query_weights(ranks.triples) if mean == "macro" else None
        got = metrics(ranks, side, kind=kind, weights=weights)
        # PyKEEN keeps ranks in float32.
        np.testing.assert_allclose([got[name] for name in METRICS], expected, rtol=1e-6, atol=1e-6)

"""Weights of neighbors have the perplexity that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.kernels.reference import affinity as reference

NEEDS = ("affinity",)
ROWS = {
    "usual": lambda rng: np.sort(rng.random((40, 15)), axis=1),
    "far from all": lambda rng: 1e6 + np.sort(rng.random((40, 15)), axis=1),
    "of very unlike sizes": lambda rng: np.sort(10.0 ** rng.uniform(-12, 12, (40, 15)), axis=1),
    "some equally near": lambda rng: np.repeat([[0.0, 0, 0, 1, 2, 3, 4, 5]], 3, axis=0),
    "all but one equally near": lambda rng: np.repeat([[0.0, 7, 7, 7, 7, 7, 7, 7]], 3, axis=0),
    "all equally near": lambda rng: np.full((3, 15), 2.0),
    "one": lambda rng: rng.random((3, 1)),
}


@pytest.mark.parametrize("perplexity", [1.0, 2.5, 5.0, 0.99])
@pytest.mark.parametrize("rows", ROWS)
def test_weights_are_those_of_the_definition(fast, rows, perplexity):
    energies = ROWS[rows](np.random.default_rng(0)).astype(np.float32)
    k = energies.shape[1]
    entropy = np.log(min(perplexity if perplexity >= 1 else perplexity * k, k))
    found, expected = np.full(energies.shape, np.nan), np.full(energies.shape, np.nan)
    fast.affinity.weigh_neighbors(0, len(energies), energies, float(entropy), found)
    reference.weigh_neighbors(0, len(energies), energies, entropy, expected)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    np.testing.assert_allclose(found.sum(1), 1)


def test_weights_have_the_perplexity(fast):
    energies = np.sort(np.random.default_rng(1).random((200, 30)), axis=1).astype(np.float32)
    weights = np.full(energies.shape, np.nan)
    fast.affinity.weigh_neighbors(0, 120, energies, float(np.log(10)), weights)
    fast.affinity.weigh_neighbors(120, 200, energies, float(np.log(10)), weights)
    np.testing.assert_allclose(np.exp(-(weights * np.log(weights)).sum(1)), 10, rtol=1e-5)

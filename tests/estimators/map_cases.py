"""Vectors in groups, and estimators of maps that say nothing."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from nodeloom import TSNE, LargeVis


def blobs(count=240, number=4, dim=8, seed=0, width=0.6):
    rng = np.random.default_rng(seed)
    group = np.arange(count) % number
    centers = rng.normal(size=(number, dim)) * 4
    return (centers[group] + rng.normal(size=(count, dim)) * width).astype(np.float32), group


def make(**changes):
    return TSNE(**{"num_thread": 2, "device": "cpu", "verbose": False} | changes)


def largevis(**changes):
    return LargeVis(**{"num_thread": 2, "device": "cpu", "verbose": False} | changes)


def kept(x, y, k=10):
    """Return the share of the k nearest in x that are among the k nearest in y."""
    one, other = (cKDTree(v).query(v, k + 1)[1] for v in (x, y))
    return np.mean([len(np.intersect1d(a, b)) - 1 for a, b in zip(one, other, strict=True)]) / k

"""Controls: what a score is worth is seen beside the score of vectors, or labels, that know nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.io.labels import Labels
from nodeloom.tasks.given import vectors_and_names

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray


def random_control(vectors: Any, seed: int = 0) -> FloatArray:
    """Return random vectors of the shape and the size of ``vectors``.

    Parameters
    ----------
    vectors : model, or ndarray, float32 [N, D]
        The model, or the vectors, to be compared with.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    ndarray, float32 [N, D]
        Independent normal numbers with the root mean square of ``vectors``, so that a classifier with a fixed
        strength of regularisation treats both alike.
    """
    vectors, _ = vectors_and_names(vectors)
    sample = np.asarray(vectors[:: max(1, len(vectors) // 100_000)], dtype=np.float64)
    scale = float(np.sqrt(np.mean(sample**2))) if sample.size else 0.0
    random = np.random.default_rng(seed).standard_normal(vectors.shape, dtype=np.float32)
    random *= np.float32(scale or 1.0)
    return random


def shuffled_control(labels: Labels, seed: int = 0) -> Labels:
    """Return labels whose sets are dealt to the labelled nodes at random.

    Class sizes and the number of labels per node stay; what a node has to do with its labels is gone.

    Parameters
    ----------
    labels : Labels
        The labels to be compared with.
    seed : int
        Seed of the random numbers.
    """
    labelled = labels.labelled
    dealt = np.random.default_rng(seed).permutation(labelled)
    nodes = dealt[np.searchsorted(labelled, labels.nodes)]
    return Labels.from_pairs(nodes, labels.classes, labels.class_names, num_nodes=labels.num_nodes)

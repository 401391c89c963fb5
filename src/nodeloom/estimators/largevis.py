"""LargeVis: GraphVite's maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nodeloom.estimators.maps import Map

if TYPE_CHECKING:
    pass


@dataclass(kw_only=True, eq=False, repr=False)
class LargeVis(Map):
    """LargeVis (Tang et al., WWW 2016): neighbors draw each other together, points drawn at random push each other apart.

    It is the method of GraphVite's maps. :class:`nodeloom.TSNE` keeps two to three times as many neighbors; this one makes dense
    islands, and takes as long in three dimensions as in two. On the CPU the same bytes come out with any number of threads.

    Parameters
    ----------
    dim : int
        Dimensions of the map, 2 or 3.
    perplexity : float or "auto"
        Effective number of neighbors of a point (GraphVite: 30). auto: two thirds of `num_neighbor`.
    num_neighbor : int or "auto"
        Neighbors of a point that attract it (GraphVite: 200). auto: one and a half times the perplexity, 15 by default.
    num_epoch : int
        Passes over the edges between neighbors. In each as many edges are drawn as there are.
    num_negative : int
        Points that are drawn at random and pushed away, for each edge.
    negative_weight : float
        Weight of a negative. 1 gives dense islands; 7, the paper's, keeps more neighbors, and may tear groups apart.
    sharpness : float
        a of the score 1 / (1 + a d^2) of two points at a distance d.
    schedule : {"linear", "constant"}
        Learning rate over time: it falls to 0, or stays, which leaves the map noisy.
    metric : {"auto", "euclidean", "cosine", "inner_product"}
        Which neighbors are near. auto: cosine for vectors of nodes, else euclidean.
    lr : float or "auto"
        Learning rate at the beginning. auto: 1.
    label_weight : float
        How much labels given to ``fit`` count: attraction of points with different labels is reduced by this part.
    num_thread : int or "auto"
        Threads. They do not change the result.
    seed : int
        Seed of all random numbers.
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    gpu_memory_limit, memory_limit : int, str or "auto"
        Memory to use at most, in bytes or as "8GB".
    verbose : bool or "auto"
        Whether to show progress. auto: in a terminal or a notebook, if it takes longer than a second or two.

    Attributes
    ----------
    coordinates_, names_, n_features_in_, report_, partial_, history_
        As of :class:`nodeloom.TSNE`.

    Examples
    --------
    >>> import numpy as np
    >>> from nodeloom import LargeVis
    >>> vectors = np.random.default_rng(0).normal(size=(60, 8))
    >>> LargeVis(dim=3, verbose=False).fit_transform(vectors).shape
    (60, 3)
    """

    _section: ClassVar[str] = "LargeVisConfig"

    num_epoch: int = 50
    num_negative: int = 5
    negative_weight: float = 3.0
    sharpness: float = 1.0
    schedule: str = "linear"

"""t-SNE: a map in which neighbors stay neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeloom.estimators.maps import Map

if TYPE_CHECKING:
    from nodeloom.typing import Auto


@dataclass(kw_only=True, eq=False, repr=False)
class TSNE(Map):
    """t-SNE (van der Maaten and Hinton, JMLR 2008): a map whose points are near where their vectors are.

    Neighbors attract each other and all points repel each other, the latter summed up on a grid. One parameter, `exaggeration`, leads from
    t-SNE's detail to UMAP's islands. On the CPU the same bytes come out with any number of threads.

    Parameters
    ----------
    dim : int
        Dimensions of the map, 2 or 3. Three take about ten times as long on a CPU.
    perplexity : float or "auto"
        Effective number of neighbors of a point. auto: two thirds of `num_neighbor`.
    num_neighbor : int or "auto"
        Neighbors of a point that attract it. auto: one and a half times the perplexity, 15 by default.
    exaggeration : float
        What attraction is multiplied by. 1 keeps most neighbors; 2 shows gaps between groups; 4 looks like UMAP.
    early_exaggeration : float
        The same in the first two sevenths of the iterations, which place groups as a whole.
    metric : {"auto", "euclidean", "cosine", "inner_product"}
        Which neighbors are near. auto: cosine for vectors of nodes, else euclidean.
    num_iteration : int or "auto"
        Iterations. auto: 350, and up to 750 for more than 200,000 points.
    lr : float or "auto"
        Learning rate. auto: the number of points over the exaggeration, at most half of it, a tenth for 1,000 points.
    label_weight : float
        How much labels given to ``fit`` count: attraction of points with different labels is reduced by this part.
    num_thread : int or "auto"
        Threads. They do not change the result.
    seed : int
        Seed of the noise by which points that are the same come apart.
    device : str
        "auto", "cpu", "cuda" or "cuda:N". A GPU gives the same picture, but not the same bytes.
    gpu_memory_limit, memory_limit : int, str or "auto"
        Memory to use at most, in bytes or as "8GB".
    verbose : bool or "auto"
        Whether to show progress. auto: in a terminal or a notebook, if it takes longer than a second or two.

    Attributes
    ----------
    coordinates_ : float32 [N, dim]
        The map: centered, turned to its principal axes.
    names_ : Vocabulary or None
        Names of the points of a graph or a model.
    n_features_in_ : int
        Values of a vector, if it was made of vectors.
    report_ : dict
        Seconds, steps, loss and peak memory of the layout.
    partial_ : bool
        Whether it was stopped early.
    history_ : list of dict
        Progress after every tenth step.

    Examples
    --------
    >>> import numpy as np
    >>> from nodeloom import TSNE
    >>> vectors = np.random.default_rng(0).normal(size=(60, 8))
    >>> TSNE(verbose=False).fit_transform(vectors).shape
    (60, 2)
    """

    exaggeration: float = 1.0
    early_exaggeration: float = 12.0
    num_iteration: int | Auto = "auto"

"""The models: each a signature over the same engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nodeloom.estimators.base import NodeEmbedding, Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nodeloom.typing import Auto


@dataclass(kw_only=True, eq=False, repr=False)
class DeepWalk(NodeEmbedding):
    """DeepWalk (Perozzi, Al-Rfou and Skiena, KDD 2014): nodes that are near each other on random walks get similar vectors.

    Trained by skip-gram with negative sampling, as in GraphVite (Zhu et al., WWW 2019), on walk tiles with shared negatives.

    Parameters
    ----------
    dim : int
        Values in a vector.
    num_epoch : int or "auto"
        Epochs; each is as many positive pairs as the graph has edges. auto: 2000, on sparse graphs up to 8000, so that a node gets 20,000
        pairs.
    augmentation_step : int or "auto"
        Nodes at most so many steps apart on a walk are a positive pair. auto: 5.
    random_walk_length : int or "auto"
        Edges per walk. auto: 63.
    num_negative : int
        Negatives per positive pair; only its product with `negative_weight` matters.
    negative_weight : float
        Weight of a negative against a positive pair.
    negative_sample_exponent : float
        Negatives are drawn in proportion to degree to this power.
    num_shared_negative : int or "auto"
        Negatives drawn once for 64 nodes of a walk. auto: 16; 24 up to 500 epochs; 8 with a step of 1 or 2.
    hub_threshold : float or "auto"
        Has no effect any more, and goes with the next version.
    positive_reuse : int
        Times that a walk is trained, each with new negatives.
    optimizer : str or mapping
        SGD, Momentum, AdaGrad, RMSprop or Adam, or a mapping with ``type`` and its own keys.
    lr, weight_decay : float or "auto"
        Learning rate at the start; decay. auto: by the optimizer, the number of epochs and the density (SGD at 2000 epochs: 0.01;
        0.002 on dense to 0.005 on sparse graphs).
    schedule : {"linear", "constant"} or callable
        Of the learning rate; a callable gets (pairs done, pairs in all) and returns a factor.
    num_thread : int or "auto"
        CPU threads. auto: all that the process may use.
    deterministic : bool
        Train on the CPU in one thread, so that a seed gives the same vectors to the last bit.
    seed : int
        Seed of all random numbers. Walks are the same with any number of threads.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to train. cuda: the first GPU that can be used. auto: the same, or the CPU if there is none.
    gpus : sequence of int
        Numbers of the GPUs to choose from; none: all. One process uses one of them, workers take them in turn.
    gpu_memory_limit : int, str or "auto"
        Bytes to use on a GPU at most. auto: what is free there.
    table_dtype : {"auto", "fp32", "bf16"}
        Number format of the tables on a GPU; the results are float32 in any case. bf16 halves the memory and is faster, but less
        precise. auto: fp32, unless only bf16 fits the memory of the GPU, from a million nodes on together with the graph.
    sampler : {"auto", "device", "host"}
        Who draws the walks when training on a GPU: the GPU or CPU threads. auto: device if the graph fits the memory of the GPU
        beside the tables, else host.
    memory_limit : int, str or "auto"
        Bytes (or "8GB") of main memory to use at most; tables that exceed it are trained in parts from temporary files (in TMPDIR).
        auto: what the machine has.
    num_partition : int or "auto"
        Parts of each table, of which a device trains two at a time. auto: 1 if the tables fit, else what moves least; a number above
        1 forces it.
    num_worker : int or "auto"
        Processes that train one model together; torchrun starts them. auto: as many as it has started, else 1. After :meth:`fit` the
        vectors are at worker 0.
    parallelism : {"auto", "data", "model"}
        What each of several workers has: whole tables, whose changes are merged now and then (data), or a part of them (model). auto:
        data on GPUs that have room for whole tables, else model.
    worker_tables : {"auto", "copies", "split"}
        The old name of `parallelism`, which goes with the next version.
    verbose : bool or "auto"
        Whether to show a bar while it runs. auto: in a terminal or a notebook, if it takes longer than a second or two.

    Attributes
    ----------
    vectors_ : float32 [N, dim]
        Vertex vectors in node order.
    context_vectors_ : float32 [N, dim]
        Context vectors.
    graph_names_ : Vocabulary
        Names of the nodes.
    report_ : dict
        Seconds, pairs, rate, loss and peak memory of the training.
    partial_ : bool
        Whether training was stopped early.
    num_epoch_ : float
        Epochs that were trained.
    history_ : list of dict
        Progress, about a hundred points.

    Examples
    --------
    >>> from nodeloom import DeepWalk, Graph
    >>> graph = Graph.from_edges([[0, 1], [1, 2], [2, 0], [2, 3], [3, 4], [4, 5], [5, 3]])
    >>> model = DeepWalk(dim=16, deterministic=True).fit(graph)
    >>> model.vectors_.shape
    (6, 16)
    >>> sorted(name for name, score in model.nearest(0, k=2))
    [1, 2]
    """

    _model = "DeepWalk"

    dim: int = field(default=128, kw_only=False)
    num_epoch: int | Auto = "auto"
    augmentation_step: int | Auto = "auto"
    random_walk_length: int | Auto = "auto"
    num_negative: int = 1
    negative_weight: float = 5.0
    negative_sample_exponent: float = 0.75
    num_shared_negative: int | Auto = "auto"
    hub_threshold: float | Auto = "auto"
    positive_reuse: int = 1
    optimizer: str | Mapping[str, Any] = "SGD"
    lr: float | Auto = "auto"
    weight_decay: float | Auto = "auto"
    schedule: Schedule = "linear"
    num_thread: int | Auto = "auto"
    deterministic: bool = False
    seed: int = 0
    device: str = "auto"
    gpus: Sequence[int] = ()
    gpu_memory_limit: int | str = "auto"
    table_dtype: str = "auto"
    sampler: str = "auto"
    memory_limit: int | str = "auto"
    num_partition: int | Auto = "auto"
    num_worker: int | Auto = "auto"
    parallelism: str = "auto"
    worker_tables: str = "auto"
    verbose: bool | Auto = "auto"


@dataclass(kw_only=True, eq=False, repr=False)
class LINE(DeepWalk):
    """LINE (Tang et al., WWW 2015): first-order proximity of neighbours, second-order of nodes with the same neighbours.

    With `augmentation_step` above 1 pairs come from walks too, as in GraphVite; with 1 they are the edges alone, as in the paper.
    The other parameters and the attributes are those of :class:`DeepWalk`.

    Parameters
    ----------
    order : {1, 2, "both"}
        1: one table, a pair is scored by the product of two vertex vectors. 2: a vertex times a context vector. "both": each
        half of the vector is trained with one order, and they are joined, as the paper recommends.
    """

    _model = "LINE"

    order: Literal[1, 2, "both"] = 2


@dataclass(kw_only=True, eq=False, repr=False)
class Node2Vec(DeepWalk):
    """node2vec (Grover and Leskovec, KDD 2016): DeepWalk on walks that are steered between staying near and going far.

    Steps are drawn by rejection, so memory stays linear in the edges at any degree. The other parameters and the attributes
    are those of :class:`DeepWalk`.

    Parameters
    ----------
    p : float
        Return parameter: a step back to the node before has weight 1 / p.
    q : float
        In-out parameter: a step to a node that is no neighbour of the node before has weight 1 / q.
    """

    _model = "node2vec"

    p: float = 1.0
    q: float = 1.0

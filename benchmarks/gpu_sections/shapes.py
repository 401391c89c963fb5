"""Graphs of the size of YouTube and larger."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

import numpy as np
import torch

from gpu_sections.card import DEVICE
from nodeloom import Graph
from nodeloom.datasets import planted_partition

YOUTUBE_NODES, YOUTUBE_EDGES = 1_138_499, 4_945_382
COMMUNITIES, MIXING, SEED = 500, 0.5, 7
"""Half of the edges lead out of 500 communities: on a smaller graph like it, where two of three neighbours' votes find 84 % of the
communities, vectors find 79 % after a full training, 63 % after a twentieth of it and 0.5 % by chance."""


@dataclass
class Shaped:
    """A planted partition.

    Attributes
    ----------
    graph : Graph
        The graph.
    community : int32 [N]
        What vectors should know.
    seconds : float
        What making it took.
    """

    graph: Graph
    community: np.ndarray
    seconds: float


@functools.cache
def youtube_shaped(share: float = 1.0) -> Shaped:
    """As many nodes and edges as YouTube, or a share of both; made once."""
    begin = time.perf_counter()
    num_nodes, num_edges = int(YOUTUBE_NODES * share), int(YOUTUBE_EDGES * share)
    communities = max(5, int(COMMUNITIES * min(1.0, share * 10)))
    edges, community = planted_partition(num_nodes, num_edges, communities, mixing=MIXING, seed=SEED)
    graph = Graph.from_edges(edges, num_nodes=num_nodes)
    return Shaped(graph, community, time.perf_counter() - begin)


def lifted(graph: Graph, copies: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """CSR on the card of a random lift of an undirected graph: `copies` times the nodes and the edges, made there in a second.

    Every node is copied, every edge (u, v) joins each copy of u to one copy of v, shifted by a number of its own; then all
    nodes are numbered anew by chance. So degrees stay what they are, the copies hang together, and nothing is near in memory
    that was near before.

    Returns
    -------
    indptr, indices : int64 [N * copies + 1], int32 [nnz * copies]
        The lift, on the card, rows sorted.
    degrees : int64 [N * copies]
        On the host, for the alias table of the first nodes.
    """
    heads, tails = (torch.from_numpy(ends.astype(np.int64)).to(DEVICE) for ends in graph.edge_columns()[:2])
    random = torch.Generator(DEVICE).manual_seed(seed)
    shift = torch.randint(copies, heads.shape, device=DEVICE, generator=random)
    num_nodes = graph.num_nodes * copies
    names = torch.randperm(num_nodes, device=DEVICE, generator=random)
    first, second = [], []
    for copy in range(copies):
        first.append(names[heads + copy * graph.num_nodes])
        second.append(names[tails + (shift + copy) % copies * graph.num_nodes])
    one, other = torch.cat(first), torch.cat(second)
    codes = torch.cat([one * num_nodes + other, other * num_nodes + one])
    codes = torch.sort(codes).values
    rows = codes // num_nodes
    indices = (codes - rows * num_nodes).to(torch.int32)
    degrees = torch.bincount(rows, minlength=num_nodes)
    indptr = torch.zeros(num_nodes + 1, dtype=torch.int64, device=DEVICE)
    torch.cumsum(degrees, 0, out=indptr[1:])
    return indptr, indices, degrees.cpu().numpy()

"""Hiding edges before training, so that link prediction can be judged on edges that the model has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, GraphError, describe
from nodeloom.tasks.negatives import distinct_edges, draw_non_edges, ends_of

if TYPE_CHECKING:
    from nodeloom.graph import Graph

Ids = npt.NDArray[np.int64]

_BLOCK = 1 << 22  # edges picked at a time


@dataclass(frozen=True)
class LinkSplit:
    """A graph to train on and pairs to judge by.

    Attributes
    ----------
    train_graph : Graph
        The graph without the hidden edges. It has all nodes.
    heads, tails : ndarray, int64 [k]
        Pairs of ids: first the hidden edges, then the pairs that are none.
    labels : ndarray, bool [k]
        True for a hidden edge.
    """

    train_graph: Graph
    heads: Ids
    tails: Ids
    labels: npt.NDArray[np.bool_]


def split_edges(
    graph: Graph,
    *,
    fraction: float = 0.01,
    seed: int = 0,
    num_negative: float = 1,
    keep_degree: int = 0,
) -> LinkSplit:
    """Hide a part of the edges and draw as many pairs that are no edges.

    Parameters
    ----------
    graph : Graph
        The full graph.
    fraction : float
        Share of the edges to hide, above 0 and below 1; at least one edge is hidden. GraphVite's protocol hides 1 %.
    seed : int
        Seed of the choice. The same seed gives the same split of the same graph.
    num_negative : float
        Pairs that are no edges for each hidden edge.
    keep_degree : int
        Leave each node this many of its edges (or all, if it has fewer). 0 hides edges without looking, as GraphVite
        does: a node may lose all its edges. 1 leaves no node alone.

    Returns
    -------
    LinkSplit
        An undirected edge is hidden in both directions, with all its parallel edges. Self-loops are never hidden.
        Negatives are drawn uniformly, without repetition, from the pairs of different nodes that are no edge of the
        full graph (unordered pairs if it is undirected).

    Raises
    ------
    ConfigError
        If an argument is out of range.
    GraphError
        If the graph has too few edges to hide, or is so dense that there are not enough other pairs.
    """
    if not 0 < fraction < 1:
        raise ConfigError(describe("fraction", expected="a share between 0 and 1", got=fraction))
    if num_negative < 0 or keep_degree < 0:
        got = f"num_negative={num_negative}, keep_degree={keep_degree}"
        raise ConfigError(describe("split_edges", expected="num_negative and keep_degree of at least 0", got=got))
    rng = np.random.default_rng([seed, 0x5B117])
    entries = distinct_edges(graph)
    count = max(1, round(fraction * len(entries)))
    if len(entries) < 2:
        raise GraphError(describe("split_edges", expected="at least 2 edges between different nodes", got=len(entries)))
    if keep_degree:
        hidden = _pick_keeping_degrees(graph, entries, count, keep_degree, rng)
    else:
        hidden = rng.choice(entries, size=count, replace=False)
    heads, tails = ends_of(graph, hidden)
    hint = "The graph is too dense for this many negatives: lower fraction or num_negative."
    false_heads, false_tails = draw_non_edges([graph], round(num_negative * count), rng, "split_edges", hint)
    labels = np.zeros(count + len(false_heads), dtype=bool)
    labels[:count] = True
    train_graph = graph.remove_edges(heads, tails, ids=True)
    all_heads, all_tails = np.concatenate([heads, false_heads]), np.concatenate([tails, false_tails])
    return LinkSplit(train_graph, all_heads, all_tails, labels)


def find_leaks(graph: Graph, split: LinkSplit) -> Ids:
    """Return which pairs of a split give themselves away: a sound split has none.

    Parameters
    ----------
    graph : Graph
        The full graph.
    split : LinkSplit
        The split to check; its ``train_graph`` is what a model is trained on.

    Returns
    -------
    ndarray, int64 [m]
        Positions of pairs that should be hidden but are edges of the graph trained on (in either direction, if it is
        undirected), that are called an edge but are none of the full graph, or that are called none but are one.
    """
    seen = split.train_graph.has_edges(split.heads, split.tails, ids=True)
    real = graph.has_edges(split.heads, split.tails, ids=True)
    if not graph.directed:
        seen = seen | split.train_graph.has_edges(split.tails, split.heads, ids=True)
        real = real | graph.has_edges(split.tails, split.heads, ids=True)
    return np.flatnonzero(seen | (real != split.labels))


def _pick_keeping_degrees(graph: Graph, entries: Ids, count: int, keep_degree: int, rng: np.random.Generator) -> Ids:
    """Pick edges in random order, passing over those that would leave an end with too few neighbours."""
    heads, tails = ends_of(graph, entries)
    spare = np.bincount(heads, minlength=graph.num_nodes)
    if not graph.directed:
        spare += np.bincount(tails, minlength=graph.num_nodes)
    room = (spare - keep_degree).tolist()
    picked: list[int] = []
    # One by one: whether an edge may go depends on those that went before.
    order = rng.permutation(len(entries))
    for begin in range(0, len(order), _BLOCK):
        block = order[begin : begin + _BLOCK]
        for edge, head, tail in zip(block.tolist(), heads[block].tolist(), tails[block].tolist(), strict=True):
            if room[head] > 0 and (graph.directed or room[tail] > 0):
                room[head] -= 1
                if not graph.directed:
                    room[tail] -= 1
                picked.append(edge)
                if len(picked) == count:
                    return entries[np.array(picked)]
    got = f"only {len(picked)} that leave every node {keep_degree} neighbours"
    hint = "Hide a smaller fraction, or lower keep_degree."
    raise GraphError(describe("split_edges", expected=f"{count} edges to hide", got=got, hint=hint))

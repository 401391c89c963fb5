"""Hiding triples before training, so that a model of a knowledge graph can be judged on triples that it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, GraphError, describe

if TYPE_CHECKING:
    from nodeloom.graph import KnowledgeGraph

_STREAM = 0x7219


@dataclass(frozen=True)
class TripleSplit:
    """A knowledge graph to train on, one to choose by, and one to judge by; with the same entities and relations.

    Attributes
    ----------
    train, valid, test : KnowledgeGraph
        Their triples are in the order of the full graph.
    """

    train: KnowledgeGraph
    valid: KnowledgeGraph
    test: KnowledgeGraph


def split_triples(
    graph: KnowledgeGraph,
    *,
    valid: float = 0.05,
    test: float = 0.05,
    seed: int = 0,
    pairs_together: bool = True,
) -> TripleSplit:
    """Draw triples to choose and to judge a model by; every entity and relation that has triples keeps one to train on.

    Parameters
    ----------
    graph : KnowledgeGraph
        The full graph.
    valid, test : float
        How many triples: a share of all below 1, or a number. 0 draws none.
    seed : int
        Seed of the choice. The same seed gives the same split of the same graph.
    pairs_together : bool
        Whether all triples between the same two entities, whatever their relation and direction, go to the same part. Then
        no triple is told by its inverse: (a, hypernym, b) is not hidden while (b, hyponym, a) is trained on. False draws
        every triple alone, as many published data sets do; :func:`triple_leaks` tells what that gives away.

    Returns
    -------
    TripleSplit

    Raises
    ------
    ConfigError
        A share or number is out of range.
    GraphError
        There are too few triples that may be hidden.
    """
    num_triples = graph.num_triples
    counts = {name: _count(name, value, num_triples) for name, value in (("valid", valid), ("test", test))}
    wanted = sum(counts.values())
    rng = np.random.default_rng([seed, _STREAM])
    groups = _pairs(graph) if pairs_together else np.arange(num_triples)
    # Groups come in random order, and each triple has the place of its group.
    place = rng.permutation(int(groups.max()) + 1 if num_triples else 0)[groups]
    order = np.argsort(place, kind="stable")
    needed = _first_to_cover(graph, order)
    free = np.ones(len(place), np.bool_)
    free[place[needed]] = False  # of places: a group with a triple that is needed stays whole
    hidden = order[free[place[order]]]
    if len(hidden) < wanted:
        hint = f"The other {num_triples - len(hidden):,} are needed to train on every entity and relation. Lower valid and test."
        raise GraphError(describe("split_triples", expected=f"{wanted:,} triples to hide", got=len(hidden), hint=hint))
    part = np.zeros(num_triples, np.int8)
    start = 0
    for number, name in ((2, "test"), (1, "valid")):
        end = _whole_groups(place[hidden], start, start + counts[name])
        part[hidden[start:end]] = number
        start = end
    return TripleSplit(*(graph.select(part == number) for number in range(3)))


def _count(name: str, value: float, num_triples: int) -> int:
    """Return a number of triples of a share or a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating) or not value >= 0:
        raise ConfigError(describe(name, expected="a share below 1, or a number of triples", got=value))
    if value < 1:
        return round(value * num_triples)
    if value != int(value):
        raise ConfigError(describe(name, expected="a share below 1, or a whole number of triples", got=value))
    return int(value)


def _pairs(graph: KnowledgeGraph) -> npt.NDArray[np.int64]:
    """Return for every triple the number of its pair of entities, in whichever direction; int64 [E]."""
    low = np.minimum(graph.heads, graph.tails).astype(np.int64)
    keys = low * graph.num_entities + np.maximum(graph.heads, graph.tails)
    return np.unique(keys, return_inverse=True)[1].reshape(-1)


def _first_to_cover(graph: KnowledgeGraph, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the triples that, in an order, are the first with an entity or a relation."""
    ends = np.stack([graph.heads[order], graph.tails[order]], axis=1).ravel()
    entities = np.unique(ends, return_index=True)[1] // 2
    relations = np.unique(graph.relations[order], return_index=True)[1]
    return order[np.unique(np.concatenate([entities, relations]))]


def _whole_groups(places: npt.NDArray[np.int64], start: int, end: int) -> int:
    """Return the nearest end at or below `end` that cuts no group apart."""
    if end >= len(places):
        return len(places)
    while end > start and places[end] == places[end - 1]:
        end -= 1
    return end

"""Leaks: triples to judge by that triples to train on give away, by the same relation or by another one between the same two entities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, describe

if TYPE_CHECKING:
    from nodeloom.graph import KnowledgeGraph
    from nodeloom.typing import NodeName


@dataclass(frozen=True)
class RelationPair:
    """Two relations between the same pairs of entities.

    Attributes
    ----------
    relation, other : str or int
        Their names; the same name for a symmetric relation.
    inverse : bool
        Whether they link the pairs in opposite directions: else they are duplicates of each other.
    share, other_share : float
        Share of the pairs of `relation` that `other` links, too, and the reverse.
    """

    relation: NodeName
    other: NodeName
    inverse: bool
    share: float
    other_share: float


@dataclass(frozen=True)
class TripleLeaks:
    """What :func:`triple_leaks` finds.

    Attributes
    ----------
    pairs : list of RelationPair
        Relations that are inverses (or symmetric) or duplicates of each other in the triples to train on, those that tell
        most first.
    num_triples : int
        Triples to judge by.
    num_same : int
        Of these, triples that are trained on.
    num_told : int
        Of these, triples that a pair of relations gives away: the other relation links the same entities in training.
    num_linked : int
        Of these, triples whose two entities are linked in training at all, in either direction.
    num_unseen : int
        Of these, triples with an entity or relation that has no triple to train on.
    """

    pairs: list[RelationPair] = field(repr=False)
    num_triples: int
    num_same: int
    num_told: int
    num_linked: int
    num_unseen: int

    def __str__(self) -> str:
        """Tell it in a few lines."""
        total = max(1, self.num_triples)
        lines = [
            f"{self.num_triples:,} triples to judge by: {self.num_same:,} are trained on, {self.num_told:,} "
            f"({self.num_told / total:.1%}) are given away by inverse or duplicate relations, {self.num_linked:,} "
            f"({self.num_linked / total:.1%}) are between entities that training links, {self.num_unseen:,} have an "
            "entity or relation that is not trained on."
        ]
        for pair in self.pairs[:10]:
            kind = (
                "is symmetric"
                if pair.relation == pair.other
                else f"is {'the inverse' if pair.inverse else 'a duplicate'} of"
            )
            other = "" if pair.relation == pair.other else f" {pair.other!r}"
            lines.append(
                f"{pair.relation!r} {kind}{other} ({pair.share:.0%} and {pair.other_share:.0%} of their pairs)"
            )
        if len(self.pairs) > 10:
            lines.append(f"and {len(self.pairs) - 10} more pairs of relations")
        return "\n".join(lines)


def triple_leaks(train: KnowledgeGraph, *judged: KnowledgeGraph, threshold: float = 0.8) -> TripleLeaks:
    """Tell how many triples to judge by are given away by those to train on, and by which relations.

    WN18 and FB15k are such data: most of their test triples are told by an inverse relation, and a rule that looks it up beats
    every model (Toutanova and Chen, CVSC 2015). To leave no such triple, split with ``split_triples(graph, pairs_together=True)``,
    or leave one relation of each pair out.

    Parameters
    ----------
    train : KnowledgeGraph
        The triples to train on.
    *judged : KnowledgeGraph
        Triples to judge by, with the ids of `train`, as of ``from_file(..., like=train)``.
    threshold : float
        Two relations are inverses or duplicates where they share this part of the pairs of both.

    Returns
    -------
    TripleLeaks

    Raises
    ------
    ConfigError
        The threshold is no share.
    DataError
        A graph to judge by has other ids than `train`.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(describe("threshold", expected="a share above 0 and at most 1", got=threshold))
    for graph in judged:
        _check_ids(train, graph)
    num_entities = max([train.num_entities, *(graph.num_entities for graph in judged)])
    num_relations = max([train.num_relations, *(graph.num_relations for graph in judged)])
    triples = np.concatenate([graph.triples for graph in judged]) if judged else np.empty((0, 3), np.int32)
    heads, relations, tails = (triples[:, i].astype(np.int64) for i in range(3))
    forward, backward = heads * num_entities + tails, tails * num_entities + heads
    trained = train.heads.astype(np.int64) * num_entities + train.tails
    seen_entity = np.zeros(num_entities, np.bool_)
    seen_entity[train.heads] = seen_entity[train.tails] = True
    seen_relation = np.zeros(num_relations, np.bool_)
    seen_relation[train.relations] = True
    table = _by_relation(trained, train.relations, num_relations)
    told = np.zeros(len(triples), np.bool_)
    pairs = _redundant(train, threshold)
    for relation, other, inverse, _, _ in pairs:
        rows = np.flatnonzero(relations == relation)
        told[rows] |= np.isin((backward if inverse else forward)[rows], table[other])
    same = np.zeros(len(triples), np.bool_)
    for relation in np.unique(relations).tolist():
        rows = np.flatnonzero(relations == relation)
        same[rows] = np.isin(forward[rows], table[relation])
    names = train.relation_names
    once = [pair for pair in pairs if pair[0] <= pair[1]]
    return TripleLeaks(
        [RelationPair(names[r], names[s], inverse, share, other) for r, s, inverse, share, other in once],
        len(triples),
        int(same.sum()),
        int(told.sum()),
        int((np.isin(forward, trained) | np.isin(backward, trained)).sum()),
        int((~(seen_entity[heads] & seen_entity[tails] & seen_relation[relations])).sum()),
    )


def _check_ids(train: KnowledgeGraph, graph: KnowledgeGraph) -> None:
    names = [
        (train.entity_names, graph.entity_names, "entity"),
        (train.relation_names, graph.relation_names, "relation"),
    ]
    for ours, theirs, kind in names:
        if ours is theirs or (ours.is_range and theirs.is_range):
            continue
        if len(theirs) < len(ours) or ours.to_arrow().to_pylist() != theirs[: len(ours)]:
            hint = "Read them with like=train."
            raise DataError(describe("triple_leaks", expected=f"the {kind} ids of train", got=repr(graph), hint=hint))


def _by_relation(keys: npt.NDArray[np.int64], relations: Any, num_relations: int) -> list[npt.NDArray[np.int64]]:
    order = np.argsort(relations, kind="stable")
    ends = np.cumsum(np.bincount(relations, minlength=num_relations))
    return np.split(keys[order], ends[:-1])


def _redundant(train: KnowledgeGraph, threshold: float) -> list[tuple[int, int, bool, float, float]]:
    """Return pairs of relations (both ways round) that link the same pairs of entities, with the shares; most triples first."""
    import scipy.sparse

    n = train.num_entities
    heads, tails = train.heads.astype(np.int64), train.tails.astype(np.int64)
    keys, place = np.unique(np.concatenate([heads * n + tails, tails * n + heads]), return_inverse=True)
    place = place.reshape(-1)
    shape = (len(keys), train.num_relations)
    ones = np.ones(train.num_triples, np.float64)
    forward, backward = (
        scipy.sparse.csr_array((ones, (rows, train.relations)), shape=shape) for rows in np.split(place, 2)
    )
    for matrix in (forward, backward):
        matrix.data[:] = 1  # a triple that is there twice is one pair
    sizes = np.asarray(forward.sum(axis=0)).reshape(-1)
    found = []
    for matrix, inverse in ((forward.T @ forward, False), (forward.T @ backward, True)):
        both = matrix.tocoo()
        for r, s, count in zip(both.row.tolist(), both.col.tolist(), both.data.tolist(), strict=True):
            share, other = count / sizes[r], count / sizes[s]
            if (r != s or inverse) and share >= threshold and other >= threshold:
                found.append((count, (r, s, inverse, float(share), float(other))))
    return [pair for _, pair in sorted(found, key=lambda item: (-item[0], item[1]))]

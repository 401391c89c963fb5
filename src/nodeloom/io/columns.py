"""Edge columns: what every reader of edges hands to the graph, and which columns of a table they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeloom.errors import DataError
from nodeloom.io.weights import check_weighted
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import Auto, FloatArray, IndexArray


@dataclass(slots=True)
class EdgeColumns:
    """Edges as columns of node ids, with the names of the nodes.

    Attributes
    ----------
    heads, tails : int32 or int64 [E]
        Node ids in ``[0, len(names))``.
    weights : float32 [E] or None
        Weights; None where the input has none.
    names : Vocabulary
        The names of the nodes.
    """

    heads: IndexArray
    tails: IndexArray
    weights: FloatArray | None
    names: Vocabulary


# Names of columns of heads and tails, without the words that both have.
PAIRS = (
    ("head", "tail"),
    ("source", "target"),
    ("src", "dst"),
    ("from", "to"),
    ("u", "v"),
    ("s", "t"),
    ("source", "destination"),
    ("source", "dest"),
    ("src", "dest"),
    ("src", "tgt"),
    ("src", "target"),
    ("source", "dst"),
    ("source", "sink"),
    ("start", "end"),
    ("subject", "object"),
    ("subj", "obj"),
    ("sender", "receiver"),
    ("sender", "recipient"),
    ("follower", "followee"),
    ("parent", "child"),
    ("citing", "cited"),
)
# Two of one kind: node1 and node2, id_a and id_b.
_NUMBERED = (("1", "2"), ("0", "1"), ("a", "b"), ("i", "j"), ("x", "y"), ("left", "right"), ("first", "second"))
_OF_BOTH = re.compile(
    "nodes?|vertex|vertices|entity|names?|labels?|index|idx|ids?|key|user|person|author|gene|protein|item"
)
# Of relations, beside a pair. "type" is what Neo4j calls them.
RELATIONS = {
    "relation", "relations", "rel", "relationship", "relationname", "relationid", "predicate", "pred", "property", "edge", "edgetype",
    "type", "label", "verb", "r", "p",
}  # fmt: skip
WEIGHTS = {"weight", "weights", "w", "wt", "wgt", "edgeweight"}


def word(name: str) -> str:
    """Return what the name of a column says, whatever its case and signs: ``from`` for 'FromNodeId'."""
    return re.sub("[^a-z0-9]", "", name.lower())


def stem_of(name: str) -> str:
    """Return the word in the name of a column that is said of heads and tails alike: ``node`` for 'node_1', or ""."""
    found = _OF_BOTH.search(word(name))
    return found[0] if found else ""


def find_pair(available: Sequence[str]) -> tuple[int, int] | None:
    """Return the positions of the columns whose names say that they are heads and tails, or None.

    >>> find_pair(["id", "Target", "Source"]), find_pair(["node_1", "node_2"]), find_pair(["a", "b"])
    ((2, 1), (0, 1), None)
    """
    words = [word(name) for name in available]
    short = [_OF_BOTH.sub("", w) for w in words]
    numbered = [s if s != w else "" for s, w in zip(short, words, strict=True)]
    for found, pairs in ((words, PAIRS), (short, PAIRS), (numbered, _NUMBERED)):
        for head, tail in pairs:
            if head in found and tail in found:
                return found.index(head), found.index(tail)
    return None


def choose_columns(
    available: Sequence[str], columns: Sequence[str | int] | None, weighted: bool | Auto, where: str, num_name: int = 2
) -> list[int]:
    """Return the positions, from 0, of the columns of heads, tails and, if there are, weights; of triples with relations between.

    Parameters
    ----------
    available : sequence of str
        The columns of the table. Blanks at the ends of their names do not count.
    columns : sequence of two or three str or int, or None
        What the user asked for: names, or positions from 1. None takes head and tail, source and target, and other such
        pairs (whatever their case), or the only two columns beside weights; and "weight" where there is such a column.
    weighted : bool or "auto"
        Whether a column of weights must, must not, or may be used.
    where : str
        What the table is, for the message.
    num_name : int
        2 for edges, 3 for triples: `columns` has one more then, and "relation" or the like is looked for.

    Raises
    ------
    DataError
        A column is not there, or it is not clear which columns are meant.
    """
    check_weighted(weighted)
    names = [str(name).strip(" \t") for name in available]
    if columns is not None:
        absent = [c for c in columns if position_of(c, names) is None]
        if absent:
            raise DataError(
                f"{where}: expected the column{'s' if len(absent) > 1 else ''} {', '.join(map(repr, absent))}, "
                f"got a table with {_listed(names)}"
            )
        chosen = [position_of(c, names) or 0 for c in columns]
    else:
        weight = next((i for i, name in enumerate(names) if word(name) in WEIGHTS), None)
        pair = find_pair(names)
        others = [i for i in range(len(names)) if i != weight]
        relation = _find_relation(names, pair, others) if num_name == 3 else None
        if pair is not None and (num_name == 2 or relation is not None):
            chosen = [pair[0], *([] if relation is None else [relation]), pair[1]]
        elif pair is None and len(others) == num_name:
            chosen = others
        else:
            wanted = (
                "'head' and 'tail' (or 'source' and 'target')" if num_name == 2 else "'head', 'relation' and 'tail'"
            )
            example = names[:num_name] + ["..."] * (num_name - len(names))
            raise DataError(
                f"{where}: expected columns {wanted}, got {_listed(names)}. Say which: give "
                f"{setting('graph.columns', example)}, or others; a {'third' if num_name == 2 else 'fourth'} holds weights."
            )
        if weight is not None and weight not in chosen:
            chosen.append(weight)
    twice = next((names[i] for i in chosen if names.count(names[i]) > 1), None)
    if twice is not None and not all(isinstance(c, int) for c in columns or [""]):
        raise DataError(f"{where}: expected each column once, got {twice!r} twice. Rename one of them.")
    if weighted is False:
        return chosen[:num_name]
    if weighted is True and len(chosen) == num_name:
        place = "third" if num_name == 2 else "fourth"
        raise DataError(
            f"{where}: expected a column of weights, got {_listed(names)}. Name it as the {place} of {setting('graph.columns')}."
        )
    return chosen


def _find_relation(names: Sequence[str], pair: tuple[int, int] | None, others: Sequence[int]) -> int | None:
    """Return the position of the column of relations beside a pair: by its name, or because there is no other."""
    left = [i for i in others if pair is not None and i not in pair]
    named = next((i for i in left if word(names[i]) in RELATIONS), None)
    return left[0] if named is None and len(left) == 1 else named


def position_of(column: str | int, names: Sequence[str]) -> int | None:
    """Return the position, from 0, of a column by its name, or else by its position from 1; None if there is none."""
    if str(column) in names:
        return list(names).index(str(column))
    text = str(column)
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= len(names):
        return int(text) - 1
    return None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
    return f"the columns {shown}" if names else "no columns"

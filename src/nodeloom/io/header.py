"""Header: whether the first line of a text file names the columns, told by the lines below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nodeloom.io.cells import is_integer, is_number
from nodeloom.io.columns import RELATIONS, find_pair, stem_of, word

if TYPE_CHECKING:
    from collections.abc import Sequence

Header = Literal["certain", "doubtful", ""]

# Words that name columns, and that people hardly use as names of nodes side by side.
WORDS = {
    "id", "name", "node", "nodeid", "user", "userid", "username", "item", "itemid", "person", "author", "paper", "gene",
    "protein", "movie", "movieid", "friend", "label", "type", "weight", "value", "score", "rating", "time", "timestamp",
    "date", "year", "count", "source", "target", "from", "to", "head", "tail", "relation", "predicate", "subject", "object",
    "start", "end", "src", "dst", "dest", "destination", "origin", "follower", "followee", "following", "parent", "child",
    "customer", "product", "country", "city", "station", "airport", "page", "link", "url", "key", "code",
}  # fmt: skip
# Words that hardly are names of nodes.
_CLEAR = {"source", "target", "src", "dst", "dest", "destination", "from", "to", "head", "tail", "u", "v"}
_FEW = 2
_MANY = 10


def header_of(rows: Sequence[Sequence[str]], positions: Sequence[int] | None = None, num_name: int = 2) -> Header:
    """Tell whether the first of these rows is a header.

    It is for certain, if none of its names comes again below, and

    - it has the words source and target, from and to or the like (of triples with relation, predicate or the like), or
    - a column behind the names has numbers in all rows below, but not in the first, or
    - both names of all rows below (two at least) are integers, but none of the first; of ten rows one column suffices.

    It is doubtful, if it has other words that name columns, if only one column is of integers, if all names below have digits and
    the first two have none, or if the first row is 0, 1, 2, ...

    Parameters
    ----------
    rows : sequence of rows
        The first rows.
    positions : sequence of int, optional
        Which columns are the names and weights, from 0.
    num_name : int
        2 for heads and tails; 3 with relations between them.

    Returns
    -------
    {"certain", "doubtful", ""}
    """
    first = rows[0]
    # The header of a file that was put behind another is a header, too.
    rest = [row for row in rows[1:] if len(row) > 1 and row != first]
    ends = list(positions[:num_name]) if positions is not None else list(range(num_name))
    if len(first) < num_name or max(ends) >= len(first) or not all(first[i] for i in ends):
        return "certain" if find_pair(first) else ""
    names = [first[i] for i in ends]
    if len(first) > 2 and list(first) in ([str(i) for i in range(len(first))], [str(i + 1) for i in range(len(first))]):
        return "doubtful" if rest and any(list(map(is_integer, row)) != [True] * len(row) for row in rest) else ""
    integers = [bool(rest) and all(is_integer(row[i]) for row in rest if i < len(row)) for i in ends]
    if any(is_number(name) for name in names):
        return "doubtful" if all(integers) and len(rest) >= _FEW and not all(map(is_number, names)) else ""
    pair = find_pair(first)
    again = {cell for row in rest for cell in row}
    if any(name in again for name in (names if pair is None else [first[i] for i in pair])):
        return ""
    below = [[row[i] if i < len(row) else "" for row in rest] for i in range(len(first))]
    if rest and any(
        first[c] and not is_number(first[c]) and all(map(is_number, below[c]))
        for c in range(len(first))
        if c not in ends
    ):
        return "certain"
    if pair is not None and num_name == 3 and {word(name) for name in first} & RELATIONS:
        return "certain"
    if pair is not None:
        return "certain" if all(integers) else _of_pair(first, pair, [cell for i in ends for cell in below[i]])
    if all(integers) and len(rest) >= _FEW:
        return "certain"
    if any(integers):
        return "certain" if len(rest) >= _MANY else "doubtful"
    letters = {word(name) for name in names}
    if letters & WORDS or letters in ({"x", "y"}, {"i", "j"}, {"h", "t"}):
        return "doubtful"
    digits = len(rest) >= _MANY and all(any(map(str.isdigit, cell)) for i in ends for cell in below[i])
    return "doubtful" if digits and not any(any(map(str.isdigit, name)) for name in names) else ""


def _of_pair(first: Sequence[str], pair: tuple[int, int], below: Sequence[str]) -> Header:
    """Tell it of a row with a pair of words, where the names below are text."""
    names = [first[i] for i in pair]
    if all(len(name) == 1 for name in names) and any(len(name) == 1 for name in below):
        return "doubtful"
    if all(word(name) in _CLEAR for name in names):
        return "certain"
    # node1 and node2 name columns, unless nodes are called so: node3.
    stems = [stem_of(name) for name in names]
    if any(stems) and below:
        return "" if any(stem_of(name) in stems for name in below if stem_of(name)) else "certain"
    return "doubtful"

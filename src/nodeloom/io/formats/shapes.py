"""Shapes of text: what the first lines of adjacency lists and of METIS have and a list of edges has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINES = 64  # looked at


def looks_like_multiline(lines: Sequence[bytes], comment: bytes) -> bool:
    """Tell whether these are lines ``node count``, each before as many lines ``neighbor {...}``."""
    waiting, there = 0, False
    for line in lines[:_LINES]:
        if not line.strip() or (comment and line.lstrip().startswith(comment)):
            continue
        tokens = line.split(None, 1)
        if waiting:
            data = tokens[1].strip() if len(tokens) > 1 else b"{}"
            if not (data.startswith(b"{") and data.endswith(b"}")):
                return False
            there = there or len(tokens) > 1
            waiting -= 1
        elif len(tokens) == 2 and tokens[1].strip().isdigit() and len(tokens[1]) < 12:
            waiting = int(tokens[1])
        else:
            return False
    return there


def looks_like_vectors(lines: Sequence[bytes]) -> bool:
    """Tell whether these are vectors of word2vec: a line of sizes that fits the next, or lines of four fractions and more."""
    rows = [line.split() for line in lines[:3]]
    if len(rows) < 2:
        return False
    sizes, row = rows[0], rows[1]
    if len(sizes) == 2 and sizes[0].isdigit() and sizes[1].isdigit() and len(row) > 2:
        return sizes[1] == b"%d" % (len(row) - 1) and all(map(_is_fraction, row[1:3]))
    return len(sizes) == len(row) > 4 and all(map(_is_fraction, sizes[1:] + row[1:]))


def _is_fraction(token: bytes) -> bool:
    try:
        return b"." in token and float(token) == float(token)
    except ValueError:
        return False


def looks_like_metis(lines: Sequence[bytes], suffix: str, *, is_whole: bool) -> bool:
    """Tell whether a line ``N E [format]`` may stand before lines of neighbors; the reader checks all counts.

    Parameters
    ----------
    lines : sequence of bytes
        The first lines; empty ones are nodes without edges.
    suffix : str
        ``.graph`` is a hint.
    is_whole : bool
        Whether there are no further lines.
    """
    kept = [line for line in lines if not line.lstrip().startswith(b"%")]
    head = kept[0].split() if kept else []
    if not 2 <= len(head) <= 4 or not all(part.isdigit() and len(part) < 19 for part in head):
        return False
    num_nodes, num_edges = int(head[0]), int(head[1])
    # More edges than pairs of nodes are no header.
    if (
        not num_nodes
        or num_edges > num_nodes * (num_nodes + 1) // 2
        or (len(head) > 2 and (set(head[2]) - set(b"01") or len(head[2]) > 3))
    ):
        return False
    if suffix == ".graph":
        return True
    rows = kept[1:]
    if is_whole and rows and not rows[-1]:  # what follows the last line end
        rows.pop()
    if len(rows) != num_nodes if is_whole else len(rows) > num_nodes:
        return False
    flags = head[2].zfill(3) if len(head) > 2 else b"000"
    per_node = int(flags[:1]) + int(flags[1:2]) * (int(head[3]) if len(head) > 3 else 1)
    width = 1 + int(flags[2:3])
    counts = [len(row.split()) - per_node for row in rows]
    if not counts or min(counts) < 0 or any(count % width for count in counts):
        return False
    if flags == b"000":  # no weights: all are numbers of nodes
        plain = all(_is_node(part, num_nodes) for row in rows for part in row.split())
    else:
        plain = all(part.isdigit() for row in rows for part in row.split())
    if is_whole:
        return plain and sum(counts) == 2 * num_edges * width
    # Lines of one length may well be edges: then the numbers of the header must fit them exactly.
    return plain and (len(set(counts)) > 1 or counts[0] * num_nodes == 2 * num_edges * width)


def _is_node(part: bytes, num_nodes: int) -> bool:
    return part.isdigit() and len(part) < 19 and 1 <= int(part) <= num_nodes


def looks_like_adjacency(lines: Sequence[bytes]) -> bool:
    """Tell whether lines are those that NetworkX writes before an adjacency list: a program, a date, a name."""
    return len(lines) > 3 and lines[0].startswith(b"#/") and lines[1].startswith(b"# GMT ")

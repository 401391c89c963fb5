"""METIS: a line ``N E [weights]``, then for each node from 1 to N a line of its neighbours, by NumPy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.formats.elements import Elements, hand_over
from nodeloom.io.formats.text import whole
from nodeloom.io.weights import check_weights
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.io.source import Source

Integers = npt.NDArray[np.int64]
_HINT = f"If the file is a list of edges, give {setting('graph.format', 'edges')}."


def read_metis(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a graph in the format of METIS to a collector; nodes are named 1 to N.

    Raises
    ------
    DataError
        Counts differ from those that the first line tells, or an edge is at one of its ends only.
    """
    import pyarrow as pa

    where = source.name
    num_nodes, num_edges, flags, num_weights, lines, values, line_of = _parse(source)
    per_node = (flags[0] == "1") + (num_weights if flags[1] == "1" else 0)
    width = 2 if flags[2] == "1" else 1
    counts = np.bincount(line_of, minlength=num_nodes)
    starts = np.cumsum(counts) - counts
    short = (counts < per_node) | ((counts - per_node) % width != 0)
    if short.any():
        node = int(np.flatnonzero(short)[0])
        expected = "neighbors and weights in pairs" if width == 2 else f"{per_node} weights of the node"
        raise DataError(
            describe(f"{where}:{lines[node]}", expected=expected, got=f"{counts[node]} numbers", hint=_HINT)
        )
    kept = np.arange(len(values)) - starts[line_of] >= per_node
    ends = values[kept]
    heads = line_of[kept][::width]
    tails, weights = ends[::width] - 1, ends[1::2] if width == 2 else None
    if len(tails) != 2 * num_edges:
        raise DataError(
            f"{where}: expected {2 * num_edges:,} neighbors for the {num_edges:,} edges that the first line tells, got "
            f"{len(tails):,}. {_HINT}"
        )
    wrong = (tails < 0) | (tails >= num_nodes)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise DataError(
            describe(
                f"{where}:{lines[heads[i]]}", expected=f"nodes from 1 to {num_nodes}", got=int(tails[i]) + 1, hint=_HINT
            )
        )
    _check_both_ways(where, heads, tails, weights, num_nodes)
    checked = None if weights is None or form.weighted is False else check_weights(weights, len(tails), where=where)
    names = pa.array(np.arange(1, num_nodes + 1))
    hand_over(Elements(names, heads, tails, checked, "both"), source, collector, form)


def _parse(source: Source) -> tuple[int, int, str, int, Integers, Integers, Integers]:
    """Return what the first line tells, the numbers of the lines of nodes, all numbers, and the node of each of these."""
    where = source.name
    content = whole(source).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    kept = [(i, line) for i, line in enumerate(content.split(b"\n"), 1) if not line.lstrip().startswith(b"%")]
    while kept and not kept[0][1].strip():  # blank lines before the first
        kept.pop(0)
    head = kept[0][1].split() if kept else []
    if not 2 <= len(head) <= 4 or not all(part.isdigit() and len(part) < 19 for part in head):
        got = kept[0][1][:60].decode("utf-8", "replace") if kept else "an empty file"
        raise DataError(describe(where, expected="'N E [format]' of METIS as its first line", got=got, hint=_HINT))
    num_nodes, num_edges = int(head[0]), int(head[1])
    flags = head[2].decode().zfill(3) if len(head) > 2 else "000"
    if len(flags) > 3 or set(flags) - {"0", "1"}:
        raise DataError(
            describe(where, expected="a format such as 001 or 011 in its first line", got=flags, hint=_HINT)
        )
    lines = kept[1:]
    while len(lines) > num_nodes and not lines[-1][1].strip():
        lines.pop()
    if len(lines) != num_nodes:
        lines = lines[: len(lines) - (not lines[-1][1].strip())] if lines else lines
        raise DataError(
            f"{where}: expected {num_nodes:,} lines of neighbors, as the first line tells, got {len(lines):,}. {_HINT}"
        )
    counts = np.fromiter((len(line.split()) for _, line in lines), np.int64, len(lines))
    body = b"\n".join(line for _, line in lines)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            values = np.fromstring(body, np.int64, sep=" ") if counts.any() else np.empty(0, np.int64)
        except (DeprecationWarning, ValueError):
            values = np.empty(0, np.int64)
    if len(values) != counts.sum():
        raise DataError(f"{where}: expected whole numbers alone, got something else. {_HINT}")
    numbers = np.fromiter((i for i, _ in lines), np.int64, len(lines))
    num_weights = int(head[3]) if len(head) > 3 else 1
    return num_nodes, num_edges, flags, num_weights, numbers, values, np.repeat(np.arange(num_nodes), counts)


def _check_both_ways(where: str, heads: Integers, tails: Integers, weights: Integers | None, num_nodes: int) -> None:
    there, back = np.lexsort((tails, heads)), np.lexsort((heads, tails))
    same = (heads[there] == tails[back]) & (tails[there] == heads[back])
    if weights is not None:
        same &= weights[there] == weights[back]
    if not same.all():
        i = there[int(np.flatnonzero(~same)[0])]
        raise DataError(
            f"{where}: expected every edge in the lines of both of its ends, with one weight, got the edge from "
            f"{int(heads[i]) + 1} to {int(tails[i]) + 1} in one of them only. {_HINT}"
        )

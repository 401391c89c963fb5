"""Elements: nodes and edges of a file as it says them, and the way of these to a collector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.matrices import once_if_symmetric
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.io.source import Source

Ways = Literal["once", "both", "perhaps both", "directed"]
"""How a file holds its edges: undirected and once, undirected and both ways round, entries of a matrix, or as arcs."""


@dataclass
class Elements:
    """What a file of a graph holds.

    Attributes
    ----------
    names : pyarrow.Array
        Names of all nodes, in the order of the file; those without edges, too. int64 or string.
    heads, tails : int64 or int32 [E]
        Positions in `names`.
    weights : float32 [E] or None
        Weights, checked.
    ways : str
        See :data:`Ways`.
    """

    names: pa.Array
    heads: npt.NDArray[Any]
    tails: npt.NDArray[Any]
    weights: npt.NDArray[np.float32] | None
    ways: Ways


def hand_over(elements: Elements, source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand nodes and edges to a collector, with the directions that were asked for.

    Raises
    ------
    DataError
        There are no edges, or weights were asked for and there are none.
    """
    import pyarrow as pa

    heads, tails, weights = elements.heads, elements.tails, elements.weights
    if not len(heads):
        raise DataError(f"{source.name}: expected edges, got {len(elements.names):,} nodes without any.")
    if weights is None and form.weighted is True:
        hint = f"Give {setting('graph.weighted', False)}, or the name of their attribute as the third of {setting('graph.columns')}."
        raise DataError(f"{source.name}: expected edges with weights, got edges without. {hint}")
    if form.directed:
        if elements.ways == "once":  # an arc each way
            there = heads != tails
            heads, tails = np.append(heads, tails[there]), np.append(tails, heads[there])
            weights = None if weights is None else np.append(weights, weights[there])
    elif elements.ways == "both":
        once = heads <= tails
        heads, tails, weights = heads[once], tails[once], None if weights is None else weights[once]
    elif elements.ways == "perhaps both":
        heads, tails, weights = once_if_symmetric(heads, tails, weights, len(elements.names))
    elif elements.ways == "directed":
        tell_of_direction(source)
    collector.add_nodes(elements.names)
    collector.add_arrow(elements.names.take(pa.array(heads)), elements.names.take(pa.array(tails)), weights=weights)


def tell_of_direction(source: Source) -> None:
    """Say in one line that edges which the file says are directed will be followed both ways."""
    logger.warning(
        "%s says that its edges are directed; they are followed both ways. To follow them from head to tail only, give %s.",
        source.name,
        setting("graph.as_undirected", False),
    )


def node_names(texts: Sequence[str], where: str) -> pa.Array:
    """Return the names of nodes as int64 where all are written as integers are, else as text.

    Raises
    ------
    DataError
        A name is there twice, or is no text that can be written.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from nodeloom.io.tables import as_integers

    try:
        array = pa.array(texts, pa.string())
    except (UnicodeEncodeError, pa.ArrowException) as error:
        raise DataError(f"{where}: expected names in text, got: {error}") from None
    if pc.count_distinct(array).as_py() != len(array):
        seen: set[str] = set()
        twice = next(text for text in texts if text in seen or seen.add(text))  # type: ignore[func-returns-value]
        raise DataError(describe(where, expected="each node once", got=f"{twice} twice"))
    integers = as_integers(array)
    return array if integers is None else integers

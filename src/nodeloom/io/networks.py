"""Graphs of NetworkX as edges: the nodes, the positions of heads and tails among them, and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.weights import check_weights

if TYPE_CHECKING:
    import networkx

    from nodeloom.typing import Auto, FloatArray, IndexArray

_INT32 = 2**31 - 1


def network_edges(
    graph: networkx.Graph, weight: str | Auto | None, where: str
) -> tuple[list[Any], IndexArray, IndexArray, FloatArray | None]:
    """Return the nodes and the edges of a NetworkX graph; of an undirected one each edge once.

    Parameters
    ----------
    graph : networkx.Graph
        A graph of any of the four classes; parallel edges are all returned.
    weight : str, "auto" or None
        The attribute of edges that holds weights; "auto" is "weight" if any edge has it. An edge without it weighs 1,
        as everywhere in NetworkX.
    where : str
        What the graph is, for messages.

    Returns
    -------
    nodes : list
        In the order of the graph.
    heads, tails : int32 (int64 above 2^31 - 1 nodes) [E]
        Positions in `nodes`.
    weights : float32 [E] or None

    Raises
    ------
    DataError
        No edge has the attribute, or a value is no positive, finite number.
    """
    nodes = list(graph.nodes)
    number = {node: i for i, node in enumerate(nodes)}
    num_edges = graph.number_of_edges()
    dtype = np.int32 if len(nodes) <= _INT32 else np.int64
    heads, tails = np.empty(num_edges, dtype), np.empty(num_edges, dtype)
    for e, (head, tail) in enumerate(graph.edges()):
        heads[e], tails[e] = number[head], number[tail]
    if weight == "auto":
        weight = "weight" if any("weight" in data for *_, data in graph.edges(data=True)) else None
    if weight is None:
        return nodes, heads, tails, None
    if num_edges and not any(weight in data for *_, data in graph.edges(data=True)):
        there = sorted({str(key) for *_, data in graph.edges(data=True) for key in data})
        raise DataError(f"{where}: expected an edge attribute {weight!r}, got {there}")
    values = [value for *_, value in graph.edges(data=weight, default=1)]
    return nodes, heads, tails, attribute_weights(values, weight, num_edges, where)


def attribute_weights(values: list[Any], attribute: str, num_edges: int, where: str) -> FloatArray:
    """Return the values of an edge attribute as weights, float32 [E]; text that is a number counts as one.

    Raises
    ------
    DataError
        A value is no positive, finite number.
    """
    result: npt.NDArray[np.float64] = np.empty(len(values))
    for row, value in enumerate(values):
        try:
            result[row] = float(value)
        except OverflowError:
            result[row] = np.inf
        except (ValueError, TypeError):
            raise DataError(describe(f"{where}: edge attribute {attribute!r}", expected="numbers", got=value)) from None
    return check_weights(result, num_edges, where=f"{where}: edge attribute {attribute!r}")

"""The library: NetworkX as a reader of files, what it takes, how it fails, and its graph as elements."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nodeloom.errors import DataError, MemoryLimitError, NodeloomError, describe
from nodeloom.io.columns import WEIGHTS, word
from nodeloom.io.formats.elements import Elements, Ways, hand_over, node_names
from nodeloom.io.networks import network_edges
from nodeloom.io.source import BLOCK, Source, read_text
from nodeloom.log import logger
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import networkx

    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat

# Bytes of memory for each byte of a file: the most that was measured (growth of the process, files of 10 to 50 MB) on short
# forms of each format. GraphML: 28 to 38 with edges, 53 with nodes alone; GEXF 31 to 34, 65; GML 27 to 30, 44. Pajek: 55 to 99
# with pairs, 133 with weights and directions. Adjacency lists: 45 to 91. Of an edge they are 0.5 to 1.6 kB.
_PER_BYTE = {"GraphML": 56, "GEXF": 72, "GML": 46, "Pajek": 145, "adjacency lists": 100}
_LARGE = 1 << 30  # of memory, which is told
_LONGEST = 1 << 16  # characters of a line that is cut letter by letter


@contextmanager
def networkx_reading(where: str, what: str) -> Iterator[Any]:
    """Lend NetworkX to read a file; whatever it raises becomes one error, and what it warns of a line of the log.

    Parameters
    ----------
    where : str
        The file, for messages.
    what : str
        Its format.

    Raises
    ------
    DataError
        NetworkX is not installed, or cannot read the file.
    """
    try:
        import networkx
    except ImportError:
        raise DataError(
            f"{where}: expected NetworkX, which reads {what}, got none installed. Install it: pip install networkx"
        ) from None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield networkx
    except NodeloomError:
        raise
    except Exception as error:  # noqa: BLE001  readers raise what comes: KeyError, StopIteration, RecursionError, ...
        text = " ".join(str(error).split()) or "no reason"
        if not isinstance(error, ValueError | networkx.NetworkXException):
            text = f"{type(error).__name__}: {text}"
        hint = "Save it again in the program that wrote it, or give its edges as a list."
        raise DataError(describe(where, expected=f"{what} that NetworkX can read", got=text[:200], hint=hint)) from None
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        logger.warning("%s: NetworkX says: %s", where, message)


def content_of(source: Source, collector: EdgeCollector, what: str) -> bytes:
    """Return all bytes of a source, decompressed, if a graph of NetworkX made of them fits the memory.

    Raises
    ------
    MemoryLimitError
        It does not.
    DataError
        The source cannot be read.
    """
    room, per_byte = collector.room, _PER_BYTE[what]
    most = None if room is None else room // per_byte
    blocks: list[bytes] = []
    num_byte = 0
    known = _size(source)
    while most is None or max(num_byte, known) <= most:
        block = source.read(BLOCK)
        if not block:
            need = num_byte * per_byte
            if need > _LARGE:
                logger.warning(
                    "%s: NetworkX takes about %s of memory for %s of %s. A list of edges, or Parquet, takes a small part of it.",
                    source.name,
                    size(need),
                    size(num_byte),
                    what,
                )
            return b"".join(blocks)
        blocks.append(block)
        num_byte += len(block)
    more = "" if known else "more than "
    raise MemoryLimitError(
        f"{source.name}: expected a file of at most {size(most)}, since NetworkX, which reads {what}, takes {per_byte} bytes "
        f"for each of its bytes and there are {size(room or 0)} of memory, got {more}{size(max(known, num_byte))}. "
        "Write the graph as a list of edges, which is read in little memory."
    )


def check_room(need: int, what: str, collector: EdgeCollector, where: str) -> None:
    """Refuse what is known, once a file was looked through, to take more memory in NetworkX than there is.

    Raises
    ------
    MemoryLimitError
    """
    room = collector.room
    if room is not None and need > room:
        raise MemoryLimitError(
            f"{where}: expected a network that fits {size(room)} of memory, got {what}, which take {size(need)} in NetworkX. "
            "Write the graph as a list of edges, which is read in little memory."
        )


def _size(source: Source) -> int:
    """Return the bytes of a source where they are known before it is read, else 0."""
    if source.compression:
        return 0
    try:
        return os.fstat(source.stream.fileno()).st_size
    except (OSError, AttributeError):  # not a file
        return 0


def text_of(source: Source, collector: EdgeCollector, what: str, encoding: str) -> str:
    """Return the text of a source with plain line ends, under the conditions of :func:`content_of`.

    Raises
    ------
    DataError
        It is no text in this encoding.
    """
    source.unread(content_of(source, collector, what))
    text = read_text(source, encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def check_lines(lines: Sequence[str], where: str) -> None:
    """Refuse lines that NetworkX would take very long to cut.

    Raises
    ------
    DataError
    """
    if max(map(len, lines), default=0) > _LONGEST:
        raise DataError(
            describe(where, expected=f"lines of at most {_LONGEST:,} characters", got=max(lines, key=len)[:100])
        )


def weight_of(form: EdgeFormat) -> str:
    """Return the attribute of edges that holds weights: the third of the columns that were asked for, or "weight"."""
    return str(form.columns[2]) if form.columns is not None and len(form.columns) == 3 else "weight"


def labels_of(graph: networkx.Graph, where: str) -> list[str] | None:
    """Return the labels of all nodes where every node has one and no two are the same; else None, and say so.

    Raises
    ------
    DataError
        A node has several labels.
    """
    found = [data.get("label") for _, data in graph.nodes(data=True)]
    several = next((label for label in found if isinstance(label, list | dict) and label), None)
    if several is not None:
        raise DataError(describe(where, expected="one label of a node", got=several))
    return unique_labels(
        [None if label is None or isinstance(label, list | dict) else str(label) for label in found], where
    )


def unique_labels(labels: Sequence[str | None], where: str) -> list[str] | None:
    """Return labels if they can be names: all there, all different; None if not, and say so unless there are none."""
    there = [label for label in labels if label]
    if len(there) == len(labels) == len(set(there)):
        return there
    if there:
        logger.warning(
            "%s: nodes are named by their ids, because %s.",
            where,
            "some have no label" if len(there) < len(labels) else "labels are there more than once",
        )
    return None


def hand_over_graph(
    graph: networkx.Graph,
    names: Sequence[str] | None,
    source: Source,
    collector: EdgeCollector,
    form: EdgeFormat,
    *,
    ones_are_none: bool = False,
) -> None:
    """Hand a graph of NetworkX to a collector, as it would be taken in memory.

    Parameters
    ----------
    graph : networkx.Graph
        The graph.
    names : sequence of str or None
        Names of its nodes, in its order; None for the nodes themselves.
    source, collector, form
        The file, who takes the edges, and what was asked for.
    ones_are_none : bool
        Whether weights that are all 1 are what a program writes where there are none.

    Raises
    ------
    DataError
        There are no edges, a weight is wrong, or two nodes have one name.
    """
    where, attribute = source.name, weight_of(form)
    chosen = form.columns is not None and len(form.columns) == 3
    weight = None if form.weighted is False else attribute if chosen else "auto"
    nodes, heads, tails, weights = network_edges(graph, weight, where)
    if weights is not None and ones_are_none and form.weighted == "auto" and (weights == 1).all():
        weights = None
    elif weight == "auto" and weights is None and form.weighted == "auto":
        _tell_of_weights(graph, where)
    ways: Ways = "directed" if graph.is_directed() else "once"
    elements = Elements(node_names(names or [str(node) for node in nodes], where), heads, tails, weights, ways)
    hand_over(elements, source, collector, form)


def _tell_of_weights(graph: networkx.Graph, where: str) -> None:
    """Say in one line that edges without a weight all have an attribute that may be one."""
    first: dict[Any, Any] = next((data for *_, data in graph.edges(data=True)), {})
    known = next((key for key in first if isinstance(key, str) and (key == "value" or word(key) in WEIGHTS)), None)
    if known is not None and all(known in data for *_, data in graph.edges(data=True)):
        logger.warning(
            "%s is read without weights: edges have a %s. If that is their weight, give %s.",
            where,
            known,
            setting("graph.columns", ["source", "target", known]),
        )

"""Lists of edges with habits of their own: KONECT, OGB and Neo4j, which the readers of text and CSV read when told how."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.formats.elements import Elements, Ways, hand_over, tell_of_direction
from nodeloom.io.source import Source, open_source
from nodeloom.io.triples import TripleCollector
from nodeloom.log import logger

if TYPE_CHECKING:
    import pyarrow as pa

    from nodeloom.io.columns import EdgeColumns
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import IndexArray

KONECT = re.compile(rb"%\s*(sym|asym|bip)\s+(\w+)", re.IGNORECASE)
_KONECT_SIZES = re.compile(rb"%\s*(\d{1,18})\s+(\d{1,18})\s+(\d{1,18})\s*$", re.MULTILINE)
_HEAD = 4096
_NODE_LISTS = ("num-node-list.csv.gz", "num-node-list.csv")
_PLACE = re.compile(r"^(?P<name>[^:]*):(?P<kind>START_ID|END_ID|TYPE)(?:\((?P<space>[^)]*)\))?$", re.IGNORECASE)


def read_konect(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a network of KONECT to a collector: ``head tail [weight [time]]``, as its first line says.

    Raises
    ------
    DataError
        A line is not an edge, or a weight is not positive (in signed networks).
    """
    head = source.peek(_HEAD)
    found = KONECT.search(head)
    kind, weights = (found[1].decode().lower(), found[2].decode().lower()) if found else ("asym", "weighted")
    sizes = _KONECT_SIZES.search(head)
    weighted = form.weighted
    if weighted == "auto":
        # Nothing but ones stands in the third column of an unweighted network, before a time.
        weighted = weights != "unweighted" and _num_columns(head) > 2
    text = dataclasses.replace(form, comment="%", weighted=weighted)
    before = collector.num_edges
    if kind == "bip" or (kind == "sym" and form.directed):
        columns = _text_columns(source, text, collector.num_thread)
        if kind == "bip":
            _hand_over_sides(columns, int(sizes[2]) if sizes else 0, source, collector, form)
        else:
            _hand_over(columns, "once", source, collector, form)
    else:
        _read_text(source, text, collector)
        if kind == "asym" and not form.directed:
            tell_of_direction(source)
    if sizes and collector.num_edges - before < int(sizes[1]):
        logger.warning(
            "%s says that it has %s edges, and has %d. Is it cut?",
            source.name,
            sizes[1].decode(),
            collector.num_edges - before,
        )


def _num_columns(head: bytes) -> int:
    lines = [line for line in head.split(b"\n") if line.strip() and not line.lstrip().startswith(b"%")]
    return len(lines[0].split()) if lines else 0


def _read_text(source: Source, form: EdgeFormat, collector: EdgeCollector | TripleCollector) -> None:
    from nodeloom.io.edgelist_text import TextReader

    TextReader(form, collector, collector.num_thread).read(source)


def _text_columns(source: Source, form: EdgeFormat, num_thread: int) -> EdgeColumns:
    apart = EdgeCollector(num_thread)
    _read_text(source, form, apart)
    return apart.finish()


def _hand_over(columns: EdgeColumns, ways: Ways, source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    names = columns.names.to_arrow()
    hand_over(Elements(names, columns.heads, columns.tails, columns.weights, ways), source, collector, form)


def _hand_over_sides(
    columns: EdgeColumns, num_left: int, source: Source, collector: EdgeCollector, form: EdgeFormat
) -> None:
    """Hand over the edges of two sides, which both count from 1: where they share numbers, the second side is moved."""
    import pyarrow as pa

    names = columns.names.to_arrow()
    left, right = np.unique(columns.heads), np.unique(columns.tails)
    if not len(np.intersect1d(left, right)):
        _hand_over(columns, "once", source, collector, form)
        return
    if columns.names.is_text:
        raise DataError(describe(source.name, expected="numbers as names of two sides", got=columns.names[0]))
    numbers = np.asarray(names)
    num_left = max(num_left, int(numbers[left].max()))
    logger.warning(
        "%s has two sides of nodes, which share numbers: node j of the second side is called %d + j.",
        source.name,
        num_left,
    )
    both = np.concatenate([numbers[left], numbers[right] + num_left])
    heads = np.searchsorted(left, columns.heads)
    tails = len(left) + np.searchsorted(right, columns.tails)
    hand_over(Elements(pa.array(both), heads, tails, columns.weights, "once"), source, collector, form)


def is_ogb(path: str) -> bool:
    """Tell whether a file is the list of edges of a data set of OGB: by its name and the list of nodes beside it."""
    file = Path(path)
    return file.name in ("edge.csv.gz", "edge.csv") and any((file.parent / name).is_file() for name in _NODE_LISTS)


def read_ogb(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand the edges of a data set of OGB to a collector, and its nodes, 0 to N - 1.

    Raises
    ------
    DataError
        It holds several graphs, or numbers that are no nodes.
    """
    import pyarrow as pa

    folder = Path(source.name).parent
    listed = next((folder / name for name in _NODE_LISTS if (folder / name).is_file()), None)
    columns = _text_columns(source, dataclasses.replace(form, delimiters=",\r\n", weighted=False), collector.num_thread)
    counts = []
    if listed is not None:
        with open_source(listed) as other:
            counts = other.read(1 << 20).split()
        if len(counts) != 1 or not (counts[0].isdigit() and len(counts[0]) < 12):
            raise DataError(describe(listed, expected="the number of nodes of one graph", got=f"{len(counts)} lines"))
    if columns.names.is_text or (len(columns.names) and int(columns.names[0]) < 0):
        raise DataError(describe(source.name, expected="numbers of nodes", got=columns.names[0]))
    if not len(columns.names):
        raise DataError(f"{source.name}: expected edges, got only comments and blank lines.")
    largest = int(columns.names[-1])
    num_nodes = int(counts[0]) if counts else largest + 1
    if largest >= num_nodes or num_nodes > 1_000_000 + 100 * len(columns.heads):
        raise DataError(describe(source.name, expected=f"nodes below {num_nodes:,}", got=largest))
    collector.add_nodes(pa.array(np.arange(num_nodes)))
    ends = [np.asarray(columns.names.to_arrow().take(pa.array(side))) for side in (columns.heads, columns.tails)]
    collector.add_integers(np.stack(ends))


def neo4j_header(line: bytes) -> list[str] | None:
    """Return the columns of the header of relationships of Neo4j, or None if it is none."""
    text = line.decode("utf-8", "replace").strip()
    if ":START_ID" not in text.upper() or ":END_ID" not in text.upper():
        return None
    delimiter = next((d for d in ",;\t|" if d in text), ",")
    return [part.strip().strip('"') for part in text.split(delimiter)]


def read_neo4j(source: Source, collector: EdgeCollector | TripleCollector, form: EdgeFormat) -> None:
    """Hand relationships of Neo4j (CSV of its import and export) to a collector; as triples with their :TYPE.

    Raises
    ------
    DataError
        A column is missing, or a value is missing or wrong.
    """
    header = neo4j_header(source.peek(_HEAD).removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0])
    wanted = ["START_ID", "END_ID"] if form.num_name == 2 else ["START_ID", "TYPE", "END_ID"]
    expected = f"a header with {', '.join(f':{kind}' for kind in wanted[:-1])} and :END_ID"
    if header is None:
        raise DataError(describe(source.name, expected=expected, got="none"))
    places: dict[str, Any] = {m["kind"].upper(): (c, m["space"]) for c in header if (m := _PLACE.match(c))}
    if not set(wanted) <= places.keys():
        raise DataError(describe(source.name, expected=expected, got=", ".join(header)))
    chosen = [places[kind][0] for kind in wanted]
    weight = next((c for c in header if c.partition(":")[0].lower() == "weight"), None)
    if form.columns is not None and len(form.columns) == form.num_name + 1:
        weight = str(form.columns[-1])
    if weight is not None and form.weighted is not False:
        chosen.append(weight)
    table = dataclasses.replace(form, columns=tuple(chosen))
    spaces = [places[kind][1] for kind in ("START_ID", "END_ID")]
    if spaces[0] == spaces[1]:
        _read_text(source, table, collector)
    elif isinstance(collector, TripleCollector):
        triples = TripleCollector(collector.num_thread)
        _read_text(source, table, triples)
        columns = triples.finish()
        heads, tails = _names_of_kinds(columns.entity_names, columns.heads, columns.tails, spaces, source)
        relations = columns.relation_names.to_arrow().take(columns.relations)
        collector.add_arrow(heads, relations, tails, weights=columns.weights)
    else:
        edges = _text_columns(source, table, collector.num_thread)
        ends = _names_of_kinds(edges.names, edges.heads, edges.tails, spaces, source)
        collector.add_arrow(*ends, weights=edges.weights)


def _names_of_kinds(
    vocabulary: Vocabulary, heads: IndexArray, tails: IndexArray, spaces: list[str | None], source: Source
) -> list[pa.Array]:
    """Return the names of heads and tails, nodes of two kinds; where these share ids, a name begins with its kind."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names: pa.Array = vocabulary.to_arrow()
    if not len(np.intersect1d(np.unique(heads), np.unique(tails))):
        return [names.take(pa.array(heads)), names.take(pa.array(tails))]
    logger.warning(
        "%s has nodes of two kinds, which share ids: they are called %s:ID and %s:ID.",
        source.name,
        *(space or "" for space in spaces),
    )
    text = names.cast(pa.string())
    return [
        pc.binary_join_element_wise(space or "", text.take(pa.array(side)), ":")
        for space, side in zip(spaces, (heads, tails), strict=True)
    ]

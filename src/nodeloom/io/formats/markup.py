"""Graphs in XML: GraphML and GEXF, read by NetworkX once they were looked through for what it would take in silence."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from nodeloom.errors import DataError, describe
from nodeloom.io.formats.library import content_of, hand_over_graph, labels_of, networkx_reading, weight_of
from nodeloom.io.source import Source, encoding_of, read_text
from nodeloom.words import by_interface

if TYPE_CHECKING:
    from collections.abc import Callable

    import networkx

    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat

Attributes = dict[str, str]
_BLOCK = 1 << 16
_DEEPEST = 100  # elements within each other; groups of groups of nodes are some ten
_DECLARED = re.compile(r"^(\s*<\?xml\b[^>]*?)\s+encoding\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_NAMESPACE = re.compile(rb"\bxmlns\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def read_graphml(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a graph in GraphML to a collector; nodes are named by their ids.

    Raises
    ------
    DataError
        It is damaged, holds entities, several graphs or hyperedges, or an edge cannot be used.
    """
    graph = _read(
        source,
        collector,
        form,
        ("GraphML", b"graphml", b"http://graphml.graphdrawing.org/xmlns"),
        lambda networkx, file: networkx.read_graphml(file, edge_key_type=str),
    )
    hand_over_graph(graph, None, source, collector, form)


def read_gexf(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a graph in GEXF to a collector; nodes are named by their labels where these differ, else by their ids.

    Raises
    ------
    DataError
        It is damaged, holds entities or several graphs, or an edge cannot be used.
    """
    graph = _read(
        source,
        collector,
        form,
        ("GEXF", b"gexf", b"http://www.gexf.net/1.2draft"),
        lambda networkx, file: networkx.read_gexf(file),
    )
    hand_over_graph(graph, labels_of(graph, source.name), source, collector, form)


def _read(
    source: Source,
    collector: EdgeCollector,
    form: EdgeFormat,
    kind: tuple[str, bytes, bytes],
    read: Callable[[Any, io.BytesIO], networkx.Graph],
) -> networkx.Graph:
    """Return the graph in a file of XML, with weights by default on the edges that have none of their own."""
    what, root, namespace = kind
    content = content_of(source, collector, what)
    if encoding_of(content[:1024], form.encoding) != "utf-8":  # else the file says its own
        source.unread(content)
        content = _DECLARED.sub(r"\1", read_text(source, form.encoding), count=1).encode(errors="replace")
    outline = _Outline(source.name, weight_of(form))
    outline.look_through(content)
    with networkx_reading(source.name, what) as networkx:
        # Programs write the namespace of other versions, or none: what the elements are called is the same.
        graph = read(networkx, io.BytesIO(_with_namespace(content, root, namespace)))
        outline.compare(graph)
        default = graph.graph.get("edge_default", {}).get(outline.attribute)
        if default is not None:
            for *_, data in graph.edges(data=True):
                data.setdefault(outline.attribute, default)
    return graph


def _with_namespace(content: bytes, root: bytes, namespace: bytes) -> bytes:
    start = re.search(rb"<" + root + rb"(?=[\s>])([^>]*)", content)
    if start is None:
        return content
    there = _NAMESPACE.search(start[1])
    first, last = (
        (start.start(1),) * 2 if there is None else (start.start(1) + there.start(), start.start(1) + there.end())
    )
    return content[:first] + b' xmlns="' + namespace + b'"' + content[last:]


class _Outline:
    """The nodes and the ends of edges that a file of XML names, to be compared with what NetworkX made of it.

    Parameters
    ----------
    where : str
        The file, for messages.
    attribute : str
        The attribute of edges that holds weights.
    """

    def __init__(self, where: str, attribute: str) -> None:
        self.where, self.attribute = where, attribute
        self._path: list[str] = []
        self._within_data = 0  # what programs add about pictures may have the names of others
        self._nodes: set[str] = set()
        self._ends: set[str] = set()
        self._num_graph = self._num_edge = self._num_mutual = 0
        self._directed: list[bool] = [False]  # by default, in the graphs that are open
        self._directions: set[bool] = set()
        self._groups: list[bool] = []  # whether the nodes that are open are groups of nodes
        self._key_of_all = False

    def look_through(self, content: bytes) -> None:
        """Parse a file, following no entity.

        Raises
        ------
        DataError
            It is not whole, declares entities, or holds what NetworkX leaves out or understands in another way.
        """
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse_entity
        try:
            for first in range(0, len(content), _BLOCK):
                parser.Parse(content[first : first + _BLOCK], False)
            parser.Parse(b"", True)
        except (expat.ExpatError, UnicodeError, LookupError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            line = getattr(error, "lineno", parser.CurrentLineNumber)
            raise DataError(f"{self.where}:{line}: expected XML that is whole, got: {error}") from None
        undeclared = self._ends - self._nodes
        if undeclared:
            raise self._wrong("the ends of edges among the nodes", min(undeclared))

    def compare(self, graph: networkx.Graph) -> None:
        """Refuse a graph that is not all that the file holds.

        Raises
        ------
        DataError
        """
        num_edge = self._num_edge + (self._num_mutual if graph.is_directed() else 0)
        for what, expected, got in (
            ("nodes", len(self._nodes), len(graph)),
            ("edges", num_edge, graph.number_of_edges()),
        ):
            if expected != got:
                raise DataError(
                    f"{self.where}: expected {expected:,} {what}, as in the file, got {got:,} from NetworkX. It leaves out "
                    "elements in other places than those of the format, and edges of one id between the same nodes."
                )
        if self._directions - {graph.is_directed()}:
            raise self._wrong("directions written as 'true' and 'false', or 'directed' and 'undirected'", "others")

    def _wrong(self, expected: str, got: str, hint: str = "") -> DataError:
        return DataError(describe(self.where, expected=expected, got=got, hint=hint))

    def _refuse_entity(self, *_: object) -> None:
        raise DataError(
            f"{self.where}: expected XML without entities of its own, got one that declares them. "
            "They may be made to fill the memory: write the file again without."
        )

    def _start(self, name: str, attributes: Attributes) -> None:
        name = name.rpartition(":")[2]
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise self._wrong(f"elements within at most {_DEEPEST} others", name)
        if self._within_data:
            self._within_data += 1
        elif name == "data":
            self._within_data = 1
        elif name == "graph":
            self._start_graph(attributes)
        elif name == "node":
            self._groups.append(attributes.get("yfiles.foldertype") == "group")
            self._add_node(attributes.get("id"))
        elif name == "edge":
            self._add_edge(attributes)
        elif name == "hyperedge":
            raise DataError(f"{self.where}: expected edges with two ends, got a hyperedge.")
        elif name == "key":
            self._key_of_all = attributes.get("for", "all") == "all" and attributes.get("attr.name") == self.attribute
        elif name == "default" and self._key_of_all:
            raise self._wrong('for="edge" at the key of weights with a default', 'for="all"')

    def _end(self, _: str) -> None:
        name = self._path.pop()
        if self._within_data:
            self._within_data -= 1
        elif name == "graph":
            self._directed.pop()
        elif name == "node":
            self._groups.pop()
        elif name == "key":
            self._key_of_all = False

    def _start_graph(self, attributes: Attributes) -> None:
        self._num_graph += 1
        if self._num_graph > 1 and not (self._groups and self._groups[-1]):
            raise DataError(
                f"{self.where}: expected one graph, got a second one, or one within a node. "
                + by_interface(
                    "Read it with networkx, choose a graph, and use Graph.from_networkx.", "Write one graph to a file."
                )
            )
        default = attributes.get("edgedefault", attributes.get("defaultedgetype", ""))
        self._directed.append(default == "directed")

    def _add_node(self, node: str | None) -> None:
        if node is None:
            raise self._wrong("an id for every node", "a node without")
        if node in self._nodes:
            raise self._wrong("each node once", f"{node} twice")
        self._nodes.add(node)

    def _add_edge(self, attributes: Attributes) -> None:
        head, tail = attributes.get("source"), attributes.get("target")
        if head is None or tail is None:
            raise self._wrong("two ends of every edge", f"from {head} to {tail}")
        self._ends |= {head, tail}
        self._num_edge += 1
        kind = attributes.get("type", attributes.get("directed", "")).strip().lower()
        if kind == "mutual":
            self._num_mutual += 1
            return
        self._directions.add(self._directed[-1] if not kind else kind in ("directed", "true", "1"))
        if len(self._directions) > 1:
            raise self._wrong(
                "edges that are all directed, or all undirected",
                "both",
                "NetworkX reads no mixture: give the edges as a list, the undirected ones both ways round.",
            )

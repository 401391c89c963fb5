"""Graphs in XML: GraphML and GEXF, element by element, without entities and without a tree in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.parsers import expat

from nodeloom.errors import DataError, describe
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.formats.elements import hand_over
from nodeloom.io.formats.gathered import Gathered
from nodeloom.io.source import Source

if TYPE_CHECKING:
    from nodeloom.io.edge_format import EdgeFormat

Attributes = dict[str, str]
_BLOCK = 1 << 16


def read_graphml(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a graph in GraphML to a collector; nodes are named by their ids.

    Raises
    ------
    DataError
        It is damaged, holds entities, several graphs or hyperedges, or an edge cannot be used.
    """
    _read(source, collector, form, _GraphML(source.name, form))


def read_gexf(source: Source, collector: EdgeCollector, form: EdgeFormat) -> None:
    """Hand a graph in GEXF to a collector; nodes are named by their labels where these differ, else by their ids.

    Raises
    ------
    DataError
        It is damaged, holds entities, or an edge cannot be used.
    """
    _read(source, collector, form, _Gexf(source.name, form))


def _read(source: Source, collector: EdgeCollector, form: EdgeFormat, reader: _Reader) -> None:
    _parse(source, form.encoding, reader)
    if not reader.num_graph:
        raise DataError(describe(source.name, expected="a graph in XML", got="none in it"))
    hand_over(reader.gathered.finish(), source, collector, form)


class _Reader:
    """What happens at the start and at the end of an element; both get its path of local names."""

    def __init__(self, where: str, form: EdgeFormat) -> None:
        self.gathered = Gathered(where, form)
        self.where = where
        self.num_graph = 0
        self.text: list[str] | None = None
        self._directed = False
        self._edge: tuple[str | None, str | None, bool] | None = None
        self._weight: str | None = None
        self._wanted: set[str] = set()  # keys of the attribute that holds weights

    def start(self, path: list[str], attributes: Attributes) -> None:
        raise NotImplementedError

    def end(self, path: list[str]) -> None:
        raise NotImplementedError

    def begin_graph(self, directed: bool) -> None:
        self.num_graph += 1
        if self.num_graph > 1:
            raise DataError(
                f"{self.where}: expected one graph, got a second one, or one within a node. "
                "Read it with networkx, choose a graph, and use Graph.from_networkx."
            )
        self._directed = directed

    def begin_edge(self, attributes: Attributes, directed: bool, weight: str | None = None) -> None:
        self._edge = attributes.get("source"), attributes.get("target"), directed
        self._weight = weight

    def end_edge(self) -> None:
        if self._edge is not None:
            head, tail, directed = self._edge
            self.gathered.add_edge(head, tail, self._weight, directed)
            self._edge = None


class _GraphML(_Reader):
    def __init__(self, where: str, form: EdgeFormat) -> None:
        super().__init__(where, form)
        self._key = ""
        self._default: str | None = None

    def start(self, path: list[str], attributes: Attributes) -> None:
        name = path[-1]
        if name == "graph":
            self.begin_graph(attributes.get("edgedefault") == "directed")
        elif name == "node":
            self.gathered.add_node(attributes.get("id"))
        elif name == "edge":
            directed = attributes.get("directed", "true" if self._directed else "false")
            self.begin_edge(attributes, directed.strip().lower() in ("true", "1"), self._default)
        elif name == "hyperedge":
            raise DataError(f"{self.where}: expected edges with two ends, got a hyperedge.")
        elif name == "key":
            self._key = ""
            title = attributes.get("attr.name", attributes.get("id", ""))
            if attributes.get("for", "all") in ("edge", "all") and _same(title, self.gathered.attribute):
                self._key = attributes.get("id", "")
                self._wanted.add(self._key)
        elif (name == "data" and path[-2] == "edge" and attributes.get("key") in self._wanted) or (
            name == "default" and self._key
        ):
            self.text = []

    def end(self, path: list[str]) -> None:
        name = path[-1]
        if name == "edge":
            self.end_edge()
        elif self.text is not None and name in ("data", "default"):
            value = "".join(self.text).strip()
            self.text = None
            if name == "data":
                self._weight = value
            else:
                self._default = value


class _Gexf(_Reader):
    def __init__(self, where: str, form: EdgeFormat) -> None:
        super().__init__(where, form)
        self._of_edges = False

    def start(self, path: list[str], attributes: Attributes) -> None:
        name = path[-1]
        if name == "graph":
            self.begin_graph(attributes.get("defaultedgetype", "undirected") == "directed")
        elif name == "node":
            self.gathered.add_node(attributes.get("id"), attributes.get("label"))
        elif name == "edge":
            kind = attributes.get("type", "directed" if self._directed else "undirected")
            weight = attributes.get("weight") if self.gathered.attribute == "weight" else None
            self.begin_edge(attributes, kind == "directed", weight)
        elif name == "attributes":
            self._of_edges = attributes.get("class") == "edge"
        elif name == "attribute" and self._of_edges and _same(attributes.get("title", ""), self.gathered.attribute):
            self._wanted.add(attributes.get("id", ""))
        elif name == "attvalue" and self._edge is not None and self._weight is None:
            key = attributes.get("for", attributes.get("id"))
            if key in self._wanted:
                self._weight = attributes.get("value")

    def end(self, path: list[str]) -> None:
        if path[-1] == "edge":
            self.end_edge()


def _same(title: str, attribute: str) -> bool:
    return title == attribute or (attribute == "weight" and title.lower() == attribute)


def _parse(source: Source, encoding: str, reader: _Reader) -> None:
    """Run a parser that follows no entity over a source."""
    parser = expat.ParserCreate(None if encoding.lower() in ("utf-8", "utf8") else encoding)
    path: list[str] = [""]

    within = [0]  # elements of <data>: what programs add about pictures may have the names of others

    def start(name: str, attributes: Attributes) -> None:
        path.append(name.rpartition(":")[2])
        if within[0]:
            within[0] += 1
            return
        reader.start(path, attributes)
        within[0] = path[-1] == "data"

    def end(_: str) -> None:
        within[0] -= within[0] > 0
        if not within[0]:
            reader.end(path)
        path.pop()

    def text(data: str) -> None:
        if reader.text is not None:
            reader.text.append(data)

    def refuse(*_: object) -> None:
        raise DataError(
            f"{source.name}: expected XML without entities of its own, got one that declares them. "
            "They may be made to fill the memory: write the file again without."
        )

    handlers: dict[str, Callable[..., None]] = {
        "StartElementHandler": start,
        "EndElementHandler": end,
        "CharacterDataHandler": text,
        "EntityDeclHandler": refuse,
    }
    for name, handler in handlers.items():
        setattr(parser, name, handler)
    try:
        while data := source.read(_BLOCK):
            parser.Parse(data, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, UnicodeError, LookupError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        line = getattr(error, "lineno", parser.CurrentLineNumber)
        raise DataError(f"{source.name}:{line}: expected XML that is whole, got: {error}") from None

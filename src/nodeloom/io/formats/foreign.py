"""Texts that hold graphs but are not read: their names, and the way to their edges."""

from __future__ import annotations

import re

from nodeloom.words import by_interface, setting

_DOT = re.compile(
    rb"(?:\s*(?://[^\n]*|/\*.*?\*/|#[^\n]*))*\s*(?:strict\s+)?(?:di)?graph\b[^\[\]\n{]*\{", re.IGNORECASE | re.DOTALL
)
_JSON = re.compile(rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\]\"])")
_PAIRS = re.compile(rb"\s*\[\s*\[")
_ROWS = re.compile(rb"\s*\{[^{}\[\]]*\}\s*\n\s*\{")
_XML_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]*)[\s>/]")
_DIMACS = re.compile(rb"(?:c[^\n]*\n)*p\s+\w+\s+\d+\s+\d+\s*\n")
_GDF = re.compile(rb"\s*nodedef\s*>", re.IGNORECASE)
_NTRIPLES = re.compile(rb"(?:\s*#[^\n]*\n)*\s*(?:@prefix\s|@base\s|<\w+:[^>\s]*>\s+<\w+:[^>\s]*>\s)", re.IGNORECASE)
# Lines in brackets, as a program prints pairs, and edges with a dict of Python behind them, as NetworkX writes them.
_BRACKETS = re.compile(
    rb"(?:#[^\n]*\n)*\s*(?:\([^\n]*,[^\n]*\),?\s*(?:\n\s*\(|\Z)|\[[^\n]*,[^\n]*\],?\s*(?:\n\s*\[|\Z)|\{[^\n:]*,[^\n:]*\},?\s*(?:\n\s*\{|\Z))"
)
_WITH_DATA = re.compile(rb"(?:#[^\n]*\n)*[^\s#,;]+[ \t,;]+[^\s,;{}]+[ \t,;]+\{(?:\s*['\"][^\n]*)?\}[ \t\r]*(?:\n|\Z)")
_LEDA = re.compile(rb"\s*LEDA\.GRAPH\b", re.IGNORECASE)
_UCINET = re.compile(rb"\s*dl\s+n\s*=", re.IGNORECASE)
_VNA = re.compile(rb"\s*\*node\s+(?:data|properties)", re.IGNORECASE)
_NEO4J_NODES = re.compile(rb"[^\n]*?(?:^|[,;\t|\"])\w*:ID(?:\([^)\n]*\))?[,;\t|\"\r\n]")

_NETWORKX = "Graph.from_networkx"
_AS_EDGES = "Write its edges as lines 'head tail'."
# What cannot be told by content, or not surely: the suffix decides.
_SUFFIXES = {
    ".tgf": ("the Trivial Graph Format", "Delete the lines of nodes up to the line '#', and the rest is a list of edges."),
    ".mtx": ("a matrix without its first line", "Put the line '%%MatrixMarket matrix coordinate real general' in front."),
    ".lgl": ("LGL", by_interface("Use Graph.from_igraph(igraph.Graph.Read_Lgl(path)).", _AS_EDGES)),
    ".g6": ("graph6", by_interface(f"Read it with networkx.read_graph6 and use {_NETWORKX}.", _AS_EDGES)),
    ".s6": ("sparse6", by_interface(f"Read it with networkx.read_sparse6 and use {_NETWORKX}.", _AS_EDGES)),
}  # fmt: skip


def foreign_text(head: bytes, suffix: str) -> tuple[str, str] | None:
    """Return the format of a text that is not read, and the way out; None if it may be a list of edges.

    Parameters
    ----------
    head : bytes
        The first bytes, without a byte order mark.
    suffix : str
        Of the name of the file, in small letters.
    """
    first = head.lstrip()[:1]
    if first in (b"{", b"[") and _JSON.match(head):
        return _json(head)
    if first == b"<":
        if _NTRIPLES.match(head):
            return "triples of RDF", "Write subject and object of each with rdflib, and give them as a list of edges."
        root = _XML_ROOT.search(head)
        if root is not None:
            what = f"XML of <{root[1].decode('utf-8', 'replace')}>"
            return what, "Save the graph as GraphML in the program that wrote it."
    for pattern, what, hint in (
        (_DOT, "DOT of Graphviz", "Convert it to GML, which is read: gv2gml FILE -o graph.gml (part of Graphviz)."),
        (_DIMACS, "DIMACS", "Take the lines of edges: grep '^[ae] ' FILE | cut -d ' ' -f 2- > edges.txt."),
        (_GDF, "GDF", "Save the graph as GraphML or GEXF in the program that wrote it, such as Gephi."),
        (
            _NTRIPLES,
            "triples of RDF",
            "Write subject and object of each with rdflib, and give them as a list of edges.",
        ),
        (
            _BRACKETS,
            "lines in brackets",
            "Take the brackets out: tr -d '()[]{}' < FILE > edges.txt.",
        ),
        (
            _WITH_DATA,
            "edges with attributes in braces, as NetworkX writes them",
            by_interface(
                "Read it with networkx.read_edgelist and use Graph.from_networkx.",
                "Write it with networkx.write_weighted_edgelist.",
            )
            + f" For the edges alone, give {setting('graph.columns', [1, 2])}.",
        ),
        (_LEDA, "LEDA", by_interface(f"Read it with networkx.read_leda and use {_NETWORKX}.", _AS_EDGES)),
        (
            _UCINET,
            "DL of UCINET",
            by_interface('Use Graph.from_igraph(igraph.Graph.Read(path, format="dl")).', _AS_EDGES),
        ),
        (_VNA, "VNA of NetDraw", "Save the graph as Pajek in the program that wrote it."),
        (_NEO4J_NODES, "a table of nodes of Neo4j", "Give the file of relationships, with :START_ID and :END_ID."),
    ):
        if pattern.match(head):
            return what, hint
    return _SUFFIXES.get(suffix)


def _json(head: bytes) -> tuple[str, str]:
    what, call = _json_in_python(head)
    return what, by_interface(call, _AS_EDGES)


def _json_in_python(head: bytes) -> tuple[str, str]:
    for sign, function in ((b'"elements"', "cytoscape_graph"), (b'"adjacency"', "adjacency_graph")):
        if sign in head:
            return "JSON", f"Use {_NETWORKX}(networkx.{function}(json.load(open(path))))."
    if _PAIRS.match(head):
        return "JSON", "Use Graph.from_edges(json.load(open(path))) if it is a list of pairs."
    if _ROWS.match(head):
        return "lines of JSON", "Read them with pandas.read_json(path, lines=True) and use Graph.from_pandas."
    if head.lstrip()[:1] == b"[":
        return "JSON", "Read it with pandas.read_json(path) and use Graph.from_pandas if it is a list of edges."
    key = next((key for key in ("links", "edges") if f'"{key}"'.encode() in head), "links")
    return (
        "JSON",
        f'If its nodes and edges are lists, use {_NETWORKX}(networkx.node_link_graph(json.load(open(path)), edges="{key}")).',
    )

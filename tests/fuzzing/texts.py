"""Targets that are text: edge lists, tables, labels, links, formats of other programs, word2vec."""

# ruff: noqa: E501  lists of odd values
from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import re
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.fuzzing.mutations import TOKENS, mutate_bytes
from tests.fuzzing.runner import Case, Target, WrongResult

from nodeloom import Graph
from nodeloom.errors import ConfigError, NodeloomError, TrainingError
from nodeloom.io.export import export_vectors
from nodeloom.io.labels import Labels
from nodeloom.io.links import read_links
from nodeloom.io.vocabulary import Vocabulary

_PLAIN = re.compile(rb"[A-Za-z0-9_.\- \t\n]*")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_UTF = ["utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "utf-7"]
_ENCODINGS = [*_UTF, "latin-1", "cp1252", "hex", "rot13", "idna", "ascii", "", "x"]


def named(path: Path, read: Any) -> Any:
    """Call `read`; an error of ours must name the file."""
    try:
        return read()
    except NodeloomError as error:
        if isinstance(error, TrainingError) or (isinstance(error, ConfigError) and path.suffix != ".yaml"):
            raise  # it is of what the user asked for, not of the file
        message = str(error)
        if (
            path.name not in message
            and "encoding" not in message
            and "format" not in message
            and "column" not in message
        ):
            raise WrongResult(f"a message without the file: {type(error).__name__}: {message}") from None
        if "Traceback" in message or any(len(line) > 2000 for line in message.splitlines()):
            raise WrongResult(f"a message that is none: {message[:3000]}") from None
        raise


def plain_edges(random: Random) -> bytes:
    """Return lines of edges that mean one thing only."""
    integers = random.random() < 0.6
    names = [
        str(random.randrange(50) - (20 if random.random() < 0.1 else 0)) if integers else f"n{random.randrange(30)}"
        for _ in range(30)
    ]
    delimiter = random.choice([" ", "\t", "  ", " \t"])
    weighted = random.random() < 0.4
    lines = []
    for _ in range(random.randint(1, 40)):
        cells = [random.choice(names), random.choice(names)]
        if weighted:
            cells.append(random.choice(["1", "2.5", "0.125", "1e-3", "7"]))
        lines.append(delimiter.join(cells))
        if random.random() < 0.05:
            lines.append("")
    return "\n".join(lines).encode() + random.choice([b"", b"\n"])


def _make_edges(random: Random) -> Case:
    content = plain_edges(random)
    options: dict[str, Any] = {"directed": random.random() < 0.3}
    if random.random() < 0.2:
        name = random.choice(["edges.txt", "edges", "edges.tsv"])
        return Case(content, options, name, sound=not (b"\t" in content and b" " in content))
    content = mutate_bytes(content, random, other=plain_edges(random))
    if random.random() < 0.3:
        options["weighted"] = random.choice([True, False, "auto"])
    if random.random() < 0.2:
        options["delimiters"] = random.choice([",", ";", " ", "\t", " ,", "|", "\n", "", "é", ",;", "a"])
        content = content.replace(b" ", random.choice([b",", b", ", b";", b"|"]))
    if random.random() < 0.1:
        options["comment"] = random.choice(["#", "%", "", "//", "-", "0", " ", "é"])
    if random.random() < 0.15:
        options["encoding"] = random.choice(_ENCODINGS)
    if random.random() < 0.1:
        content = random.choice([gzip.compress, bz2.compress, lzma.compress])(content)
        if random.random() < 0.7:
            content = mutate_bytes(content, random, most=2)
    options["num_thread"] = random.choice([1, 1, 2])
    return Case(content, options, random.choice(["edges.txt", "edges", "edges.csv", "edges.tsv"]))


def reference_edges(
    content: bytes, weighted: bool | str
) -> tuple[list[Any], list[tuple[Any, Any, float]], bool] | None:
    """Read plain lines by the rules of the documentation; None where these lines are not plain, or no edges.

    Who says whether there are weights has further columns left out.
    """
    if not _PLAIN.fullmatch(content):
        return None
    rows = [line.split()[: {True: 3, False: 2}.get(weighted)] for line in content.decode().split("\n") if line.split()]
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) not in (2, 3):
        return None
    try:
        weights = [float(row[2]) if len(row) == 3 else 1.0 for row in rows]
    except ValueError:
        return None
    ends = [name for row in rows for name in row[:2]]
    if all(_INTEGER.fullmatch(name) and -(2**63) <= int(name) < 2**63 for name in ends):
        names: list[Any] = sorted({int(name) for name in ends})
        return names, [(int(row[0]), int(row[1]), w) for row, w in zip(rows, weights, strict=True)], len(rows[0]) == 3
    return (
        list(dict.fromkeys(ends)),
        [(row[0], row[1], w) for row, w in zip(rows, weights, strict=True)],
        len(rows[0]) == 3,
    )


def expected_edges(edges: list[tuple[Any, Any, float]], directed: bool, weighted: bool) -> dict[tuple[Any, Any], float]:
    """Return the edges of the graph with their weights."""
    found: dict[tuple[Any, Any], float] = {}
    for head, tail, weight in edges:
        key = (head, tail) if directed or str(head) <= str(tail) else (tail, head)
        found[key] = found.get(key, 0.0) + weight if weighted else 1.0
    return found


def check_edges(graph: Graph, expected: dict[tuple[Any, Any], float], names: list[Any]) -> None:
    """Compare a graph with edges by name."""
    if list(graph.names) != names:
        raise WrongResult(f"names {list(graph.names)[:20]} instead of {names[:20]}")
    heads, tails, weights = graph.edge_columns()
    found = {}
    for i in range(len(heads)):
        head, tail = graph.names[int(heads[i])], graph.names[int(tails[i])]
        key = (head, tail) if graph.directed or str(head) <= str(tail) else (tail, head)
        found[key] = 1.0 if weights is None else float(weights[i])
    if found.keys() != expected.keys() or any(abs(found[key] - expected[key]) > 1e-5 * expected[key] for key in found):
        raise WrongResult(
            f"edges {sorted(found.items(), key=str)[:20]} instead of {sorted(expected.items(), key=str)[:20]}"
        )


def _run_edges(case: Case, path: Path) -> None:
    graph = named(path, lambda: Graph.from_file(path, **case.options))
    graph = Graph(graph.indptr, graph.indices, graph.weights, graph.names, graph.directed)  # looks at the rows
    if case.options.keys() & {"delimiters", "comment", "encoding"}:
        return
    text = case.content
    # Where the first line has one tab and blanks, tabs stand between names with blanks.
    if _PLAIN.fullmatch(text) and not (b"\t" in text and b" " in text):
        reference = reference_edges(text, case.options.get("weighted", "auto"))
        if reference is None:
            raise WrongResult(f"{graph!r} of lines that are not all edges of one kind")
        names, edges, has_weights = reference
        check_edges(graph, expected_edges(edges, graph.directed, has_weights), names)
        return
    if text[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7") or b"\xff" in text or b"\xfe" in text:
        return
    num_line = len(re.split(rb"[\r\n]", text))
    if graph.num_edges > num_line:
        raise WrongResult(f"{graph.num_edges} edges of {num_line} lines")
    decoded = text.decode("utf-8", "replace")
    if '"' not in decoded and "&" not in decoded and "%" not in decoded[:2]:
        for name in graph.names:
            if str(name) not in decoded and not str(name).lstrip("-").isdigit():
                raise WrongResult(f"the name {name!r} is not in the file")


_TABLE_HEADERS = [
    "source,target",
    "source,target,weight",
    "head,tail",
    "a,b",
    "from,to,weight,time",
    "src;dst;w",
    "u\tv",
    "0,1",
    ":START_ID,:END_ID",
]


def _make_csv(random: Random) -> Case:
    header = random.choice(_TABLE_HEADERS)
    sign = next(s for s in ",;\t" if s in header)
    names = [f"n{i}" for i in range(9)] if random.random() < 0.5 else [str(i) for i in range(9)]
    if random.random() < 0.3:
        names += ['"a b"', '"c,d"', "", "é", " x ", '"q""r"', "NA", "null"]
    columns = header.count(sign) + 1
    lines = [header] if random.random() < 0.8 else []
    lines += [
        sign.join([random.choice(names), random.choice(names), "1.5", "17"][:columns])
        for _ in range(random.randint(0, 20))
    ]
    content = "\n".join(lines).encode()
    if random.random() < 0.7:
        content = mutate_bytes(content, random, most=3)
    options: dict[str, Any] = {}
    if random.random() < 0.5:
        options["columns"] = random.choice(
            [
                ("source", "target"),
                ("a", "b"),
                ("head", "tail", "weight"),
                (0, 1),
                ("x", "y"),
                (0, 99),
                (-1, 0),
                ("0", "1"),
                (0, 1, 2),
            ]
        )
    if random.random() < 0.3:
        options["delimiters"] = sign
    if random.random() < 0.2:
        options["weighted"] = random.choice([True, False, "auto"])
    return Case(content, options, random.choice(["table.csv", "table.tsv", "table.txt"]))


def _run_csv(case: Case, path: Path) -> None:
    graph = named(path, lambda: Graph.from_file(path, num_thread=1, **case.options))
    Graph(graph.indptr, graph.indices, graph.weights, graph.names, graph.directed)
    if graph.num_edges > len(re.split(rb"[\r\n]", case.content)):
        raise WrongResult(f"{graph.num_edges} edges of {case.content!r}")
    if "" in graph.names:
        raise WrongResult("an empty name")


LABEL_NAMES = Vocabulary.from_names([f"n{i}" for i in range(20)])


def _make_labels(random: Random) -> Case:
    lines = [
        f"n{random.randrange(20)}" + random.choice(" \t") + random.choice("ab3é1") for _ in range(random.randint(1, 15))
    ]
    content = "\n".join(lines).encode()
    if random.random() < 0.1:
        return Case(content.replace(b"\t", b" "), {"unknown": "error"}, "labels.txt", sound=True)
    content = mutate_bytes(content, random, most=3)
    options = {"unknown": random.choice(["error", "skip"])}
    if random.random() < 0.2:
        options["delimiters"] = random.choice([",", ";", "\t", "", " ,"])
    if random.random() < 0.2:
        options["encoding"] = random.choice(_ENCODINGS)
    if random.random() < 0.1:
        options["comment"] = random.choice(["", "%", "//"])
    return Case(content, options, "labels.txt")


def _run_labels(case: Case, path: Path) -> None:
    labels = named(path, lambda: Labels.from_file(path, LABEL_NAMES, **case.options))
    if len(labels.nodes) and not (
        labels.nodes.min() >= 0 and labels.nodes.max() < 20 and labels.classes.max() < labels.num_classes
    ):
        raise WrongResult("labels out of range")
    if _PLAIN.fullmatch(case.content) and case.options == {"unknown": "error"}:
        rows = [line.split() for line in case.content.decode().split("\n") if line.split()]
        if all(len(row) == 2 for row in rows):
            found = {
                (LABEL_NAMES[int(n)], labels.class_names[c]) for n, c in zip(labels.nodes, labels.classes, strict=True)
            }
            if found != {tuple(row) for row in rows}:
                raise WrongResult(f"labels {sorted(found)[:20]}")


def _make_links(random: Random) -> Case:
    columns = random.choice([2, 3])
    lines = [
        f"n{random.randrange(20)} n{random.randrange(20)} {random.choice('01')}"[: None if columns == 3 else -2]
        for _ in range(random.randint(1, 15))
    ]
    content = "\n".join(lines).encode()
    sound = random.random() < 0.1
    return Case(content if sound else mutate_bytes(content, random, most=3), {}, "links.txt", sound)


def _run_links(case: Case, path: Path) -> None:
    links = named(path, lambda: read_links(path, LABEL_NAMES))
    if len(links.heads) != len(links.tails) or (len(links.heads) and max(links.heads.max(), links.tails.max()) >= 20):
        raise WrongResult("links out of range")


FORMATS = {
    "a.mtx": b"%%MatrixMarket matrix coordinate real general\n% c\n4 4 3\n1 2 0.5\n2 3 1.5\n4 1 2\n",
    "b.mtx": b"%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 2\n",
    "c.mtx": b"%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n",
    "d.graphml": b"""<?xml version="1.0" encoding="UTF-8"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="w" for="edge"
attr.name="weight" attr.type="double"/><graph edgedefault="undirected"><node id="a"/><node id="b"/><node id="c"/><edge source="a" target="b">
<data key="w">2.5</data></edge><edge source="b" target="c"><data key="w">1</data></edge></graph></graphml>""",
    "e.gml": b'graph [\n directed 0\n node [ id 1 label "a" ]\n node [ id 2 label "b" ]\n edge [ source 1 target 2 weight 1.5 ]\n]\n',
    "f.gexf": b"""<?xml version="1.0"?><gexf xmlns="http://www.gexf.net/1.2draft" version="1.2"><graph defaultedgetype="directed"><nodes>
<node id="0" label="x"/><node id="1" label="y"/></nodes><edges><edge id="0" source="0" target="1" weight="2"/></edges></graph></gexf>""",
    "g.net": b'*Vertices 3\n1 "a"\n2 "b c"\n3 "d"\n*Edges\n1 2 1.5\n2 3\n',
    "h.metis": b"3 2 001\n2 5\n1 5 3 6\n2 6\n",
    "i.adjlist": b"# c\na b c\nb c\nd\n",
    "j.tsv": b"% sym weighted\n% 3 3 3\n1 2 1 1080\n2 3 1 1081\n3 1 2 1082\n",
    "k.csv": b":START_ID,:END_ID,:TYPE\n1,2,K\n2,3,K\n",
    "l.txt": b"# Directed graph: x.txt\n# Nodes: 3 Edges: 2\n# FromNodeId\tToNodeId\n0\t1\n1\t2\n",
    "m.json": b'{"nodes":[{"id":1}],"links":[{"source":1,"target":1}]}',
    "n.dot": b"graph { a -- b; b -- c }",
    "o.txt": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "p.gr": b"c x\np sp 3 2\na 1 2 5\na 2 3 6\n",
    "q.txt": b"3\n0 1\n1 2\n",
    "r.csv": b"~id,~from,~to,~label\n1,a,b,k\n",
    "s.txt": b"0 2\n1 {'weight': 2.5}\n2 {}\n1 1\n2 {'weight': 3, 'kind': 'a b'}\n2 0\n",
    "t.net": b'*Vertices 3\n1 "a"\n2 "b"\n3 "c"\n*Arcs\n1 2 1.5\n*Edges\n2 3 1\n*Edgeslist\n1 2 3\n*Matrix\n0 1 0\n0 0 2\n0 0 0\n',
    "u.graphml": b"""<graphml><key id="w" for="edge" attr.name="weight" attr.type="int"><default>2</default></key><graph
edgedefault="directed"><node id="1"/><node id="2"/><edge source="1" target="2"/><edge source="1" target="2"/><edge source="2" target="1">
<data key="w">5</data></edge></graph></graphml>""",
    "v.gexf": b"""<gexf><graph><attributes class="edge"><attribute id="0" title="cost" type="float"/></attributes><nodes><node id="0"/>
<node id="1"/></nodes><edges><edge source="0" target="1" type="mutual"><attvalues><attvalue for="0" value="2"/></attvalues></edge></edges>
</graph></gexf>""",
}


def _make_formats(random: Random) -> Case:
    name = random.choice(sorted(FORMATS))
    other = FORMATS[random.choice(sorted(FORMATS))]
    content = FORMATS[name]
    if random.random() < 0.9:
        content = mutate_bytes(content, random, most=4, other=other)
    if random.random() < 0.05:
        content = gzip.compress(content, mtime=0)
    options: dict[str, Any] = {"directed": random.random() < 0.3}
    if random.random() < 0.3:
        from nodeloom.io.edge_format import FORMATS as KNOWN

        options["format"] = random.choice(list(KNOWN))
    return Case(content, options, random.choice([name, "graph.txt"]))


def _run_formats(case: Case, path: Path) -> None:
    graph = named(path, lambda: Graph.from_file(path, num_thread=1, **case.options))
    Graph(graph.indptr, graph.indices, graph.weights, graph.names, graph.directed)


WORDS = b"3 2\nann 0.5 1\nbob -1 2e-3\n\xc3\xa9ve 3 4\n"
BINARY_WORDS = (
    b"2 3\nann " + np.arange(3, dtype="<f4").tobytes() + b"\nbob " + np.arange(3, dtype="<f4").tobytes() + b"\n"
)


@functools.cache
def exported() -> dict[str, bytes]:
    """Return a file of vectors in each format that export writes."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".txt", ".bin", ".npz", ".parquet", ".tsv", ".csv"):
            path = Path(folder) / f"v{suffix}"
            export_vectors(
                path, np.arange(6, dtype=np.float32).reshape(3, 2) / 7, Vocabulary.from_names(["ann", "bob", "éve"])
            )
            found[path.name] = path.read_bytes()
    return found


def _make_vectors(random: Random) -> Case:
    seeds = {"v.vec": WORDS, "w.bin": BINARY_WORDS, **exported()}
    name = random.choice(sorted(seeds))
    other = random.choice([random.choice(TOKENS), seeds[random.choice(sorted(seeds))]])
    if random.random() < 0.1:
        return Case(seeds[name], {}, name, sound=True)
    content = mutate_bytes(seeds[name], random, most=3, other=other)
    return Case(content, {}, name if random.random() < 0.8 else random.choice(sorted(seeds)))


def _run_vectors(case: Case, path: Path) -> None:
    from nodeloom.io.models import open_model

    data = named(path, lambda: open_model(path))
    if not np.isfinite(data.vertex).all() or len(data.names) != len(data.vertex):
        raise WrongResult("vectors that are not finite, or not as many as names")


TARGETS = [
    Target("edges", _make_edges, _run_edges),
    Target("csv", _make_csv, _run_csv),
    Target("labels", _make_labels, _run_labels),
    Target("links", _make_links, _run_links),
    Target("formats", _make_formats, _run_formats),
    Target("vectors", _make_vectors, _run_vectors),
]

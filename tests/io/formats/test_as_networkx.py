"""What NetworkX writes is read as the graph that it was written from."""

from __future__ import annotations

import random

import pytest

from nodeloom.graph import Graph

nx = pytest.importorskip("networkx")

WRITERS = {
    "graphml": nx.write_graphml_xml,
    "gexf": nx.write_gexf,
    "gml": nx.write_gml,
    "net": nx.write_pajek,
    "adjlist": nx.write_adjlist,
    "txt": nx.write_multiline_adjlist,
}
NAMES = {
    "numbers": list(range(8)),
    "words": [f"n{i}" for i in range(8)],
    "odd": ["é", "b c", "d<", "&amp;", "x", "y[", "z#", "007"],
}


def described(graph):
    """Edges and names in a form that does not depend on their order."""
    heads, tails, weights = graph.edge_columns()
    ends = [(str(graph.names[int(h)]), str(graph.names[int(t)])) for h, t in zip(heads, tails, strict=True)]
    ends = ends if graph.directed else [tuple(sorted(pair)) for pair in ends]
    values = [1.0] * len(heads) if weights is None else [round(float(w), 4) for w in weights]
    return sorted(zip(ends, values, strict=True)), sorted(map(str, graph.names)), graph.directed


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
@pytest.mark.parametrize("names", NAMES)
def test_as_networkx(tmp_path, suffix, kind, names):
    if suffix in ("adjlist", "txt") and names == "odd":
        pytest.skip("these formats are separated by blanks")
    draw = random.Random(f"{suffix} {kind.__name__} {names}")
    for weighted in (False, True):
        written = kind()
        written.add_nodes_from(NAMES[names][: draw.randint(3, 8)])
        for _ in range(draw.randint(2, 14)):
            ends = draw.choice(list(written)), draw.choice(list(written))
            written.add_edge(*ends, **({"weight": draw.randint(2, 9) / 2} if weighted and suffix != "adjlist" else {}))
        WRITERS[suffix](written, tmp_path / f"g.{suffix}")
        for directed in (False, True) if suffix not in ("adjlist", "txt") or written.is_directed() else (False,):
            expected = Graph.from_networkx(written.to_directed() if directed else written, directed=directed)
            assert described(Graph.from_file(tmp_path / f"g.{suffix}", directed=directed)) == described(expected)

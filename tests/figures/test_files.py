"""Files of maps: read by the readers of other programs."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.errors import ConfigError, DataError, OutputError
from nodeloom.figures import MapPoints, save_map
from nodeloom.figures.files import check_map_file

POINTS = {
    "coordinates": [[0.5, 1], [2, 3], [4, 5]],
    "names": ["a", 'b "quoted", and <more>', "tab\tand\nline"],
    "labels": ["x", None, "y"],
    "numbers": {"degree": [1, 2, 1]},
    "edges": [[0, 1], [1, 2]],
}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_tables(tmp_path, suffix):
    import pyarrow.csv
    import pyarrow.parquet

    save_map(tmp_path / f"map{suffix}", MapPoints.of(**POINTS))
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    path = tmp_path / f"map{suffix}"
    table = (
        pyarrow.parquet.read_table(path) if suffix == ".parquet" else pyarrow.csv.read_csv(path, parse_options=options)
    )
    assert table.column_names == ["name", "x", "y", "label", "degree"]
    assert table["name"].to_pylist() == POINTS["names"]
    assert table["x"].to_pylist() == [0.5, 2, 4]


def test_projector(tmp_path):
    save_map(tmp_path / "map.tsv", MapPoints.of(**POINTS))
    assert (tmp_path / "map.tsv").read_text().splitlines()[0] == "name\tlabel\tdegree"
    assert (tmp_path / "map.tsv").read_text().splitlines()[3] == "tab and line\ty\t1.0"
    assert np.loadtxt(tmp_path / "map.vectors.tsv").tolist() == POINTS["coordinates"]


@pytest.mark.parametrize("suffix", [".gexf", ".graphml"])
def test_graphs_for_gephi(tmp_path, suffix):
    networkx = pytest.importorskip("networkx")
    save_map(tmp_path / f"map{suffix}", MapPoints.of(**POINTS | {"names": ["a", "b <&", "c"]}))
    read = networkx.read_gexf if suffix == ".gexf" else networkx.read_graphml
    graph = read(tmp_path / f"map{suffix}")
    assert graph.number_of_edges() == 2
    node = graph.nodes["1"]
    place = node["viz"]["position"] if suffix == ".gexf" else node
    assert (place["x"], place["y"], node["label"], node["degree"]) == (2, 3, "b <&", 2)
    with pytest.raises(DataError, match="control characters"):
        save_map(tmp_path / f"map{suffix}", MapPoints.of([[0, 0]], names=["\x01"]))


@pytest.mark.parametrize(
    ("name", "dim", "message"),
    [
        ("map.jpg", 2, r"got '.jpg'. The suffix says what to write: .html, .png"),
        ("map", 2, "no suffix"),
        ("map.html", 3, "expected a map of 2 dimensions for a page"),
        ("map.gif", 2, "expected a map of 3 dimensions, which turns"),
    ],
)
def test_files_that_cannot_be(name, dim, message):
    with pytest.raises(ConfigError, match=message):
        check_map_file(name, dim)


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'nodeloom\[plot\]'"):
        check_map_file("map.png")
    assert check_map_file("map.html") == ".html"


def test_missing_folder(tmp_path):
    with pytest.raises(OutputError, match="a folder that exists"):
        save_map(tmp_path / "none" / "map.html", MapPoints.of(**POINTS))

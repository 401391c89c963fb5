"""Pictures and pages of points of every kind: odd names, very many classes, hardly any or millions of points."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from page_data import data_of

from nodeloom.errors import ConfigError
from nodeloom.figures import MapPoints, map_figure, map_page, save_map, save_turning

ODD = [
    "a,b",
    'he said "no"',
    "</script>",
    "<b>bold</b>",
    "🦀 crab",
    "שלום עולם",
    "tab\there",
    "line\nbreak",
    "$x_1^2$",
    "&amp;",
    "",
]
FILES = [".html", ".csv", ".tsv", ".parquet", ".gexf", ".graphml"]


@pytest.mark.parametrize("suffix", FILES)
def test_odd_names_and_labels_in_every_file(tmp_path, suffix):
    if suffix in (".gexf", ".graphml"):
        pytest.importorskip("networkx")
    count = len(ODD)
    points = MapPoints.of(
        np.random.default_rng(0).normal(size=(count, 2)), names=ODD, labels=ODD, title=ODD[3] + " & more"
    )
    save_map(tmp_path / f"map{suffix}", points)
    text = (tmp_path / f"map{suffix}").read_bytes()
    if suffix == ".html":
        page = text.decode()
        assert "<b>" not in page and page.count("</script>") == page.count("<script")
        assert "<title>&lt;b&gt;bold&lt;/b&gt; &amp; more</title>" in page
        assert "שלום עולם" in data_of(page)["names"].decode()
    elif suffix != ".parquet":
        assert "🦀 crab" in text.decode()


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    "labels",
    [
        ODD,
        [None] * len(ODD),
        [float(i) / 3 for i in range(len(ODD))],
        [float("nan")] * len(ODD),
        [("a", "b")] * len(ODD),
    ],
    ids=["odd", "missing", "floats", "nan", "several"],
)
def test_labels_of_every_kind_are_drawn(labels):
    pytest.importorskip("matplotlib")
    points = MapPoints.of(np.random.default_rng(0).normal(size=(len(ODD), 2)), labels=labels)
    map_figure(points, size=3).canvas.draw()
    assert data_of(map_page(points))["classes"]


def test_ten_thousand_classes():
    count = 20_000
    points = MapPoints.of(np.random.default_rng(0).normal(size=(count, 2)), labels=np.arange(count) % 10_000)
    page = map_page(points)
    assert len(page) < 1_500_000
    pytest.importorskip("matplotlib")
    figure = map_figure(points, size=4)
    assert "9,970 other classes" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_points_are_drawn(count, tmp_path):
    pytest.importorskip("matplotlib")
    points = MapPoints.of(np.zeros((count, 2)), labels=["a"] * count)
    for suffix in (".png", ".svg", ".csv", ".tsv", ".html"):
        save_map(tmp_path / f"map{suffix}", points)
    solid = MapPoints.of(np.zeros((count, 3)), labels=["a"] * count)
    save_turning(tmp_path / "map.gif", solid, num_frame=3, size=1)


@pytest.mark.slow
def test_five_million_points_make_a_page():
    rng = np.random.default_rng(0)
    page = map_page(MapPoints.of(rng.normal(size=(5_000_000, 2)).astype(np.float32)))
    assert len(page) < 33_000_000  # far below the 512 MB that a text of a browser holds


@pytest.mark.slow
def test_seven_hundred_frames_keep_their_memory(tmp_path):
    pytest.importorskip("matplotlib")
    import tracemalloc

    points = MapPoints.of(np.random.default_rng(0).normal(size=(200, 3)))
    tracemalloc.start()
    save_turning(tmp_path / "map.gif", points, num_frame=700, size=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6


def test_a_toolkit_that_is_not_there_changes_nothing(monkeypatch, islands, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.delenv("DISPLAY", raising=False)
    points = MapPoints.of(islands[0], labels=islands[1])
    one, other = map_figure(points), map_figure(points, dark=True)
    one.suptitle("one")
    assert other.get_suptitle() == "" and "matplotlib.pyplot" not in sys.modules
    save_map(tmp_path / "map.png", points)
    with pytest.raises(ConfigError, match="no suffix"):
        save_map(tmp_path / "map", points)

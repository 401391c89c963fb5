"""Pictures: nothing cut, nothing covered, nothing changed outside."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nodeloom.errors import ConfigError, DataError
from nodeloom.figures import MapPoints, degree_figure, history_figure, map_figure, save_hierarchy, save_map
from nodeloom.figures.pictures import SHADED, shaded

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")


def inside(figure, thing):
    box = thing.get_window_extent(figure.canvas.get_renderer())
    return box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1


@pytest.mark.parametrize("count", [3, 60])
def test_legend_is_whole_and_labels_do_not_overlap(count):
    random = np.random.default_rng(1)
    classes = random.integers(count, size=2000)
    places = random.normal(size=(count, 2))[classes] * 3 + random.normal(size=(2000, 2)) * 0.3
    figure = map_figure(MapPoints.of(places, labels=[f"{'long ' * 9}{i}" for i in classes], title="$a & b"))
    figure.canvas.draw()
    assert inside(figure, figure.legends[0])
    texts = figure.axes[0].texts
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) >= min(count, 15)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(inside(figure, text) for text in texts)
    if count > 30:
        assert "30 other classes" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_dark_is_dark(islands):
    figure = map_figure(MapPoints.of(islands[0], labels=islands[1]), dark=True)
    figure.canvas.draw()
    assert np.asarray(figure.canvas.buffer_rgba())[0, 0, :3].max() < 40


def test_many_points_are_shaded():
    places = np.random.default_rng(0).uniform(-1, 1, size=(SHADED + 1, 2)).astype(np.float32)
    figure = map_figure(MapPoints.of(places))
    assert len(figure.axes[0].images) == 1
    assert not figure.axes[0].collections
    picture = shaded(np.zeros((5, 2), np.float32), np.full((5, 3), 0.5, np.float32), 4)
    assert picture[2, 2].tolist() == [0.5, 0.5, 0.5, 1]
    assert picture.sum() == 2.5


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_pictures_are_the_same_each_time(islands, tmp_path, suffix, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    points = MapPoints.of(islands[0], numbers={"degree": np.arange(300)})
    for name in "ab":
        save_map(tmp_path / f"{name}{suffix}", points, size=3)
    start = (tmp_path / f"a{suffix}").read_bytes()
    assert start[:4] in (b"\x89PNG", b"%PDF", b"<?xm")
    assert suffix == ".svg" or start == (tmp_path / f"b{suffix}").read_bytes()
    assert "matplotlib.pyplot" not in sys.modules


def test_maps_of_three_dimensions_turn(islands, tmp_path):
    from PIL import Image

    from nodeloom.figures import save_turning

    places = np.column_stack([islands[0], islands[1]])
    save_turning(tmp_path / "a.gif", MapPoints.of(places, labels=islands[1]), num_frame=5, size=2)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 5
    with pytest.raises(ConfigError, match=r"expected a map of 3 dimensions, which turns"):
        save_map(tmp_path / "a.gif", MapPoints.of(islands[0]))
    with pytest.raises(DataError, match="coordinates of 3 dimensions"):
        save_turning(tmp_path / "b.gif", MapPoints.of(islands[0]))


def test_video_needs_its_program(islands, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    places = np.column_stack([islands[0], islands[1]])
    with pytest.raises(ConfigError, match=r"ffmpeg.*or write a \.gif"):
        save_map(tmp_path / "a.mp4", MapPoints.of(places))


def test_hierarchy_has_a_frame_for_each_level(islands, tmp_path):
    from PIL import Image

    points = MapPoints.of(islands[0])
    paths = [("all", f"branch {c > 0}", f"leaf {c}") for c in islands[1]]
    save_hierarchy(tmp_path / "h.gif", points, paths, "leaf 1", size=2)
    with Image.open(tmp_path / "h.gif") as picture:
        assert picture.n_frames == 3
    with pytest.raises(DataError, match="expected a class of the hierarchy, got 'leaf 7'"):
        save_hierarchy(tmp_path / "h.gif", points, paths, "leaf 7")
    with pytest.raises(DataError, match="one for each of 300 points"):
        save_hierarchy(tmp_path / "h.gif", points, paths[1:], "leaf 1")


def test_plots():
    axes = history_figure([{"loss": 2.0, "epoch": 1}, {"loss": 1.0, "epoch": 2}]).axes[0]
    assert axes.get_xlabel() == "epoch"
    assert axes.lines[0].get_ydata().tolist() == [2, 1]
    with pytest.raises(DataError, match="entries with a loss"):
        history_figure([])
    line = degree_figure([1, 1, 2, 0]).axes[0].lines[0]
    assert line.get_xdata().tolist() == [1, 2]
    assert line.get_ydata().tolist() == [0.75, 0.25]
    with pytest.raises(DataError, match="a node with an edge"):
        degree_figure([0])


def test_unknown_color(islands):
    with pytest.raises(ConfigError, match="expected one of auto, degree, got 'age'"):
        map_figure(MapPoints.of(islands[0], numbers={"degree": islands[1]}), color="age")

"""What is known of points is checked once, with the count or the place of what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.errors import DataError
from nodeloom.figures import MapPoints
from nodeloom.figures.colors import MANY, class_colors, rgb, scaled
from nodeloom.figures.places import densest, in_frame, turned


def test_classes_are_in_the_order_of_numbers_or_names():
    points = MapPoints.of(np.zeros((5, 2)), labels=[10, 9, None, float("nan"), ""])
    assert points.class_names == ("9", "10")
    assert points.classes.tolist() == [1, 0, -1, -1, -1]
    assert points.counts().tolist() == [1, 1]
    assert MapPoints.of(np.zeros((2, 2)), labels=["b", "a"]).class_names == ("a", "b")
    assert MapPoints.of(np.zeros((3, 2)), labels=["g 10", "g 9", "9"]).class_names == ("9", "g 9", "g 10")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"coordinates": [[0, np.nan]]}, "expected finite numbers, got 'nan for point 0'"),
        ({"coordinates": [0, 1]}, r"got 'shape \[2\]'"),
        ({"coordinates": [["a", "b"]]}, "expected numbers"),
        ({"names": ["a"]}, "names: expected one for each of 2 points, got '1'"),
        ({"labels": [1, 2, 3]}, "labels: expected one for each of 2 points, got '3'"),
        ({"numbers": {"age": [1]}}, "numbers 'age'"),
        ({"edges": [[0, 2]]}, "points from 0 to 1, got 2"),
    ],
)
def test_bad_input_is_refused(what, message):
    with pytest.raises(DataError, match=message):
        MapPoints.of(**({"coordinates": np.zeros((2, 2))} | what))


def test_frame_holds_all_points_but_for_those_far_away(islands):
    places, _ = islands
    seen, clipped = in_frame(places)
    assert clipped == 0
    assert np.abs(seen).max() < 1
    far, clipped = in_frame(np.vstack([places, [[1e9, 0]]]))
    assert clipped == 1
    assert np.ptp(far[:-1], axis=0).max() > 0.05  # no dot
    assert in_frame(np.zeros((0, 2)))[0].shape == (0, 2)
    assert np.isfinite(in_frame(np.ones((3, 2)))[0]).all()


def test_densest_cell_is_where_most_points_are():
    places = np.vstack([np.full((90, 2), 0.5), np.full((10, 2), -0.5)]).astype(np.float32)
    points = MapPoints.of(places, labels=[0] * 100)
    [(number, point)] = densest(points, places, 5)
    assert (number, places[point].tolist()) == (0, [0.5, 0.5])


def test_turning_keeps_lengths():
    places = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    seen, depth = turned(places, 40, 20)
    np.testing.assert_allclose((seen**2).sum(1) + depth**2, (places**2).sum(1), rtol=1e-5)


@pytest.mark.parametrize("dark", [False, True])
def test_colors_differ_from_each_other_and_from_the_background(dark):
    colors = class_colors(np.arange(MANY, 0, -1), dark)
    assert len(set(colors)) == MANY
    background = np.array(rgb("#14161A" if dark else "#FFFFFF"))
    assert min(np.abs(np.array(rgb(color)) - background).max() for color in colors) > 0.2
    assert len(set(class_colors(np.arange(50), dark))) == MANY + 1


CONES = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # Machado et al. 2009


@pytest.mark.parametrize("cones", CONES)
@pytest.mark.parametrize("dark", [False, True])
def test_ten_classes_are_told_apart_by_everyone(dark, cones):
    colors = np.array([rgb(color) for color in class_colors(np.ones(10, np.int64), dark)])
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(CONES[cones]), 0, 1)
    xyz = seen @ np.transpose([[0.4339, 0.3763, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8728]])
    cube = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab = np.column_stack([116 * cube[:, 1], 500 * (cube[:, 0] - cube[:, 1]), 200 * (cube[:, 1] - cube[:, 2])])
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)[np.triu_indices(10, 1)]
    assert apart.min() > (28 if cones == "all" else 12)


def test_numbers_are_scaled():
    assert scaled(np.array([0, 1, 2], np.float32))[0].tolist() == [0, 0.5, 1]
    unit, is_log, low, high = scaled(np.array([1] * 9 + [1000], np.float32))
    assert (is_log, low, high, unit.max(), unit.min()) == (True, 1, 1000, 1, 0)
    assert scaled(np.array([np.nan, 1], np.float32))[0].tolist() == [0, 0]
    assert scaled(np.full(2, np.nan, np.float32))[0].tolist() == [0, 0]

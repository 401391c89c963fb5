"""The page: what is in it, and (where there is Chromium) that it does what it says, without any request."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest
from chromium import PROGRAM, Browser
from page_data import data_of

from nodeloom.errors import DataError
from nodeloom.figures import MapPoints, map_page, save_map
from nodeloom.figures.page import MOST_EDGES, notebook_page

EVIL = '</script><img src=x onerror="alert(1)">'
browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")


def test_page_holds_the_map(islands):
    places, classes = islands
    names = [f"n{i}" for i in range(300)]
    page = map_page(
        MapPoints.of(places, names=names, labels=classes, numbers={"degree": np.arange(300)}, edges=[[0, 1]])
    )
    data = data_of(page)
    assert json.loads(data["names"]) == names
    assert np.frombuffer(data["classes"], "<u2").tolist() == (classes + 1).tolist()
    assert np.frombuffer(data["edges"], "<u4").tolist() == [0, 1]
    found = np.frombuffer(data["places"], "<u2").reshape(2, 300).T.astype(float)
    distances = np.linalg.norm(found - found[0], axis=1)
    np.testing.assert_allclose(
        distances / distances.max(), (d := np.linalg.norm(places - places[0], axis=1)) / d.max(), atol=1e-4
    )


def test_page_is_the_same_each_time(islands):
    points = MapPoints.of(islands[0], labels=islands[1])
    assert map_page(points) == map_page(points)


def test_texts_are_escaped(islands):
    labels = [EVIL if c else "fine" for c in islands[1]]
    page = map_page(MapPoints.of(islands[0], names=[EVIL] * 300, labels=labels, numbers={EVIL: islands[1]}, title=EVIL))
    assert "<img" not in page.replace('src="', "")
    assert page.count("</script>") == page.count("<script")
    frame = notebook_page(MapPoints.of(islands[0], title=EVIL))
    assert frame.count("<") == 2
    assert 'sandbox="allow-scripts' in frame


def test_notebook_shows_a_map(islands):
    from nodeloom import TSNE
    from nodeloom.io.vocabulary import Vocabulary

    shown = TSNE()
    assert shown._repr_html_() is None
    shown.coordinates_, shown.names_ = islands[0], Vocabulary.range(300)
    assert shown._repr_html_().startswith("<iframe sandbox=")
    shown.coordinates_ = np.zeros((3, 3), np.float32)
    assert shown._repr_html_() is None


def test_page_forbids_requests(islands):
    page = map_page(MapPoints.of(islands[0]))
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["']?https?:""", page)
    assert "fetch(" not in page.partition("</style>")[2].rpartition("<script>")[2]


def test_million_points_are_small():
    random = np.random.default_rng(0)
    page = map_page(
        MapPoints.of(random.normal(size=(1_000_000, 2)), labels=random.integers(20, size=1_000_000).tolist())
    )
    assert len(page.encode()) <= 8_000_000


def test_edges_that_are_too_many_are_told(caplog):
    edges = np.zeros((MOST_EDGES + 1, 2), np.int64)
    page = map_page(MapPoints.of(np.zeros((1, 2)), edges=edges))
    assert "The page shows no edges: 2,000,001" in caplog.text
    assert "edges" not in data_of(page)


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_points(count):
    assert len(data_of(map_page(MapPoints.of(np.zeros((count, 2)), labels=["a"] * count)))["places"]) == 4 * count


def test_three_dimensions_are_refused():
    with pytest.raises(DataError, match="2 dimensions"):
        map_page(MapPoints.of(np.zeros((1, 3))))


@browser
@pytest.mark.slow
def test_page_in_a_browser(islands, tmp_path):
    places, classes = islands
    names = [f"n{i}" for i in range(299)] + [EVIL]
    points = MapPoints.of(
        places, names=names, labels=[EVIL if c == 1 else f"c{c}" for c in classes], numbers={"degree": np.arange(300)},
        edges=[[299, 0], [299, 1]], title=EVIL,
    )  # fmt: skip
    save_map(tmp_path / "map.html", points)
    with Browser(tmp_path / "profile") as page:
        page.open(tmp_path / "map.html")
        # Search finds the name as text, and goes there.
        page.do(
            "search = document.getElementById('search'); search.value = 'IMG SRC'; search.dispatchEvent(new Event('input'))"
        )
        assert page.do("document.querySelectorAll('#found button').length") == 1
        assert page.do("document.querySelector('#found button').textContent") == EVIL
        page.do("document.querySelector('#found button').click()")
        page.until("!document.getElementById('tip').hidden")
        assert page.do("document.getElementById('tip').textContent").startswith(EVIL)
        assert page.do("document.getElementById('tip').textContent").endswith("2 edges")
        page.do("document.getElementById('home').click(); new Promise((done) => setTimeout(done, 900))")
        # Hover.
        for _ in range(60):  # the way back to the whole map takes a while
            page.mouse("mouseMoved", 3, 300)
            page.mouse("mouseMoved", *page.do("nodeloom.plot.getScreenPosition(7)"))
            page.do("new Promise((done) => setTimeout(done, 200))")
            if not page.do("document.getElementById('tip').hidden"):
                break
        assert not page.do("document.getElementById('tip').hidden")
        # The legend is a filter.
        page.do("document.querySelector('#legend input').click()")
        kept = int((classes != 1).sum())  # the evil name sorts first
        assert page.until("nodeloom.plot.get('filteredPoints').length") == kept
        # Lasso around everything that is shown.
        page.do("document.getElementById('lasso').click()")
        corners = [(5, 60), (900, 60), (900, 790), (5, 790), (5, 70)]
        page.mouse("mouseMoved", *corners[0])
        page.mouse("mousePressed", *corners[0], button="left", buttons=1, clickCount=1)
        for (a, b), (c, d) in itertools.pairwise(corners):
            for step in range(1, 11):
                page.mouse("mouseMoved", a + (c - a) * step / 10, b + (d - b) * step / 10, button="left", buttons=1)
                page.do("new Promise((done) => setTimeout(done, 20))")
        page.mouse("mouseReleased", *corners[-1], button="left", buttons=0, clickCount=1)
        page.until("nodeloom.selected().length > 1")  # the point that was searched for was selected
        assert page.do("nodeloom.selected().length") == kept
        assert len(page.do("nodeloom.csv()").splitlines()) == kept + 1
        assert page.do("nodeloom.problems") == []
        # Colour by number.
        page.do(
            "color = document.getElementById('color'); color.value = 'degree'; color.dispatchEvent(new Event('change'))"
        )
        page.until("Boolean(document.querySelector('#legend .bar'))")
        assert page.problems == []
        assert [url for url in page.requests if not url.startswith(("file:", "blob:", "data:"))] == []


@browser
@pytest.mark.slow
def test_million_points_in_a_browser(tmp_path):
    random = np.random.default_rng(0)
    save_map(
        tmp_path / "map.html",
        MapPoints.of(random.normal(size=(1_000_000, 2)), labels=random.integers(9, size=1_000_000)),
    )
    with Browser(tmp_path / "profile") as page:
        page.open(tmp_path / "map.html", seconds=120)
        assert page.do("nodeloom.plot.get('points').length") == 1_000_000
        assert page.problems == []
        assert [url for url in page.requests if not url.startswith(("file:", "blob:", "data:"))] == []

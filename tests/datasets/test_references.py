"""From a reference to a file: offline folder, package, cache, network."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nodeloom import datasets
from nodeloom.datasets import download, references
from nodeloom.datasets.cache import written
from nodeloom.datasets.conversion import largest_groups, link_split
from nodeloom.datasets.registry import DATASETS, Dataset, Recipe, Source
from nodeloom.errors import DatasetError


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NODELOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NODELOOM_DATA", raising=False)
    return tmp_path


@pytest.fixture
def server(tmp_path):
    """A web server on this machine; its folder is ``web``, and ``seen`` counts the requests."""
    (tmp_path / "web").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        seen: list[str] = []  # noqa: RUF012

        def do_GET(self):
            Handler.seen.append(self.path)
            if "short" in self.path:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"1 2\n")
                return
            super().do_GET()

        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as instance:
        thread = threading.Thread(target=instance.serve_forever)
        thread.start()
        instance.url = f"http://127.0.0.1:{instance.server_address[1]}"
        instance.folder, instance.seen = tmp_path / "web", Handler.seen
        Handler.seen.clear()
        yield instance
        instance.shutdown()
        thread.join()


def registered(monkeypatch, *recipes, name="toy"):
    monkeypatch.setitem(DATASETS, name, Dataset(name, "a toy", recipes, "none", 4, 3))


def read(path):
    return [tuple(line.split("\t")) for line in Path(path).read_text().splitlines()]


def left_over(folder):
    return [path for path in folder.rglob(".*") if path.is_file()]


def test_packaged_graph_is_there_complete_and_unchanged():
    edges, labels = datasets.load_lastfm_asia()
    content = gzip.decompress(edges.read_bytes())
    pairs = np.array([line.split() for line in content.splitlines()], dtype=int)
    assert pairs.shape == (27806, 2)
    assert len(np.unique(pairs)) == 7624
    assert (pairs[:, 0] < pairs[:, 1]).all()
    rows = [line.split() for line in labels.read_text().splitlines()]
    assert len(rows) == 7624
    assert len({label for _, label in rows}) == 18
    assert hashlib.sha256(content).hexdigest().startswith(EDGES_SHA)
    assert "MIT License" in (edges.parent / "NOTICE").read_text()
    assert datasets.resolve("<lastfm_asia.graph>") == edges
    assert datasets.resolve("<lastfm_asia.label>") == labels


EDGES_SHA = "a9b0b45b5daaa402"


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_offline_folder_comes_first(folders, monkeypatch, suffix):
    path = folders / "data" / "lastfm_asia" / f"lastfm_asia_graph.txt{suffix}"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1 2\n")
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "data"))
    assert datasets.resolve("<lastfm_asia.graph>") == path
    assert datasets.resolve("<lastfm_asia.label>").name == "labels.txt"


def test_offline_folder_may_hold_sets_that_nobody_registered(folders, monkeypatch):
    path = folders / "data" / "mine" / "mine_all.txt"
    path.parent.mkdir(parents=True)
    path.write_text("1 2\n")
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "data"))
    assert datasets.resolve("<mine.all>") == path


def test_offline_folder_that_is_none(folders, monkeypatch):
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "nowhere"))
    with pytest.raises(DatasetError, match="NODELOOM_DATA: expected a folder"):
        datasets.resolve("<youtube.graph>")


def _npz(folder, name, **arrays):
    (folder / name).mkdir(parents=True, exist_ok=True)
    np.savez(folder / name / "graph.npz", **arrays)


def test_compiled_graph_is_converted_into_the_cache(folders, monkeypatch):
    edges = np.array([[0, 1], [1, 2], [0, 3]], dtype=np.int32)
    labels = np.array([[0, 1], [2, 0]], dtype=np.int32)
    _npz(folders / "data", "blogcatalog", edges=edges, labels=labels, label_names=np.array(["a b", "c"]))
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "data"))
    graph = datasets.resolve("<blogcatalog.graph>")
    assert graph.is_relative_to(folders / "cache")
    assert read(graph) == [("0", "1"), ("1", "2"), ("0", "3")]
    assert read(datasets.resolve("<blogcatalog.label>")) == [("0", "c"), ("2", "a_b")]
    first = graph.stat().st_mtime_ns
    assert datasets.resolve("<blogcatalog.graph>").stat().st_mtime_ns == first
    _npz(folders / "data", "blogcatalog", edges=edges[:2])
    assert read(datasets.resolve("<blogcatalog.graph>")) == [("0", "1"), ("1", "2")]
    with pytest.raises(DatasetError, match=r"graph\.npz: expected an array 'labels', got none\. The split 'label'"):
        datasets.resolve("<blogcatalog.label>")


def test_compiled_graph_that_is_junk(folders, monkeypatch):
    (folders / "data" / "toy").mkdir(parents=True)
    (folders / "data" / "toy" / "graph.npz").write_bytes(b"junk")
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "data"))
    with pytest.raises(DatasetError, match="expected NumPy's npz format"):
        datasets.resolve("<toy.graph>")
    assert not left_over(folders)


def test_link_split_has_no_leak_and_is_the_same_everywhere(folders, monkeypatch):
    random = np.random.default_rng(0)
    codes = random.choice(300 * 300, 6000, replace=False)
    edges = np.column_stack([codes // 300, codes % 300])
    edges = np.unique(np.sort(edges[edges[:, 0] != edges[:, 1]], axis=1), axis=0)
    _npz(folders / "data", "blogcatalog", edges=edges)
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "data"))
    train, valid, test = (
        np.loadtxt(datasets.resolve(f"<blogcatalog.{split}>"), dtype=int) for split in ("train", "valid", "test")
    )
    everything = {tuple(edge) for edge in edges.tolist()}
    parts = [train, valid[valid[:, 2] == 1, :2], test[test[:, 2] == 1, :2]]
    assert sorted(map(tuple, np.concatenate(parts).tolist())) == sorted(everything)  # nothing lost, nothing twice
    for part in (valid, test):
        strangers = part[part[:, 2] == 0, :2]
        assert len(strangers) * 2 == len(part)
        assert 0.004 < len(strangers) / len(edges) < 0.02
        assert not {tuple(sorted(pair)) for pair in strangers.tolist()} & everything
        assert (strangers[:, 0] != strangers[:, 1]).all()
    before = datasets.resolve("<blogcatalog.test>").read_bytes()
    monkeypatch.setenv("NODELOOM_CACHE", str(folders / "elsewhere"))
    assert datasets.resolve("<blogcatalog.test>").read_bytes() == before


def test_link_split_draws_the_numbers_of_graphvite(tmp_path):
    (tmp_path / "g").write_text("".join(f"{i} {i + 1}\n" for i in range(2000)))
    outputs = {name: tmp_path / name for name in ("train", "valid", "test")}
    link_split((100, 1, 1))([tmp_path / "g"], outputs)
    random = np.random.RandomState(1024)
    shares = np.cumsum([100, 1, 1], dtype=np.float32) / 102
    expected = [i for i in range(2000) if np.searchsorted(shares, random.rand()) == 2]
    test = np.loadtxt(outputs["test"], dtype=int)
    assert test[test[:, 2] == 1, 0].tolist() == expected


def test_link_split_of_a_complete_graph_says_so(tmp_path):
    (tmp_path / "g").write_text("".join(f"{i} {j}\n" for i in range(40) for j in range(i)))
    with pytest.raises(DatasetError, match="complete graph of 40 nodes"):
        link_split((1, 1))([tmp_path / "g"], {"train": tmp_path / "a", "test": tmp_path / "b"})


def test_download_converts_verifies_and_stays_in_the_cache(server, folders, monkeypatch):
    content = gzip.compress(b"# node group\n5\t7\n1\t7\n2\t9\n3\t9\n1\t8\n")
    (server.folder / "groups.txt.gz").write_bytes(content)
    source = Source((f"{server.url}/groups.txt.gz",), sha256=hashlib.sha256(content).hexdigest())
    registered(monkeypatch, Recipe(("label",), (source,), convert=largest_groups(2)))
    steps = []
    path = datasets.resolve("<toy.label>", lambda *step: steps.append(step))
    assert read(path) == [("1", "7"), ("5", "7"), ("2", "9"), ("3", "9")]
    assert steps[-1] == ("groups.txt.gz", len(content), len(content))
    assert datasets.resolve("<toy.label>") == path
    assert server.seen == ["/groups.txt.gz"]
    assert not left_over(folders)


def test_download_without_checksum_says_that_it_is_unverified(server, monkeypatch, caplog):
    (server.folder / "g.txt").write_text("1 2\n")
    registered(monkeypatch, Recipe(("graph",), (Source((f"{server.url}/g.txt",)),)))
    assert read(datasets.resolve("<toy.graph>")) == [("1", "2")]
    assert "g.txt is unverified" in caplog.text


def test_wrong_checksum_keeps_nothing(server, folders, monkeypatch):
    (server.folder / "g.txt").write_text("1 2\n")
    registered(monkeypatch, Recipe(("graph",), (Source((f"{server.url}/g.txt",), sha256="0" * 64),)))
    with pytest.raises(DatasetError, match=r"expected sha256 0+, got [0-9a-f]{64}"):
        datasets.resolve("<toy.graph>")
    assert not [path for path in (folders / "cache").rglob("*") if path.is_file()]


def test_incomplete_download_keeps_nothing(server, folders, monkeypatch):
    registered(monkeypatch, Recipe(("graph",), (Source((f"{server.url}/short.txt",)),)))
    with pytest.raises(DatasetError, match="connection broke"):
        datasets.resolve("<toy.graph>")
    assert not [path for path in (folders / "cache").rglob("*") if path.is_file()]


def test_second_place_is_tried_and_archives_are_opened(server, monkeypatch):
    with zipfile.ZipFile(server.folder / "all.zip", "w") as archive:
        archive.writestr("data/edges.csv", "1,2\n2,3\n")
    urls = (f"{server.url}/gone/all.zip", f"{server.url}/all.zip")
    registered(monkeypatch, Recipe(("graph",), (Source(urls, member="data/edges.csv"),)))
    assert read(datasets.resolve("<toy.graph>")) == [("1", "2"), ("2", "3")]
    registered(monkeypatch, Recipe(("graph",), (Source(urls, member="data/other.csv"),)), name="toy")
    references.cache_folder().joinpath("toy", "toy_graph.txt").unlink()
    with pytest.raises(DatasetError, match=r"expected the file 'data/other\.csv'"):
        datasets.resolve("<toy.graph>")


def test_splits_made_of_another_split(server, monkeypatch):
    (server.folder / "g.txt").write_text("".join(f"{i} {i + 1}\n" for i in range(500)))
    recipes = (
        Recipe(("graph",), (Source((f"{server.url}/g.txt",)),)),
        Recipe(("train", "test"), needs=("graph",), convert=link_split((9, 1))),
    )
    registered(monkeypatch, *recipes)
    assert len(read(datasets.resolve("<toy.test>"))[0]) == 3
    assert len(read(datasets.resolve("<toy.train>"))[0]) == 2
    assert server.seen == ["/g.txt"]


def test_without_network_it_says_how_to_get_the_file_by_hand(folders, monkeypatch):
    refused = "http://127.0.0.1:9/g.txt"  # nothing listens on the discard port
    registered(monkeypatch, Recipe(("graph",), (Source((refused,)),)))
    with pytest.raises(DatasetError) as caught:
        datasets.resolve("<toy.graph>")
    message = str(caught.value)
    for part in (
        "<toy.graph>",
        refused,
        str(folders / "cache" / "toy" / "downloads" / "g.txt"),
        "toy_graph.txt",
        "NODELOOM_DATA",
    ):
        assert part in message


def test_file_put_into_the_cache_by_hand_is_used(folders, monkeypatch):
    registered(monkeypatch, Recipe(("graph",), (Source(("http://127.0.0.1:9/g.txt",)),)))
    path = folders / "cache" / "toy" / "downloads" / "g.txt"
    path.parent.mkdir(parents=True)
    path.write_text("# by hand\n3 4 extra\n")
    assert read(datasets.resolve("<toy.graph>")) == [("3", "4")]


@pytest.mark.parametrize("content", ["", "a b\n", "1\n", "\x00\x01\x02\n"])
def test_damaged_download_is_told_and_leaves_no_split(server, folders, monkeypatch, content):
    (server.folder / "g.txt").write_text(content)
    registered(monkeypatch, Recipe(("graph",), (Source((f"{server.url}/g.txt",)),)))
    with pytest.raises(DatasetError, match="Delete it and fetch it again"):
        datasets.resolve("<toy.graph>")
    assert not (folders / "cache" / "toy" / "toy_graph.txt").exists()
    assert not left_over(folders)


def test_cache_that_cannot_be_written(folders, monkeypatch):
    (folders / "cache").write_text("a file in the way")
    _npz(folders / "data", "toy", edges=np.array([[0, 1]]))
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "data"))
    with pytest.raises(DatasetError, match="Set NODELOOM_CACHE to another folder"):
        datasets.resolve("<toy.graph>")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("<yutube.graph>", r"data set 'yutube': unknown. Did you mean 'youtube'\?"),
        ("<youtube.labels>", r"expected one of the splits graph, label, got 'labels'. Did you mean 'label'\?"),
        ("youtube.graph", r"expected a reference such as <blogcatalog.graph>"),
    ],
)
def test_unknown_references(reference, message):
    with pytest.raises(DatasetError, match=message):
        datasets.resolve(reference)


def test_older_names_of_splits(folders, monkeypatch):
    path = folders / "data" / "youtube" / "youtube_graph.txt"
    path.parent.mkdir(parents=True)
    path.write_text("1 2\n")
    monkeypatch.setenv("NODELOOM_DATA", str(folders / "data"))
    assert datasets.resolve("<youtube.train>") == path


def test_listing_tells_what_is_here(folders, monkeypatch):
    monkeypatch.setattr(download, "fetch", lambda *_: pytest.fail("a listing must not fetch anything"))
    before = {item.name: item.available for item in datasets.list_datasets()}
    assert before["lastfm_asia"] == ("graph", "label")
    assert before["youtube"] == ()
    path = folders / "cache" / "youtube" / "youtube_graph.txt"
    path.parent.mkdir(parents=True)
    path.write_text("1 2\n")
    assert {item.name: item.available for item in datasets.list_datasets()}["youtube"] == ("graph",)


def test_paths_pass_through():
    assert datasets.located("a/b.txt") == "a/b.txt"
    assert datasets.located("<lastfm_asia.graph>").endswith("edges.txt.gz")
    assert not datasets.is_reference("<a>")


def test_registry_is_consistent():
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.licence
        assert len(set(dataset.splits)) == len(dataset.splits)
        assert set(dataset.aliases.values()) <= set(dataset.splits)
        for recipe in dataset.recipes:
            assert dataset.packaged or bool(recipe.sources) != bool(recipe.needs)
            for source in recipe.sources:
                assert source.file_name
                assert replace(source) == source


@pytest.mark.parametrize(
    "reference",
    [
        "</etc/x.graph>",
        "<../x.graph>",
        "<a/b.graph>",
        r"<a\b.graph>",
        "<x.gr/ph>",
        "<a\0b.graph>",
        "< .graph>",
        "<x.../g>",
    ],
)
def test_a_reference_is_a_name_and_no_path(tmp_path, monkeypatch, reference):
    monkeypatch.setenv("NODELOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NODELOOM_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="expected"):
        datasets.resolve(reference)
    assert list(tmp_path.iterdir()) == []


def test_links_do_not_lead_out_of_the_cache(tmp_path, monkeypatch):
    cache, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    cache.mkdir()
    elsewhere.mkdir()
    (cache / "mine").symlink_to(elsewhere)
    monkeypatch.setenv("NODELOOM_CACHE", str(cache))
    monkeypatch.delenv("NODELOOM_DATA", raising=False)
    (elsewhere / "mine_graph.txt").write_text("0 1\n")
    with pytest.raises(DatasetError, match="leads out of the cache"):
        datasets.resolve("<mine.graph>")
    with pytest.raises(DatasetError, match="leads out of the cache"), written(cache / "mine" / "x.txt"):
        pass
    assert [path.name for path in elsewhere.iterdir()] == ["mine_graph.txt"]
    linked = tmp_path / "linked"  # the cache itself may be a link, to a larger disk
    linked.symlink_to(cache)
    monkeypatch.setenv("NODELOOM_CACHE", str(linked))
    with written(linked / "x.txt") as (path,):
        path.write_text("0 1\n")
    assert (cache / "x.txt").exists()

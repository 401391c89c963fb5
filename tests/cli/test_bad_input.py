"""Bad input through the program: one clear message, code 2, no traceback, nothing half-written, no training."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from pathlib import Path

import pytest

YAML = "application: graph\ngraph:\n  file_name: {edges}\n"


GOOD = b"a b\nb c\nc d\nd a\na c\n"
EDGES = {
    "good.txt": GOOD,
    "empty.txt": b"",
    "comments.txt": b"# nothing\n\n",
    "junk.txt": bytes(range(256)) * 4,
    "one.txt": b"a b\nc\n",
    "only one.txt": b"a\n",
    "word.txt": b"a b 1\nb c x\n",
    "nan.txt": b"a b 1\nb c nan\n",
    "inf.txt": b"a b 1\nb c inf\n",
    "zero.txt": b"a b 1\nb c 0\n",
    "negative.txt": b"a b 1\nb c -2\n",
    "large.txt": b"0 1\n1 4294967296\n",
    "huge.txt": b"0 1\n1 99999999999999999999999\n",
    "duplicates.txt": b"a b\nb a\na b\nb c\n",
    "windows.txt": GOOD.replace(b"\n", b"\r\n"),
    "bom.txt": b"\xef\xbb\xbf" + GOOD,
    "utf16.txt": GOOD.decode().encode("utf-16"),
    "latin.txt": b"a b\nb caf\xe9\n",
    "other.txt": b"x y\ny z\n",
    "loop.txt": b"a a\n",
    "labels.txt": b"a 1\nb 0\nc 1\nd 0\n",
    "strangers.txt": b"a 1\nnobody 0\nno_one 1\n",
    "unlabelled.txt": b"a 1\nb\n",
    "links.txt": b"a b 1\nb d 2\n",
    "key.yaml": b"graph: {file_name: good.txt}\ntrain:\n  num_epoch: 3\n  augmentaton_step: 2\n",
    "dim.yaml": b"graph: {file_name: good.txt}\nresource:\n  dim: 0\n",
    "p.yaml": b"graph: {file_name: good.txt}\ntrain: {model: node2vec, p: 0}\n",
    "step.yaml": b"graph: {file_name: good.txt}\ntrain: {augmentation_step: 9, random_walk_length: 4}\n",
    "open.yaml": b"graph: [\n",
}  # fmt: skip

# What it is, the command, and words of the one message; None where it simply works.
TABLE: list[tuple[str, str, tuple[str, ...] | None]] = [
    ("missing file", "embed none.txt -o out", ("none.txt: expected a file, got no file of this name",)),
    ("missing file to convert", "convert none.txt -o out", ("none.txt: expected a file",)),
    ("missing configuration", "run none.yaml", ("none.yaml: there is no such file",)),
    ("missing labels", "embed good.txt -o out --labels none.txt", ("none.txt: expected a file",)),
    ("missing model", "nearest none.safetensors a", ("none.safetensors: expected a model file", "No such file")),
    ("missing model to start from", "embed good.txt -o out --init none.safetensors", ("none.safetensors",)),
    ("directory", "embed . -o out", (".: expected a file, got a folder",)),
    ("directory of a model", "info .", (".: expected a model or a graph, got a folder",)),
    ("directory as output", "embed good.txt -o .", (".: expected the path of a file, got 'a folder'",)),
    ("empty file", "embed empty.txt -o out", ("empty.txt: expected edges, got an empty file",)),
    ("comments only", "embed comments.txt -o out", ("comments.txt: expected edges",)),
    ("empty labels", "evaluate m.safetensors --labels empty.txt", ("empty.txt: expected lines of the form",)),
    ("empty model", "info empty.safetensors", ("empty.safetensors", "an empty file")),
    ("binary junk", "embed junk.txt -o out", ("junk.txt:", "is this file binary?")),
    ("binary labels", "evaluate m.safetensors --labels junk.txt", ("junk.txt: expected a text file",)),
    ("a line with one token", "embed one.txt -o out", ("one.txt:2: expected 'head tail'", "got 'c'")),
    ("no arguments", "embed", ("EDGES",)),
    ("one token alone", "convert only\\ one.txt -o out", ("only one.txt:1: expected",)),
    ("label line with one token", "embed good.txt -o out --labels unlabelled.txt", ("unlabelled.txt:2: expected",)),
    ("non-numeric weight", "embed word.txt -o out", ("word.txt:2: expected a number as the weight, got 'x'",)),
    ("NaN weight", "embed nan.txt -o out", ("nan.txt:2: expected positive, finite weights, got nan",)),
    ("infinite weight", "embed inf.txt -o out", ("inf.txt:2: expected positive, finite weights, got inf",)),
    ("zero weight", "embed zero.txt -o out", ("zero.txt:2: expected positive, finite weights, got 0.0",)),
    ("negative weight", "convert negative.txt -o out", ("negative.txt:2: expected positive, finite weights, got -2",)),
    ("ids beyond int32", "embed large.txt -o out", None),
    ("ids beyond int64", "embed huge.txt -o out", None),
    ("edges listed twice", "embed duplicates.txt -o out", None),
    ("names twice", "embed good.txt -o out --columns a,a", ("--columns: expected different columns",)),
    ("unknown column", "embed good.txt -o out --columns a,x", ("good.txt", "'x'")),
    ("Windows line ends", "embed windows.txt -o out", None),
    ("byte order mark", "embed bom.txt -o out", None),
    ("UTF-16", "embed utf16.txt -o out", None),
    ("UTF-16, and said so", "embed utf16.txt -o out --encoding utf-16", None),
    ("Latin-1", "embed latin.txt -o out", ("latin.txt:2: expected text in UTF-8", "latin-1")),
    ("Latin-1, and said so", "embed latin.txt -o out --encoding latin-1", None),
    ("Latin-1 labels", "evaluate m.safetensors --labels latin.txt", ("latin.txt:2: expected text in UTF-8",)),
    ("nothing to learn", "embed loop.txt -o out", ("There is nothing to learn from",)),
    ("labels of strangers", "embed good.txt -o out --labels strangers.txt", ("strangers.txt:2:", "nobody", "no_one")),
    ("labels of strangers", "evaluate m.safetensors --labels strangers.txt", ("strangers.txt:2:", "--skip-unknown")),
    ("links of strangers", "evaluate m.safetensors --links links.txt", ("links.txt:2:", "0 or 1", "'2'")),
    ("unknown node", "nearest m.safetensors zoe", ("'zoe'",)),
    ("dim 0", "embed good.txt -o out --dim 0", ("--dim: expected an integer >= 1", "got 0")),
    ("dim 0", "run dim.yaml", ("dim.yaml:3: resource.dim: expected an integer >= 1",)),
    (
        "step longer than the walk",
        "embed good.txt -o out --augmentation-step 9 --random-walk-length 4",
        ("--augmentation-step: expected at most --random-walk-length (4), got 9",),
    ),
    ("step longer than the walk", "run step.yaml", ("step.yaml:2: train.augmentation_step: expected at most",)),
    ("p 0", "embed good.txt -o out --model node2vec --p 0", ("--p: expected a number >= 1e-06 and <= 1000000, got 0",)),
    ("p 0", "run p.yaml", ("p.yaml:2: train.p: expected a number >= 1e-06 and <= 1000000, got 0",)),
    ("q below 0", "embed good.txt -o out --model node2vec --q -1", ("--q: expected a number >= 1e-06 and <= 1000000, got -1",)),
    ("p NaN", "embed good.txt -o out --p nan", ("--p: expected a number >= 1e-06 and <= 1000000",)),
    ("share 0", "embed good.txt -o out --hold-out 0", ("--hold-out: expected a number > 0 and < 1",)),
    ("share of a word", "evaluate m.safetensors --labels labels.txt --portions x", ("--portions", "'x'")),
    ("no threads", "export m.safetensors -o out.txt --num-thread 0", ("--num-thread: expected an integer >= 1",)),
    ("unknown key", "run key.yaml", ("key.yaml:4: train.augmentaton_step: unknown key", "'augmentation_step'?")),
    ("no YAML", "run open.yaml", ("open.yaml:2: this is not YAML",)),
    ("unknown option", "embed good.txt -o out --num-epochs 3", ("--num-epoch",)),
    ("no folder", "embed good.txt -o no/folder/out", ("expected a folder that exists",)),
    ("a file for a folder", "embed good.txt -o good.txt/out", ("expected a folder that exists",)),
    ("a file system without files", "embed good.txt -o out --checkpoint /proc/none/c", ("/proc/none/c",)),
    ("no folder for the export", "export m.safetensors -o no/out.txt", ("expected a folder that exists",)),
    ("unknown suffix", "export m.safetensors -o out.xyz", ("out.xyz: expected a file name that ends in",)),
    ("full disk", "export m.safetensors -o /dev/full --format tsv", ("/dev/full: expected enough space",)),
    ("truncated model", "info cut.safetensors", ("cut.safetensors", "cut or damaged")),
    ("truncated model", "evaluate cut.safetensors --labels labels.txt", ("cut.safetensors", "cut or damaged")),
    ("truncated model", "export cut.safetensors -o out.txt", ("cut.safetensors", "cut or damaged")),
    ("truncated model", "nearest cut.safetensors a", ("cut.safetensors", "cut or damaged")),
    ("truncated model", "embed good.txt -o out --init cut.safetensors", ("cut.safetensors", "cut or damaged")),
    ("truncated checkpoint", "embed good.txt -o out --checkpoint cut.safetensors --resume", ("cut.safetensors",)),
    ("truncated graph", "embed cut.nlg -o out", ("cut.nlg",)),
    ("foreign model", "nearest foreign.safetensors a", ("foreign.safetensors: expected a model written by nodeloom",)),
    ("foreign model", "export foreign.safetensors -o out.txt", ("foreign.safetensors",)),
    ("text for a model", "evaluate good.txt --labels labels.txt", ("good.txt: expected a model file", "text")),
    ("pickle", "nearest bad.pkl a", ("bad.pkl",)),
    ("pickle in disguise", "nearest pickle.safetensors a", ("pickle.safetensors", "a pickle")),
    ("model of another graph", "embed other.txt -o out --dim 4 --init m.safetensors", ("shares node names with the graph",)),
    (
        "checkpoint of another graph",
        "embed other.txt -o out --checkpoint c.safetensors --resume --dim 4 --num-epoch 3",
        ("c.safetensors: expected the undirected graph", "Resume with the graph of the checkpoint"),
    ),
    (
        "checkpoint of other settings",
        "embed good.txt -o out --checkpoint c.safetensors --resume --dim 8 --num-epoch 3",
        ("c.safetensors: expected a checkpoint of the same settings", "resource.dim was 4, is 8"),
    ),
    ("finished model", "embed good.txt -o out --checkpoint m.safetensors --resume", ("got 'a finished model'",)),
    ("no checkpoint wanted", "embed good.txt -o out --resume --no-checkpoint", ("--resume: expected a checkpoint",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    """A folder with all files of the table."""
    import pickle

    import numpy as np
    from safetensors.numpy import save_file

    from nodeloom import DeepWalk, Graph
    from nodeloom.errors import TrainingInterrupted

    class Stop:
        def on_pool_end(self, progress):
            raise TrainingInterrupted("enough")

    folder = tmp_path_factory.mktemp("bad")
    for name, content in EDGES.items():
        (folder / name).write_bytes(content)
    graph = Graph.from_file(folder / "good.txt")
    model = DeepWalk(4, num_epoch=3)
    model.fit(graph).save(folder / "m.safetensors")
    with contextlib.suppress(TrainingInterrupted):
        model.fit(graph, callbacks=[Stop()], checkpoint=folder / "c.safetensors")
    (folder / "cut.safetensors").write_bytes((folder / "m.safetensors").read_bytes()[:-50])
    (folder / "empty.safetensors").touch()
    save_file({"weight": np.zeros((3, 2), np.float32)}, folder / "foreign.safetensors")
    for name in ("bad.pkl", "pickle.safetensors"):
        (folder / name).write_bytes(pickle.dumps({"a": print}))
    graph.save(folder / "good.nlg")
    (folder / "cut.nlg").write_bytes((folder / "good.nlg").read_bytes()[:-20])
    return folder


def _content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("command", "words"), [row[1:] for row in TABLE], ids=[f"{a}: {b}" for a, b, _ in TABLE])
def test_table(cli, bad_files, monkeypatch, command, words):
    """Each bad input is refused in one clear line, and nothing is changed; or it works, and the result is all that is new."""
    monkeypatch.chdir(bad_files)
    before = _content(bad_files)
    short = ["--num-epoch", "3"] if command.startswith("embed ") and "--num-epoch" not in command else []
    answer = cli(*shlex.split(command), *short)
    after = _content(bad_files)
    if words is None:
        assert answer.code == 0, answer.err
        assert all(line.startswith("note: ") for line in answer.err.splitlines())
        assert after.keys() - before.keys() == {Path("out.safetensors")}
        (bad_files / "out.safetensors").unlink()
        return
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    for word in words:
        assert word in answer.err, answer.err
    assert after == before


@pytest.fixture(scope="module")
def large_results(tmp_path_factory):
    """A folder with an edge list and a model whose results do not fit into 8 kB. All kernels that they take are in the cache."""
    from nodeloom import DeepWalk, Graph

    folder = tmp_path_factory.mktemp("large results")
    (folder / "many.txt").write_text("".join(f"node{i} node{i + 1}\n" for i in range(5000)))
    DeepWalk(8, num_epoch=1).fit(Graph.from_file(folder / "many.txt")).save(folder / "m.safetensors")
    return folder


@pytest.mark.skipif(os.name == "nt", reason="limits of size are a matter of POSIX")
@pytest.mark.parametrize(
    "command", ["convert many.txt -o out/x", "export m.safetensors -o out/x.npz", "embed many.txt -o out/x"]
)
def test_disk_that_fills_up(cli, large_results, tmp_path, monkeypatch, command):
    import resource

    monkeypatch.chdir(tmp_path)
    for name in ("out", "tmp"):
        (tmp_path / name).mkdir()
    for path in large_results.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    options = ("--num-epoch", 1, "--dim", 8, "--quiet") if command.startswith("embed") else ()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        answer = cli(*command.split(), *options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert answer.code == 2
    assert answer.err.startswith("error: out/x")
    assert "got 'File too large'" in answer.err
    assert answer.err.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def _refused(answer, *parts):
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert len(answer.err.strip().splitlines()) == 1
    for part in parts:
        assert part in answer.err, answer.err


@pytest.fixture
def unchanged(tmp_path, fake):
    """After the test nothing new lies in the folder, and nothing was trained."""
    (tmp_path / "out").mkdir()
    yield tmp_path / "out"
    (tmp_path / "out").chmod(0o755)
    assert list((tmp_path / "out").iterdir()) == []
    assert fake.seen == []


@pytest.fixture
def write(tmp_path, edges):
    def write(text, name="run.yaml"):
        path = tmp_path / name
        path.write_text(YAML.format(edges=edges) + text)
        return path

    return write


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the super-user may write everywhere")
def test_output_without_permission(cli, unchanged, edges):
    unchanged.chmod(0o555)
    _refused(cli("embed", edges, "-o", unchanged / "m"), "permission")


def test_unknown_data_set(cli, unchanged):
    _refused(cli("embed", "<yutube.graph>", "-o", unchanged / "m"), "Did you mean 'youtube'?")


def test_no_network_says_how_to_get_the_data(cli, unchanged, monkeypatch):
    import urllib.error
    import urllib.request

    def refuse(*arguments, **keywords):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    _refused(cli("embed", "<flickr.graph>", "-o", unchanged / "m"), "no network", "flickr_graph.txt", "NODELOOM_DATA")

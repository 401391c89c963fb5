"""Bad input through the program: one clear message, code 2, no traceback, nothing half-written, no training."""

from __future__ import annotations

import os
import sys

import pytest

YAML = "application: graph\ngraph:\n  file_name: {edges}\n"


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


def test_unknown_yaml_key(cli, unchanged, write):
    path = write("train:\n  num_epoch: 3\n  augmentaton_step: 2\n")
    _refused(cli("run", path), f"{path}:6: train.augmentaton_step: unknown key. Did you mean 'augmentation_step'?")


@pytest.mark.parametrize(
    ("text", "option", "message"),
    [
        ("resource:\n  dim: 0\n", ("--dim", "0"), "expected an integer >= 1 and <= 65536, got 0"),
        ("train:\n  p: 0\n", ("--p", "0"), "expected a number > 0, got 0"),
        ("train:\n  q: -1\n", ("--q", "-1"), "expected a number > 0, got -1"),
        (
            "train: {augmentation_step: 9, random_walk_length: 4}\n",
            ("--augmentation-step", "9", "--random-walk-length", "4"),
            "expected at most random_walk_length (4), got 9",
        ),
    ],
)
def test_values_out_of_range(cli, unchanged, write, edges, text, option, message):
    path = write(text)
    _refused(cli("run", path), f"{path}:", message)
    _refused(cli("embed", edges, "-o", unchanged / "m", *option), f"{option[0]}: ", message)


@pytest.mark.parametrize("command", ["embed", "convert"])
def test_missing_file_and_folder(cli, unchanged, command, tmp_path):
    _refused(cli(command, tmp_path / "none.txt", "-o", unchanged / "m"), "none.txt", "expected a file")
    _refused(cli(command, tmp_path, "-o", unchanged / "m"), str(tmp_path), "folder")
    _refused(cli("run", tmp_path / "none.yaml"), "none.yaml: there is no such file")


@pytest.mark.parametrize(
    "content", [b"", b"# only comments\n", b"a\n", b"a b x\n", b"a b nan\n", b"a b -1\n", b"\x00\x01\xff"]
)
def test_unusable_edge_files(cli, unchanged, tmp_path, content):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    _refused(cli("embed", path, "-o", unchanged / "m", "--weighted"), "bad.txt")


def test_output_that_cannot_be_written_is_told_before_training(cli, unchanged, edges, tmp_path):
    _refused(cli("embed", edges, "-o", tmp_path / "no" / "folder" / "m"), "expected a folder that exists")
    _refused(cli("embed", edges, "-o", edges / "m"), "expected a folder that exists")
    (tmp_path / "taken.safetensors").mkdir()
    answer = cli("embed", edges, "-o", tmp_path / "taken.safetensors")
    _refused(answer, "taken.safetensors")
    _refused(cli("embed", edges, "-o", unchanged / "m", "--checkpoint", "/proc/none/c"), "/proc/none/c")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the super-user may write everywhere")
def test_output_without_permission(cli, unchanged, edges):
    unchanged.chmod(0o555)
    _refused(cli("embed", edges, "-o", unchanged / "m"), "permission")


def test_label_file_naming_unknown_nodes_is_told_before_training(cli, unchanged, edges, labels):
    labels.write_text(labels.read_text() + "nobody a\nno_one b\n")
    _refused(cli("embed", edges, "-o", unchanged / "m", "--labels", labels), "labels.txt", "nobody", "no_one")


def test_label_file_that_is_missing_is_told_before_training(cli, unchanged, edges, tmp_path):
    _refused(cli("embed", edges, "-o", unchanged / "m", "--labels", tmp_path / "none.txt"), "none.txt")


def test_unknown_data_set(cli, unchanged):
    _refused(cli("embed", "<yutube.graph>", "-o", unchanged / "m"), "Did you mean 'youtube'?")


def test_no_network_says_how_to_get_the_data(cli, unchanged, monkeypatch):
    import urllib.error
    import urllib.request

    def refuse(*arguments, **keywords):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    _refused(cli("embed", "<flickr.graph>", "-o", unchanged / "m"), "no network", "flickr_graph.txt", "NODELOOM_DATA")


@pytest.mark.parametrize(
    "command", [("evaluate", "--labels", "LABELS"), ("nearest", "a0"), ("export", "-o", "OUT"), ("info",)]
)
@pytest.mark.parametrize("kind", ["text", "truncated", "foreign", "missing", "pickle"])
def test_files_that_are_no_model(cli, model, labels, tmp_path, command, kind):
    from safetensors.numpy import save_file

    out = tmp_path / "v.txt"
    path = tmp_path / "bad.safetensors"
    if kind == "text":
        path.write_text("24 4\na0 1 2 3 4\n")
    elif kind == "truncated":
        path.write_bytes(model.read_bytes()[:-100])
    elif kind == "foreign":
        import numpy as np

        save_file({"weight": np.zeros((3, 2), np.float32)}, path)
    elif kind == "pickle":
        import pickle

        path = tmp_path / "bad.pkl"
        path.write_bytes(pickle.dumps({"a": print}))
    name, *rest = command
    words = [{"LABELS": str(labels), "OUT": str(out)}.get(word, word) for word in rest]
    _refused(cli(name, path, *words), path.name)
    assert not out.exists()


def test_resume_without_a_checkpoint(cli, unchanged, edges, write):
    refused = cli("embed", edges, "-o", unchanged / "m", "--resume", "--no-checkpoint")
    _refused(refused, "train.resume: expected a checkpoint to go on from")
    _refused(cli("run", write(""), "--resume"), "train.resume: expected a checkpoint")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_full_device(cli, model):
    _refused(cli("export", model, "-o", "/dev/full", "--format", "tsv"), "/dev/full", "space")


@pytest.mark.skipif(os.name == "nt", reason="limits of size are a matter of POSIX")
@pytest.mark.parametrize("command", ["convert", "export"])
def test_disk_that_fills_up_leaves_nothing(model, tmp_path, command):
    import subprocess

    (tmp_path / "out").mkdir()
    edges = tmp_path / "many.txt"
    edges.write_text("".join(f"node{i} node{i + 1}\n" for i in range(5000)))
    source = {"convert": edges, "export": model}[command]
    limit = {"convert": 8, "export": 1}[command]  # kB; both files are larger
    text = f"ulimit -f {limit}; exec {sys.executable} -m nodeloom {command} {source} -o {tmp_path}/out/x.tsv"
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []

"""embed, run, baseline: what arrives at the estimator, what is printed, what is written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from nodeloom.cli.baselines import baselines, find_baseline
from nodeloom.errors import ConfigError
from nodeloom.io.model_file import read_model


def test_embed_writes_a_model(cli, fake, edges, tmp_path):
    answer = cli("embed", edges, "-o", tmp_path / "m.safetensors", "--dim", 8, "--num-epoch", 3, "--seed", 4)
    assert answer.code == 0, answer.err
    name, parameters, graph, options = fake.seen[0]
    assert name == "FakeEstimator"
    assert (parameters["dim"], parameters["num_epoch"], parameters["seed"]) == (8, 3, 4)
    assert graph.num_nodes == 24
    assert options == {"checkpoint": str(tmp_path / "m.checkpoint.safetensors"), "checkpoint_interval": 60.0}
    data = read_model(tmp_path / "m.safetensors")
    assert data.vertex.shape == (24, 8)
    assert "a0" in data.names
    for part in ("Read  Graph(24 nodes", "Plan", "Trained", "Saved"):
        assert part in answer.out
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


ADAM = {"type": "Adam", "beta1": 0.8, "beta2": 0.999, "epsilon": "auto"}
SEVERAL = {"num_negative": 3, "lr": 0.01, "schedule": "constant"}


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        ("--model line --order 1", "Line", {"order": 1}),
        ("--model node2vec --p 0.25 --q 4", "Walks", {"p": 0.25, "q": 4.0}),
        ("--optimizer Adam --beta1 0.8", "FakeEstimator", {"optimizer": ADAM}),
        ("--num-thread 1 --deterministic", "FakeEstimator", {"num_thread": 1, "deterministic": True}),
        ("--num-negative 3 --lr 1e-2 --schedule constant", "FakeEstimator", SEVERAL),
    ],
)
def test_embed_passes_parameters_on(cli, fake, edges, tmp_path, arguments, name, expected):
    assert cli("embed", edges, "-o", tmp_path / "m", *arguments.split()).code == 0
    assert fake.seen[0][0] == name
    assert {key: fake.seen[0][1][key] for key in expected} == expected


@pytest.mark.parametrize("suffix", [".txt", ".tsv", ".npz", ".parquet", ".bin"])
def test_embed_exports_by_suffix(cli, fake, edges, tmp_path, suffix):
    answer = cli("embed", edges, "-o", tmp_path / f"v{suffix}", "--dim", 4)
    assert answer.code == 0, answer.err
    assert (tmp_path / f"v{suffix}").stat().st_size > 24 * 4


def test_embed_reads_several_files_and_standard_input(cli, fake, edges, tmp_path, monkeypatch):
    import io
    import sys
    from types import SimpleNamespace

    more = tmp_path / "more.txt"
    more.write_text("x y\n")
    assert cli("embed", edges, more, "-o", tmp_path / "m").code == 0
    assert fake.seen[-1][2].num_nodes == 26
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"1,2\n2,3\n"), isatty=lambda: False))
    assert cli("embed", "-", "-o", tmp_path / "m", "--delimiters", ",", "--directed").code == 0
    assert fake.seen[-1][2].num_nodes == 3
    assert fake.seen[-1][2].directed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a matter of POSIX")
def test_embed_reads_a_pipe_once(cli, fake, edges, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(edges.read_bytes()))
    writer.start()
    answer = cli("embed", pipe, "-o", tmp_path / "m")
    writer.join()
    assert answer.code == 0, answer.err
    assert fake.seen[0][2].num_nodes == 24


def test_embed_judges_on_labels_and_held_out_edges(cli, fake, edges, labels, tmp_path):
    answer = cli(
        "--json", "embed", edges, "-o", tmp_path / "m", "--labels", labels, "--portions", "0.5", "--hold-out", "0.1"
    )
    assert answer.code == 0, answer.err
    result = answer.json
    classification, links = result["evaluation"]
    assert classification["metrics"]["micro-F1@50%"] == 1.0
    assert classification["control"]["metrics"]["micro-F1@50%"] < 1.0
    assert links["metrics"]["AUC"] > 0.4
    assert fake.seen[0][2].num_edges < result["graph"]["num_edges"]  # trained without the held-out edges
    assert result["training"]["loss"] is None  # NaN is not JSON
    assert result["saved"].endswith("m.safetensors")


def test_json_is_the_only_thing_on_the_standard_output(cli, fake, edges, tmp_path):
    answer = cli("embed", edges, "-o", tmp_path / "m", "--json")
    assert set(answer.json) == {"graph", "plan", "alternative", "training", "saved"}


def test_quiet_says_nothing(cli, fake, edges, tmp_path):
    answer = cli("embed", edges, "-o", tmp_path / "m", "--quiet", "--p", "4")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_pickle_names_become_safetensors_and_say_so(cli, fake, edges, tmp_path):
    answer = cli("embed", edges, "-o", tmp_path / "m.pkl")
    assert answer.code == 0
    assert (tmp_path / "m.safetensors").exists()
    assert not (tmp_path / "m.pkl").exists()
    assert "not pickled" in answer.err


CONFIG = """\
application: graph
resource: {{dim: 8}}
graph: {{file_name: {edges}}}
train: {{num_epoch: 3, model: node2vec, p: 4}}
evaluate:
  - {{task: node classification, file_name: {labels}, portions: [0.5]}}
  - {{task: link prediction, file_name: {links}, filter_file: {edges}}}
save: {{file_name: {out}}}
"""


@pytest.fixture
def config(tmp_path, edges, labels):
    links = tmp_path / "links.txt"
    links.write_text("a0 a3 1\na0 b5 0\na1 a2 1\n")  # a1 a2 is no edge of the graph: (1 + 2) % 3 == 0
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG.format(edges=edges, labels=labels, links=links, out=tmp_path / "out.safetensors"))
    return path


def test_run_does_what_the_file_says(cli, fake, config, tmp_path):
    answer = cli("run", config, "--json")
    assert answer.code == 0, answer.err
    assert fake.seen[0][0] == "Walks"
    assert fake.seen[0][1]["p"] == 4
    assert [task["task"] for task in answer.json["evaluation"]] == ["node classification", "link prediction"]
    assert "control" not in answer.json["evaluation"][0]
    assert read_model(tmp_path / "out.safetensors").dim == 8


def test_run_takes_overrides(cli, fake, config, tmp_path):
    answer = cli(
        "run", config, "--set", "dim=4", "--set", "train.seed=9", "--epoch", 5, "--cpu", 1, "--gpu", 2, "--no-eval"
    )
    assert answer.code == 0, answer.err
    _, parameters, graph, _ = fake.seen[0]
    assert (parameters["dim"], parameters["seed"], parameters["num_epoch"], parameters["num_thread"]) == (4, 9, 5, 1)
    assert parameters["gpus"] == (0, 1)
    assert "resource.gpus names 2 GPUs, of which the first that can be used is trained on" in answer.err
    assert "Node classification" not in answer.out
    assert graph.num_nodes == 24


def test_run_control_judges_random_vectors(cli, fake, config):
    answer = cli("run", config, "--control")
    assert "random micro" in answer.out
    assert "random AUC" in answer.out


def test_run_fetches_data_sets_and_skips_names_they_lack(cli, fake, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "youtube"
    folder.mkdir(parents=True)
    (folder / "youtube_graph.txt").write_text("".join(f"{i}\t{(i * 7 + 1) % 50}\n" for i in range(50)))
    (folder / "youtube_label.txt").write_text("".join(f"{i}\t{i % 2}\n" for i in range(60)))
    monkeypatch.setenv("NODELOOM_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    answer = cli("baseline", "line", "youtube", "--set", "evaluate.0.portions=[0.5]", "--epoch", 1)
    assert answer.code == 0, answer.err
    assert fake.seen[0][0] == "Line"
    assert (tmp_path / "line_youtube.safetensors").exists()
    assert "Node classification: 50 labelled nodes, 2 classes" in answer.out
    assert "10" in answer.err  # ten labels are of nodes that the graph does not have


def test_start_from_another_model(cli, fake, model, edges, tmp_path):
    assert cli("embed", edges, "-o", tmp_path / "m", "--init", model).code == 0
    assert fake.seen[0][3]["init"][:2] == ("loaded", str(model))


def test_checkpoint_and_resume(cli, fake, model, edges, tmp_path):
    checkpoint = tmp_path / "c.safetensors"
    arguments = ("embed", edges, "-o", tmp_path / "m", "--checkpoint", checkpoint, "--checkpoint-interval", "5")
    answer = cli(*arguments, "--resume")
    assert answer.code == 0, answer.err
    assert "there is no checkpoint yet" in answer.err
    assert fake.seen[-1][3] == {"checkpoint": str(checkpoint), "checkpoint_interval": 5.0}
    model.rename(checkpoint)
    assert cli(*arguments, "--resume").code == 0
    assert fake.seen[-1][3] == {"checkpoint": str(checkpoint), "checkpoint_interval": 5.0, "resume": str(checkpoint)}


AUTO = "m.checkpoint.safetensors"


@pytest.mark.parametrize("output", ["m", "m.safetensors", "m.txt", "m.pkl"])
def test_a_checkpoint_beside_the_result_is_gone_with_success(cli, fake, edges, tmp_path, output, monkeypatch):
    def leave_a_checkpoint(self, graph, **options):
        Path(options["checkpoint"]).write_bytes(b"half-way")
        return fit(self, graph, **options)

    fit = fake.fit
    monkeypatch.setattr(fake, "fit", leave_a_checkpoint)
    assert cli("embed", edges, "-o", tmp_path / output).code == 0
    assert fake.seen[-1][3]["checkpoint"] == str(tmp_path / AUTO)
    assert not (tmp_path / AUTO).exists()
    named = tmp_path / "mine.safetensors"
    assert cli("embed", edges, "-o", tmp_path / output, "--checkpoint", named).code == 0
    assert named.exists()  # what was asked for stays


def test_no_checkpoint_means_none(cli, fake, config, edges, tmp_path):
    assert cli("embed", edges, "-o", tmp_path / "m", "--no-checkpoint").code == 0
    assert fake.seen[-1][3] == {}
    assert cli("run", config, "--no-checkpoint", "--no-eval").code == 0
    assert fake.seen[-1][3] == {}
    assert cli("run", config, "--no-eval").code == 0
    assert fake.seen[-1][3]["checkpoint"] == str(tmp_path / "out.checkpoint.safetensors")
    assert cli("run", config, "--no-eval", "--set", "save.file_name=").code == 0
    assert fake.seen[-1][3] == {}


def test_a_new_training_keeps_the_checkpoint_of_an_interrupted_one(cli, fake, model, edges, tmp_path):
    left = tmp_path / "x.checkpoint.safetensors"
    left.write_bytes(b"hours of work")
    answer = cli("embed", edges, "-o", tmp_path / "x")
    assert answer.code == 0
    kept = tmp_path / "x.checkpoint.previous.safetensors"
    assert kept.read_bytes() == b"hours of work"
    assert "--resume was not given" in answer.err
    assert str(kept) in answer.err
    model.rename(left)
    assert cli("embed", edges, "-o", tmp_path / "x", "--resume").code == 0
    assert fake.seen[-1][3]["resume"] == str(left)
    assert not left.exists()


def test_a_trained_model_that_cannot_be_saved_is_kept_elsewhere(cli, fake, edges, tmp_path, monkeypatch):
    import tempfile

    from nodeloom.errors import OutputError

    (tmp_path / "rescue").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "rescue"))
    save = fake.save

    def full(self, path):
        if str(path).endswith("out/m.safetensors"):
            raise OutputError(f"{path}: expected enough space on the disk, got 'No space left on device'.")
        save(self, path)

    monkeypatch.setattr(fake, "save", full)
    (tmp_path / "out").mkdir()
    answer = cli("embed", edges, "-o", tmp_path / "out" / "m")
    assert answer.code == 2
    (kept,) = (tmp_path / "rescue").rglob("m.safetensors")
    assert answer.err.strip().endswith(f"The trained model was saved as {kept}.")
    assert read_model(kept).num_nodes == 24


def test_a_disk_without_room_for_the_result_is_told_before_training(cli, fake, edges, tmp_path, monkeypatch):
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=24 * 128 * 4 - 1))
    answer = cli("embed", edges, "-o", tmp_path / "m")
    assert answer.code == 2
    assert "of free space on the disk" in answer.err
    assert fake.seen == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=24 * 128 * 4))
    assert cli("embed", edges, "-o", tmp_path / "m").code == 0


def test_interrupt_says_how_to_go_on(cli, fake, edges, tmp_path, monkeypatch):
    import sys

    fake.stop = True
    arguments = ["embed", str(edges), "-o", str(tmp_path / "my model"), "--checkpoint", str(tmp_path / "c")]
    monkeypatch.setattr(sys, "argv", ["nodeloom", *arguments])
    answer = cli(*arguments)
    assert answer.code == 130
    assert "error: stopped after epoch 1.5." in answer.err
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("Go on with: nodeloom embed ")
    assert last.endswith("--resume")
    assert "'" + str(tmp_path / "my model") + "'" in last
    assert not (tmp_path / "my model.safetensors").exists()


def test_keyboard_interrupt_before_training(cli, fake, edges, tmp_path, monkeypatch):
    def interrupted(self, graph):
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "plan", interrupted)
    answer = cli("embed", edges, "-o", tmp_path / "m")
    assert (answer.code, answer.err) == (130, "error: interrupted.\n")


def test_unexpected_errors_are_one_line_and_code_1(cli, fake, edges, tmp_path, monkeypatch):
    def broken(self, graph):
        raise RuntimeError("a wheel came off\nsecond line")

    monkeypatch.setattr(fake, "plan", broken)
    answer = cli("embed", edges, "-o", tmp_path / "m")
    assert answer.code == 1
    assert answer.err == "error: unexpected RuntimeError: a wheel came off (--verbose shows where)\n"
    answer = cli("embed", edges, "-o", tmp_path / "m", "--verbose", traceback=True)
    assert "Traceback" in answer.err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["line", "youtube"], "line_youtube"),
        (["LINE", "friendster"], "line_friendster"),
        (["line", "friendster-small"], "line_friendster-small"),
        (["quick start"], "quick_start"),
        (["node2vec"], "node2vec_youtube"),
    ],
)
def test_baseline_words_stand_between_separators(words, name):
    assert find_baseline(words).stem == name


@pytest.mark.parametrize(
    ("words", "message"),
    [(["youtube"], "fits several: deepwalk_youtube, line_youtube, node2vec_youtube"), (["tube"], "fits none of")],
)
def test_baseline_words_that_fit_not_one(words, message):
    with pytest.raises(ConfigError, match=message):
        find_baseline(words)


def test_all_baselines_can_be_named_by_their_own_words():
    for path in baselines():
        assert find_baseline(path.stem.split("_")) == path


ARRIVING = {
    "dim": 16, "num_epoch": 7, "augmentation_step": 3, "random_walk_length": 9, "num_negative": 2,
    "negative_weight": 2.5, "negative_sample_exponent": 0.5, "num_shared_negative": 8,
    "positive_reuse": 2, "lr": 0.001, "weight_decay": 0.1, "schedule": "constant", "num_thread": 1,
    "deterministic": True, "seed": 5, "device": "cpu", "gpus": (1,), "gpu_memory_limit": 10**9, "table_dtype": "bf16",
    "sampler": "host", "memory_limit": 10**9, "num_partition": 2, "num_worker": 1,
}  # fmt: skip


@pytest.mark.parametrize("key", ARRIVING)
def test_every_parameter_arrives_from_both_roads(cli, fake, edges, tmp_path, key):
    value = ARRIVING[key]
    text = str(list(value) if isinstance(value, tuple) else value).lower()
    assert set(fake().get_params()) - {"optimizer"} == set(ARRIVING)
    path = tmp_path / "run.yaml"
    path.write_text(f"graph: {{file_name: {edges}}}\n")
    assert cli("run", path, "--set", f"{key}={text}").code == 0
    switch = "--" + key.replace("_", "-")
    assert cli("embed", edges, "-o", tmp_path / "m", *([switch] if value is True else [switch, text])).code == 0
    for _, parameters, _, _ in fake.seen:
        assert parameters[key] == value
        others = {name: given for name, given in parameters.items() if name not in (key, "optimizer")}
        assert others == {name: given for name, given in fake().get_params().items() if name in others}


def test_tasks_that_would_hold_out_other_edges_are_refused(cli, fake, edges, tmp_path):
    # Trained on the split of the second task, the first would be judged on edges that were trained on.
    path = tmp_path / "two.yaml"
    task = "  - {{task: link prediction, fraction: 0.1, seed: {}}}\n"
    path.write_text(f"graph: {{file_name: {edges}}}\nevaluate:\n" + task.format(0) + task.format(1))
    answer = cli("run", path)
    assert answer.code == 2
    assert "one fraction and one seed" in answer.err
    assert fake.seen == []


def test_the_checkpoint_in_the_way_can_be_the_start(cli, fake, edges, model, tmp_path):
    checkpoint = tmp_path / "m.checkpoint.safetensors"
    checkpoint.write_bytes(model.read_bytes())
    answer = cli("embed", edges, "-o", tmp_path / "m", "--dim", 4, "--init", checkpoint)
    assert answer.code == 0, answer.err
    assert fake.seen[-1][3]["init"][1] == str(checkpoint)
    assert (tmp_path / "m.checkpoint.previous.safetensors").exists()


def test_every_result_has_a_checkpoint_of_its_own(cli, fake, edges, tmp_path):
    for name in ("m.1", "m.2"):
        assert cli("embed", edges, "-o", tmp_path / name).code == 0
    assert [Path(call[3]["checkpoint"]).name for call in fake.seen] == [
        "m.1.checkpoint.safetensors",
        "m.2.checkpoint.safetensors",
    ]

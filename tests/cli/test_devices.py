"""What is said about devices on the command line arrives, or is refused."""

from __future__ import annotations

import pytest


@pytest.fixture
def config(tmp_path, edges):
    path = tmp_path / "run.yaml"
    path.write_text(f"graph: {{file_name: {edges}}}\n")
    return path


@pytest.mark.parametrize(
    ("options", "arrives"),
    [
        (["--device", "cuda:1"], {"device": "cuda:1"}),
        (["--table-dtype", "bf16", "--sampler", "host"], {"table_dtype": "bf16", "sampler": "host"}),
        (["--gpu", 1], {"gpus": (0,), "device": "auto"}),
        (["--gpu", 0], {"gpus": (), "device": "cpu"}),
        (["--gpu", 2, "--device", "cuda"], {"gpus": (0, 1), "device": "cuda"}),
    ],
)
def test_run_passes_on(cli, fake, config, options, arrives):
    answer = cli("run", config, *options)
    assert answer.code == 0, answer.err
    parameters = fake.seen[0][1]
    assert {key: parameters[key] for key in arrives} == arrives


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "gpu"], "resource.device: expected 'auto' or 'cpu' or 'cuda' or 'cuda:N'"),
        (["--table-dtype", "fp16"], "resource.table_dtype: expected 'auto' or 'fp32' or 'bf16', got 'fp16'"),
        (["--gpu", -1], "--gpu: expected a number of GPUs from 0 to 10000, got -1"),
        (["--gpu", 1, "--device", "cuda:3"], "expected a device among resource.gpus (cuda:0), got 'cuda:3'"),
        (
            ["--device", "cuda", "--set", "deterministic=true"],
            "expected 'auto' or 'cpu', since train.deterministic is set",
        ),
    ],
)
def test_run_refuses(cli, fake, config, options, message):
    answer = cli("run", config, *options)
    assert answer.code == 2
    assert answer.err.startswith("error: ") and message in answer.err
    assert fake.seen == []


def test_keys_of_gpus_on_the_cpu_are_told(cli, fake, config, edges, tmp_path):
    for command, words in (
        (["run", config], "resource.table_dtype has no effect: resource.device is cpu."),
        (["embed", edges, "-o", tmp_path / "m"], "--table-dtype has no effect: --device is cpu."),
    ):
        answer = cli(*command, "--device", "cpu", "--table-dtype", "bf16")
        assert answer.code == 0, answer.err
        assert f"note: {words}" in answer.err

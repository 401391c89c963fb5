"""nodeloom info: what it says about a machine, above all about one on which something is broken."""

from __future__ import annotations

import sys

import pytest

from machines import GB, gpu, pretend, torch_with
from nodeloom import __version__
from nodeloom.cli import machine
from nodeloom.config import ResourceConfig
from nodeloom.engine.device import resolve_device


@pytest.fixture
def info(cli, monkeypatch, tmp_path):
    """Call ``nodeloom info`` on a pretended machine; returns the text, 80 columns wide, and the JSON."""

    def call(*arguments, **options):
        pretend(monkeypatch, tmp_path, *arguments, **options)
        monkeypatch.setenv("COLUMNS", "80")
        found = []
        for how in ([], ["--json"]):
            answer = cli("info", *how)
            assert (answer.code, answer.err) == (0, "")
            found.append(answer)
        text, plain = found[0].out, found[1].json
        assert max(map(len, text.splitlines())) <= 80
        assert plain["device"] == resolve_device(ResourceConfig(), deterministic=False)
        return " ".join(text.split()), plain

    return call


def test_a_good_gpu(info):
    text, found = info(torch_with(gpu(), gpu("NVIDIA H200", total=141 * GB, free=140 * GB)))
    assert (
        "GPUs cuda:0 NVIDIA H100 80GB HBM3, 80 GB (79 GB free), compute capability 9.0, 132 multiprocessors can be used "
        "cuda:1 NVIDIA H200, 141 GB (140 GB free), compute capability 9.0, 132 multiprocessors can be used "
        "auto trains on cuda:0"
    ) in text
    assert "torch 2.9.0+cu128 triton 3.5.0" in text
    assert found["device"] == "cuda:0" and found["no_gpu"] is None
    assert [card["name"] for card in found["gpus"]] == ["NVIDIA H100 80GB HBM3", "NVIDIA H200"]
    assert found["gpus"][1] == {
        "device": "cuda:1", "index": 1, "name": "NVIDIA H200", "total_memory": 141 * GB, "free_memory": 140 * GB,
        "arch": "9.0", "num_multiprocessor": 132, "problem": None,
    }  # fmt: skip


def test_a_gpu_of_amd(info):
    card = gpu("AMD Instinct MI300X", arch="gfx942:sramecc+:xnack-", processors=1)
    text, found = info(torch_with(card, version="2.8.0+rocm6.4", cuda=None, hip="6.4.43482"))
    assert "cuda:0 AMD Instinct MI300X, 80 GB (79 GB free), gfx942, 1 multiprocessor can be used" in text
    assert found["torch"] == "2.8.0+rocm6.4"


def test_an_old_gpu_beside_a_good_one(info):
    text, found = info(torch_with(gpu("Tesla P100-PCIE-16GB", 6, 0, total=16 * GB), gpu()))
    assert "cuda:0 Tesla P100-PCIE-16GB, 16 GB, compute capability 6.0, 132 multiprocessors cannot be used: its" in text
    assert "capability 6.0 is below 7.0" in text and "auto trains on cuda:1" in text
    assert found["gpus"][0]["problem"].startswith("its compute capability") and found["device"] == "cuda:1"


def test_no_driver(info):
    text, found = info(torch_with(gpu()), driver=False)
    assert "GPUs none there is no driver of an NVIDIA or AMD GPU on this machine auto trains on the CPU" in text
    assert (found["gpus"], found["device"]) == ([], "cpu")
    assert found["no_gpu"] == "there is no driver of an NVIDIA or AMD GPU on this machine"


def test_torch_for_the_cpu(info):
    text, _ = info(torch_with(version="2.9.0+cpu", cuda=None))
    assert "none torch 2.9.0+cpu is built for the CPU only: install a build for CUDA or ROCm, see" in text


def test_no_torch(info):
    text, found = info(triton=False)
    assert "torch not installed triton not installed" in text
    assert "GPUs none torch is not installed: pip install torch auto trains on the CPU" in text
    assert (found["torch"], found["triton"]) == ("not installed", "not installed")


def test_a_gpu_without_torch_is_told(cli, monkeypatch, tmp_path):
    pretend(monkeypatch, tmp_path, nvidia=True)
    text = " ".join(cli("info").out.split())
    assert "cuda:0 NVIDIA H100 80GB HBM3 cannot be used: torch is not installed: pip install torch auto" in text


def test_a_gpu_that_fails(info):
    text, _ = info(torch_with(gpu(fails=RuntimeError("CUDA error: no kernel image is available for execution"))))
    assert "cannot be used: CUDA error: no kernel image is available for execution auto trains on the CPU" in text


def test_the_rest_of_the_machine(info, monkeypatch, tmp_path):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    monkeypatch.setenv("NODELOOM_CACHE", str(tmp_path / "cache"))
    text, found = info(driver=False)
    assert text.startswith(f"nodeloom {__version__} Python {sys.version.split()[0]} (")
    assert found["version"] == __version__ and found["num_thread"] >= 1 and found["memory"] > 2**20
    assert found["cpu"] and f"CPU {found['cpu']}, {found['num_thread']} thread" in text
    assert found["numba"].split(".")[0].isdigit()
    assert found["caches"]["nodeloom"] == str(tmp_path / "cache")
    assert found["caches"]["triton"] == str(tmp_path / "triton")
    monkeypatch.delenv("TRITON_CACHE_DIR")
    monkeypatch.setenv("TRITON_HOME", str(tmp_path / "home"))
    assert machine.describe_machine()["caches"]["triton"] == str(tmp_path / "home" / ".triton" / "cache")


def test_numba_writes_where_it_says(tmp_path):
    import os
    import subprocess

    code = "from nodeloom.cli.machine import _cache_of_numba; print(_cache_of_numba())"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path / "numba"))


def test_what_is_broken_does_not_hide_the_rest(cli, monkeypatch):
    def broken(*_):
        raise OSError("libcuda is somewhere else\nby the way")

    for name in ("_processor", "_threads", "_memory", "_version_of", "_gpus"):
        monkeypatch.setattr(machine, name, broken)
    monkeypatch.setattr(machine, "_CACHES", dict.fromkeys(machine._CACHES, broken))
    told = "unknown: OSError: libcuda is somewhere else"
    found = cli("info", "--json").json
    assert [found[key] for key in ("cpu", "num_thread", "memory", "numba", "torch", "no_gpu")] == [told] * 6
    assert set(found["caches"].values()) == {told}
    assert found["device"] == "cpu"
    answer = cli("info")
    assert answer.code == 0
    assert f"none {told}" in " ".join(answer.out.split())

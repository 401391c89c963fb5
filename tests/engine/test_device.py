"""Which GPUs are found, why one cannot be used, and which device a training takes."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import pytest

from machines import GB, gpu, pretend, torch_with
from nodeloom.config import ResourceConfig
from nodeloom.engine import device
from nodeloom.engine.device import Gpu, find_gpu, find_gpus, resolve_device, why_no_gpu
from nodeloom.errors import ConfigError, DeviceError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    return lambda *arguments, **options: pretend(monkeypatch, tmp_path, *arguments, **options)


def resolved(deterministic=False, **resource):
    return resolve_device(ResourceConfig(**resource), deterministic=deterministic)


def refusal(**resource):
    with pytest.raises(DeviceError) as caught:
        resolved(**resource)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("device: expected a GPU that can be used, got 'cuda")
    return message


# ------------------------------------------------------------------------------------------------------ good GPUs


def test_a_good_gpu(machine):
    machine(torch_with(gpu()))
    assert find_gpus() == (Gpu(0, "NVIDIA H100 80GB HBM3", 80 * GB, 79 * GB, "9.0", 132, None),)
    assert why_no_gpu() is None
    assert find_gpu(0) == find_gpus()[0]
    for name in ("auto", "cuda", "cuda:0"):
        assert resolved(device=name) == "cuda:0"
    assert resolved(device="cpu") == resolved(device="cpu", gpus=[0]) == "cpu"


def test_a_gpu_of_amd(machine):
    # ROCm gives capabilities too, but they are no NVIDIA's: the architecture counts.
    card = gpu("AMD Instinct MI300X", 9, 4, 192 * GB, 191 * GB, 304, arch="gfx942:sramecc+:xnack-")
    machine(torch_with(card, version="2.8.0+rocm6.4", cuda=None, hip="6.4.43482"))
    assert find_gpus() == (Gpu(0, "AMD Instinct MI300X", 192 * GB, 191 * GB, "gfx942", 304, None),)
    assert resolved() == "cuda:0"


def test_an_old_number_of_amd_is_no_capability(machine):
    machine(torch_with(gpu("AMD Radeon", 6, 0, arch="gfx1100"), cuda=None, hip="6.4"))
    assert find_gpus()[0].problem is None


def test_the_first_that_can_be_used_is_taken(machine):
    torch = torch_with(gpu("Tesla P100", 6, 0), gpu(fails=RuntimeError("out of memory")), gpu(), gpu())
    machine(torch)
    assert resolved() == resolved(device="cuda") == "cuda:2"
    assert 3 not in torch.touched  # opening a GPU takes half a GB of its memory
    assert resolved(gpus=[3, 2]) == resolved(device="cuda", gpus=[0, 3]) == "cuda:3"
    assert resolved(device="cuda:3") == "cuda:3"
    assert resolved(gpus=[0, 1]) == "cpu"
    assert resolved(gpus=[9]) == "cpu"
    assert resolved(gpus=[9, 2]) == "cuda:2"


def test_deterministic_is_the_cpu(machine):
    machine(torch_with(gpu()))
    assert resolved(deterministic=True) == resolved(deterministic=True, device="cpu") == "cpu"
    for name in ("cuda", "cuda:0"):
        with pytest.raises(
            ConfigError, match=r"device: expected 'auto' or 'cpu' with deterministic, got 'cuda.*last bit"
        ):
            resolved(deterministic=True, device=name)


# ------------------------------------------------------------------------------------------- GPUs that are no good


@pytest.mark.parametrize(
    ("card", "triton", "problem"),
    [
        (gpu("Tesla P100", 6, 1), True, "its compute capability 6.1 is below 7.0, the oldest that Triton compiles for"),
        (gpu(), False, "triton is not installed: pip install triton"),
        (gpu(fails=RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel ...")),
         True, "CUDA error: no kernel image is available for execution on the device"),
        (gpu(fails=MemoryError()), True, "MemoryError"),
        (gpu(fails=127.0), True, "it adds 64 twos to 127"),
    ],
)  # fmt: skip
def test_a_gpu_that_cannot_be_used_says_why(machine, caplog, card, triton, problem):
    machine(torch_with(card), triton=triton)
    (found,) = find_gpus()
    assert found.problem == problem
    assert (found.name, found.total_memory) == (card.properties.name, 80 * GB)
    assert why_no_gpu() is None
    assert f"Reason: cuda:0 {found.name}: {problem}. 'nodeloom info' tells" in refusal(device="cuda")
    with caplog.at_level(logging.WARNING, "nodeloom"):
        assert resolved() == resolved() == "cpu"
    told = f"training on the CPU, since no GPU can be used: cuda:0 {found.name}: {problem}."
    assert caplog.messages == [told]  # once


def test_properties_that_cannot_be_read(machine):
    torch = torch_with(gpu())
    torch.cuda.get_device_properties = lambda index: {}[index]
    machine(torch)
    assert find_gpus() == (Gpu(0, "", 0, 0, "", 0, "0"),)


@pytest.mark.parametrize(
    ("cards", "asked", "reason"),
    [
        (1, "cuda:1", "Reason: cuda:1: there is no such GPU, cuda:0 is the only one"),
        (3, "cuda:3", "Reason: cuda:3: there is no such GPU, there are cuda:0 to cuda:2"),
    ],
)
def test_a_number_that_is_not_there(machine, cards, asked, reason):
    machine(torch_with(*[gpu()] * cards))
    assert reason in refusal(device=asked)


# ---------------------------------------------------------------------------------------------- no GPU to ask for

CPU_BUILD = "is built for the CPU only: install a build for CUDA or ROCm, see pytorch.org"
NOTHING = {
    "no driver": ((), {"driver": False}, device.NO_DRIVER),
    "no driver but torch": ((torch_with(gpu()),), {"driver": False}, device.NO_DRIVER),
    "no torch": ((), {}, "torch is not installed: pip install torch"),
    "torch for the CPU": ((torch_with(version="2.9.0+cpu", cuda=None),), {}, f"torch 2.9.0+cpu {CPU_BUILD}"),
    "torch for the CPU without a mark": ((torch_with(version="2.9.0", cuda=None),), {}, f"torch 2.9.0 {CPU_BUILD}"),
    "old torch": (
        (torch_with(gpu(), version="2.5.1+cu124"),), {},
        "torch 2.5.1+cu124 is older than 2.6: pip install --upgrade torch",
    ),
    "driver of another version": (
        (torch_with(warning="CUDA initialization: The NVIDIA driver is too old (found version 11040).\nPlease update"),),
        {}, "torch 2.9.0+cu128 finds no GPU: CUDA initialization: The NVIDIA driver is too old (found version 11040)",
    ),
    "nothing found": (
        (torch_with(init=RuntimeError("No CUDA GPUs are available")),), {},
        "torch 2.9.0+cu128 finds no GPU: No CUDA GPUs are available",
    ),
    "nothing said": ((torch_with(),), {}, "torch 2.9.0+cu128 finds no GPU"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTHING)
def test_no_gpu_at_all(machine, caplog, case):
    arguments, options, reason = NOTHING[case]
    machine(*arguments, **options)
    assert find_gpus() == ()
    assert why_no_gpu() == reason
    assert find_gpu(0).problem == reason
    assert f"Reason: {reason}. 'nodeloom info'" in refusal(device="cuda")
    assert f"Reason: {reason}. 'nodeloom info'" in refusal(device="cuda:0")
    with caplog.at_level(logging.WARNING, "nodeloom"):
        assert resolved() == "cpu"
    assert caplog.messages == []  # a machine for the CPU needs no word about it


def test_a_gpu_that_lies_idle_for_want_of_torch_is_told(machine, caplog):
    machine(nvidia=True)
    reason = "torch is not installed: pip install torch"
    assert find_gpus() == (Gpu(0, "NVIDIA H100 80GB HBM3", 0, 0, "", 0, reason),)
    with caplog.at_level(logging.WARNING, "nodeloom"):
        assert resolved() == "cpu"
        assert resolved(device="cpu") == resolved(deterministic=True) == "cpu"
    assert caplog.messages == [f"training on the CPU, since no GPU can be used: {reason}."]


@pytest.mark.parametrize("value", ["", "-1", " "])
def test_hidden_gpus(machine, monkeypatch, caplog, value):
    machine(torch_with(gpu()), nvidia=True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert find_gpus() == ()
    assert why_no_gpu() == "CUDA_VISIBLE_DEVICES hides all GPUs"
    assert "CUDA_VISIBLE_DEVICES hides all GPUs" in refusal(device="cuda")
    with caplog.at_level(logging.WARNING, "nodeloom"):
        assert resolved() == "cpu"
    assert caplog.messages == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert resolved() == "cuda:0"


@pytest.mark.parametrize("error", [OSError("libcudart.so.13: cannot open shared object file"), RuntimeError("numpy")])
def test_a_torch_that_breaks_when_asked(machine, error):
    torch = torch_with()

    def is_available():
        raise error

    torch.cuda.is_available = is_available
    machine(torch)
    assert find_gpus() == ()
    assert why_no_gpu() == f"torch is broken: {error}"


def test_a_torch_that_cannot_be_imported(machine, monkeypatch, tmp_path):
    machine(torch_with())
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('undefined symbol: ncclCommWindowRegister')\n")
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(device, "version_of", lambda library: "2.9.0")
    assert why_no_gpu() == "torch is broken: undefined symbol: ncclCommWindowRegister"
    assert find_gpus() == ()


# ------------------------------------------------------------------------------------------------ what it may cost


@pytest.mark.torch
@pytest.mark.skipif(device._has_driver(), reason="there is a driver of a GPU here")
def test_without_a_driver_torch_is_not_imported():
    code = (
        "import sys, nodeloom; from nodeloom.config import ResourceConfig; from nodeloom.engine import device\n"
        "assert device.resolve_device(ResourceConfig(), deterministic=False) == 'cpu'\n"
        "assert device.find_gpus() == () and device.why_no_gpu() == device.NO_DRIVER\n"
        "assert not {'torch', 'triton'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    start = time.process_time()
    for _ in range(10):
        resolved()
    assert time.process_time() - start < 1.0


def test_the_cpu_asks_nothing(monkeypatch):
    monkeypatch.setattr(device, "_library", lambda: 1 / 0)
    assert resolved(device="cpu") == resolved(deterministic=True) == "cpu"


def test_a_build_for_the_cpu_is_known_without_importing_it(machine, monkeypatch):
    machine(torch_with())
    monkeypatch.setattr(device, "version_of", lambda library: "2.9.0+cpu")
    monkeypatch.setattr(device, "_ready", lambda told: 1 / 0)
    assert why_no_gpu() == f"torch 2.9.0+cpu {CPU_BUILD}"


# ------------------------------------------------------------------------------------------------- a GPU for real


@pytest.mark.gpu
@pytest.mark.skipif(not any(gpu.problem is None for gpu in find_gpus()), reason=f"no GPU can be used: {why_no_gpu()}")
def test_the_gpu_of_this_machine():
    found = next(gpu for gpu in find_gpus() if gpu.problem is None)
    assert found.name and found.arch and found.num_multiprocessor > 0
    assert 0 < found.free_memory <= found.total_memory
    assert resolved() == resolved(device="cuda") == resolved(device=found.device) == found.device

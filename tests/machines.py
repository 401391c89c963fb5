"""A torch and a machine that are not there, for tests of finding devices."""

from __future__ import annotations

import importlib.machinery
import sys
import types
import warnings
from types import SimpleNamespace

from nodeloom.engine import device

GB = 10**9


def gpu(
    name="NVIDIA H100 80GB HBM3", major=9, minor=0, total=80 * GB, free=79 * GB, processors=132, arch="", fails=None
):
    """Return a GPU for :func:`torch_with`; `fails` is what the first sum on it raises, or a wrong result."""
    properties = SimpleNamespace(
        name=name, major=major, minor=minor, total_memory=total, multi_processor_count=processors, gcnArchName=arch
    )
    return SimpleNamespace(properties=properties, free=free, kept=3 * GB, fails=fails)


def module(name, **attributes):
    made = types.ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


def torch_with(*gpus, version="2.9.0+cu128", cuda="12.8", hip=None, warning=None, init=None):
    """Return a torch that sees `gpus`. `warning` and `init` are how it says that it sees none."""
    touched = []

    class Sum:
        def __init__(self, index, value=1.0):
            self.index, self.value = index, value

        def __add__(self, other):
            return Sum(self.index, self.value + other.value)

        def sum(self):
            wrong = gpus[self.index].fails
            return wrong if wrong is not None else 64 * self.value

    def ones(_, *, device):
        index = int(device.removeprefix("cuda:"))
        touched.append(index)
        if isinstance(gpus[index].fails, Exception):
            raise gpus[index].fails
        return Sum(index)

    def is_available():
        if warning is not None:
            warnings.warn(warning, UserWarning, stacklevel=1)
        return bool(gpus)

    def start():
        if init is not None:
            raise init

    return module(
        "torch",
        __version__=version,
        version=SimpleNamespace(cuda=cuda, hip=hip),
        ones=ones,
        touched=touched,
        cuda=SimpleNamespace(
            is_available=is_available,
            device_count=lambda: len(gpus),
            init=start,
            get_device_properties=lambda index: gpus[index].properties,
            mem_get_info=lambda index: (gpus[index].free - gpus[index].kept, gpus[index].properties.total_memory),
            memory_reserved=lambda index: gpus[index].kept + 1024,
            memory_allocated=lambda index: 1024,
        ),
    )


def pretend(monkeypatch, tmp_path, torch=None, *, driver=True, triton=True, nvidia=False):
    """Make this process believe that it is on such a machine.

    Parameters
    ----------
    torch : module, optional
        A stand-in; None is a machine without torch.
    driver, triton : bool
        Whether there are a driver of GPUs and triton.
    nvidia : bool
        Whether the driver is NVIDIA's and lists a GPU.
    """
    monkeypatch.setattr(device, "_has_driver", lambda: driver)
    file = tmp_path / "nvidiactl"
    monkeypatch.setattr(device, "_NVIDIA_FILE", str(file))
    monkeypatch.setattr(device, "_NVIDIA_FOLDER", str(tmp_path / "gpus"))
    if nvidia:
        file.touch()
        (tmp_path / "gpus" / "0000:1b:00.0").mkdir(parents=True)
        text = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 25\n"
        (tmp_path / "gpus" / "0000:1b:00.0" / "information").write_text(text)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "triton", module("triton", __version__="3.5.0") if triton else None)
    device._tell_once.cache_clear()

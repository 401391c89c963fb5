"""Devices: which GPUs there are, which of them can be used and why not, and which one a training takes.

torch is imported only where there is a driver of a GPU, since that takes seconds. AMD GPUs are reached through torch's build for
ROCm, which calls them ``cuda`` as well. Looking for GPUs never raises: whatever is broken becomes the reason why one cannot be used.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import re
import sys
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodeloom.errors import ConfigError, DeviceError, describe
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.config import ResourceConfig

OLDEST_TORCH = (2, 6)
OLDEST_CAPABILITY = (7, 0)  # of NVIDIA's GPUs; Triton compiles for no older ones

NO_DRIVER = "there is no driver of an NVIDIA or AMD GPU on this machine"
HIDDEN = "CUDA_VISIBLE_DEVICES hides all GPUs"
NO_TORCH = "torch is not installed: pip install torch"
NO_TRITON = "triton is not installed: pip install triton"

_NVIDIA_FILE = "/dev/nvidiactl"
_DEVICE_FILES = (_NVIDIA_FILE, "/dev/kfd", "/dev/dxg")  # the others: AMD, any GPU in the Linux of Windows
_NVIDIA_FOLDER = "/proc/driver/nvidia/gpus"


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes
    ----------
    index : int
        Its number, as in ``cuda:1``; the number counts the GPUs that this process may see.
    name : str
        What its maker calls it.
    total_memory, free_memory : int
        Bytes; 0 if that cannot be found out.
    arch : str
        Compute capability of NVIDIA's GPUs ("9.0"), name of the architecture of AMD's ("gfx942"); "" if unknown.
    num_multiprocessor : int
        Streaming multiprocessors or compute units; 0 if unknown.
    problem : str or None
        Why it cannot be used; None if it can.
    """

    index: int
    name: str
    total_memory: int
    free_memory: int
    arch: str
    num_multiprocessor: int
    problem: str | None

    @property
    def device(self) -> str:
        """Its name in a configuration: ``cuda:1``."""
        return f"cuda:{self.index}"


def find_gpus() -> tuple[Gpu, ...]:
    """Return all GPUs, also those that cannot be used. Each that can is opened for a moment, to be sure."""
    torch, reason = _library()
    if torch is None:
        return () if reason in (NO_DRIVER, HIDDEN) else _known_to_driver(reason)
    return tuple(_examined(torch, index) for index in range(torch.cuda.device_count()))


def num_gpus() -> int:
    """Return how many GPUs torch knows; none of them is opened."""
    torch, _ = _library()
    return 0 if torch is None else int(torch.cuda.device_count())


def why_no_gpu() -> str | None:
    """Say why no GPU at all can be used; None if there are some to be looked at one by one."""
    return _library()[1] or None


def find_gpu(index: int) -> Gpu:
    """Return the GPU of a number, which may be one that is not there; the others are not touched."""
    torch, reason = _library()
    if torch is None:
        return _unknown(index, reason)
    count = torch.cuda.device_count()
    if index >= count:
        there = "cuda:0 is the only one" if count == 1 else f"there are cuda:0 to cuda:{count - 1}"
        return _unknown(index, f"there is no such GPU, {there}")
    return _examined(torch, index)


def resolve_device(resource: ResourceConfig, *, deterministic: bool) -> str:
    """Return the device to train on: "cpu" or "cuda:N".

    Parameters
    ----------
    resource : ResourceConfig
        Its ``device`` and ``gpus`` are read. auto is the first of the GPUs that can be used, or the CPU if none can.
    deterministic : bool
        Whether a training must be the same again to the last bit, which only the CPU does.

    Raises
    ------
    DeviceError
        If a GPU was asked for and none of those can be used; says why.
    ConfigError
        If a GPU was asked for together with `deterministic`.
    """
    asked = resource.device
    if asked == "cpu" or (asked == "auto" and deterministic):
        return "cpu"
    if deterministic:
        hint = "Only the CPU repeats a training to the last bit."
        raise ConfigError(
            describe(
                setting("resource.device"),
                expected=f"'auto' or 'cpu' with {setting('train.deterministic')}",
                got=asked,
                hint=hint,
            )
        )
    torch, reason = _library()
    problems: list[str] = []
    if torch is not None:
        number = asked.partition(":")[2]
        for index in (int(number),) if number else resource.gpus or range(torch.cuda.device_count()):
            gpu = find_gpu(index)
            if gpu.problem is None:
                return gpu.device
            problems.append(f"{' '.join(filter(None, (gpu.device, gpu.name)))}: {gpu.problem}")
        reason = "; ".join(problems)
    if asked == "auto":
        # AMD's file is on every machine with graphics of theirs, NVIDIA's where somebody installed the driver on purpose.
        if problems or (reason != HIDDEN and Path(_NVIDIA_FILE).exists()):
            _tell_once(f"training on the CPU, since no GPU can be used: {reason}.")
        return "cpu"
    hint = f"Reason: {reason}. 'nodeloom info' tells what there is; {setting('resource.device', 'auto')} falls back on the CPU."
    raise DeviceError(describe(setting("resource.device"), expected="a GPU that can be used", got=asked, hint=hint))


def is_installed(library: str) -> bool:
    """Whether a library is there; it is not imported."""
    try:
        return importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):  # something of that name was half imported
        return False


def version_of(*names: str) -> str:
    """Return the version of a library without importing it, under the first of its names that is known; "" if none is."""
    for name in names:
        if name in sys.modules:
            return str(getattr(sys.modules[name], "__version__", ""))
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return ""


@functools.cache
def _tell_once(message: str) -> None:
    logger.warning(message)


def _library() -> tuple[Any, str]:
    """Return torch, ready to be asked for GPUs, and ""; or None and the reason why there is nothing to ask."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return None, HIDDEN
    if not _has_driver():
        return None, NO_DRIVER
    if not is_installed("torch"):
        return None, NO_TORCH
    version = version_of("torch")
    problem = _unfit(version, cpu_only=version.endswith("+cpu"))
    if problem:
        return None, problem
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            return _ready(told)
        except Exception as error:  # noqa: BLE001  a library that is broken may raise anything
            return None, f"torch is broken: {_first_line(error)}"


def _unfit(version: str, *, cpu_only: bool) -> str:
    """Say what is wrong with a version of torch; "" if nothing is."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        return f"torch {version} is older than {oldest}: pip install --upgrade torch"
    return (
        f"torch {version} is built for the CPU only: install a build for CUDA or ROCm, see pytorch.org"
        if cpu_only
        else ""
    )


def _ready(told: list[warnings.WarningMessage]) -> tuple[Any, str]:
    import torch

    version = str(torch.__version__)
    problem = _unfit(version, cpu_only=torch.version.cuda is None and torch.version.hip is None)
    if problem:
        return None, problem
    if torch.cuda.is_available() and torch.cuda.device_count():
        return torch, ""
    try:
        torch.cuda.init()
    except Exception as error:  # noqa: BLE001  its message is what we want
        return None, f"torch {version} finds no GPU: {_first_line(error)}"
    return None, f"torch {version} finds no GPU" + (f": {_first_line(told[-1].message)}" if told else "")


def _examined(torch: Any, index: int) -> Gpu:
    """Return a GPU as torch sees it, after a sum on it."""
    name, total, free, arch, processors = "", 0, 0, "", 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            properties = torch.cuda.get_device_properties(index)
            name, total = str(properties.name), int(properties.total_memory)
            processors = int(properties.multi_processor_count)
            is_amd = torch.version.hip is not None
            capability = (int(properties.major), int(properties.minor))
            arch = str(properties.gcnArchName).split(":")[0] if is_amd else "{}.{}".format(*capability)
            if not is_installed("triton"):
                problem: str | None = NO_TRITON
            elif not is_amd and capability < OLDEST_CAPABILITY:
                oldest = ".".join(map(str, OLDEST_CAPABILITY))
                problem = f"its compute capability {arch} is below {oldest}, the oldest that Triton compiles for"
            else:
                free, problem = _tried(torch, index)
        except Exception as error:  # noqa: BLE001  a device that is broken may raise anything
            problem = _first_line(error)
    return Gpu(index, name, total, free, arch, processors, problem)


def _tried(torch: Any, index: int) -> tuple[int, str | None]:
    """Add numbers on a GPU: it may have no memory left, be reserved, or be one that torch has no code for."""
    ones = torch.ones(64, device=f"cuda:{index}")
    total = float((ones + ones).sum())
    # What torch keeps of tensors that are gone is free for the next ones, though the driver counts it as taken.
    kept = int(torch.cuda.memory_reserved(index)) - int(torch.cuda.memory_allocated(index))
    free = int(torch.cuda.mem_get_info(index)[0]) + kept
    return free, None if total == 128 else f"it adds 64 twos to {total:g}"


def _known_to_driver(problem: str) -> tuple[Gpu, ...]:
    """Return the GPUs that NVIDIA's driver lists, where torch cannot be asked."""
    try:
        texts = [path.read_text() for path in sorted(Path(_NVIDIA_FOLDER).glob("*/information"))]
    except (OSError, UnicodeDecodeError):
        return ()
    models = [re.search(r"^Model:\s*(.+?)\s*$", text, re.MULTILINE) for text in texts]
    return tuple(_unknown(index, problem, model[1] if model else "") for index, model in enumerate(models))


def _unknown(index: int, problem: str, name: str = "") -> Gpu:
    return Gpu(index, name, 0, 0, "", 0, problem)


def _has_driver() -> bool:
    """Whether there is a way to a GPU. NVIDIA's library is loaded to see; that takes no time and wakes no GPU."""
    if any(Path(path).exists() for path in _DEVICE_FILES):
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _first_line(error: object) -> str:
    """Return the first line of a message, without a full stop; the name of the error if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__

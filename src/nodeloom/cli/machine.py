"""Facts about this machine: versions, processor, memory, GPUs, caches. A broken part is reported and does not hide the rest."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group

from nodeloom import __version__
from nodeloom.cli.tables import facts
from nodeloom.units import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIBRARIES = ("numba", "numpy", "scipy", "pyarrow", "scikit-learn", "pydantic", "safetensors", "torch", "triton")
_NAMES_OF_TRITON = ("triton", "pytorch-triton", "pytorch-triton-rocm", "triton-rocm", "triton-windows")


def describe_machine() -> dict[str, Any]:
    """Return what a report of a bug should say about this machine, as JSON types.

    What cannot be found out is a text "unknown: " with the reason. ``device`` is where training goes with device auto; ``no_gpu``
    is the reason if there is no GPU that could be asked.
    """
    gpus = _told(_gpus)
    found: dict[str, Any] = {
        "version": __version__,
        "python": f"{sys.version.split()[0]} ({platform.python_implementation()})",
        "platform": _told(platform.platform),
        "cpu": _told(_processor),
        "num_thread": _told(_threads),
        "memory": _told(_memory),
        **{name: _told(_version_of, name) for name in LIBRARIES},
        "device": "cpu",
        "gpus": [],
        "no_gpu": gpus,
        "caches": {name: _told(find) for name, find in _CACHES.items()},
    }
    if not isinstance(gpus, str):
        found |= gpus
    return found


def show_machine(found: dict[str, Any]) -> Group:
    """Return tables for people of what :func:`describe_machine` found."""
    memory = found["memory"]
    machine = [
        ("Python", found["python"]),
        ("system", found["platform"]),
        ("CPU", f"{found['cpu']}, {_count(found['num_thread'], 'thread')}"),
        ("memory", memory if isinstance(memory, str) else size(memory)),
    ]
    gpus = [row for gpu in found["gpus"] for row in zip((gpu["device"], ""), _about(gpu), strict=True)]
    auto = ("auto", f"trains on {'the CPU' if found['device'] == 'cpu' else found['device']}")
    return Group(
        facts(f"nodeloom {found['version']}", machine),
        facts("Libraries", [(name, found[name]) for name in LIBRARIES]),
        facts("GPUs", [*(gpus or [("none", found["no_gpu"])]), auto]),
        facts("Caches", found["caches"].items()),
    )


def _about(gpu: dict[str, Any]) -> Iterator[str]:
    parts = [gpu["name"] or "name unknown"]
    if gpu["total_memory"]:
        free = f" ({size(gpu['free_memory'])} free)" if gpu["free_memory"] else ""
        parts.append(size(gpu["total_memory"]) + free)
    if gpu["arch"]:
        parts.append(gpu["arch"] if gpu["arch"].startswith("gfx") else f"compute capability {gpu['arch']}")
    if gpu["num_multiprocessor"]:
        parts.append(_count(gpu["num_multiprocessor"], "multiprocessor"))
    yield ", ".join(parts)
    yield f"cannot be used: {gpu['problem']}" if gpu["problem"] else "can be used"


def _count(number: Any, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _told(find: Callable[..., Any], *arguments: Any) -> Any:
    """Return what `find` finds, or a sentence about why it does not."""
    try:
        found = find(*arguments)
    except Exception as error:  # noqa: BLE001  this is the command for machines on which something is broken
        lines = str(error).strip().splitlines()
        return f"unknown: {type(error).__name__}" + (f": {lines[0]}" if lines else "")
    return "unknown" if found in (None, "") else found


def _gpus() -> dict[str, Any]:
    from nodeloom.engine.device import find_gpus, why_no_gpu

    found = find_gpus()
    usable = [gpu.device for gpu in found if gpu.problem is None]
    return {
        "device": usable[0] if usable else "cpu",
        "gpus": [{"device": gpu.device, **dataclasses.asdict(gpu)} for gpu in found],
        "no_gpu": why_no_gpu(),
    }


def _threads() -> int:
    from nodeloom.kernels.cpu.parallel import available_threads

    return available_threads()


def _memory() -> int | None:
    from nodeloom.memory import total_memory

    return total_memory()


def _processor() -> str:
    """Return the name of the processor; Python alone knows only its family."""
    with contextlib.suppress(OSError):
        name = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if name:
            return name[1].strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    return platform.processor() or platform.machine()


def _version_of(name: str) -> str:
    if name not in ("torch", "triton"):
        return metadata.version(name)
    from nodeloom.engine.device import is_installed, version_of

    if not is_installed(name):
        return "not installed"
    return version_of(*(_NAMES_OF_TRITON if name == "triton" else (name,)))


def _cache_of_data_sets() -> str:
    from nodeloom.datasets.cache import cache_folder

    return str(cache_folder())


def _cache_of_numba() -> str:
    from nodeloom.kernels.cpu import rng

    return str(rng.mix.stats.cache_path or "none: every process compiles the kernels")  # beside the code, if Numba may


def _cache_of_triton() -> str:
    home = Path(os.environ.get("TRITON_HOME") or Path.home())
    return os.environ.get("TRITON_CACHE_DIR") or str(home / ".triton" / "cache")


_CACHES = {"nodeloom": _cache_of_data_sets, "numba": _cache_of_numba, "triton": _cache_of_triton}

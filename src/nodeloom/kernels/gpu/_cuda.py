"""The one owner of CUDA C++: sources are compiled by NVRTC when they are first needed, and kept in Triton's cache.

NVRTC and its bindings come with torch for NVIDIA GPUs (the package ``cuda-bindings``), so nobody needs a compiler. Where they are missing,
kernels of Triton do the same work.
"""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from nodeloom.kernels.gpu._triton import get_cache_manager


@cache
def bindings() -> Any:
    """Return NVIDIA's bindings of the driver and of NVRTC, ``(driver, nvrtc)``; None if they are not installed."""
    try:
        from cuda.bindings import driver, nvrtc

        nvrtc.nvrtcVersion()  # they load the library itself at the first call
    except (ImportError, RuntimeError):
        return None
    return driver, nvrtc


@dataclass(frozen=True)
class Kernel:
    """A kernel on a device.

    Attributes
    ----------
    function : CUfunction
        For the driver.
    shared_bytes : int
        Shared memory that a block needs.
    types : tuple of ctypes types
        Of its parameters.
    """

    function: Any
    shared_bytes: int
    types: tuple[Any, ...]

    def launch(self, num_block: int, num_thread: int, *values: Any) -> None:
        """Launch it on torch's current stream of the current device, without waiting for it."""
        driver, _ = bindings()
        _checked(
            driver.cuLaunchKernel(
                self.function, num_block, 1, 1, num_thread, 1, 1, self.shared_bytes,
                torch.cuda.current_stream().cuda_stream, (values, self.types), 0,
            )
        )  # fmt: skip


def load(source: Path, name: str, types: tuple[Any, ...], defines: dict[str, Any]) -> Kernel:
    """Compile a kernel for the current device, or find it in the cache, and load it there.

    Parameters
    ----------
    source : Path
        CUDA C++ with no ``#include``. It defines ``shared_bytes``, an int: the shared memory of a block.
    name : str
        Of the kernel, which is ``extern "C"``.
    types : tuple of ctypes types
        Of its parameters.
    defines : dict
        Macros.

    Raises
    ------
    RuntimeError
        If NVRTC or the driver report an error.
    """
    driver, _ = bindings()
    module = _checked(driver.cuModuleLoadData(_machine_code(source, defines)))
    function = _checked(driver.cuModuleGetFunction(module, name.encode()))
    address, _ = _checked(driver.cuModuleGetGlobal(module, b"shared_bytes"))
    shared_bytes = ctypes.c_int()
    _checked(driver.cuMemcpyDtoH(ctypes.addressof(shared_bytes), address, ctypes.sizeof(shared_bytes)))
    largest = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    _checked(driver.cuFuncSetAttribute(function, largest, shared_bytes.value))
    return Kernel(function, shared_bytes.value, types)


def _machine_code(source: Path, defines: dict[str, Any]) -> bytes:
    _, nvrtc = bindings()
    text = source.read_bytes()
    major, minor = torch.cuda.get_device_capability()
    options = [
        f"--gpu-architecture=sm_{major}{minor}",
        "--std=c++17",
        "-default-device",  # lambdas are functions of the device
        *(f"-D{k}={v}" for k, v in sorted(defines.items())),
    ]
    stamp = repr((text, options, nvrtc.nvrtcVersion()))
    kept, file = get_cache_manager(hashlib.sha256(stamp.encode()).hexdigest()), f"{source.stem}.cubin"
    if (path := kept.get_file(file)) is not None:
        return Path(path).read_bytes()
    program = _checked(nvrtc.nvrtcCreateProgram(text, source.name.encode(), 0, [], []))
    encoded = [option.encode() for option in options]
    if int(nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)[0]):
        log = b" " * _checked(nvrtc.nvrtcGetProgramLogSize(program))
        _checked(nvrtc.nvrtcGetProgramLog(program, log))
        raise RuntimeError(f"{source.name}: {log.decode(errors='replace')}")
    code = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
    _checked(nvrtc.nvrtcGetCUBIN(program, code))
    kept.put(code, file, binary=True)
    return code


def _checked(result: tuple[Any, ...]) -> Any:
    error, *values = result
    if int(error):
        raise RuntimeError(f"CUDA reports {error!r}")
    return values[0] if len(values) == 1 else values

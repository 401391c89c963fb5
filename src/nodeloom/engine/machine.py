"""The look at the world before planning: threads, memory and GPUs of this process and of the workers that train with it."""

from __future__ import annotations

import shutil
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.device import find_gpu, resolve_device
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.memory import total_memory
from nodeloom.plan.formats import gpu_limit
from nodeloom.plan.machine import Machine, Worker
from nodeloom.transport.alone import ALONE

if TYPE_CHECKING:
    from nodeloom.config import ResourceConfig
    from nodeloom.plan.settings import Settings
    from nodeloom.transport.base import Transport

_MEASURED, _TIMES = 8 << 20, 3  # bytes, of which the best counts: others may be at work too


def look(settings: Settings, transport: Transport = ALONE) -> Machine:
    """Return what may be used for a training. All workers have to call it.

    Parameters
    ----------
    settings : Settings
        What the user allows.
    transport : Transport
        All workers.

    Raises
    ------
    DeviceError
        If a GPU was asked for and none of those can be used, or a worker has none; says why.
    ConfigError
        If a GPU was asked for together with `deterministic`.
    """
    here, deterministic = transport.worker, settings.train.deterministic
    threads, memory = num_threads(settings, here.local_size), main_memory(settings.resource)
    if memory is not None and settings.resource.memory_limit == "auto":
        memory //= here.local_size  # workers of a host share what there is; what the user allows is for each
    folder, space = _scratch()
    if transport.size == 1:  # takes the first GPU that can be used, and needs no torch to train on the CPU
        device, limit, name, number = resolve_device(settings.resource, deterministic=deterministic), 0, "", 0
        if device != "cpu":
            gpu = find_gpu(int(device.partition(":")[2] or 0))
            limit, name, number = gpu_limit(gpu.free_memory, settings.resource), gpu.name, gpu.num_multiprocessor
        return Machine(
            (Worker(threads, memory, device, limit),),
            gpu_name=name, num_multiprocessor=number, folder=folder, folder_space=space,
        )  # fmt: skip
    from nodeloom.engine.workers import devices

    own = devices.device_of_worker(settings.resource, transport, deterministic=deterministic)
    hosts: list[tuple[int, int | None]] = transport.gather_objects((threads, memory))
    gpus, linked, speed, number = [("cpu", 0)] * transport.size, False, 0.0, 0
    merging = settings.resource.parallelism == "data" or settings.train.model == "LINE"
    if own == "cpu" and merging and not deterministic:  # else how often they merge would depend on the moment
        speed = _add_speed(transport)
    elif own != "cpu":
        gpus, linked = devices.limits_of_gpus(own, settings, transport), devices.are_linked(own, transport)
        number = devices.find_gpu(int(own.partition(":")[2] or 0)).num_multiprocessor
    return Machine(
        tuple(Worker(*of_host, *of_gpu) for of_host, of_gpu in zip(hosts, gpus, strict=True)),
        rank=transport.rank, num_multiprocessor=number, linked=linked, add_speed=speed,
        spawned=here.spawned, folder=folder, folder_space=space,
    )  # fmt: skip


def _add_speed(transport: Transport) -> float:
    """Return the bytes per second at which workers sum an array, that of the slowest. All workers have to call it."""
    values = np.zeros(_MEASURED // 4, np.float32)
    transport.begin_all_reduce(values[: 1 << 10]).wait()  # connects them
    seconds = []
    for _ in range(_TIMES):
        transport.barrier()
        begin = time.perf_counter()
        transport.begin_all_reduce(values).wait()
        seconds.append(time.perf_counter() - begin)
    return float(min(transport.gather_objects(values.nbytes / min(seconds))))


def num_threads(settings: Settings, local_size: int) -> int:
    """Return the number of threads, with "auto" decided: the workers of one host, `local_size` of them, share its threads."""
    if settings.train.deterministic:
        return 1
    threads = settings.resource.threads
    return max(1, available_threads() // local_size) if threads == "auto" else threads


def main_memory(resource: ResourceConfig) -> int | None:
    """Return the bytes of main memory that may be used: what the user allows, at most what the machine has; None if unknown."""
    limits = [total_memory(), resource.memory_limit]
    known = [limit for limit in limits if isinstance(limit, int)]
    return min(known, default=None)


def _scratch() -> tuple[str, int | None]:
    """Return the folder of temporary files and the bytes that are free there."""
    try:
        folder = tempfile.gettempdir()
        return folder, shutil.disk_usage(folder).free
    except OSError:
        return "", None

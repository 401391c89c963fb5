"""Which device each worker trains on, and what reaches it.

Planning asks here, so torch is imported only where there are GPUs to look at.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nodeloom.engine.device import find_gpu, num_gpus, resolve_device
from nodeloom.errors import DeviceError, NodeloomError, describe
from nodeloom.log import logger
from nodeloom.plan.formats import gpu_limit

if TYPE_CHECKING:
    from nodeloom.config import ResourceConfig
    from nodeloom.plan.settings import Settings
    from nodeloom.transport.base import Transport


def device_of_worker(resource: ResourceConfig, transport: Transport, *, deterministic: bool) -> str:
    """Return the device of this worker: "cpu" for all of them, or a GPU for each. All workers have to call it.

    The workers of a host take the GPUs in turn: those of ``resource.gpus`` if there is such a list, ``cuda:N`` if one is asked for, else
    all that can be used. Several workers on one GPU share it.

    Parameters
    ----------
    resource : ResourceConfig
        Its ``device`` and ``gpus`` are read.
    transport : Transport
        All workers.
    deterministic : bool
        Whether a training must be the same again to the last bit, which only the CPU does.

    Raises
    ------
    DeviceError
        If a GPU was asked for and a worker has none that can be used; all workers raise it.
    ConfigError
        If a GPU was asked for together with `deterministic`.
    """
    own, problem = "cpu", ""
    try:
        own = _in_turn(resource, transport.worker.local_rank, deterministic=deterministic)
    except NodeloomError as error:
        if deterministic:
            raise
        problem = str(error)
    found = transport.gather_objects((own, problem))
    for rank, (_, text) in enumerate(found):
        if text:
            raise DeviceError(f"worker {rank}: {text}")
    devices = [device for device, _ in found]
    if "cpu" in devices:
        without = [rank for rank, device in enumerate(devices) if device == "cpu"]
        if len(without) < len(devices):
            who = f"worker{'s' if len(without) > 1 else ''} {', '.join(map(str, without))}"
            if resource.device != "auto":
                raise DeviceError(describe("device", expected="a GPU for every worker", got=f"none for {who}"))
            if transport.rank == 0:
                logger.warning("training on the CPU, since %s can use no GPU.", who)
        return "cpu"
    return own


def _in_turn(resource: ResourceConfig, turn: int, *, deterministic: bool) -> str:
    """Return the device of worker `turn` of a host: of the GPUs that can be used the one whose turn it is.

    The one that would be its own if all can be used is tried first: a process takes some memory of each GPU that it opens.
    """
    if ":" in resource.device or resource.device == "cpu" or deterministic:
        return resolve_device(resource, deterministic=deterministic)
    numbers = list(resource.gpus or range(num_gpus()))
    if numbers and find_gpu(numbers[turn % len(numbers)]).problem is None:
        return f"cuda:{numbers[turn % len(numbers)]}"
    own = resolve_device(resource, deterministic=deterministic)
    if own == "cpu":
        return own
    usable = [number for number in numbers if find_gpu(number).problem is None]
    return f"cuda:{usable[turn % len(usable)]}"


def limits_of_gpus(device: str, settings: Settings, transport: Transport) -> list[tuple[str, int]]:
    """Return the GPU of each worker and the bytes of it that the worker may use: those on one GPU share it. All workers have to call it.

    Parameters
    ----------
    device : str
        That of this worker, "cuda:N".
    settings : Settings
        ``resource.gpu_memory_limit`` is that of each worker.
    transport : Transport
        All workers.
    """
    from nodeloom.engine.gpu.device import Device
    from nodeloom.transport.nccl import card_of

    cards = transport.gather_objects(
        card_of(Device(device).torch)
    )  # now all have what a process takes on a GPU at once
    gpu = find_gpu(int(device.partition(":")[2] or 0))
    gpu = dataclasses.replace(gpu, free_memory=gpu.free_memory // cards.count(cards[transport.rank]))
    return [
        (name, limit)
        for name, limit in transport.gather_objects((device, gpu_limit(gpu.free_memory, settings.resource)))
    ]


def are_linked(device: str, transport: Transport) -> bool:
    """Tell whether NCCL reaches the GPUs of all workers. All workers have to call it.

    Parameters
    ----------
    device : str
        That of this worker, "cuda:N".
    transport : Transport
        All workers.
    """
    from nodeloom.engine.gpu.device import Device
    from nodeloom.transport import nccl

    return nccl.are_linked(transport, Device(device).torch)

"""Which device each worker trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.config import ResourceConfig
from nodeloom.engine.device import find_gpu, find_gpus, resolve_device
from nodeloom.engine.torchrun import place
from nodeloom.errors import DeviceError, NodeloomError, describe
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.engine.workers.group import Workers


def device_of_worker(resource: ResourceConfig, workers: Workers, *, deterministic: bool) -> str:
    """Return the device of this worker: "cpu" for all of them, or a GPU for each. All workers have to call it.

    The workers of a host take the GPUs in turn: those of ``resource.gpus`` if there is such a list, ``cuda:N`` if one is asked for, else
    all that can be used. Several workers on one GPU share it.

    Parameters
    ----------
    resource : ResourceConfig
        Its ``device`` and ``gpus`` are read.
    workers : Workers
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
        own = resolve_device(resource, deterministic=deterministic)
        if own != "cpu" and ":" not in resource.device:
            own = _own_gpu(resource)
    except NodeloomError as error:
        if deterministic:
            raise
        problem = str(error)
    found = workers.gather((own, problem))
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
            if workers.rank == 0:
                logger.warning("training on the CPU, since %s can use no GPU.", who)
        return "cpu"
    return own


def _own_gpu(resource: ResourceConfig) -> str:
    here = place()
    local_rank = 0 if here is None else here.local_rank
    numbers = [
        gpu.index for gpu in (map(find_gpu, resource.gpus) if resource.gpus else find_gpus()) if gpu.problem is None
    ]
    return f"cuda:{numbers[local_rank % len(numbers)]}"

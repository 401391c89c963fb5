"""Transport of tensors from device to device: by NCCL between GPUs of their own, else through main memory.

Where workers share a GPU, or there is no NCCL, tensors take the same connections as everything else.
"""

from __future__ import annotations

import datetime
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from nodeloom.transport.base import Array, Pending, Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT = datetime.timedelta(days=1)  # a worker that is lost is noticed by its heartbeat, much sooner


def transport_of_device(host: Transport, device: torch.device) -> DeviceTransport:
    """Return the transport between the devices of all workers, made once: it takes connections and memory. All workers have to call it.

    Parameters
    ----------
    host : Transport
        That of arrays in main memory.
    device : torch.device
        That of this worker.
    """
    if host.any(host.on_device is None or host.on_device.device != device):
        host.on_device = (Nccl if are_linked(host, device) else ThroughHost)(host, device)
    found: DeviceTransport = host.on_device
    return found


class DeviceTransport(Transport):
    """All workers and the device of each; arrays are tensors there. What is small goes through main memory.

    Parameters
    ----------
    host, device
        As for :func:`transport_of_device`.
    """

    def __init__(self, host: Transport, device: torch.device) -> None:
        self.worker, self.host, self.device = host.worker, host, device

    def gather_objects(self, value: object) -> list[Any]:
        """Return the values of all workers, by rank, as JSON has them."""
        return self.host.gather_objects(value)

    def any(self, flag: bool) -> bool:
        """Tell whether the flag of any worker is set."""
        return self.host.any(flag)

    def barrier(self) -> None:
        """Wait for all workers."""
        self.host.barrier()


class Nccl(DeviceTransport):
    """From GPU to GPU. What is to be done is put on the current stream of the device."""

    def __init__(self, host: Transport, device: torch.device) -> None:
        super().__init__(host, device)
        torch.cuda.set_device(device)
        self._group = dist.new_group(backend="nccl", timeout=_TIMEOUT)
        # Connects all: NCCL does so in the first call, which otherwise might be an exchange that concerns two workers only.
        self.all_reduce(torch.zeros(1, device=device))

    def all_reduce(self, values: Array) -> None:
        """Replace a tensor by its sum over all workers."""
        dist.all_reduce(values, group=self._group)

    def begin_all_reduce(self, values: Array) -> Pending:
        """Begin to replace a tensor by its sum over all workers."""
        return Pending([dist.all_reduce(values, group=self._group, async_op=True)])

    def all_gather(self, own: Array, out: Array) -> None:
        """Fill `out` with the tensors `own` of all workers."""
        dist.all_gather_into_tensor(out.view(-1), own.view(-1), group=self._group)

    def broadcast(self, values: Array, root: int = 0) -> None:
        """Overwrite a tensor by that of worker `root`."""
        dist.broadcast(values, root, group=self._group)

    def exchange(self, send: Sequence[tuple[Array, int]], receive: Sequence[tuple[Array, int]]) -> Pending:
        """Begin to send tensors and to fill others."""
        todo = [dist.P2POp(dist.irecv, tensor, other, self._group) for tensor, other in receive]
        todo += [dist.P2POp(dist.isend, tensor, other, self._group) for tensor, other in send]
        return Pending(dist.batch_isend_irecv(todo) if todo else ())


class ThroughHost(DeviceTransport):
    """Through main memory. All but exchanges is done when a method returns."""

    def all_reduce(self, values: Array) -> None:
        """Replace a tensor by its sum over all workers, computed in fp32 where it is of floats."""
        found = np.array(values.cpu().float().numpy() if values.is_floating_point() else values.cpu().numpy())
        self.host.all_reduce(found)
        values.copy_(torch.from_numpy(found))

    def begin_all_reduce(self, values: Array) -> Pending:
        """Replace a tensor by its sum over all workers."""
        self.all_reduce(values)
        return Pending()

    def all_gather(self, own: Array, out: Array) -> None:
        """Fill `out` with the tensors `own` of all workers."""
        found = np.empty((self.size, own.numel() * own.element_size()), np.uint8)
        self.host.all_gather(_bytes(own), found)
        out.copy_(_tensor(found.reshape(-1), out))

    def broadcast(self, values: Array, root: int = 0) -> None:
        """Overwrite a tensor by that of worker `root`."""
        found = np.array(_bytes(values))
        self.host.broadcast(found, root)
        values.copy_(_tensor(found, values))

    def exchange(self, send: Sequence[tuple[Array, int]], receive: Sequence[tuple[Array, int]]) -> Pending:
        """Begin to send tensors and to fill others, which come to the device when they are waited for."""
        rooms = [
            (tensor, np.empty(tensor.numel() * tensor.element_size(), np.uint8), other) for tensor, other in receive
        ]
        pending = self.host.exchange(
            [(_bytes(tensor), other) for tensor, other in send], [(room, other) for _, room, other in rooms]
        )
        return Pending([pending, _Upload([(tensor, room) for tensor, room, _ in rooms])])


class _Upload:
    """Tensors that have come to main memory."""

    def __init__(self, received: list[tuple[torch.Tensor, npt.NDArray[np.uint8]]]) -> None:
        self._received = received

    def wait(self) -> None:
        """Bring them to the device."""
        for tensor, room in self._received:
            tensor.copy_(_tensor(room, tensor))


def _bytes(tensor: torch.Tensor) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
    return found


def _tensor(array: npt.NDArray[np.uint8], like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(array).view(like.dtype).view(like.shape)


def are_linked(host: Transport, device: torch.device) -> bool:
    """Tell whether NCCL reaches the devices of all workers, which takes a GPU for each. All of them have to call it."""
    reachable = device.type == "cuda" and dist.is_nccl_available()
    names = host.gather_objects(card_of(device) if reachable else None)
    return None not in names and len(set(names)) == len(names)


def card_of(device: torch.device) -> str:
    """Return what tells the card of a device from all others, on any host."""
    if device.type != "cuda":
        return f"{socket.gethostname()}/{device}"
    return str(torch.cuda.get_device_properties(device).uuid)

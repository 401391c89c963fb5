"""How tensors get from the device of one worker to those of the others.

Between GPUs of their own they go directly, by NCCL. Where workers share a GPU, or there is no NCCL, they go through main memory, by the
same connections as everything else.
"""

from __future__ import annotations

import datetime
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from nodeloom.engine.workers.group import TIMEOUT

if TYPE_CHECKING:
    from nodeloom.engine.workers.group import Pending, Workers


class Links:
    """The connections between the devices of all workers. All of them have to make one, and to call what speaks of all, in the same order.

    What is sent and received directly is put on the current stream of the device; what goes through main memory is waited for there.

    Parameters
    ----------
    workers : Workers
        All workers.
    device : torch.device
        That of this worker.

    Attributes
    ----------
    direct : bool
        Whether tensors go from GPU to GPU.
    """

    def __init__(self, workers: Workers, device: torch.device) -> None:
        self.workers, self.device = workers, device
        self.direct = are_linked(workers, device)
        self._group: Any = None
        if self.direct:
            torch.cuda.set_device(device)
            self._group = dist.new_group(backend="nccl", timeout=datetime.timedelta(seconds=TIMEOUT))
            # Connects all: NCCL does so in the first call, which otherwise might be an exchange that concerns two workers only.
            dist.all_reduce(torch.zeros(1, device=device), group=self._group)

    @classmethod
    def of(cls, workers: Workers, device: torch.device) -> Links:
        """Return the links of workers, made once: each takes connections and memory of its own. All of them have to call it."""
        if workers.any(workers.links is None or workers.links.device != device):
            workers.links = cls(workers, device)
        return workers.links

    def add(self, values: torch.Tensor) -> None:
        """Replace a tensor, of the same shape and dtype with all workers, by its sum over them."""
        if self.direct:
            dist.all_reduce(values, group=self._group)
            return
        whole = self.workers.total(values.cpu().float().numpy() if values.is_floating_point() else values.cpu().numpy())
        values.copy_(torch.from_numpy(np.ascontiguousarray(whole)))

    def gather(self, own: torch.Tensor, whole: torch.Tensor) -> None:
        """Fill `whole` [num_worker, ...] with the tensors `own` [...] of all workers, contiguous."""
        if self.direct:
            dist.all_gather_into_tensor(whole.view(-1), own.view(-1), group=self._group)
            return
        found = np.empty((self.workers.num_worker, own.numel() * own.element_size()), np.uint8)
        found[self.workers.rank] = _bytes(own)
        self.workers.share(found)
        whole.copy_(_tensor(found.reshape(-1), whole))

    def exchange(
        self, outgoing: Sequence[tuple[torch.Tensor, int]], incoming: Sequence[tuple[torch.Tensor, int]]
    ) -> Sequence[Pending | Any]:
        """Begin to send and to receive tensors, contiguous; (tensor, other worker). Between two workers the order counts.

        Returns
        -------
        sequence
            Objects to call ``wait()`` of; then what was sent may be changed and what was received is there.
        """
        if self.direct:
            todo = [dist.P2POp(dist.irecv, tensor, other, self._group) for tensor, other in incoming]
            todo += [dist.P2POp(dist.isend, tensor, other, self._group) for tensor, other in outgoing]
            return dist.batch_isend_irecv(todo) if todo else ()
        sent = [(_bytes(tensor), other) for tensor, other in outgoing]
        received = [
            (tensor, np.empty(tensor.numel() * tensor.element_size(), np.uint8), other) for tensor, other in incoming
        ]
        pending = self.workers.exchange(sent, [(array, other) for _, array, other in received])
        return (_Arriving(pending, [(tensor, array) for tensor, array, _ in received]),)


class _Arriving:
    """Tensors on their way through main memory."""

    def __init__(self, pending: Pending, received: list[tuple[torch.Tensor, npt.NDArray[np.uint8]]]) -> None:
        self._pending, self._received = pending, received

    def wait(self) -> None:
        """Wait until all are done, and bring what has come to the device."""
        self._pending.wait()
        while self._received:
            tensor, array = self._received.pop()
            tensor.copy_(_tensor(array, tensor))


def _bytes(tensor: torch.Tensor) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
    return found


def _tensor(array: npt.NDArray[np.uint8], like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(array).view(like.dtype).view(like.shape)


def are_linked(workers: Workers, device: torch.device) -> bool:
    """Tell whether NCCL reaches the devices of all workers, which takes a GPU for each. All of them have to call it."""
    reachable = device.type == "cuda" and dist.is_nccl_available()
    return _are_apart(workers.gather(card_of(device) if reachable else None))


def card_of(device: torch.device) -> str:
    """Return what tells the card of a device from all others, on any host."""
    if device.type != "cuda":
        return f"{socket.gethostname()}/{device}"
    return str(torch.cuda.get_device_properties(device).uuid)


def _are_apart(names: Sequence[str | None]) -> bool:
    return None not in names and len(set(names)) == len(names)

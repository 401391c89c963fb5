"""The machine: all that planning may know of the world. :func:`nodeloom.engine.machine.look` finds it out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Worker:
    """The share of the machine that one worker may use.

    Attributes
    ----------
    num_thread : int
        Threads.
    main_memory : int or None
        Bytes of main memory; None if unknown.
    device : str
        Where it trains: "cpu", or a GPU such as "cuda:1".
    device_memory : int
        Bytes of its GPU; 0 on the CPU.
    """

    num_thread: int
    main_memory: int | None = None
    device: str = "cpu"
    device_memory: int = 0


@dataclass(frozen=True)
class Machine:
    """The workers of a training, by rank, and what lies between them.

    Attributes
    ----------
    workers : tuple of Worker
        All of them; one if this process trains alone. Either all have a GPU or none.
    rank : int
        The worker that this process is.
    gpu_name : str
        What its maker calls the GPU of this worker; "" on the CPU.
    num_multiprocessor : int
        Of the GPU of this worker; 0 if unknown.
    linked : bool
        Whether data goes from GPU to GPU, not through main memory.
    add_speed : float
        Bytes per second at which workers on CPUs sum an array over all of them, as measured; 0 if it was not.
    spawned : bool
        Whether nodeloom has started the workers, so that their number is an option of the user.
    folder : str
        Where temporary files go.
    folder_space : int or None
        Bytes that are free there; None if unknown.
    """

    workers: tuple[Worker, ...]
    rank: int = 0
    gpu_name: str = ""
    num_multiprocessor: int = 0
    linked: bool = False
    add_speed: float = 0.0
    spawned: bool = True
    folder: str = ""
    folder_space: int | None = None

    @property
    def num_worker(self) -> int:
        """Workers that train together."""
        return len(self.workers)

    @property
    def own(self) -> Worker:
        """What this worker may use."""
        return self.workers[self.rank]

    @property
    def smallest_gpu(self) -> int:
        """The rank of the first worker whose GPU has the least memory."""
        return min(range(self.num_worker), key=lambda rank: self.workers[rank].device_memory)

    @property
    def main_memory(self) -> list[int | None]:
        """Bytes of main memory that each worker may use."""
        return [worker.main_memory for worker in self.workers]

"""From an order of blocks to what a device loads, stores and trains, so that transfers are few and hidden behind training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from nodeloom.partition.block import Block, Side
from nodeloom.schedule.operations import Load, OfBlocks, Store, Train

_Part: TypeAlias = tuple[Side, int]


@dataclass
class _Buffer:
    number: int
    part: int | None = None
    last_train: int = -1  # the number of the operation; kept while the host has an older copy
    step: int = -1  # of the last training in this call
    stored: int | None = None  # the last store from this buffer: a load has to wait for it
    pending: list[int] = field(default_factory=list)  # what the next training has to wait for

    @property
    def dirty(self) -> bool:
        return self.last_train >= 0


class Transfers:
    """Plans transfers for buffers that keep their parts from call to call.

    - A part is loaded as early as its buffer can be had: a buffer is taken if it is empty, or if its part is not being
      trained and is needed later than the new one. What is needed last goes first (Belady 1966).
    - A part is stored right after its last training before it has to go. Only trained parts are stored.

    So with two vertex buffers the next vertex part travels while all blocks of the present one are trained. Of three
    context buffers one is trained, one stored and one loaded; with two, store and load wait for each other, with one also
    training.

    Parameters
    ----------
    vertex_slots, context_slots : int
        Buffers for parts of each side, at least 1.
    tied : bool
        Whether both sides are one table of as many parts. Then there are ``vertex_slots + context_slots`` buffers of one
        kind, and never two copies of a part.
    """

    def __init__(self, vertex_slots: int, context_slots: int, *, tied: bool = False) -> None:
        self._tied = tied
        slots: dict[Side, int] = {"vertex": vertex_slots, "context": context_slots}
        if min(slots.values()) < 1:
            raise ValueError(f"{vertex_slots} vertex and {context_slots} context buffers: each side needs one")
        if tied:
            slots = {"vertex": vertex_slots + context_slots}
        self._buffers = {side: [_Buffer(number) for number in range(count)] for side, count in slots.items()}
        self._last_store: dict[_Part, int] = {}
        self._next_number = 0

    def operations(self, order: Sequence[Block], following: Sequence[Block] = ()) -> list[OfBlocks]:
        """Return the operations of an episode. Every operation stands after those that it waits for.

        Parameters
        ----------
        order : sequence of Block
            Blocks in the order of their training.
        following : sequence of Block
            What will be trained next: parts stay for it, and the first ones are loaded for it. Without it nothing is known
            to be needed again. If something else is trained after all, more is moved, and nothing is lost.
        """
        steps = [self._parts_of(block) for block in (*order, *following)]
        uses = _Uses(steps)
        starting: list[OfBlocks] = []
        before: list[list[OfBlocks]] = [[] for _ in order]
        behind: list[list[OfBlocks]] = [[] for _ in order]  # a training, then stores

        def place_store(operation: Store, step: int) -> None:
            (starting if step < 0 else behind[step]).append(operation)

        for _, buffer in self._each_buffer():
            buffer.step = -1
        for step, block in enumerate(order):
            uses.move_to(step)
            before[step] += self._loads(steps[step], uses, place_store)
            behind[step].append(self._train(block, step))
        return starting + [
            operation for pair in zip(before, behind, strict=True) for half in pair for operation in half
        ]

    def finish(self) -> list[OfBlocks]:
        """Return the stores after which the host has everything. Buffers keep their parts, so that training can go on."""
        return [self._store(side, buffer) for side, buffer in self._each_buffer() if buffer.dirty]

    def _parts_of(self, block: Block) -> list[_Part]:
        context: Side = "vertex" if self._tied else "context"
        return list(dict.fromkeys([("vertex", block.vertex), (context, block.context)]))

    def _each_buffer(self) -> Iterator[tuple[Side, _Buffer]]:
        for side, buffers in self._buffers.items():
            yield from ((side, buffer) for buffer in buffers)

    def _loads(self, needed: list[_Part], uses: _Uses, place_store: _PlaceStore) -> list[OfBlocks]:
        """Return the loads before a training: what it lacks, then what is needed later, the most urgent first."""
        loads: list[tuple[float, OfBlocks]] = []
        for side, buffers in self._buffers.items():
            held = {buffer.part for buffer in buffers}
            now = [part for of, part in needed if of == side]
            wanted = [(-1.0, part) for part in now if part not in held]
            wanted += sorted(uses.upcoming(side, held.union(now)))
            for time, part in wanted:
                victim = self._victim(side, now, uses)
                if victim is None or (victim.part is not None and time >= uses.next_use((side, victim.part))):
                    break
                self._empty(side, victim, place_store)
                loads.append((time, self._load(side, victim, part)))
        return [operation for _, operation in sorted(loads, key=lambda load: load[0])]

    def _victim(self, side: Side, now: list[int], uses: _Uses) -> _Buffer | None:
        candidates = [buffer for buffer in self._buffers[side] if buffer.part not in now]
        return max(
            candidates,
            key=lambda buffer: (
                (2, 0.0, 0) if buffer.part is None else (1, uses.next_use((side, buffer.part)), -buffer.step)
            ),
            default=None,
        )

    def _number(self) -> int:
        self._next_number += 1
        return self._next_number - 1

    def _load(self, side: Side, buffer: _Buffer, part: int) -> Load:
        waits = {buffer.stored, self._last_store.get((side, part))}
        after = tuple(sorted(number for number in waits if number is not None))
        operation = Load(self._number(), after, side, part, buffer.number)
        buffer.part, buffer.stored, buffer.step, buffer.pending = part, None, -1, [operation.number]
        return operation

    def _store(self, side: Side, buffer: _Buffer) -> Store:
        assert buffer.part is not None  # only trained parts are stored
        operation = Store(self._number(), (buffer.last_train,), side, buffer.part, buffer.number)
        self._last_store[side, buffer.part] = buffer.stored = operation.number
        buffer.pending.append(operation.number)  # not to change what is being copied
        buffer.last_train = -1
        return operation

    def _empty(self, side: Side, buffer: _Buffer, place_store: _PlaceStore) -> None:
        if buffer.dirty:
            place_store(self._store(side, buffer), buffer.step)
        buffer.part = None

    def _train(self, block: Block, step: int) -> Train:
        sides: tuple[Side, Side] = ("vertex", "vertex" if self._tied else "context")
        vertex, context = (
            next(buffer for buffer in self._buffers[side] if buffer.part == part)
            for side, part in zip(sides, block, strict=True)
        )
        after = tuple(sorted({*vertex.pending, *context.pending}))
        operation = Train(self._number(), after, block, vertex.number, context.number)
        for buffer in (vertex, context):
            buffer.pending, buffer.last_train, buffer.step = [], operation.number, step
        return operation


_PlaceStore: TypeAlias = Callable[[Store, int], None]


class _Uses:
    """When each part is needed, from a step on."""

    def __init__(self, steps: list[list[_Part]]) -> None:
        self._steps = steps
        self._at = 0
        self._ahead: dict[_Part, list[int]] = {}  # steps, the next one last
        for step in reversed(range(len(steps))):
            for part in steps[step]:
                self._ahead.setdefault(part, []).append(step)

    def move_to(self, step: int) -> None:
        """Forget the steps before one."""
        while self._at < step:
            for part in self._steps[self._at]:
                self._ahead[part].pop()
            self._at += 1

    def next_use(self, part: _Part) -> float:
        """Return the next step that needs a part; infinity if there is none."""
        ahead = self._ahead.get(part)
        return ahead[-1] if ahead else math.inf

    def upcoming(self, side: Side, without: set[int | None]) -> list[tuple[float, int]]:
        """Return (step, part) of the parts of a side that are needed."""
        return [
            (ahead[-1], part)
            for (of, part), ahead in self._ahead.items()
            if of == side and ahead and part not in without
        ]

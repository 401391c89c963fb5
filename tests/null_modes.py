"""Devices of no speed for whole loops: they carry out the schedule of each mode, and refuse whatever would be a mistake."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import contextmanager

import numpy as np

from nodeloom.schedule import Arrive, Draw, Exchange, Landed, Load, Merge, Sort, Store, Train, TrainTiles
from null_device import NullDevice


class NullTiles:
    """Whole tables of one number each: a tile adds its pairs. `pairs` is a function of the number of a tile."""

    def __init__(self, walks_per_tile, pairs, depth=0, transport=None):
        self.walks_per_tile, self.pairs, self.depth, self.transport = walks_per_tile, pairs, depth, transport
        self.sent, self.tiles, self.rates, self.merges = [], [], [], []
        self.next_walk = None
        self.flying = deque()
        self.value = self.base = 0.0

    @contextmanager
    def running(self):
        yield

    def run(self, operation, lr):
        match operation:
            case Draw(first_walk=first, num_walk=None):
                self.next_walk = first
            case TrainTiles(first=first, count=count):
                assert count > 0 and len(lr) == count and len(self.flying) <= self.depth
                assert first * self.walks_per_tile == self.next_walk, "walks are drawn one after the other"
                self.next_walk += count * self.walks_per_tile
                self.tiles += range(first, first + count)
                self.rates += list(lr)
                self.flying.append(sum(map(self.pairs, range(first, first + count))))
            case Merge(number=number):
                assert not self.flying, "tables are at rest when they are merged"
                self.merges.append(number)
                change = np.array([self.value - self.base])
                self.transport.all_reduce(change)
                self.value = self.base = self.base + change[0]
                self.sent.append(8)
            case _:
                raise AssertionError(f"{operation} is none of whole tables")
        return 0

    def land(self):
        pairs = self.flying.popleft()
        self.value += pairs
        return Landed(pairs, float(pairs), float(pairs))

    def settle(self):
        assert not self.flying


class NullBlocks:
    """Blocks of a grid in buffers: a block adds one to its rows. `pairs` is a function of its place."""

    depth = 0
    sent = ()

    def __init__(self, grid, pairs, *, tied=False):
        num_slot = np.lcm(grid.num_vertex_part, grid.num_context_part) * 2
        self.vertex = np.zeros((num_slot, 1))
        self.context = None if tied else np.zeros((num_slot, 1))
        self.device = NullDevice(
            self.vertex, self.context, grid.num_vertex_part, grid.num_context_part,
            vertex_slots=grid.vertex_slots, context_slots=grid.context_slots,
        )  # fmt: skip
        self.pairs, self.places, self.drawn = pairs, [], []
        self.sorted = self.following = None

    @contextmanager
    def running(self):
        yield

    def run(self, operation, lr):
        match operation:
            case Draw(first_walk=first, num_walk=count):
                self.drawn.append((first, count))
                self.sorted = self.following = None
            case Sort(vertex_part=part, following=following):
                assert self.following in (None, part), "the part that was counted ahead comes next"
                self.sorted, self.following = part, following
            case Train(block=block, place=place):
                assert self.sorted == block.vertex, "pairs are sorted before they are trained"
                self.device.run(operation)
                self.places.append(place)
                return self.pairs(place)
            case Load() | Store():
                self.device.run(operation)
            case _:
                raise AssertionError(f"{operation} is none of blocks")
        return 0

    def land(self):
        return Landed(0, 1.0, 1.0)

    def settle(self):
        self.device.check_all_is_stored()


class NullRing:
    """The parts of one worker: a block adds one to its rows; parts travel as arrays through the transport."""

    depth = 0

    def __init__(self, grid, pairs, transport):
        self.transport, self.pairs = transport, pairs
        rank, size = transport.rank, transport.size
        self.owners = [part * size // grid.num_context_part for part in range(grid.num_context_part)]
        self.context = {part: np.zeros(1) for part, owner in enumerate(self.owners) if owner == rank}
        self.vertex = Counter()
        self.coming, self.pending, self.sorted = [], None, None
        self.sent, self.places, self.most = [], [], len(self.context)

    @contextmanager
    def running(self):
        yield

    def run(self, operation, lr):
        match operation:
            case Draw():
                self.sorted = None
            case Sort(vertex_part=part):
                self.sorted = part
            case Train(block=block, place=place):
                assert self.sorted == block.vertex and block.context in self.context, f"{block} is not here"
                assert block.context not in self.coming, "a part that is on its way is not trained"
                self.context[block.context] += 1
                self.vertex[block.vertex] += 1
                self.places.append(place)
                return self.pairs(place)
            case Exchange(shifts=shifts):
                self.arrive()
                send, receive = [], []
                for part, source, target in ((one.part, one.source, one.target) for one in shifts):
                    assert self.owners[part] == source != target
                    self.owners[part] = target
                    if source == self.transport.rank:
                        send.append((self.context.pop(part), target))
                    elif target == self.transport.rank:
                        self.context[part] = np.full(1, np.nan)
                        self.coming.append(part)
                        receive.append((self.context[part], source))
                self.most = max(self.most, len(self.context) + len(send))
                self.pending = self.transport.exchange(send, receive)
            case Arrive():
                self.arrive()
            case _:
                raise AssertionError(f"{operation} is none of a ring")
        return 0

    def arrive(self):
        if self.pending is not None:
            self.pending.wait()
        self.pending = None
        self.coming.clear()

    def land(self):
        return Landed(0, 1.0, 1.0)

    def settle(self):
        assert self.pending is None

"""Trainings on a GPU, on any machine.

On the card if there is one; if not, in Triton's interpreter, where programs run one after the other and the same training gives
the same vectors. The interpreter is slow, so there is a third way: the kernels of the CPU in place of their twins, behind the
same calls. With them the engine of the GPU is tested at full speed, and has to give what the engine of the CPU gives.
"""

from __future__ import annotations

import functools
import inspect
import os
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np

from nodeloom.engine import machine, make_plan, modes
from nodeloom.engine.device import Gpu
from nodeloom.engine.training import train
from nodeloom.kernels.cpu import initial, negatives, skipgram, walks
from nodeloom.plan import planner
from nodeloom.schedule import Position

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
GB = 10**9


def missing():
    """Return why nothing can be trained on a GPU here, not even in the interpreter; "" if it can."""
    for library in ("torch", "triton"):
        if find_spec(library) is None:
            return f"{library} is not installed"
    if INTERPRETED:
        return ""
    import torch

    return "" if torch.cuda.is_available() else "there is no GPU, and TRITON_INTERPRET is not 1"


def fake_gpu(free=16 * GB):
    """Return a GPU with so much memory."""
    return Gpu(0, "Testcard", 80 * GB, free, "9.0", 1, None)


class OnGpu:
    """Trains on the GPU, or on what stands for it.

    Attributes
    ----------
    exact : bool
        Whether the same training gives the same vectors.
    """

    exact = INTERPRETED

    def __init__(self, engine, monkeypatch):
        self._engine, self._monkeypatch = engine, monkeypatch
        if INTERPRETED:
            monkeypatch.setattr(machine, "resolve_device", self._resolve)
            self.memory(16 * GB)

    @staticmethod
    def _resolve(resource, *, deterministic):
        return "cpu" if resource.device == "cpu" or deterministic else "cuda:0"

    def memory(self, free):
        """Pretend that the GPU has so many bytes free."""
        self._monkeypatch.setattr(machine, "find_gpu", lambda index: fake_gpu(free))

    def settings(self, **values):
        """Return settings, of a training on the GPU unless said otherwise."""
        return self._engine.settings(**{"device": "cuda", "num_thread": 1, **values})

    def plan(self, graph, **values):
        """Return the plan of a training on the GPU."""
        return make_plan(graph, self.settings(**values))

    def train(self, graph, *, callbacks=(), init=None, **values):
        """Train on the GPU and return the tables; keys of `train` and of the settings."""
        options = {key: values.pop(key) for key in ("checkpoint", "checkpoint_interval", "resume") if key in values}
        settings = self.settings(**values)
        return train(graph, make_plan(graph, settings), settings, callbacks=callbacks, init=init, **options)

    def pools(self, *, tiles=None, at_least=None):
        """Set how many tiles are in a pool at most, and how many pools in a training at least."""
        if tiles is not None:
            self._monkeypatch.setattr(planner, "TILES_PER_GPU_POOL", tiles)
            self._monkeypatch.setattr(planner, "TILES_PER_POOL", tiles)
        if at_least is not None:
            self._monkeypatch.setattr("nodeloom.plan.pools.POOLS_AT_LEAST", at_least)

    def one_tile_at_a_time(self):
        """Train one tile after the other on a card too."""
        from nodeloom.engine.gpu import tiles
        from nodeloom.kernels.gpu.skipgram import Launch

        self._monkeypatch.setattr(tiles, "layout", lambda *arguments: Launch(num_program=1))

    def take_kernels_of_the_cpu(self):
        """Let the engine of the GPU call the kernels of the CPU, if there is no card."""
        if not INTERPRETED:
            return
        from nodeloom.engine.gpu import memory, samplers
        from nodeloom.kernels.gpu import skipgram

        self._monkeypatch.setattr(skipgram, "train_walks", train_walks)
        self._monkeypatch.setattr(samplers, "first_order_walks", first_order_walks)
        self._monkeypatch.setattr(samplers, "second_order_walks", second_order_walks)
        self._monkeypatch.setattr(samplers, "draw_negatives", draw_negatives)
        self._monkeypatch.setattr(memory, "uniform_rows", uniform_rows)

    def record(self, *, device="cuda"):
        """Return a list that every call of the kernel that trains on a device is added to, until the next list is asked for."""
        from nodeloom.kernels.cpu import skipgram as of_cpu
        from nodeloom.kernels.gpu import skipgram as of_gpu

        calls = []
        module = of_cpu if device == "cpu" else of_gpu
        kernel = getattr(module.train_walks, "recorded", module.train_walks)
        self._monkeypatch.setattr(module, "train_walks", recording(kernel, calls))
        return calls


# -------------------------------------------------------------------------------------------------- what was trained

_TABLES = ("vertex", "context", "vertex_moment1", "vertex_moment2", "context_moment1", "context_moment2")


def recording(kernel, calls):
    """Return a kernel that notes what it was called with: arrays as copies, of the tables only the type."""
    signature = inspect.signature(getattr(kernel, "py_func", kernel))

    @functools.wraps(kernel)
    def train_walks(*arguments, **options):
        given = signature.bind(*arguments, **options)
        given.apply_defaults()
        call = {"tied": given.arguments["vertex"] is given.arguments["context"]}
        for name, value in given.arguments.items():
            if name in _TABLES:
                call[name] = value.dtype
            else:
                value = value.cpu().numpy() if hasattr(value, "cpu") else value
                call[name] = np.array(value) if isinstance(value, np.ndarray) else value
        if call["walks"].size and call["walks"].max() >= 0:  # not the launch that only compiles
            calls.append(SimpleNamespace(**call))
        return kernel(*arguments, **options)

    train_walks.recorded = kernel
    return train_walks


@dataclass
class Trained:
    """What calls trained, tile by tile."""

    walks: np.ndarray
    negatives: np.ndarray
    lr: np.ndarray

    @classmethod
    def of(cls, calls):
        return cls(*(np.concatenate([getattr(call, name) for call in calls]) for name in ("walks", "negatives", "lr")))


def same_tables(a, b):
    """Tell whether two trainings ended with the same tables."""
    return np.array_equal(a.vertex, b.vertex) and np.array_equal(a.context, b.context)


def snapshots(graph, plan):
    """Train, waiting after every pool; return the pairs and all tables by (part, number of tiles)."""
    found = {}
    for index, part in enumerate(plan.stages):
        store = modes.allocate(plan, part, graph)
        store.initialize()
        engine, position = modes.loop_of(graph, plan, part, store), Position()
        for _ in engine.run(position):
            engine.settle()
            tables = {name: np.array(store.read(name)) for name in store.names()}
            found[index, position.num_tile] = SimpleNamespace(num_pair=position.num_pair, tables=tables)
    return found


# ------------------------------------------------------------------------------------------------- kernels of the CPU


def _array(tensor):
    """Return a tensor as a contiguous array, which shares its memory if it is contiguous and not in bf16."""
    return np.ascontiguousarray((tensor.float() if tensor.dtype.itemsize == 2 else tensor).numpy())


def _put(array, tensor):
    tensor.copy_(tensor.new_tensor(array))


def _graph(tensors):
    """Return the arrays of a graph, fixed like those of graphs, so that no kernel is compiled for others."""
    arrays = [_array(tensor) for tensor in tensors]
    for array in arrays:
        array.flags.writeable = False
    return arrays


_TRAIN_WALKS = skipgram.train_walks  # itself, whatever a test puts in its place


def train_walks(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2,
    walks, negatives, lr, step, two_sided, negative_weight, weight_decay, optimizer, settings, statistics,
    *, product="fp32", largest_rate=None, seed=0, num_pairs=None, launch=None,
):  # fmt: skip
    tables = [_array(vertex), _array(context)]
    if vertex is context:
        tables[1] = tables[0]
    moments = [vertex_moment1, vertex_moment2, context_moment1, context_moment2]
    moments = [_array(m) if m.numel() else np.empty((0, vertex.shape[1]), np.float32) for m in moments]
    numbers = np.zeros(4, np.float32)
    numbers[: len(settings)] = settings
    num_pairs += _TRAIN_WALKS(
        *tables, *moments, _array(walks), _array(negatives), _array(lr),
        step, two_sided, np.float32(negative_weight), np.float32(weight_decay), optimizer, numbers, _array(statistics),
    )  # fmt: skip
    for array, tensor in zip(tables, (vertex, context), strict=True):
        if tensor.dtype.itemsize == 2:
            _put(array, tensor)
    return num_pairs


def first_order_walks(indptr, indices, prob, alias, start_prob, start_alias, stream, first_walk, out):
    drawn = np.empty(out.shape, indices.numpy().dtype)
    bounds, tables = _array(indptr).astype(np.int32), map(_array, (prob, alias, start_prob, start_alias))
    walks.first_order_walks(bounds, *_graph([indices]), *tables, np.uint64(stream), first_walk, drawn)
    _put(drawn, out)


def second_order_walks(
    indptr, indices, weights, prob, alias, start_prob, start_alias, hub_row, hub_bits, p, q, fold, stream, first_walk, out
):  # fmt: skip
    drawn = np.empty(out.shape, indices.numpy().dtype)
    graph = _graph([indptr, indices, weights])
    if not weights.numel():
        graph[2] = np.empty(0, np.float32)
    tables = map(_array, (prob, alias, start_prob, start_alias, hub_row))
    bits = _array(hub_bits).view(np.uint64)
    walks.second_order_walks(*graph, *tables, bits, float(p), float(q), fold, np.uint64(stream), first_walk, drawn)
    _put(drawn, out)


def draw_negatives(prob, alias, stream, first_item, out):
    drawn = np.empty(out.shape, out.numpy().dtype)
    negatives.draw_negatives(_array(prob), _array(alias), np.uint64(stream), first_item, drawn)
    _put(drawn, out)


def uniform_rows(stream, first_row, dim, scale, out):
    drawn = np.empty(tuple(out.shape), np.float32)
    initial.uniform_rows(np.uint64(stream), first_row, dim, np.float32(scale), drawn)
    _put(drawn, out)

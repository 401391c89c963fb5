"""What only a card can show: vectors as good as the CPU's, memory as planned, tables of more than 2^32 numbers, two at a time."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan, modes
from nodeloom.engine.device import find_gpu
from nodeloom.engine.tables import Tables
from nodeloom.kernels.cpu import initial
from nodeloom.kernels.cpu.optimizer import MOMENTUM, SGD
from nodeloom.kernels.reference import skipgram as reference
from nodeloom.model.objective import SharedNegatives, Walks
from nodeloom.plan.defaults import initial_scale
from nodeloom.plan.stages import stages_of
from nodeloom.rng import Purpose, stream

pytestmark = pytest.mark.gpu

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

from nodeloom.engine.gpu.memory import memories_of  # noqa: E402
from nodeloom.engine.storage import storage_in  # noqa: E402
from nodeloom.kernels.gpu.skipgram import Launch, train_walks  # noqa: E402

GB = 10**9


# ------------------------------------------------------------------------------------------------------------- quality


@pytest.fixture(scope="module")
def planted():
    """Return a graph of 2000 nodes and the communities of its nodes."""
    edges, community = planted_partition(2000, 16_000, 10, mixing=0.3, seed=1)
    return Graph.from_edges(edges), community


def purity(vectors, community):
    """Return which share of the ten nearest nodes are of the same community, on average."""
    x = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = x @ x.T
    np.fill_diagonal(scores, -np.inf)
    return float((community[np.argsort(-scores, axis=1)[:, :10]] == community[:, None]).mean())


@pytest.fixture(scope="module")
def on_cpu(engine, planted):
    """Return the purity of vectors that the CPU learned, by the values of a training."""
    found = {}

    def on_cpu(**values):
        key = str(sorted(values.items()))
        if key not in found:
            found[key] = purity(engine.train(planted[0], device="cpu", **values).vertex, planted[1])
        return found[key]

    return on_cpu


TRAININGS = {  # purity of the CPU: 0.95 to 0.98
    "defaults": {"num_epoch": 300},
    "long": {"num_epoch": 2000},
    "Adam": {"num_epoch": 300, "optimizer": "Adam"},
    "node2vec": {"num_epoch": 300, "model": "node2vec", "p": 0.5, "q": 2},
    "both orders": {"num_epoch": 300, "model": "LINE", "order": "both", "dim": 64},
}


@pytest.mark.parametrize("sampler", ["device", "host"])
@pytest.mark.parametrize("table_dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("name", TRAININGS)
def test_vectors_are_as_good_as_those_of_the_cpu(on_gpu, planted, on_cpu, name, table_dtype, sampler):
    graph, community = planted
    values = {"dim": 32, **TRAININGS[name]}
    tables = on_gpu.train(graph, table_dtype=table_dtype, sampler=sampler, num_thread=4, **values)
    assert tables.report.device == "cuda:0"
    found = purity(tables.vertex, community)
    assert found > on_cpu(**values) - 0.03
    assert purity(tables.vertex, np.random.default_rng(0).permutation(community)) < 0.2


def test_two_trainings_at_a_time(on_gpu, planted):
    graph, community = planted
    found = {}

    def train(seed):
        found[seed] = purity(on_gpu.train(graph, dim=32, num_epoch=300, seed=seed).vertex, community)

    threads = [threading.Thread(target=train, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert min(found.values()) > 0.9


# -------------------------------------------------------------------------------------------------------------- memory


@pytest.fixture(scope="module")
def large():
    """Return a graph whose tables take 200 MB and whose edges 16 MB."""
    edges = np.random.default_rng(0).integers(0, 200_000, (2_000_000, 2))
    return Graph.from_edges(edges)


def asked_for():
    """Return the bytes of all tensors on the GPU, as they were asked for."""
    return torch.cuda.memory_stats(0)["requested_bytes.all.current"]


@pytest.mark.parametrize(
    "values",
    [{}, {"table_dtype": "bf16"}, {"optimizer": "Adam"}, {"sampler": "host"}, {"model": "node2vec", "p": 0.5}],
    ids=str,
)
def test_memory_is_what_the_plan_says(on_gpu, large, values):
    values = {"dim": 128, "num_epoch": 20, **values}
    plan = on_gpu.plan(large, **values)
    before = asked_for()
    store = modes.allocate(plan, plan.stages[0], large)
    loop = modes.loop_of(large, plan, plan.stages[0], store)
    spare = plan.device_memory.get("rates", 0) if loop.device._largest_rate is None else 0  # for graphs with busy nodes
    assert asked_for() - before == pytest.approx(plan.num_device_bytes - spare, rel=1e-4)
    del store, loop
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    tables = on_gpu.train(large, **values)
    # Beside the plan there is what looks for NaN, and what the library rounds up.
    assert tables.report.peak_device_memory - before == pytest.approx(plan.num_device_bytes, rel=0.01, abs=3e8)


def test_memory_of_a_training_that_is_over_is_free():
    torch.cuda.empty_cache()
    free = find_gpu(0).free_memory
    taken = torch.zeros(4 * GB, dtype=torch.uint8, device="cuda:0")
    assert find_gpu(0).free_memory < free - 3 * GB
    del taken
    assert find_gpu(0).free_memory > free - GB


def test_the_plan_uses_what_is_there(engine, large):
    def plan(**values):  # of device auto
        return make_plan(large, engine.settings(num_thread=1, **values))

    assert (plan().device, plan().table_dtype, plan().sampler) == ("cuda:0", "fp32", "device")
    least = plan(table_dtype="bf16", sampler="host").num_device_bytes
    tight = plan(gpu_memory_limit=least)
    assert (tight.table_dtype, tight.sampler) == ("bf16", "host")
    assert plan(gpu_memory_limit=least - 1).grid is not None
    assert plan(gpu_memory_limit=100_000).device == "cpu"


# -------------------------------------------------------------------------------------------------------- large tables

ROW = 128
NUM_NODES = 2**25 + 2048  # of 128 numbers: beyond 2^32 of them
SMALL = 70_000  # nodes of a table to compare with; with fewer the kernel looks for negatives that repeat
# On both sides of 2^31 and 2^32 numbers, at the ends, and rows that wrapped offsets would fall on.
PLACES = (40, 2**23, 2**24, 2**24 + 2**23, 2**25, NUM_NODES - 40)
NODES = np.concatenate([place + np.arange(-40, 40) for place in PLACES])


def make_room(*dtypes):
    """Skip where there is not enough memory for a table of each type."""
    torch.cuda.empty_cache()
    needed = sum(NUM_NODES * ROW * dtype.itemsize for dtype in dtypes) + GB
    free = torch.cuda.mem_get_info()[0]
    if free < needed:
        pytest.skip(f"needs {needed / GB:.0f} GB on the GPU, {free / GB:.0f} are free")


def zero_but(table, rows):
    """Tell whether a table is zero in all rows but some, which are set to zero."""
    table[rows] = 0
    return not any(bool(piece.any()) for piece in table.split(1 << 21))


def drawn_walks(index_type):
    """Return walks and negatives of four tiles over NODES; no node twice in one of them."""
    random = np.random.default_rng(0)
    drawn = np.array([random.permutation(NODES)[:80] for _ in range(4)], index_type)
    return drawn[:, :64], drawn[:, None, 64:]


def trained(tables, walks, negatives, optimizer, *, tied):
    """Train tables on the card, tile after tile; return the pairs and the statistics."""
    vertex, context, *moments = tables
    none = torch.empty(0, device="cuda")
    moments = [moments[0], none, moments[0] if tied else moments[1], none] if moments else [none] * 4
    walks, negatives = (torch.tensor(np.ascontiguousarray(ids), device="cuda") for ids in (walks, negatives))
    statistics = torch.zeros(2, dtype=torch.float64, device="cuda")
    pairs = train_walks(
        vertex, context, *moments, walks, negatives, torch.full((4,), 0.05, device="cuda"),
        5, True, 5.0, 0.01, optimizer, (0.9 if optimizer == MOMENTUM else 0.0, 0.0, 0.0, 0.0), statistics,
        product="fp32", launch=Launch(num_program=1),
    )  # fmt: skip
    return int(pairs), statistics.tolist()


def defined(tables, walks, negatives, optimizer, *, tied):
    """Train tables as the definition says."""
    moments = [np.zeros((len(NODES), ROW)) for _ in range(4)]
    if tied:
        moments[2] = moments[0]
    reference.train_walks(
        *tables, *moments, walks, negatives, np.full(4, 0.05, np.float32), 5, True, 5.0, 0.01,
        optimizer, np.array([0.9 if optimizer == MOMENTUM else 0.0, 0, 0, 0]), np.zeros(2),
    )  # fmt: skip


@pytest.mark.parametrize("index_type", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("optimizer", "dtype", "tied"),
    [
        (SGD, torch.float32, False),
        (SGD, torch.float32, True),
        (SGD, torch.bfloat16, False),
        (MOMENTUM, torch.float32, True),
        (MOMENTUM, torch.bfloat16, False),
    ],
    ids=str,
)
def test_rows_beyond_32_bits(optimizer, dtype, tied, index_type):
    num_table = 1 if tied else 2
    num_moment = num_table * (optimizer == MOMENTUM)
    make_room(*[dtype] * num_table, *[torch.float32] * num_moment)
    first = np.random.default_rng(1).normal(0, 0.3, (num_table, len(NODES), ROW)).astype(np.float32)
    rows, small_rows = torch.tensor(NODES, device="cuda"), torch.arange(len(NODES), device="cuda")

    def tables_of(num_node, at):
        tables = [torch.zeros(num_node, ROW, dtype=dtype, device="cuda") for _ in range(num_table)]
        for table, values in zip(tables, first, strict=True):
            table[at] = torch.tensor(values, device="cuda").to(dtype)
        return tables * (2 if tied else 1) + [torch.zeros(num_node, ROW, device="cuda") for _ in range(num_moment)]

    tables, small = tables_of(NUM_NODES, rows), tables_of(SMALL, small_rows)
    exact = [table[small_rows].double().cpu().numpy() for table in small[:num_table]] * (2 if tied else 1)
    start = [table.copy() for table in exact]
    ids = drawn_walks(index_type)
    small_ids = [np.searchsorted(NODES, array).astype(index_type) for array in ids]
    num_pair, statistics = trained(tables, *ids, optimizer, tied=tied)
    assert num_pair == 4 * 2 * sum(64 - distance for distance in range(1, 6))
    assert trained(small, *small_ids, optimizer, tied=tied) == (num_pair, pytest.approx(statistics))
    # As in a small table; tables in bf16 are rounded by chance, depending on the place.
    close = {"rtol": 2**-5, "atol": 2e-2} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-6}
    for table, wanted in zip(tables, small, strict=True):
        torch.testing.assert_close(table[rows].float(), wanted[small_rows].float(), **close)
    defined(exact, *small_ids, optimizer, tied=tied)
    for table, wanted, begun in zip(tables[:2], exact, start, strict=True):
        error = np.linalg.norm(table[rows].double().cpu().numpy() - wanted) / np.linalg.norm(wanted - begun)
        assert error < (0.1 if dtype == torch.bfloat16 else 0.01)
    for table in tables:
        assert zero_but(table, rows)


@pytest.mark.parametrize("table_dtype", ["fp32", "bf16"])
def test_stores_beyond_32_bits(table_dtype):
    make_room(*[torch.float32 if table_dtype == "fp32" else torch.bfloat16] * 2)
    (stage,) = stages_of(
        "DeepWalk",
        2,
        120,
        3,
        num_nodes=NUM_NODES,
        positives=Walks(63, 5, True),
        negatives=SharedNegatives(16, 0.75, 1.0),
    )
    assert stage.row == ROW
    store = Tables(stage.objective.tables, 0, storage_in(*memories_of("cuda:0", table_dtype)))
    store.initialize()
    key, scale = np.uint64(stream(3, Purpose.INITIAL_VERTEX)), np.float32(initial_scale(120))
    for first in (0, 2**24 - 8, 2**25 - 8, NUM_NODES - 16):
        rows = np.empty((16, ROW), np.float32)
        initial.uniform_rows(key, first, 120, scale, rows)
        found = store.of("vertex")[0][first : first + 16].float().cpu().numpy()
        np.testing.assert_allclose(found, rows, rtol=0 if table_dtype == "fp32" else 2**-8)
    assert store.is_sound()
    values = np.zeros((NUM_NODES, 1), np.float32)
    values[NODES, 0] = np.arange(len(NODES)) % 256
    store.write("context", values, values[:, 0] > 0)
    found = store.of("context")[0][torch.tensor(NODES, device="cuda"), 0].float().cpu().numpy()
    np.testing.assert_array_equal(found, values[NODES, 0])
    assert int(torch.count_nonzero(store.of("context")[0][:, 0])) == np.count_nonzero(values)
    store.of("context")[0][-1, -1] = float("nan")
    assert not store.is_sound()

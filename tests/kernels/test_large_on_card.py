"""What only fits a card: graphs of more than 2^31 entries, and comparisons with the CPU on more walks than the interpreter can make."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from backends import CPU, GPU, REFERENCE
from walk_graphs import WalkGraph

pytestmark = pytest.mark.gpu

DEGREE = 1041


class Computed:
    """An array that is nowhere: its numbers follow from their places, one or a slice at a time."""

    def __init__(self, size, number):
        self.size, self.number = size, number

    def __getitem__(self, place):
        if isinstance(place, slice):
            return self.number(np.arange(place.start, place.stop, dtype=np.int64))
        return self.number(np.int64(place))


class LargeGraph:
    """A directed graph in which every row has DEGREE entries, sorted, whose targets follow from their places.

    Entry j of node v leads to ``j * width + v % 7``. So there is an edge from u to a target of v if v and u are equal
    modulo 7.
    """

    def __init__(self, num_nodes):
        self.num_nodes, self.width = num_nodes, num_nodes // DEGREE
        self.num_entries = num_nodes * DEGREE
        assert self.width % 7 != 0

    def target(self, entry):
        return entry % DEGREE * self.width + entry // DEGREE % 7

    def computed(self):
        """Return `indptr` and `indices` as the definition takes them."""
        return Computed(self.num_nodes + 1, lambda node: node * DEGREE), Computed(self.num_entries, self.target)

    def on_device(self):
        """Return `indptr` and `indices` on the card."""
        import torch

        free, _ = torch.cuda.mem_get_info()
        if free < 4 * self.num_entries + (4 << 30):
            pytest.skip(f"needs {4 * self.num_entries / 2**30:.0f} GiB on the GPU, {free / 2**30:.0f} are free")
        indptr = torch.arange(self.num_nodes + 1, dtype=torch.int64, device="cuda") * DEGREE
        indices = torch.empty(self.num_entries, dtype=torch.int32, device="cuda")
        for first in range(0, self.num_entries, 1 << 27):
            entries = torch.arange(first, min(first + (1 << 27), self.num_entries), dtype=torch.int64, device="cuda")
            indices[first : first + (1 << 27)] = self.target(entries)
        return indptr, indices


# Between 2^31 and 2^32 entries, whose places are uint32, and beyond, whose places are int64.
@pytest.fixture(scope="module", params=[3_100_000, 4_400_000], ids=["beyond 2^31", "beyond 2^32"])
def large(request):
    graph = LargeGraph(request.param)
    return graph, *graph.on_device()


def starts(graph, first):
    """Return the alias table of a first node from `first` on, uniform."""
    prob, alias = np.zeros(graph.num_nodes, np.float32), np.empty(graph.num_nodes, np.int32)
    prob[first:] = 1.0
    alias[:] = first + np.arange(graph.num_nodes) % (graph.num_nodes - first)
    return prob, alias


@pytest.mark.parametrize("order", ["first", "second"])
def test_rows_that_begin_beyond_31_and_32_bits(large, order):
    import torch

    graph, indptr, indices = large
    beyond = 2**31 if graph.num_entries < 2**32 else 2**32
    prob, alias = starts(graph, beyond // DEGREE + 1)
    num_walk, length = (200, 40) if order == "first" else (24, 6)
    none = {kind: np.empty(0, kind) for kind in (np.float32, np.int32)}
    hubs = np.empty((0, 1), np.uint64)
    p, q, stream, first_walk = 0.005, 3.0, 2**63 + 9, 2**33

    want = np.full((num_walk, length), -99, np.int32)
    got = torch.full((length, num_walk), -99, dtype=torch.int32, device="cuda").T
    tables = [none[np.float32], none[np.int32], prob, alias]
    if order == "second":
        tables = [none[np.float32], *tables, none[np.int32], hubs]
    options = (p, q, False) if order == "second" else ()
    name = f"{order}_order_walks"
    getattr(REFERENCE.walks, name)(*graph.computed(), *tables, *options, stream, first_walk, want)
    on_card = [torch.from_numpy(t.view(np.int64) if t.dtype == np.uint64 else t).cuda() for t in tables]
    getattr(import_module("nodeloom.kernels.gpu.walks"), name)(
        indptr, indices, *on_card, *options, stream, first_walk, got
    )

    np.testing.assert_array_equal(got.cpu().numpy(), want)
    entries = want.astype(np.int64) * DEGREE
    assert (entries[:, 0] >= beyond).all()  # each walk begins where 32 bits (with their sign) do not reach
    assert (entries[:, 1:] >= beyond).any() and (entries[:, 1:] < beyond).any()
    if order == "second":
        assert (want[:, 2:] == want[:, :-2]).any()  # some steps went back


def random_edges(seed, num_nodes, num_edges, *, weighted, directed):
    """Return a graph of degrees that fall off as a power, some rows empty if it is directed."""
    rng = np.random.default_rng(seed)
    heads, tails = (rng.random((2, num_edges)) ** 3 * num_nodes).astype(np.int64)
    if directed:
        kept = heads % 50 != 7
        heads, tails = heads[kept], tails[kept]
    else:
        heads, tails = np.r_[heads, tails], np.r_[tails, heads]
    places = np.unique(heads * num_nodes + tails)
    heads, tails = places // num_nodes, places % num_nodes
    indptr = np.searchsorted(heads, np.arange(num_nodes + 1)).astype(np.int64)
    weights = np.empty(0, np.float32)
    if weighted:  # the same in both directions
        weights = (1.0 + (heads + tails) % 13 + heads * tails % 7).astype(np.float32)
    prob, alias = np.empty(weights.size, np.float32), np.empty(weights.size, np.int32)
    start = np.diff(indptr).astype(np.float64)
    start_prob, start_alias = np.empty(num_nodes, np.float32), np.empty(num_nodes, np.int32)
    CPU.negatives.build_alias(start, np.array([0, num_nodes]), 0, 1, start_prob, start_alias)
    if weighted:
        CPU.negatives.build_alias(weights, indptr, 0, num_nodes, prob, alias)
    return WalkGraph(indptr, tails.astype(np.int32), weights, prob, alias, start_prob, start_alias, start)


@pytest.mark.parametrize(("weighted", "directed"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.25, 4.0), (4.0, 0.25), (0.01, 1.0), (1.0, 60.0)])
def test_many_walks_equal_those_of_the_cpu(weighted, directed, p, q):
    graph = random_edges(3, 20_000, 200_000, weighted=weighted, directed=directed)
    degrees = np.diff(graph.indptr)
    hubs = np.flatnonzero(degrees * 32 >= graph.num_nodes)
    assert 0 < len(hubs) < 0.1 * graph.num_nodes
    for fold in {False, not weighted and not directed}:
        options = {"fold": fold, "hubs": hubs, "stream": 2**64 - 3, "first_walk": 2**32 - 1000}
        got = graph.second_order(GPU, 20_001, 41, p, q, **options)
        np.testing.assert_array_equal(got, graph.second_order(CPU, 20_001, 41, p, q, **options))
        assert (got == -1).any() == directed
        other = graph.second_order(GPU, 20_001, 41, p, q, **{**options, "stream": 2**64 - 4})
        assert (other != got).mean() > (0.5 if directed else 0.9)
    got = graph.first_order(GPU, 100_003, 65)
    np.testing.assert_array_equal(got, graph.first_order(CPU, 100_003, 65))


@pytest.mark.parametrize("block", [32, 64, 128, 256, 512])
@pytest.mark.parametrize("num_warps", [1, 2, 4])
def test_walks_do_not_depend_on_the_launch(block, num_warps):
    from gpu_calls import on_device

    from nodeloom.kernels.gpu import walks

    graph = random_edges(4, 3000, 20_000, weighted=True, directed=True)
    row, bits = graph.hubs(np.flatnonzero(np.diff(graph.indptr) * 32 >= graph.num_nodes))
    first, second = np.empty((777, 20), np.int32), np.empty((777, 20), np.int32)
    steps, start = (graph.prob, graph.alias), (graph.start_prob, graph.start_alias)
    how = {"block": block, "num_warps": num_warps}
    on_device(walks.first_order_walks, graph.indptr, graph.indices, *steps, *start, 5, 0, first, **how)
    on_device(
        walks.second_order_walks, graph.indptr, graph.indices, graph.weights, *steps, *start, row, bits, 0.5, 2.0, False, 5, 0,
        second, **how,
    )  # fmt: skip
    np.testing.assert_array_equal(first, graph.first_order(CPU, 777, 20, stream=5))
    np.testing.assert_array_equal(second, graph.second_order(CPU, 777, 20, 0.5, 2.0, hubs=[], stream=5))


def test_many_draws_equal_those_of_the_cpu():
    weights = np.random.default_rng(5).random(100_000) ** 6
    prob, alias = np.empty(len(weights), np.float32), np.empty(len(weights), np.int32)
    CPU.negatives.build_alias(weights, np.array([0, len(weights)]), 0, 1, prob, alias)
    got, want = np.empty((30_000, 48), np.int32), np.empty((30_000, 48), np.int32)
    GPU.negatives.draw_negatives(prob, alias, np.uint64(2**64 - 1), 2**40, got)
    CPU.negatives.draw_negatives(prob, alias, np.uint64(2**64 - 1), 2**40, want)
    np.testing.assert_array_equal(got, want)


def test_first_values_beyond_2_31_numbers():
    import torch

    from nodeloom.kernels.gpu.initial import uniform_rows

    rows = 2**31 // 128 + 5
    table = torch.full((rows, 128), 9.0, dtype=torch.bfloat16, device="cuda")
    uniform_rows(11, 0, 100, 0.5, table)
    for first in (0, rows - 4):
        want = np.empty((4, 128), np.float32)
        CPU.initial.uniform_rows(np.uint64(11), first, 100, np.float32(0.5), want)
        assert torch.equal(table[first : first + 4].cpu(), torch.from_numpy(want).to(torch.bfloat16))


def test_scores_and_neighbours_beyond_2_31_numbers():
    import torch

    from nodeloom.kernels.gpu.nearest import nearest_rows
    from nodeloom.kernels.gpu.scoring import score_pairs

    rows = 2**31 // 64 + 1000
    table = torch.zeros((rows, 64), dtype=torch.bfloat16, device="cuda")
    marked = torch.tensor([3, rows - 700, rows - 1], device="cuda")
    table[marked, 5] = torch.tensor([1.0, 2.0, 2.0], dtype=torch.bfloat16, device="cuda")
    scores = torch.empty(3, device="cuda")
    score_pairs(table, table, marked, marked.flip(0), scores)
    assert scores.tolist() == [2.0, 4.0, 2.0]
    ids, scores = torch.empty((2, 4), dtype=torch.int64, device="cuda"), torch.empty((2, 4), device="cuda")
    query = torch.zeros((2, 64), device="cuda")
    query[:, 5] = 3.0
    nearest_rows(table, query, torch.tensor([-1, rows - 700], device="cuda"), False, ids, scores)
    assert ids.tolist() == [[rows - 700, rows - 1, 3, 0], [rows - 1, 3, 0, 1]]
    assert scores.tolist() == [[6.0, 6.0, 3.0, 0.0], [6.0, 3.0, 0.0, 0.0]]
    nearest_rows(table, query, torch.tensor([-1, 3], device="cuda"), True, ids, scores)
    assert ids.tolist() == [[3, rows - 700, rows - 1, 0], [rows - 700, rows - 1, 0, 1]]


def test_neighbours_of_random_vectors_are_those_of_float64():
    rng = np.random.default_rng(6)
    vectors, queries = (
        rng.normal(0, 1, (30_000, 100)).astype(np.float32),
        rng.normal(0, 1, (300, 100)).astype(np.float32),
    )
    ids, scores = np.empty((300, 20), np.int64), np.empty((300, 20), np.float32)
    for cosine in (False, True):
        GPU.nearest.nearest_rows(vectors, queries, np.full(300, -1), cosine, ids, scores)
        exact = queries.astype(np.float64) @ vectors.T.astype(np.float64)
        if cosine:
            exact /= np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)
        order = np.argsort(-exact, axis=1)[:, :20]
        best = np.take_along_axis(exact, order, 1)
        np.testing.assert_allclose(scores, best, rtol=1e-5, atol=1e-6)  # full float32: tf32 is off by 1e-3
        np.testing.assert_allclose(np.take_along_axis(exact, ids, 1), best, rtol=1e-5, atol=1e-6)
        assert (ids == order).mean() > 0.999

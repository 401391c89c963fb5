"""Tensors get from worker to worker unharmed: through main memory, and directly where each worker has a GPU of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from local_workers import together

torch = pytest.importorskip("torch")

from nodeloom.engine.workers import links  # noqa: E402  torch is needed for it
from nodeloom.engine.workers.links import Links, are_linked, card_of  # noqa: E402

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.bfloat16, torch.int32, torch.int64, torch.int16]


def test_a_sum(monkeypatch):
    def work(workers):
        found = []
        for dtype in (torch.float32, torch.bfloat16, torch.int64):
            values = torch.arange(6).view(2, 3).to(dtype) * (workers.rank + 1)
            Links.of(workers, CPU).add(values)
            found.append(values)
        return found

    for sums in together(monkeypatch, 3, work):
        for values, dtype in zip(sums, (torch.float32, torch.bfloat16, torch.int64), strict=True):
            assert values.dtype == dtype and values.tolist() == [[0, 6, 12], [18, 24, 30]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_all_get_all(monkeypatch, dtype):
    def work(workers):
        whole = torch.full((3, 2, 5), -7).to(dtype)
        own = whole[workers.rank] if workers.rank else torch.empty(2, 5, dtype=dtype)  # both ways
        own.copy_(torch.arange(10).view(2, 5) + 10 * workers.rank)
        Links.of(workers, CPU).gather(own, whole)
        return whole.tolist()

    assert together(monkeypatch, 3, work) == [torch.arange(30).view(3, 2, 5).tolist()] * 3


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_go_round(monkeypatch, dtype):
    def work(workers):
        rank, num = workers.rank, workers.num_worker
        sent = [(torch.arange(6).view(3, 2) + 10 * rank + 50 * number).to(dtype) for number in (0, 1)]
        came = [torch.zeros(3, 2, dtype=dtype) for _ in sent]
        works = Links.of(workers, CPU).exchange(
            [(tensor, (rank + 1) % num) for tensor in sent], [(tensor, (rank - 1) % num) for tensor in came]
        )
        for under_way in works:
            under_way.wait()
        assert not Links.of(workers, CPU).exchange([], [])[0].wait()  # one that has nothing to do
        return [tensor[:, 0].tolist() for tensor in came]

    found = together(monkeypatch, 3, work)
    for rank, columns in enumerate(found):
        first = 10 * ((rank - 1) % 3)
        assert columns == [[first, first + 2, first + 4], [first + 50, first + 52, first + 54]]


def test_links_are_made_once(monkeypatch):
    def work(workers):
        first = Links.of(workers, CPU)
        assert Links.of(workers, CPU) is first
        other = torch.device("meta") if workers.rank else CPU
        again = Links.of(workers, other)  # one of them has moved, so all connect anew
        return again is not first and again.device == other and not again.direct

    assert together(monkeypatch, 2, work) == [True, True]


@pytest.mark.parametrize(
    ("cards", "nccl", "expected"),
    [(("a", "b"), True, True), (("a", "a"), True, False), (("a", "b"), False, False), ((None, "b"), True, False)],
)
def test_gpus_are_linked_if_each_worker_has_its_own(monkeypatch, cards, nccl, expected):
    monkeypatch.setattr(links.dist, "is_nccl_available", lambda: nccl)
    monkeypatch.setattr(links, "card_of", lambda device: cards[device.index or 0])

    def work(workers):
        card = cards[workers.rank]
        return are_linked(workers, CPU if card is None else torch.device("cuda", workers.rank))

    assert together(monkeypatch, 2, work) == [expected] * 2


def test_cpus_of_a_host_are_one_card():
    assert card_of(CPU) == card_of(torch.device("cpu")) != ""


PROGRAM = """
import sys, torch
from nodeloom.engine.workers import join, leave
from nodeloom.engine.workers.links import Links

workers = join()
number = workers.rank % max(1, torch.cuda.device_count())
device = torch.device(sys.argv[1].replace("N", str(number)))
links = Links.of(workers, device)
assert links.direct == (sys.argv[2] == "direct"), links.direct
rank, num = workers.rank, workers.num_worker
for turn in range(3):
    sent = torch.full((1000, 64), 1.0 + rank + 10 * turn, device=device, dtype=torch.bfloat16)
    came = torch.zeros_like(sent)
    # Only the first two at first: the others connect later.
    pair = [0, 1] if turn == 0 else list(range(num))
    works = []
    if rank in pair:
        at = pair.index(rank)
        to, giver = pair[(at + 1) % len(pair)], pair[at - 1]
        works = links.exchange([(sent, to)], [(came, giver)])
    for work in works:
        work.wait()
    if rank in pair:
        assert (came == 1.0 + giver + 10 * turn).all()
    whole = torch.zeros(num, 7, device=device, dtype=torch.int32)
    whole[rank] = rank + 1
    links.gather(whole[rank], whole)
    assert whole.tolist() == [[n + 1] * 7 for n in range(num)]
    values = torch.full((5,), float(rank + 1), device=device)
    links.add(values)
    assert values.tolist() == [num * (num + 1) / 2] * 5
leave()
"""


def run(tmp_path, num_worker, *arguments):
    (tmp_path / "program.py").write_text(PROGRAM)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(num_worker)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, *launcher, "program.py", *arguments],
        cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_processes_through_main_memory(tmp_path):
    run(tmp_path, 3, "cpu", "staged")


@pytest.mark.gpu
def test_processes_that_share_a_gpu(tmp_path):
    run(tmp_path, 3, "cuda:0", "staged")


@pytest.mark.gpu
def test_processes_with_a_gpu_each(tmp_path):
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU")
    run(tmp_path, min(4, torch.cuda.device_count()), "cuda:N", "direct")

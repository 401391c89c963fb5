"""Tensors get from worker to worker unharmed: through main memory, and directly where each worker has a GPU of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local_transport import together

torch = pytest.importorskip("torch")

from nodeloom.transport import nccl  # noqa: E402  torch is needed for it
from nodeloom.transport.nccl import ThroughHost, are_linked, card_of, transport_of_device  # noqa: E402

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.bfloat16, torch.int32, torch.int64, torch.int16]


def test_a_sum(monkeypatch):
    def work(transport):
        found = []
        for dtype in (torch.float32, torch.bfloat16, torch.int64):
            values = torch.arange(6).view(2, 3).to(dtype) * (transport.rank + 1)
            transport_of_device(transport, CPU).all_reduce(values)
            found.append(values)
        return found

    for sums in together(3, work):
        for values, dtype in zip(sums, (torch.float32, torch.bfloat16, torch.int64), strict=True):
            assert values.dtype == dtype and values.tolist() == [[0, 6, 12], [18, 24, 30]]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_all_get_all(monkeypatch, dtype):
    def work(transport):
        whole = torch.full((3, 2, 5), -7).to(dtype)
        own = whole[transport.rank] if transport.rank else torch.empty(2, 5, dtype=dtype)  # both ways
        own.copy_(torch.arange(10).view(2, 5) + 10 * transport.rank)
        transport_of_device(transport, CPU).all_gather(own, whole)
        return whole.tolist()

    assert together(3, work) == [torch.arange(30).view(3, 2, 5).tolist()] * 3


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_go_round(monkeypatch, dtype):
    def work(transport):
        rank, num = transport.rank, transport.size
        sent = [(torch.arange(6).view(3, 2) + 10 * rank + 50 * number).to(dtype) for number in (0, 1)]
        came = [torch.zeros(3, 2, dtype=dtype) for _ in sent]
        pending = transport_of_device(transport, CPU).exchange(
            [(tensor, (rank + 1) % num) for tensor in sent], [(tensor, (rank - 1) % num) for tensor in came]
        )
        pending.wait()
        transport_of_device(transport, CPU).exchange([], []).wait()  # one that has nothing to do
        return [tensor[:, 0].tolist() for tensor in came]

    found = together(3, work)
    for rank, columns in enumerate(found):
        first = 10 * ((rank - 1) % 3)
        assert columns == [[first, first + 2, first + 4], [first + 50, first + 52, first + 54]]


def test_a_transport_of_devices_is_made_once(monkeypatch):
    def work(transport):
        first = transport_of_device(transport, CPU)
        assert transport_of_device(transport, CPU) is first
        other = torch.device("meta") if transport.rank else CPU
        again = transport_of_device(transport, other)  # one of them has moved, so all connect anew
        return again is not first and again.device == other and isinstance(again, ThroughHost)

    assert together(2, work) == [True, True]


@pytest.mark.parametrize(
    ("cards", "available", "expected"),
    [(("a", "b"), True, True), (("a", "a"), True, False), (("a", "b"), False, False), ((None, "b"), True, False)],
)
def test_gpus_are_linked_if_each_worker_has_its_own(monkeypatch, cards, available, expected):
    monkeypatch.setattr(nccl.dist, "is_nccl_available", lambda: available)
    monkeypatch.setattr(nccl, "card_of", lambda device: cards[device.index or 0])

    def work(transport):
        card = cards[transport.rank]
        return are_linked(transport, CPU if card is None else torch.device("cuda", transport.rank))

    assert together(2, work) == [expected] * 2


def test_cpus_of_a_host_are_one_card():
    assert card_of(CPU) == card_of(torch.device("cpu")) != ""


PROGRAM = """
import sys, torch
from nodeloom.transport.nccl import transport_of_device
from nodeloom.transport.session import worker_session

with worker_session() as host:
    number = host.rank % max(1, torch.cuda.device_count())
    device = torch.device(sys.argv[1].replace("N", str(number)))
    transport = transport_of_device(host, device)
    assert type(transport).__name__ == sys.argv[2], transport
    rank, num = transport.rank, transport.size
    for turn in range(3):
        sent = torch.full((1000, 64), 1.0 + rank + 10 * turn, device=device, dtype=torch.bfloat16)
        came = torch.zeros_like(sent)
        # Only the first two at first: the others connect later.
        pair = [0, 1] if turn == 0 else list(range(num))
        if rank in pair:
            at = pair.index(rank)
            to, source = pair[(at + 1) % len(pair)], pair[at - 1]
            transport.exchange([(sent, to)], [(came, source)]).wait()
            assert (came == 1.0 + source + 10 * turn).all()
        whole = torch.zeros(num, 7, device=device, dtype=torch.int32)
        whole[rank] = rank + 1
        transport.all_gather(whole[rank], whole)
        assert whole.tolist() == [[n + 1] * 7 for n in range(num)]
        values = torch.full((5,), float(rank + 1), device=device)
        transport.all_reduce(values)
        assert values.tolist() == [num * (num + 1) / 2] * 5
        values = torch.full((5,), float(rank + 1), device=device)
        transport.begin_all_reduce(values).wait()
        assert values.tolist() == [num * (num + 1) / 2] * 5
        values = torch.full((5,), float(rank + 1), device=device)
        transport.broadcast(values, 1)
        assert values.tolist() == [2.0] * 5
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
    run(tmp_path, 3, "cpu", "ThroughHost")


@pytest.mark.gpu
def test_processes_that_share_a_gpu(tmp_path):
    run(tmp_path, 3, "cuda:0", "ThroughHost")


@pytest.mark.gpu
def test_processes_with_a_gpu_each(tmp_path):
    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU")
    run(tmp_path, min(4, torch.cuda.device_count()), "cuda:N", "Nccl")

"""What a process of test_staged_processes does: it trains from main memory, with the kernels of the CPU in place of those of a GPU."""

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import gpu_workers
import pytest
from worker_runs import settings_of

from gpu_pairs import take_kernels_of_the_cpu
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan
from nodeloom.engine.training import train
from nodeloom.engine.workers import gpu_shape, nearby
from nodeloom.engine.workers.membership import together

answer, share, times, is_near = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "near"
if not is_near:
    nearby._libc = lambda: object()
patch = pytest.MonkeyPatch()
gpu_workers.prepare(patch)
take_kernels_of_the_cpu(patch)
real = gpu_shape._in_parts


def in_main_memory(sizes, num, number, limit, direct, vertex_share=0, host_limit=None):
    found = real(sizes, num, number, limit, direct, vertex_share, host_limit)
    return found if vertex_share else dataclasses.replace(found, device_memory={"tables": limit + 1})


gpu_shape._in_parts, gpu_shape._SHARES, gpu_shape._TIMES = in_main_memory, (share,), (times,)
graph = Graph.from_edges(planted_partition(901, 7000, 6, mixing=0.3, seed=3)[0], num_nodes=901)
settings = settings_of(
    device="cuda", worker_tables="split", num_epoch=12, num_thread=1, optimizer="Adam", num_worker="auto"
)
with together(20.0) as workers:
    plan = make_plan(graph, settings)
    result = train(graph, plan, settings)
    if workers.rank == 0:
        tables = hashlib.sha256(result.vertex.tobytes() + result.context.tobytes()).hexdigest()
        found = {"staged": plan.is_staged, "near": workers.near.are_all, "tables": tables}
        answer.write_text(json.dumps(found | {"pairs": result.report.num_pair}))

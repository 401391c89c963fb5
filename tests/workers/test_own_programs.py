"""A program of one's own under torchrun: it runs in every worker, and the first one has the vectors."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

PROGRAM = """
import os, sys
from nodeloom import DeepWalk, Graph, Propagation
from nodeloom.datasets import planted_partition
from nodeloom.transport import session
from nodeloom.errors import ConfigError
from nodeloom.estimators.base import NotFittedError

rank = os.environ["RANK"]
graph = Graph.from_edges(planted_partition(500, 3000, 5)[0])
model = DeepWalk(dim=8, num_epoch=20, num_thread=1, device="cpu", num_worker=2)
assert model.plan(graph).num_worker == 2
for init in (None, Propagation(dim=8, device="cpu"), None):  # they join and leave each time
    model.fit(graph, init=init)
    assert not session._open
    if rank == "0":
        assert model.transform().shape == (500, 8) and model.report_["num_pair"] >= 20 * graph.num_edges
        continue
    for use in (model.transform, lambda: model[0], lambda: model.save("m")):
        try:
            use()
        except NotFittedError as error:
            assert "the vectors are at worker 0" in str(error)
        else:
            raise AssertionError(use)
try:
    DeepWalk(num_worker=3).fit(graph)
except ConfigError as error:
    assert "expected 2, the number of workers that torchrun has started, got 3" in str(error)
open(f"well-{rank}", "w").close()
"""


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_a_program_under_torchrun(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "program.py"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("well-*")) == ["well-0", "well-1"]

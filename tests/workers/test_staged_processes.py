"""Processes whose share lies in main memory: what they hand to each other is right over every kind of connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_runs import INTERPRETED, missing

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=str(missing()))
@pytest.mark.skipif(not INTERPRETED, reason="programs of a card run in any order")
@pytest.mark.skipif(sys.platform != "linux", reason="workers read each other's memory on Linux")
@pytest.mark.parametrize(("num_worker", "shape"), [(2, (2, 2)), (3, (1, 3))])
def test_tables_do_not_depend_on_the_connection(tmp_path, num_worker, shape):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]),
        "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        "TRITON_INTERPRET": "1",
    }
    found = {}
    for how in ("near", "gloo"):
        answer = tmp_path / how
        command = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(num_worker),
            str(HERE / "staged_program.py"), str(answer), *map(str, shape), how,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        found[how] = json.loads(answer.read_text())
    if not found["near"]["near"]:
        pytest.skip("this system does not let workers read each other's memory")
    assert found["near"].pop("near") is True and found["gloo"].pop("near") is False
    assert found["near"] == found["gloo"]
    assert found["near"]["staged"] and found["near"]["pairs"] >= 12 * 7000

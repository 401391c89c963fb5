"""Two hosts, which are two network namespaces with a cable between them: it is cut, and training goes on from the checkpoint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nodeloom.datasets import planted_partition

HOSTS = ("nodeloom-a", "nodeloom-b")
PORT = 29571


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def plug_in():
    """Make the two hosts and the cable."""
    for host in HOSTS:
        ip("netns", "add", host)
    ip("link", "add", "cable-a", "netns", HOSTS[0], "type", "veth", "peer", "name", "cable-b", "netns", HOSTS[1])
    for number, host in enumerate(HOSTS):
        ip("-n", host, "addr", "add", f"10.77.0.{number + 1}/24", "dev", f"cable-{host[-1]}")
        for device in ("lo", f"cable-{host[-1]}"):
            ip("-n", host, "link", "set", device, "up")


@pytest.fixture
def hosts():
    try:
        plug_in()
    except (OSError, subprocess.CalledProcessError) as error:
        unplug()
        pytest.skip(f"network namespaces cannot be made here: {error}")
    yield
    for host in HOSTS:
        for pid in processes(host):
            subprocess.run(["kill", "-9", pid], check=False)
    unplug()


def unplug():
    for host in HOSTS:
        subprocess.run(["ip", "netns", "del", host], check=False, capture_output=True)


def processes(host):
    return subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, check=False).stdout.split()


def workers(host):
    """Return the processes of a host that are no launchers."""
    found = []
    for pid in processes(host):
        try:
            if "torch.distributed.run" not in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
        except OSError:  # it has ended since
            continue
    return found


def start(folder, *arguments):
    """Start one worker on each host; what they say goes to files."""
    started = []
    for number, host in enumerate(HOSTS):
        launcher = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--rdzv-id", "test",
            "--rdzv-backend", "c10d", "--rdzv-endpoint", f"10.77.0.1:{PORT}", "--rdzv-conf", f"is_host={1 - number}",
            "--local-addr", f"10.77.0.{number + 1}", "-m", "nodeloom",
        ]  # fmt: skip
        environment = os.environ | {"GLOO_SOCKET_IFNAME": f"cable-{host[-1]}", "TORCH_CPP_LOG_LEVEL": "ERROR"}
        with (folder / f"{host}.out").open("w") as out, (folder / f"{host}.err").open("w") as err:
            command = ["ip", "netns", "exec", host, *launcher, *map(str, arguments)]
            started.append(subprocess.Popen(command, cwd=folder, stdout=out, stderr=err, env=environment))
    return started


def said(folder, host):
    text = (folder / f"{host}.err").read_text()
    return [line for line in text.splitlines() if line.startswith("error: ")]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.skipif(shutil.which("ip") is None, reason="there is no program ip")
def test_a_cable_is_cut(hosts, tmp_path):
    edges, _ = planted_partition(5_000, 40_000, 10)
    np.savetxt(tmp_path / "edges.txt", edges, fmt="%d")
    checkpoint = tmp_path / "m.checkpoint.safetensors"
    arguments = (
        "embed", "edges.txt", "-o", "m", "--dim", "16", "--num-epoch", "6000", "--num-thread", "1", "--device", "cpu",
        "--hold-out", "0.05", "--checkpoint-interval", "1", "--json",
    )  # fmt: skip
    launchers = start(tmp_path, *arguments)
    end = time.monotonic() + 60
    while not checkpoint.exists():
        assert time.monotonic() < end, [(tmp_path / f"{host}.err").read_text() for host in HOSTS]
        time.sleep(0.1)
    ip("-n", HOSTS[1], "link", "set", "cable-b", "down")
    begin = time.monotonic()
    while any(workers(host) for host in HOSTS):
        assert time.monotonic() - begin < 30
        time.sleep(0.2)
    (here,), (there,) = (said(tmp_path, host) for host in HOSTS)
    assert here.startswith("error: worker 1 (process ") and "has given no sign of life for " in here
    assert "its host or the link to it is down. Go on from m.checkpoint.safetensors with: nodeloom embed" in here
    assert (
        there.startswith("error: worker 1 (process ") and "does not reach the store of torchrun at 10.77.0.1:" in there
    )

    for host in HOSTS:  # the launcher on the other side of the cut would wait for the kernel to give the connection up
        for pid in processes(host):
            subprocess.run(["kill", "-9", pid], check=False)
    for process in launchers:
        assert process.wait(30) != 0
    ip("-n", HOSTS[1], "link", "set", "cable-b", "up")
    for process in start(tmp_path, *arguments, "--resume"):
        assert process.wait(150) == 0
    assert json.loads((tmp_path / f"{HOSTS[0]}.out").read_text())["evaluation"][0]["auc"] > 0.8
    assert (tmp_path / f"{HOSTS[1]}.out").read_text() == ""
    assert not checkpoint.exists()

"""Workers of one host listen on the loopback device alone, whatever the environment says."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nodeloom.datasets import planted_partition

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="sockets are looked up in /proc")


def descendants(pid):
    found = [pid]
    for number in found:
        for task in Path(f"/proc/{number}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def sockets(pid):
    """Return the inodes of the sockets of a process."""
    links = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(file.readlink()))
        except OSError:
            continue
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def listening(pids):
    """Return the addresses at which processes listen; ``/proc`` has their bytes in words of the machine."""
    inodes = set().union(*map(sockets, pids))
    found = []
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and rest[5] in inodes:
                words = np.frombuffer(bytes.fromhex(local.split(":")[0]), ">u4")
                found.append(ipaddress.ip_address(words.astype(np.uint32).tobytes()))
    return found


def test_nothing_listens_beyond_the_loopback(tmp_path):
    edges, _ = planted_partition(1_000, 8_000, 10)
    np.savetxt(tmp_path / "edges.txt", edges, fmt="%d")
    command = [
        sys.executable, "-m", "nodeloom", "embed", "edges.txt", "-o", "m", "--num-worker", "2", "--dim", "8", "--device", "cpu",
        "--num-thread", "1", "--num-epoch", "1000000", "--checkpoint-interval", "0.2",
    ]  # fmt: skip
    others = [path.name for path in Path("/sys/class/net").iterdir() if path.name != "lo"]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": (others or ["lo"])[0], "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            end = time.monotonic() + 100
            while not (tmp_path / "m.checkpoint.safetensors").exists():
                assert process.poll() is None and time.monotonic() < end, process.communicate()
                time.sleep(0.1)
            (folder,) = tmp_path.glob("nodeloom-workers-*")
            assert folder.stat().st_mode & 0o777 == 0o700  # where they meet, only this user can look
            found = listening(descendants(process.pid))
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert len(found) >= 2  # those of Gloo
    assert all(address.is_loopback for address in found), found
    assert process.returncode == 130 and not folder.exists()

"""The program with real workers: started, judged, and the process of one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def start(folder, *arguments, **options):
    command = [sys.executable, "-W", "error", "-m", "nodeloom", *map(str, arguments)]
    environment = os.environ | {"TMPDIR": str(folder)}
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


def auc_of(process):
    out, err = process.communicate(timeout=150)
    said = [line for line in err.splitlines() if not line.startswith("training: ")]  # of a slow machine
    assert (process.returncode, said) == (0, []), err
    return json.loads(out)["evaluation"][0]["auc"]


def second_of(parent):
    """Return the process of worker 1 that a process has started."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                is_child = (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(parent)
                if is_child and "RANK=1" in (folder / "environ").read_text().split("\0"):
                    return int(folder.name)
            except OSError:
                continue
    raise AssertionError("there is no worker 1")

"""The checks before a change lands: the commands of the README as printed, and nothing left when they are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKS = ROOT / ".ci" / "run"
PYTHON = """#!/bin/sh
[ "$1" = -c ] && exit 0
[ "$2" = venv ] && mkdir -p "$3/bin"
"""

pytestmark = pytest.mark.skipif(
    not CHECKS.exists() or not Path("/proc/self/environ").exists(), reason="no checkout, or no Linux"
)


@pytest.fixture
def project(tmp_path):
    """A project whose commands say that they run, and wait; and a Python that makes nothing."""
    (tmp_path / "project" / ".ci").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(CHECKS, tmp_path / "project" / ".ci")
    for name in ("python3.11", "python"):
        (tmp_path / "bin" / name).write_text(PYTHON)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "project" / "README.md").write_text(
        f"```text\nfalse\n```\n\n```bash\necho one >> {tmp_path}/said\n```\n\n"
        f"```bash\necho two >> {tmp_path}/said && setsid sleep 100\n```\n\n```bash\nfalse\n```\n"
    )
    return tmp_path


def marked(mark):
    """Return the processes that carry a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_checks_that_were_killed(project, number):
    environment = {**os.environ, "TMPDIR": str(project / "tmp"), "PATH": f"{project / 'bin'}:{os.environ['PATH']}"}
    checks = subprocess.Popen(
        ["bash", ".ci/run"], cwd=project / "project", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    mark = f"NODELOOM_CI={project / 'tmp'}"
    wait_until(lambda: (project / "said").exists() and "two" in (project / "said").read_text())
    wait_until(lambda: len(marked(mark)) >= 1)
    checks.send_signal(number)
    assert checks.wait(30) in (143, -9)
    wait_until(lambda: not marked(mark))
    wait_until(lambda: not any((project / "tmp").iterdir()))
    assert (project / "said").read_text() == "one\ntwo\n"
    assert {path.name for path in (project / "project").iterdir()} == {".ci", "README.md"}


def test_the_commands_of_the_readme_stand_first():
    first, second = [text.split("\n```")[0] for text in (ROOT / "README.md").read_text().split("```bash\n")[1:3]]
    assert first.startswith("pip install . && nodeloom ")
    assert second.startswith("pip install -e '.[dev]' && pytest ")

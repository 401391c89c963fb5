"""All tests in two runs: those that need no torch on a machine without it, then the others where it is installed.

The first run notes every test that ran, the second leaves out what was noted. So no list says which tests need torch, and none can fall
between the two: whatever was skipped in the first run, for whatever reason, is in the second. Tests that say something else where torch
is installed are marked `torch`, and are in both.
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser):
    group = parser.getgroup("two runs")
    group.addoption("--note-passed", metavar="FILE", help="write the names of the tests that passed to a file")
    group.addoption(
        "--leave-out", metavar="FILE", help="leave out the tests named in a file, but for those marked torch"
    )


class Notes:
    """The tests that passed, written at the end of the run."""

    def __init__(self, path):
        self.path, self.passed = Path(path), []

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.passed.append(report.nodeid)

    def pytest_sessionfinish(self):
        self.path.write_text("".join(f"{name}\n" for name in sorted(self.passed)), encoding="utf-8")


def pytest_configure(config):
    # With pytest-xdist the reports of all workers come to the process that started them.
    path = config.getoption("--note-passed")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Notes(path))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    path = config.getoption("--leave-out")
    if not path:
        return
    noted = set(Path(path).read_text(encoding="utf-8").splitlines())
    left_out = [item for item in items if item.nodeid in noted and item.get_closest_marker("torch") is None]
    config.hook.pytest_deselected(items=left_out)
    gone = set(map(id, left_out))
    items[:] = [item for item in items if id(item) not in gone]

"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from two_runs import pytest_addoption, pytest_collection_modifyitems, pytest_configure

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure"]  # hooks

# The same examples for everybody, so that no change fails for what another one brought. Look for new ones now and then:
# `HYPOTHESIS_PROFILE=explore pytest -m "not slow"`; what it finds becomes an @example.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def _has_card():
    """Tell whether torch is installed and has a GPU."""
    if find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


# The kernels of the GPU run on the card if there is one, in Triton's interpreter if not. Triton decides when it is imported.
HAS_CARD = _has_card()
if not HAS_CARD:
    os.environ.setdefault("TRITON_INTERPRET", "1")
INTERPRETED = os.environ.get("TRITON_INTERPRET", "0") == "1"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """A process for every core that may be used; a few files are done before a second process has begun."""
    named = [argument.partition("::")[0] for argument in config.args]
    if named and all(Path(name).suffix == ".py" for name in named):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") is None:
        return
    if not HAS_CARD:
        pytest.skip("there is no GPU, or torch is not installed for it")
    if INTERPRETED:
        pytest.skip("TRITON_INTERPRET is set: kernels run on the CPU")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Let Ctrl-C work where the tests were put in the background: there it is ignored, and processes inherit that."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

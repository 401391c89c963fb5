"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec

import pytest
from hypothesis import settings

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

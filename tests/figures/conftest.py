from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def islands():
    """Coordinates of three islands, and their classes."""
    random = np.random.default_rng(0)
    classes = random.integers(3, size=300)
    return (random.normal(size=(3, 2))[classes] * 9 + random.normal(size=(300, 2))).astype(np.float32), classes

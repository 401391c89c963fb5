"""The families of kernels that the contract tests run on, each behind the same few names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from nodeloom.kernels import cpu, reference
from nodeloom.kernels.cpu.optimizer import update_row as update_row_of_cpu
from nodeloom.kernels.reference.optimizer import update_row as update_row_of_reference


@dataclass(frozen=True)
class Backend:
    """A family of kernels.

    Attributes
    ----------
    name : str
        Name of the package under ``nodeloom.kernels``.
    real : dtype
        Type of its tables.
    update_row : callable
        ``update_row(optimizer, row, moment1, moment2, gradient, decay, lr, settings)`` on arrays, whatever the kernel
        takes.
    """

    name: str
    package: ModuleType
    real: Any
    update_row: Callable[..., None]

    def __getattr__(self, module: str) -> ModuleType:
        return import_module(f"{self.package.__name__}.{module}")

    def __repr__(self) -> str:
        return self.name


def _update_row_of_reference(optimizer, row, moment1, moment2, gradient, decay, lr, settings):
    update_row_of_reference(optimizer, row, moment1, moment2, gradient, row.size, decay, lr, settings)


def _update_row_of_cpu(optimizer, row, moment1, moment2, gradient, decay, lr, settings):
    addresses = [0 if a is None else a.ctypes.data for a in (row, moment1, moment2, gradient)]
    update_row_of_cpu(optimizer, *addresses, row.size, np.float32(decay), np.float32(lr), settings)


REFERENCE = Backend("reference", reference, np.float64, _update_row_of_reference)
CPU = Backend("cpu", cpu, np.float32, _update_row_of_cpu)

BACKENDS = [REFERENCE, CPU]
FAST_BACKENDS = [b for b in BACKENDS if b is not REFERENCE]

"""The families of kernels that the contract tests run on, each behind the same few names.

A test that takes the fixture ``backend`` or ``fast`` runs on every family that has the kernels it needs: those named by
``NEEDS`` in its file, or by :func:`needs` on the test itself. ``test_twins.MODULES`` says which family has what.
"""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import gpu_calls
import numpy as np

from nodeloom.kernels import cpu, gpu, reference
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
    load : callable
        Returns a module whose functions take NumPy arrays, given the module's full name.
    missing : str
        Why the family cannot run here; empty if it can.
    """

    name: str
    package: ModuleType
    real: Any
    update_row: Callable[..., None]
    load: Callable[[str], Any] = import_module
    missing: str = ""

    def __getattr__(self, module: str) -> Any:
        if module.startswith("_"):
            raise AttributeError(module)
        return self.load(f"{self.package.__name__}.{module}")

    def __repr__(self) -> str:
        return self.name

    @property
    def modules(self) -> set[str]:
        """Names of its modules, found without importing them."""
        return {m.name for m in pkgutil.iter_modules(self.package.__path__) if not m.name.startswith("_")}

    def has(self, need: str) -> bool:
        """Tell whether it has a module, or a function written ``module.function``."""
        module, _, function = need.partition(".")
        return module in self.modules and (not function or function in _functions(self.package.__path__[0], module))


@cache
def _functions(folder: str, module: str) -> set[str]:
    """Return the functions that a module defines, found without importing it."""
    tree = ast.parse((Path(folder) / f"{module}.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def having(families, *names):
    """Return the families that have all the kernels named."""
    return [family for family in families if all(family.has(name) for name in names)]


def needs(*names):
    """Run a test only on families that have these kernels (in place of its file's ``NEEDS``)."""

    def mark(test):
        test.needs = names
        return test

    return mark


def _update_row_of_reference(optimizer, row, moment1, moment2, gradient, decay, lr, settings):
    update_row_of_reference(optimizer, row, moment1, moment2, gradient, row.size, decay, lr, settings)


def _update_row_of_cpu(optimizer, row, moment1, moment2, gradient, decay, lr, settings):
    addresses = [0 if a is None else a.ctypes.data for a in (row, moment1, moment2, gradient)]
    update_row_of_cpu(optimizer, *addresses, row.size, np.float32(decay), np.float32(lr), settings)


def _update_row_of_gpu(optimizer, row, moment1, moment2, gradient, decay, lr, settings):
    update_row_of_gpu = gpu_calls.load("nodeloom.kernels.gpu.optimizer").update_row
    update_row_of_gpu(optimizer, row, moment1, moment2, gradient, row.size, decay, lr, settings)


REFERENCE = Backend("reference", reference, np.float64, _update_row_of_reference)
CPU = Backend("cpu", cpu, np.float32, _update_row_of_cpu)
GPU = Backend("gpu", gpu, np.float32, _update_row_of_gpu, gpu_calls.load, gpu_calls.missing())

FAMILIES = [REFERENCE, CPU, GPU]
"""All families, also those that cannot run here."""
BACKENDS = [b for b in FAMILIES if not b.missing]
FAST_BACKENDS = [b for b in BACKENDS if b is not REFERENCE]

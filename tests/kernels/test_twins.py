"""Every kernel has its definition: same module, same name, same parameters."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
from backends import BACKENDS, FAST_BACKENDS, REFERENCE

from nodeloom import kernels

# Public functions without a twin of the same name and parameters, and why.
EXCEPTIONS = {
    "parallel": "runs kernels on slices; it computes nothing",
    "simd": "pieces of kernels; test_simd compares them with NumPy",
    "csr.bucket_shift": "how build_csr cuts its work",
    "csr.build_csr_consuming": "build_csr under another ownership of its arguments; test_csr compares them",
    "names.intern_text": "reference names.intern, on bytes in an arena with a hash table",
    "names.intern_integers": "reference names.intern, with a hash table of integers",
    "names.find_text": "reference names.find, on bytes in an arena",
    "names.index_text": "builds the hash table that the definition, a dictionary, has",
    "names.index_integers": "builds the hash table that the definition, a dictionary, has",
    "tokens.read_edges": "reads bytes in place; the definition cuts a string: same name, other parameters",
}


def modules(package):
    return {m.name: import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)}


def public_functions(module):
    """Return the Python functions behind the public kernels that a module defines."""
    functions = {name: getattr(value, "py_func", value) for name, value in vars(module).items() if name[0] != "_"}
    return {n: f for n, f in functions.items() if inspect.isfunction(f) and f.__module__ == module.__name__}


def public_constants(module):
    """Return the public numbers of a module."""
    return {n: v for n, v in vars(module).items() if n.isupper() and n[0] != "_" and isinstance(v, (int, float))}


def test_every_family_of_kernels_is_tested():
    assert {b.name for b in BACKENDS} == {m.name for m in pkgutil.iter_modules(kernels.__path__) if m.ispkg}


@pytest.mark.parametrize("family", FAST_BACKENDS, ids=repr)
def test_kernels_have_a_definition_of_the_same_name_and_parameters(family):
    definitions = modules(REFERENCE.package)
    lonely, different = set(), set()
    for name, module in modules(family.package).items():
        if name.startswith("_") or name in EXCEPTIONS:
            continue
        twins = public_functions(definitions[name]) if name in definitions else {}
        for function, body in public_functions(module).items():
            if function not in twins:
                lonely.add(f"{name}.{function}")
            elif [*inspect.signature(body).parameters] != [*inspect.signature(twins[function]).parameters]:
                different.add(f"{name}.{function}")
    assert lonely | different <= set(EXCEPTIONS)
    if family.name == "cpu":  # no reason outlives its function
        assert {e for e in EXCEPTIONS if "." in e} == lonely | different
        assert {e for e in EXCEPTIONS if "." not in e} <= set(modules(family.package))


@pytest.mark.parametrize("family", FAST_BACKENDS, ids=repr)
@pytest.mark.parametrize("name", ["walks", "skipgram", "optimizer"])
def test_constants_are_equal(family, name):
    constants = public_constants(getattr(family, name))
    assert constants == public_constants(getattr(REFERENCE, name))
    assert constants


def imports_of(path):
    """Return the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("family", BACKENDS, ids=repr)
def test_families_share_no_code(family):
    others = [f"nodeloom.kernels.{b.name}" for b in BACKENDS if b is not family]
    for path in Path(family.package.__path__[0]).rglob("*.py"):
        for module in imports_of(path):
            assert not any(module.startswith(other) for other in others), f"{path} imports {module}"


def test_the_reference_is_not_compiled():
    for path in Path(REFERENCE.package.__path__[0]).rglob("*.py"):
        assert not {m.split(".")[0] for m in imports_of(path)} & {"numba", "llvmlite", "torch", "triton"}, path

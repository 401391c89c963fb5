"""Every kernel has its definition: same module, same name, same parameters."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
from backends import BACKENDS, FAMILIES, FAST_BACKENDS, REFERENCE, having

from nodeloom import kernels

# What each family has: contract tests run on the families that have what they need, and this says that none went missing.
_SHARED = {
    "adjacency",
    "affinity",
    "clusters",
    "csr",
    "generate",
    "initial",
    "largevis",
    "layout",
    "merge",
    "names",
    "negatives",
    "optimizer",
    "order",
    "parts",
    "permute",
    "products",
    "ranking",
    "relational",
    "relational_loss",
    "rng",
    "runs",
    "skipgram",
    "tokens",
    "triples",
    "walks",
    "words",
}
MODULES = {
    "reference": _SHARED | {"block_walks", "nearest", "neighbors", "pairs", "scoring"},
    "cpu": _SHARED | {"block_walks", "neighbors", "pairs", "parallel", "simd"},
    # Without block_walks: only workers on the CPU train blocks on whole walks.
    "gpu": {
        "affinity",
        "initial",
        "largevis",
        "layout",
        "merge",
        "nearest",
        "negatives",
        "neighbors",
        "optimizer",
        "order",
        "pairs",
        "ranking",
        "relational",
        "relational_loss",
        "rng",
        "scoring",
        "skipgram",
        "walks",
    },
}

# Public functions without a twin of the same name and parameters, and why.
EXCEPTIONS = {
    "parallel": "runs kernels on slices; it computes nothing",
    "simd": "pieces of kernels; test_simd compares them with NumPy",
    "rng.below_narrow": "rng.below for small bounds; test_rng compares it with Python's integers",
    "optimizer.clipped": "a piece of kernels: update_row and train_walks consist of it",
    "optimizer.moment_change": "a piece of kernels: update_row and train_walks consist of it",
    "csr.bucket_shift": "how build_csr cuts its work",
    "csr.build_csr_consuming": "build_csr under another ownership of its arguments; test_csr compares them",
    "names.intern_text": "reference names.intern, on bytes in an arena with a hash table",
    "names.intern_integers": "reference names.intern, with a hash table of integers",
    "names.find_text": "reference names.find, on bytes in an arena",
    "names.index_text": "builds the hash table that the definition, a dictionary, has",
    "names.index_integers": "builds the hash table that the definition, a dictionary, has",
    "neighbors.seed_bounds": "a piece of the search, whose result test_neighbors compares with nearest_others",
    "neighbors.refine_pairs": "a piece of the search, whose result test_neighbors compares with nearest_others",
    "neighbors.sort_neighbors": "a piece of the search, whose result test_neighbors compares with nearest_others",
    "affinity.affinities_on": "what scipy adds up on the CPU; test_affinities compares them",
    "neighbors.has_device": "whether there is a GPU; it computes nothing",
    "words.cut_words": "reference words.sentences, on bytes; test_corpus compares the graphs",
    "words.keep_words": "a piece of counting, whose result test_corpus compares with word_pairs",
    "words.count_pairs": "reference words.word_pairs, in a table and keys; test_corpus compares the graphs",
    "words.count_runs": "a piece of counting, whose result test_corpus compares with word_pairs",
    "words.list_cells": "a piece of counting, whose result test_corpus compares with word_pairs",
    "relational.compare": "a piece of scores: those of queries with the candidates of a batch",
    "relational.distance_gradients": "reference relational.score_gradients for distances, added in place",
    "relational_loss.add_cubes": "reference relational_loss.n3, added in place",
    "relational_loss.exp": "a piece of losses, in vector instructions",
    "relational_loss.loss_rows": "all losses of the definition in one pass; test_triple_batches compares them",
    "triples.answer": "a piece of a batch; test_triple_batches compares batches with the definition",
    "triples.ask": "a piece of a batch; test_triple_batches compares batches with the definition",
    "triples.group": "a piece of a batch; test_triple_batches compares batches with the definition",
    "triples.leave_out": "a piece of a batch; test_triple_batches compares batches with the definition",
    "triples.mark_members": "a piece of a batch; test_triple_batches compares batches with the definition",
    "triples.update": "a piece of a batch; test_triple_batches compares batches with the definition",
    "tokens.token_integers": "a piece of reading, whose result the tests of readers compare",
    "tokens.read_edges": "reads bytes in place; the definition cuts a string: same name, other parameters",
}


def modules(package):
    return {m.name: import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)}


def public_functions(module):
    """Return the Python functions behind the public kernels that a module defines."""
    functions = {}
    for name, value in vars(module).items():
        if name[0] != "_":
            functions[name] = getattr(value, "py_func", getattr(value, "fn", value))  # behind Numba, behind Triton
    return {n: f for n, f in functions.items() if inspect.isfunction(f) and f.__module__ == module.__name__}


def public_constants(module):
    """Return the public numbers of a module."""
    return {n: v for n, v in vars(module).items() if n.isupper() and n[0] != "_" and isinstance(v, (int, float))}


def parameters(function):
    """Return the parameters that say what is computed; those by keyword only, with a default, say how."""
    every = inspect.signature(function).parameters.values()
    return [p.name for p in every if p.kind is not p.KEYWORD_ONLY or p.default is p.empty]


def test_every_family_of_kernels_is_tested():
    assert {b.name for b in FAMILIES} == {m.name for m in pkgutil.iter_modules(kernels.__path__) if m.ispkg}


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
            elif parameters(body) != parameters(twins[function]):
                different.add(f"{name}.{function}")
    # No reason outlives its function.
    assert lonely | different == {e for e in EXCEPTIONS if "." in e and family.has(e)}
    if family.name == "cpu":
        assert {e for e in EXCEPTIONS if "." not in e} <= set(modules(family.package))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        (name, b)
        for name in ("generate", "walks", "skipgram", "optimizer", "pairs", "block_walks")
        for b in having(FAST_BACKENDS, name)
    ],
    ids=str,
)
def test_constants_are_equal(name, family):
    constants = public_constants(import_module(f"{family.package.__name__}.{name}"))
    defined = public_constants(getattr(REFERENCE, name))
    assert {n: constants.get(n) for n in defined} == defined
    assert defined


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_every_family_has_its_modules(family):
    assert family.modules == MODULES[family.name]


def test_each_file_of_tests_says_what_it_needs():
    assert having(FAMILIES, "rng") == FAMILIES
    assert having(FAMILIES, "negatives.build_alias") == [b for b in FAMILIES if b.name != "gpu"]
    assert having(FAMILIES, "walks.no_such_kernel") == having(FAMILIES, "no_such_module") == []


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

"""The shape of the code: sizes, names, layers, one owner of compilation."""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nodeloom

PACKAGE = Path(nodeloom.__file__).parent
ROOT = PACKAGE.parent.parent
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LIMIT = 400
NOUNS_TO_AVOID = {"utils", "util", "helpers", "common", "misc", "tools"}


def named(path):
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def test_files_fit_in_the_head():
    too_long = {
        named(path): count for path in [*FILES, *TESTS] if (count := len(path.read_text().splitlines())) > LIMIT
    }
    assert too_long == {}


def test_files_are_named_for_what_they_hold():
    assert [named(path) for path in FILES if path.stem in NOUNS_TO_AVOID or path.parent.name in NOUNS_TO_AVOID] == []


def test_every_module_says_what_it_is_for():
    assert [named(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def kernel_modules(family):
    paths = (PACKAGE / "kernels" / family).glob("*.py")
    return {path.stem for path in paths if not path.stem.startswith("_")}


def test_every_kernel_has_a_definition():
    # What only a fast family has: threads.
    assert (kernel_modules("cpu") | kernel_modules("gpu")) - {"parallel"} == kernel_modules("reference")


def public_functions(family, module):
    tree = ast.parse((PACKAGE / "kernels" / family / f"{module}.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}


@pytest.mark.parametrize("module", ["skipgram", "walks", "negatives", "optimizer", "initial"])
def test_kernels_mirror_their_definitions(module):
    import importlib

    fast = importlib.import_module(f"nodeloom.kernels.cpu.{module}")
    slow = importlib.import_module(f"nodeloom.kernels.reference.{module}")
    shared = public_functions("cpu", module) & public_functions("reference", module)
    assert shared
    for name in shared:
        ours, theirs = getattr(fast, name), getattr(slow, name)
        signature = inspect.signature(getattr(ours, "py_func", ours))
        assert list(signature.parameters) == list(inspect.signature(theirs).parameters), name


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def test_one_owner_of_compilation():
    users = {
        named(path)
        for path in FILES
        if any(name.split(".")[0] in ("numba", "llvmlite") for name in imports(path))
        and "simd" not in path.parts  # intrinsics, which are written in LLVM's own language
    }
    assert users == {"src/nodeloom/kernels/cpu/_jit.py"}


def users_of(library):
    return {named(path) for path in FILES if any(name.split(".")[0] == library for name in imports(path))}


def test_one_owner_of_triton():
    assert users_of("triton") == {"src/nodeloom/kernels/gpu/_triton.py"}


def test_torch_is_for_gpus_and_workers_only():
    # The base installation has no torch; the layers that may have it are named by import-linter too.
    allowed = (
        "src/nodeloom/kernels/gpu/",
        "src/nodeloom/engine/gpu/",
        "src/nodeloom/engine/rates/gpu.py",
        "src/nodeloom/engine/spectral/gpu_",
        "src/nodeloom/engine/layout/gpu",
        "src/nodeloom/engine/workers/",
        "src/nodeloom/engine/device.py",
        "src/nodeloom/transport/",
    )
    assert [name for name in users_of("torch") if not name.startswith(allowed)] == []


@pytest.mark.torch
def test_nothing_optional_is_imported_before_it_is_needed():
    code = (
        "import sys, nodeloom, nodeloom.cli.app, nodeloom.engine, nodeloom.engine.spectral\n"
        "from nodeloom.plan import copies, planner, ring, ring_on_gpus\n"
        "model = nodeloom.DeepWalk(dim=4, num_epoch=1, device='cpu')\n"
        "model.plan(nodeloom.Graph.from_edges([[0, 1], [1, 2]]))\n"
        "assert not {'torch', 'triton', 'pandas', 'networkx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tests_do_not_import_each_other():
    # What several need is in a module of its own: else one of them fails for what another one was changed for.
    found = [named(path) for path in TESTS if any(name.split(".")[-1].startswith("test_") for name in imports(path))]
    assert found == []


def test_no_module_prints_or_exits_but_the_command_line():
    guilty = []
    for path in FILES:
        if "cli" in path.parts or path.name == "__main__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called == "os._exit" and path.name == "monitor.py":
                    continue  # a thread inside Gloo cannot be woken
                if called in ("print", "exit", "sys.exit", "os._exit", "np.random.seed", "numpy.random.seed"):
                    guilty.append(f"{named(path)}:{node.lineno} {called}")
    assert guilty == []


def test_layers():
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which("lint-imports")
    if program is None or not (ROOT / "pyproject.toml").exists():
        pytest.skip("import-linter is not installed, or this is no checkout")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_two_files_of_tests_have_one_name():
    """Pytest imports them by their names, and stops at the second."""
    names = [path.name for path in TESTS if path.name.startswith("test_")]
    assert {name for name in names if names.count(name) > 1} == set()

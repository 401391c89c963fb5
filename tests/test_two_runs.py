"""No test falls between the run without torch and the run with it, nor is one run twice without need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = {
    "test_whole.py": """
        import pytest
        pytest.importorskip("torch_of_the_test")
        def test_of_a_module(): note("of a module")
    """,
    "test_parts.py": """
        import pytest
        from importlib.util import find_spec
        HERE = find_spec("torch_of_the_test") is not None
        family = pytest.mark.parametrize("family", ["cpu", pytest.param("gpu", marks=() if HERE else pytest.mark.skip(reason="no torch"))])

        @pytest.fixture
        def torch(): return pytest.importorskip("torch_of_the_test")

        def test_of_both(): note("of both")
        @pytest.mark.torch
        def test_with_torch_too(): note("with torch too")
        @family
        def test_kernel(family): note(family)
        def test_by_fixture(torch): note("by a fixture")
        def test_inside():
            pytest.importorskip("torch_of_the_test")
            note("inside")
    """,
}
NOTE = "def note(what): open({path!r}, 'a').write(what + '\\n')\n"


def test_two_runs_are_all_tests(tmp_path):
    pytest.importorskip("xdist")
    folder, log, passed = tmp_path / "tests", tmp_path / "log", tmp_path / "passed"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("two_runs.py"), folder)
    names = "pytest_addoption, pytest_collection_modifyitems, pytest_configure"
    (folder / "conftest.py").write_text(f"from two_runs import {names}\n")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = torch: as here\n")
    for name, text in TESTS.items():
        lines = [line[8:] for line in text.splitlines()]
        (folder / name).write_text("\n".join([NOTE.format(path=str(log)), *lines]))

    def run(*options):
        log.write_text("")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "xdist", "-n2", *options]
        environment = {**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return sorted(log.read_text().splitlines())

    bare = run(f"--note-passed={passed}")
    assert bare == ["cpu", "of both", "with torch too"]
    (folder / "torch_of_the_test.py").write_text("")
    rest = run(f"--leave-out={passed}")
    assert rest == ["by a fixture", "gpu", "inside", "of a module", "with torch too"]
    assert {*bare, *rest} == {"cpu", "gpu", "of both", "with torch too", "by a fixture", "inside", "of a module"}

"""The pages and the README: what they show runs, and gives what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import nodeloom
from nodeloom.datasets import planted_partition

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not beside the tests")


@pytest.mark.parametrize(
    ("page", "least"),
    [("python.md", 40), ("training.md", 8), ("propagation.md", 8), ("maps.md", 9), ("knowledge-graphs.md", 12)],
)
def test_examples(page, least, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a file that an example leaves open
        result = doctest.testfile(
            str(DOCS / page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS
        )
    assert result.attempted >= least
    assert result.failed == 0


@pytest.mark.parametrize(
    "module",
    [
        "nodeloom.estimators.models",
        "nodeloom.estimators.spectral",
        "nodeloom.estimators.tsne",
        "nodeloom.estimators.largevis",
        "nodeloom.estimators.enhance",
        "nodeloom.graph.graph",
        "nodeloom.errors",
    ],
)
def test_examples_of_docstrings(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["alice", "bob", *(f"user{i}" for i in range(40))]
    random = np.random.default_rng(0)
    lines = [f"{names[a]} {names[b]}" for a, b in random.integers(42, size=(200, 2))]
    Path("edges.txt").write_text("\n".join([*lines, "alice bob"]) + "\n")
    code = "\n".join(blocks(ROOT / "README.md", "python"))
    scope = {"grown_graph": nodeloom.Graph.from_edges([["alice", "bob"], ["bob", "carol"]])}
    exec(compile(code.replace("dim=128", "dim=128, num_epoch=20"), "README.md", "exec"), scope)
    assert scope["model"].vectors_.shape == (len(scope["graph"].names), 128)
    assert Path("model.safetensors").exists()


def test_page_on_evaluation_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    edges, groups = planted_partition(120, 900, 3, seed=1)
    names = ["alice", "bob", *(f"user{i}" for i in range(118))]
    Path("labels.txt").write_text("".join(f"{name} {group}\n" for name, group in zip(names, groups, strict=True)))
    graph = nodeloom.Graph.from_edges(edges, names=names)
    scope = {"nodeloom": nodeloom, "graph": graph, "model": nodeloom.Propagation(dim=16).fit(graph)}
    for block in blocks(DOCS / "evaluation.md", "python"):
        exec(compile(block.replace("DeepWalk()", "DeepWalk(dim=16, num_epoch=50)"), "evaluation.md", "exec"), scope)
    assert [len(found) for found in scope["answers"]] == [10, 10]
    assert "LinkPrediction(auc=0." in capsys.readouterr().out


def test_readme_commands_exist():
    from typer.main import get_command

    from nodeloom.cli.app import app

    program = get_command(app)
    commands = {line.split()[1] for block in blocks(ROOT / "README.md", "bash") for line in block.splitlines()
                if line.startswith("nodeloom ")}  # fmt: skip
    assert commands
    assert commands <= set(program.commands)


def test_readme_shows_what_info_says(tmp_path, monkeypatch, capsys):
    from machines import pretend
    from nodeloom.cli.entry import run

    pretend(monkeypatch, tmp_path, driver=False, triton=False)
    assert run(["info"]) == 0
    (shown,) = (block for block in blocks(ROOT / "README.md", "text") if "\nGPUs\n" in block)
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target


def test_pages_name_every_parameter():
    # Each key is explained once where it acts, and all are in the table of the configuration.
    text = (DOCS / "training.md").read_text(encoding="utf-8")
    for model in (nodeloom.DeepWalk, nodeloom.LINE, nodeloom.Node2Vec):
        for name in inspect.signature(model.__init__).parameters:
            assert name == "self" or f"`{name}`" in text, name


def test_the_page_on_training_gives_the_rules_as_they_are():
    from nodeloom.config import OptimizerConfig
    from nodeloom.model.optimizer import optimizer_of
    from nodeloom.plan import defaults

    text = (DOCS / "training.md").read_text(encoding="utf-8")
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    rows = {row[0]: row[1:] for row in cells}
    assert rows["`augmentation_step`"][0].startswith(f"{defaults.AUGMENTATION_STEP},")
    assert rows["`random_walk_length`"][0].startswith(f"{defaults.RANDOM_WALK_LENGTH} edges")
    few, many, short = (defaults.num_shared_negative(*of) for of in ((1, 2000), (5, 2000), (5, 500)))
    assert rows["`num_shared_negative`"][0].startswith(f"{many}; {short} up to 500 epochs; {few} for")
    for name in ("SGD", "Momentum", "AdaGrad", "RMSprop", "Adam"):
        assert rows[name][0].split()[0] == f"{defaults.learning_rate(name, 2000):g}", name
        assert rows[name][1] == str(optimizer_of(OptimizerConfig(type=name)).num_moment), name

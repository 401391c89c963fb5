"""Settings in messages: the same sentence as option, key or argument."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path

import pytest

import nodeloom
from nodeloom.cli.embed import WORDS
from nodeloom.cli.options import options_of_config, words_of
from nodeloom.config.problems import join, key_paths, with_settings
from nodeloom.config.tree import Config
from nodeloom.errors import DataError, OutputError, describe
from nodeloom.io.edgelist import read_edges
from nodeloom.words import in_words, of_python, of_yaml, setting, spoken

EMBED = words_of(options_of_config(), WORDS)
PACKAGE = Path(nodeloom.__file__).parent


@pytest.mark.parametrize(
    ("path", "value", "option", "key", "argument"),
    [
        ("train.num_epoch", (), "--num-epoch", "train.num_epoch", "num_epoch"),
        ("resource.device", ("cpu",), "--device cpu", "resource.device: cpu", "device='cpu'"),
        ("graph.weighted", (False,), "--no-weighted", "graph.weighted: false", "weighted=False"),
        ("format.delimiters", (",",), "--delimiters ,", "format.delimiters: ','", "delimiters=','"),
        ("format.delimiters", ("\t",), "--delimiters '\\t'", r"format.delimiters: '\t'", r"delimiters='\t'"),
        ("format.comment", ("%",), "--comment %", "format.comment: '%'", "comment='%'"),
        ("graph.columns", (["a", "b"],), "--columns a,b", 'graph.columns: ["a", "b"]', "columns=['a', 'b']"),
        ("graph.as_undirected", (False,), "--directed", "graph.as_undirected: false", "directed=True"),
        ("build.optimizer.type", ("Adam",), "--optimizer Adam", "build.optimizer.type: Adam", "optimizer='Adam'"),
        ("load.file_name", (), "--init", "load.file_name", "init"),
    ],
)
def test_a_setting_is_written_as_the_interface_writes_it(path, value, option, key, argument):
    text = f"x: Give {setting(path, *value)}."
    assert in_words(text, EMBED) == f"x: Give {option}."
    assert in_words(text, of_yaml) == f"x: Give {key}."
    assert in_words(text, of_python) == str(DataError(text)) == f"x: Give {argument}."


def test_errors_and_records_speak_as_the_program_does(caplog):
    error = OutputError(describe("f", expected="a", got="b", hint=f"Lower {setting('resource.dim')}."))
    logger = logging.getLogger("nodeloom")
    with spoken(EMBED):
        assert str(error) == "f: expected a, got 'b'. Lower --dim."
        with caplog.at_level("INFO", "nodeloom"):
            logger.info("%s: %d %%", setting("resource.dim"), 5)
    assert caplog.messages == ["--dim: 5 %"]
    assert str(error).endswith("Lower dim.")


def test_advice_that_cannot_be_followed_is_left_out():
    text = f"l.txt:3: expected this. Is it another graph? To skip, give {setting('evaluate.unknown_nodes', 'skip')}. Or not."
    assert in_words(text, EMBED) == "l.txt:3: expected this. Is it another graph? Or not."
    evaluate = words_of((), {'evaluate.unknown_nodes="skip"': "--skip-unknown"})
    assert in_words(text, evaluate).endswith("To skip, give --skip-unknown. Or not.")
    assert in_words(f"{setting('train.p')} is wrong.\nNext.", words_of((), {})) == "p is wrong.\nNext."


def test_names_of_users_are_left_alone():
    text = "a. B \ue000 {x}. \ue001C: train.num_epoch. \n\n D"
    assert in_words(text, EMBED) == text
    mixed = f"a. B: 'c.  D'. {setting('resource.dim')}"
    assert in_words(mixed, EMBED) == "a. B: 'c.  D'. --dim"


def test_descriptions_name_keys_as_options():
    text = with_settings("at least augmentation_step, as build.batch_size, in some_other_word")
    assert in_words(text, EMBED) == "at least --augmentation-step, as --batch-size, in some_other_word"


# What only commands and estimators have: the format of an export, and the parameters of maps.
OWN = {"export.format", "layout.num_neighbor", "layout.perplexity", "layout.lr"}
KNOWN = {re.sub(r"\.\d+", "", join(path)) for path in key_paths(Config)} | OWN


def _paths():
    """Yield the paths of all settings that the package names, with the file."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            path = node.args[0] if isinstance(node, ast.Call) and node.args else None
            if isinstance(path, ast.Constant) and getattr(node.func, "id", "") == "setting":
                yield file.name, path.value


def test_every_setting_that_a_message_names_exists():
    found = list(_paths())
    assert len(found) > 30
    assert [(file, path) for file, path in found if path not in KNOWN | {"application", "build.optimizer"}] == []


def test_no_message_names_a_key_of_yaml():
    """A key with its section in a text of an error, a hint or a log record: only :func:`setting` gives it to all interfaces."""
    sections = {path.split(".")[0] for path in KNOWN}
    keys = re.compile(rf"\b(?:{'|'.join(sorted(sections))})\.[a-z]+(?:_[a-z]+)*\b")
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        if file.parent.name in ("config", "cli") or "kernels" in file.parts:
            continue  # they speak of the configuration itself
        tree = ast.parse(file.read_text())
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None
        }
        named = {id(node.args[0]) for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documentation:
                continue
            if id(node) not in named or " " in node.value:
                found += [(file.name, key) for key in keys.findall(node.value) if key in KNOWN]
    assert [(file, key) for file, key in found if file != "words.py"] == []


@pytest.mark.parametrize(
    ("name", "content", "elsewhere"),
    [
        ("e.csv", b'a,b\n"x\ny",z\n"q",r\n', "as Parquet."),
        ("e.npy", b"\x93NUMPY\x01\0v\0", "Write its edges as text, CSV or Parquet."),
        ("e.json", b"[[1, 2], [2, 3]]", "Write its edges as lines 'head tail'."),
        ("e.g6", b"DhC\n", "Write its edges as lines 'head tail'."),
        ("e.mtx", b"%%MatrixMarket matrix array real general\n1 1\n1\n", "or as a list of edges."),
        ("e.pkl", b"\x80\x04]\x94.", "Write its edges as text, CSV or Parquet."),
    ],
)
def test_calls_are_advised_in_python_only(tmp_path, name, content, elsewhere):
    (tmp_path / name).write_bytes(content)

    def message(words):
        with spoken(words):
            with pytest.raises(DataError) as caught:
                read_edges(tmp_path / name)
            return str(caught.value)

    assert "Graph.from_" in message(of_python)
    for words in (of_yaml, EMBED):
        assert "Graph." not in message(words) and message(words).endswith(elsewhere)

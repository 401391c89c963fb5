"""Targets that are what a user says: configurations, command lines, values in Python."""

# ruff: noqa: E501  lists of odd values
from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.fuzzing.mutations import NUMBERS, ODD, mutate_bytes, mutate_json
from tests.fuzzing.runner import Case, Target, WrongResult
from tests.fuzzing.texts import named

from nodeloom import Graph
from nodeloom.config import Config, load_config
from nodeloom.config.template import template

YAML_TOKENS = [b"&a ", b"*a", b"<<: *a", b"!!python/object:os.system ", b"!!binary x", b"- ", b": ", b"? ", b"|", b">", b"{", b"}", b"[", b"]", b"---\n", b"...\n", b"\t", b"~", b"1e400", b".nan", b".inf", b"0o17", b"2001-01-01", b"12:30:45", b"'", b'"', b"\x85", b"%YAML 1.1\n"]  # fmt: skip


@functools.cache
def configuration() -> dict[str, Any]:
    return Config.model_validate({"graph": {"file_name": "edges.txt"}, "evaluate": []}).model_dump(mode="json")


def _make_yaml(random: Random) -> Case:
    import yaml

    value = mutate_json(configuration(), random)
    kind = random.randrange(3)
    content = (
        (json.dumps(value) if kind == 0 else yaml.safe_dump(value)).encode() if kind < 2 else template("graph").encode()
    )
    if random.random() < 0.5 or kind == 2:
        content = mutate_bytes(content, random, most=3, other=random.choice(YAML_TOKENS) * random.choice([1, 1, 50]))
    return Case(content, {}, "config.yaml")


def _run_yaml(case: Case, path: Path) -> None:
    named(path, lambda: load_config(path))


@functools.cache
def _commands() -> dict[str, list[Any]]:
    import typer.main

    from nodeloom.cli.app import app

    group: Any = typer.main.get_command(app)
    return {
        name: list(command.params) for name, command in group.commands.items() if name not in ("quickstart", "baseline")
    }


TEXTS = [
    "",
    " ",
    "x",
    "auto",
    "none",
    "0",
    "1",
    "-1",
    "3",
    "0.5",
    "1e3",
    "nan",
    "inf",
    "1e400",
    "8GB",
    "-5GB",
    "é",
    "a,b",
    "0,1",
    "1,2,3",
    "a=b",
    "train.num_epoch=x",
    "*",
    "~",
    "/",
    "..",
    "\n",
    "\x1b[31m",
    "a" * 300,
]
FILES = [
    "edges.txt",
    "labels.txt",
    "m.safetensors",
    "g.graph",
    "config.yaml",
    "missing",
    ".",
    "out.safetensors",
    "out.txt",
    "out.npz",
    "-",
    "<x.graph>",
    "/dev/null",
    "edges.txt/x",
]
_SKIPPED = {"num_worker", "gpus", "device", "max_restart", "install_completion", "show_completion", "help"}


def _make_command(random: Random) -> Case:
    commands = _commands()
    name = random.choice(sorted(commands))
    words = [name]
    for parameter in commands[name]:
        chance = (
            0.9 if parameter.param_type_name == "argument" else 0.6 if parameter.name in ("output", "labels") else 0.06
        )
        if parameter.name in _SKIPPED or random.random() > chance:
            continue
        if parameter.param_type_name == "option":
            words.append(random.choice(parameter.opts + parameter.secondary_opts))
            if parameter.is_flag:
                continue
        words.append(_value(parameter, random))
    if name == "embed":
        words += ["--num-epoch", random.choice(["1", "2", "1", "0", "-3", "x", str(10**40)])]
        if random.random() < 0.7:
            words += [
                "--dim",
                random.choice(["4", "1", "7", "0", str(10**15)]),
                "--num-thread",
                random.choice(["1", "2"]),
            ]
    if random.random() < 0.1:
        words.insert(
            random.randrange(len(words) + 1),
            random.choice([*TEXTS, "--json", "-q", "--verbose", "--version", "--help", "--nope"]),
        )
    return Case(b"a b\nb c\nc d\nd a\na c\n", {"words": words}, "edges.txt")


def _value(parameter: Any, random: Random) -> str:
    choices = getattr(getattr(parameter, "type", None), "choices", None)
    if choices and random.random() < 0.8:
        return str(random.choice(list(choices)))
    if random.random() < 0.6:
        text = f"{parameter.name} {getattr(parameter, 'metavar', '')}".lower()
        if any(
            word in text
            for word in ("file", "model", "edges", "output", "path", "graph", "labels", "init", "checkpoint", "config")
        ):
            return random.choice(FILES)
        return random.choice(["1", "2", "3", "0.5", "a", "auto", "10"])
    return str(random.choice([random.choice(NUMBERS), random.choice(TEXTS), random.choice(FILES)]))


def _run_command(case: Case, path: Path) -> str:
    from tests.fuzzing.files import graph_file, model_file

    from nodeloom.cli.entry import run

    folder = path.parent
    (folder / "labels.txt").write_text("a x\nb y\nc x\nd y\n")
    (folder / "m.safetensors").write_bytes(model_file(1))
    (folder / "g.graph").write_bytes(graph_file(1))
    (folder / "config.yaml").write_text("graph:\n  file_name: edges.txt\ntrain:\n  num_epoch: 1\nresource:\n  dim: 4\n")
    with _captured() as (out, err):
        code = run(list(case.options["words"]))
    text = out.getvalue() + err.getvalue()
    asked = {"--verbose", "--traceback", "-v"} & set(case.options["words"])
    if code not in (0, 2) or ("Traceback" in text and not asked) or "error: unexpected " in err.getvalue():
        raise WrongResult(f"exit code {code}: {text[-2000:]}")
    if code == 2 and "error: " not in err.getvalue():
        raise WrongResult(f"exit code 2 without a message: {text[-2000:]}")
    if "\x1b[31m" in text and not asked:  # a traceback tells what was given as it was
        raise WrongResult(f"an escape sequence as it was given: {text[-2000:]!r}")
    return text


@contextlib.contextmanager
def _captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    class Text(io.StringIO):
        @property
        def buffer(self) -> Any:
            return io.BytesIO()

        def fileno(self) -> int:
            return 1

    import sys

    out, err = Text(), Text()
    stdin = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(b"a b\nb c\n"))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield out, err
    finally:
        sys.stdin = stdin


_VALUES: list[Any] = [
    *NUMBERS, *ODD, "a", "b", "é", "\ud800", b"a", b"\xff", ("a", "b"), {1}, Decimal("1.5"), Fraction(1, 3), 1j, np.int64(3), np.uint64(2**64 - 1),
    np.float32("nan"), np.float64(2.0), np.str_("s"), np.bool_(True), np.datetime64("2001-01-01"), object(), range(3), Ellipsis,
]  # fmt: skip


def _make_python(random: Random) -> Case:
    return Case(random.randbytes(8), {}, "python")


def _run_python(case: Case, path: Path) -> None:
    random = Random(case.content)
    ends = [random.choice([0, 1, 2, "a", "b"][:: random.choice([1, 1, 2])]) for _ in range(20)]
    for _ in range(random.choice([0, 1, 1, 2])):
        ends[random.randrange(20)] = random.choice(_VALUES)
    pairs: Any = list(zip(ends[::2], ends[1::2], strict=True))
    kind = random.randrange(6)
    if kind == 0:
        pairs = [list(pair) for pair in pairs]
    elif kind == 1:
        pairs = np.array(pairs, dtype=object)
    elif kind == 2:
        pairs = [*pairs, random.choice(_VALUES)]
    elif kind == 3:
        pairs = iter(pairs)
    options: dict[str, Any] = {"num_thread": 1}
    if random.random() < 0.3:
        options["weights"] = random.choice(
            [[1.0] * 10, [*[1] * 9, random.choice(_VALUES)], random.choice(_VALUES), np.ones((10, 1)), ["1"] * 10]
        )
    for key in ("num_nodes", "names", "directed", "duplicates", "self_loops"):
        if random.random() < 0.1:
            options[key] = random.choice([*_VALUES, ["a", "b", "c"]])
    made = Graph.from_edges(pairs, **options)
    graph = Graph(made.indptr, made.indices, made.weights, made.names, made.directed)
    if not {type(name) for name in graph.names} <= {str, int}:
        raise WrongResult(f"names {list(graph.names)}")


TARGETS = [
    Target("yaml", _make_yaml, _run_yaml),
    Target("commands", _make_command, _run_command),
    Target("python", _make_python, _run_python),
]

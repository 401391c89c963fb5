"""Target: model files with tables of other names than those of nodes, and names for each kind of row."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from random import Random

import numpy as np
from tests.fuzzing.files import _changed_sections, _repacked, forged
from tests.fuzzing.mutations import flip_bit, mutate_bytes
from tests.fuzzing.runner import Case, Target, WrongResult
from tests.fuzzing.texts import named

from nodeloom.errors import DataError
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import read_model, write_model
from nodeloom.io.vocabulary import Vocabulary


@functools.cache
def knowledge_file(number: int) -> bytes:
    random = np.random.default_rng(number)
    shapes = {
        "entity": (5, 4),
        "entity_moment1": (5, 1),
        "bias": (5, 1),
        "relation": (2, 6),
        "relation_moment1": (2, 6),
    }
    names = Vocabulary.from_names(["Paris", "France", "", "ünï", "a b"])
    data = ModelData(
        {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()},
        {"entity": "entity", "bias": "entity", "relation": "relation"},
        {"entity": names if number % 2 else Vocabulary.range(5), "relation": Vocabulary.from_names([7, 3])},
        config={"train": {"model": "TransE"}},
    )
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder) / "k.safetensors", data)
        return _repacked(Path(folder) / "k.safetensors")


def _make(random: Random) -> Case:
    content = knowledge_file(random.randrange(4))
    if random.random() < 0.05:
        return Case(content, {}, "k.safetensors", sound=True)
    if random.random() < 0.3:
        flipped = random.random() < 0.7
        return Case(
            flip_bit(content, random) if flipped else mutate_bytes(content, random, most=3), {}, "k.safetensors"
        )
    return Case(forged(content, _changed_sections(random), random), {}, "k.safetensors")


def _run(case: Case, path: Path) -> None:
    data = named(path, lambda: read_model(path))
    for name, kind in data.rows.items():
        table, names = data.tensors[name], data.vocabularies[kind]
        if table.dtype != np.float32 or table.ndim != 2 or len(table) != len(names) or not np.isfinite(table).all():
            raise WrongResult(f"table {name!r} does not fit its names")
        for at, row in enumerate(names):
            try:
                found = names.find([row])[0]
            except DataError as error:  # the same name twice, which is found by the first search
                if "twice" not in str(error):
                    raise
                break
            if found != at:
                raise WrongResult(f"{row!r} is row {at}, found at {found}")


TARGETS = [Target("named-tables", _make, _run)]

"""Targets that are triples: text in tables, and N-Triples."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzzing.mutations import mutate_bytes
from tests.fuzzing.runner import Case, Target, WrongResult
from tests.fuzzing.texts import named

from nodeloom import KnowledgeGraph
from nodeloom.io.triple_recognition import holds_triples

_PLAIN = re.compile(rb"[A-Za-z0-9_.\- \t\n]*")
_MISSING = {"nan", "null", "none", "na"}
_NTRIPLES = (
    b'<http://a.b/c> <p:q> <http://a.b/d> .\n_:x <p:r> "lit \\" y"@en .\n# note\n'
    b'<http://a.b/d> <p:q> _:x.\n<a:b> <p:r> "5"^^<x:int> .\n'
)


def plain_triples(random: Random) -> bytes:
    """Return lines of triples that mean one thing only."""
    integers = random.random() < 0.5
    delimiter = random.choice([" ", "\t"])
    lines = []
    for _ in range(random.randint(1, 40)):
        ends = [str(random.randrange(20)) if integers else f"n{random.randrange(20)}" for _ in range(2)]
        lines.append(delimiter.join((ends[0], f"r{random.randrange(4)}", ends[1])))
    return "\n".join(lines).encode() + random.choice([b"", b"\n"])


def _make_triples(random: Random) -> Case:
    is_rdf = random.random() < 0.25
    content = _NTRIPLES if is_rdf else plain_triples(random)
    name = random.choice(["kg.nt", "kg.txt"] if is_rdf else ["kg.tsv", "kg", "kg.txt", "kg.csv"])
    options: dict[str, Any] = {"duplicates": "keep"}
    if random.random() < 0.2:
        return Case(content, options, name, sound=True)
    content = mutate_bytes(content, random, other=plain_triples(random))
    if random.random() < 0.3:
        options["weighted"] = random.choice([True, False, "auto"])
    if random.random() < 0.2:
        options["delimiters"] = random.choice([",", ";", " ", "\t", "|", "\n", "", "é", ",;"])
        content = content.replace(b" ", random.choice([b",", b", ", b";", b"|"]))
    if random.random() < 0.2:
        options["quotes"] = random.choice([True, False, "auto"])
    if random.random() < 0.2:
        options["literals"] = True
    if random.random() < 0.1:
        options["columns"] = random.choice(
            [[1, 2, 3], [3, 2, 1], [1, 3, 2], ["head", "relation", "tail"], [1, 2, 3, 4]]
        )
    if random.random() < 0.1:
        options["format"] = random.choice(["triples", "n-triples", "rdf", "neo4j", "edges"])
    if random.random() < 0.1:
        options["comment"] = random.choice(["#", "%", "", "//", " "])
    options["num_thread"] = random.choice([1, 1, 2])
    return Case(content, options, name)


def reference_triples(content: bytes) -> list[tuple[str, str, str]] | None:
    """Read plain lines by the rules of the documentation; None where these lines are not plain, or no triples."""
    if not _PLAIN.fullmatch(content) or (b" " in content and b"\t" in content):
        return None
    rows = [line.split() for line in content.decode().split("\n") if line.split()]
    if not rows or {len(row) for row in rows} != {3} or any(cell.lower() in _MISSING for row in rows for cell in row):
        return None
    if b"\t" in content and any(
        len(line.split("\t")) != 3 or not all(line.split("\t")) for line in content.decode().split("\n") if line.strip()
    ):
        return None
    return [(row[0], row[1], row[2]) for row in rows]


def _run_triples(case: Case, path: Path) -> None:
    holds_triples(path)
    graph = named(path, lambda: KnowledgeGraph.from_file(path, **case.options))
    if not (graph.heads.max() < graph.num_entities and graph.tails.max() < graph.num_entities):
        raise WrongResult(f"ids beyond the names: {graph!r}")
    found = list(
        zip(
            map(str, graph.entity_names.take(graph.heads)),
            map(str, graph.relation_names.take(graph.relations)),
            map(str, graph.entity_names.take(graph.tails)),
            strict=True,
        )
    )
    if any(not name for row in found for name in row):
        raise WrongResult("an empty name")
    if case.options.keys() <= {"duplicates", "num_thread"}:
        expected = reference_triples(case.content)
        if expected is not None and Counter(found) not in (
            Counter(expected),
            Counter(expected[1:]),
        ):  # a header may be told
            raise WrongResult(f"triples {found[:20]} instead of {expected[:20]}")
    if graph.num_triples > len(re.split(rb"[\r\n]", case.content)) and b"\0" not in case.content:
        raise WrongResult(f"{graph.num_triples} triples of {case.content!r}")


TARGETS = (Target("triples", _make_triples, _run_triples),)

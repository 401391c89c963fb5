"""Files of triples on the command line: saved knowledge graphs, and what ``nodeloom info`` says of triples."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.units import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.cli.session import Session
    from nodeloom.config import Config
    from nodeloom.graph import KnowledgeGraph


def is_saved_triples(path: str) -> bool:
    """Tell from its first bytes whether a file is a saved knowledge graph; a pipe is not looked at."""
    if not os.path.isfile(path):  # noqa: PTH113  pathlib raises OSError for names that are too long
        return False
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return b'"format":"nodeloom-knowledge-graph"' in file.read(4096)
    except OSError:
        return False


def facts_of_triples(graph: KnowledgeGraph) -> dict[str, Any]:
    """Return what is to be told about a knowledge graph, with its relations and how many triples each has."""
    from nodeloom.tasks import triple_leaks

    degrees, counts = graph.degrees, graph.relation_counts
    frequent = np.argsort(-counts, kind="stable")
    found: dict[str, Any] = {
        "num_entities": graph.num_entities,
        "num_relations": graph.num_relations,
        "num_triples": graph.num_triples,
        "weighted": graph.is_weighted,
        "self_loops": int((graph.heads == graph.tails).sum()),
        "mean_degree": float(degrees.mean()),
        "max_degree": int(degrees.max()),
        "isolated_entities": int((degrees == 0).sum()),
        "relations": {str(graph.relation_names[int(r)]): int(counts[r]) for r in frequent[:10]},
        "size": size(graph.nbytes),
    }
    pairs = triple_leaks(graph).pairs
    for kind, kept in (
        ("symmetric", [p for p in pairs if p.relation == p.other]),
        ("inverse", [p for p in pairs if p.inverse and p.relation != p.other]),
        ("duplicate", [p for p in pairs if not p.inverse]),
    ):
        if kept:
            found[f"{kind} relations"] = ", ".join(
                str(p.relation) if p.relation == p.other else f"{p.relation} and {p.other}" for p in kept[:5]
            ) + (f" and {len(kept) - 5} more" if len(kept) > 5 else "")
    return found


def read_triples(
    config: Config, paths: Sequence[str], session: Session, like: KnowledgeGraph | None = None
) -> KnowledgeGraph:
    """Read triples as a configuration says they are written: from files, from <dataset.split>, or from a saved knowledge graph.

    Parameters
    ----------
    config : Config
        Its sections ``format`` and ``graph`` say how they are written.
    paths : sequence of str
        Files or references.
    session : Session
        Shows the progress of what is fetched.
    like : KnowledgeGraph, optional
        One whose ids they get.

    Raises
    ------
    DataError, GraphError, DatasetError
        A file cannot be used; see :meth:`nodeloom.graph.KnowledgeGraph.from_file`.
    """
    section = config.graph
    return triples_in(
        paths,
        session,
        like,
        delimiters=config.format.delimiters,
        comment=config.format.comment,
        encoding=config.format.encoding,
        weighted=section.weighted,
        columns=section.columns,
        quotes=section.quotes,
        literals=section.literals,
        format=section.format,
        duplicates=section.duplicates,
        num_thread=config.resource.threads,
    )


def triples_in(
    paths: Sequence[str], session: Session, like: KnowledgeGraph | None = None, **written: Any
) -> KnowledgeGraph:
    """Read triples from files, references or a saved knowledge graph; `written` says how, as ``KnowledgeGraph.from_file`` takes it."""
    from nodeloom.cli.inputs import locate
    from nodeloom.graph import KnowledgeGraph

    located = [locate(path, session) for path in paths]
    if len(located) == 1 and is_saved_triples(located[0]):
        saved = KnowledgeGraph.open(located[0])
        return saved if like is None else saved.with_names_of(like)
    return KnowledgeGraph.from_file(located[0] if len(located) == 1 else located, like=like, **written)

"""The tasks of a configuration of a knowledge graph: read before training, run behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.cli.inputs import locate
from nodeloom.cli.tables import table
from nodeloom.cli.triple_files import read_triples
from nodeloom.config.knowledge import EntityPrediction, EntityRanking
from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.cli.session import Session
    from nodeloom.config.knowledge import KnowledgeConfig
    from nodeloom.graph import KnowledgeGraph


def read_tasks(
    config: KnowledgeConfig, session: Session, graph: KnowledgeGraph, estimator: Any
) -> list[Ranking | Prediction]:
    """Read what the tasks of a configuration need, so that a bad file costs no training.

    Raises
    ------
    NodeloomError
        A file cannot be used, an output cannot be written, or the estimator answers no questions.
    """
    for task in config.evaluate:
        if isinstance(task, EntityPrediction) and not hasattr(estimator, "predict_tails"):
            raise ConfigError(describe("evaluate", expected="link prediction", got=task.task))
    return [
        _ranking(config, task, session, graph)
        if isinstance(task, EntityRanking)
        else _prediction(config, task, session, graph)
        for task in config.evaluate
    ]


@dataclass(frozen=True)
class Ranking:
    """Triples to rank, and others that are true."""

    task: EntityRanking
    asked: KnowledgeGraph
    known: list[KnowledgeGraph]
    train: KnowledgeGraph
    seed: int

    def run(self, model: Any, session: Session) -> dict[str, Any]:
        """Rank the triples, print tables, and return the result for JSON."""
        from nodeloom.tasks import triple_ranking

        asked = self.asked
        count = self.task.fast_mode
        if count is not None and count < asked.num_triples:
            rows = np.random.default_rng(self.seed).choice(asked.num_triples, count, replace=False)
            asked = asked.select(np.sort(rows))
        # The answers to all triples of the file are true, whichever are ranked.
        result = triple_ranking(model, asked, [*self.known, self.asked] if self.known else (), train=self.train)
        metrics = result.metrics(self.task.target)
        title = f"{asked.num_triples:,} triples ranked, {'filtered' if self.known else 'with these triples as filter'}"
        session.answer(table(title, result.columns, result.rows()))
        if result.num_unseen:
            session.show(
                f"{result.num_unseen:,} triples have an entity or a relation that is not trained on: they are ranked as well."
            )
        return {"task": self.task.task, "file_name": self.task.file_name, "target": self.task.target} | {
            **result.to_dict(), "metrics": metrics,
        }  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """Questions to a model: names of two of head, relation and tail."""

    task: EntityPrediction
    questions: list[tuple[str, str]]

    def run(self, model: Any, session: Session) -> dict[str, Any]:
        """Print, write and return the answers."""
        from nodeloom.io.atomic import atomic_path

        ask = model.predict_tails if self.task.target == "tail" else model.predict_heads
        rows = [
            (*question, str(name), float(score))
            for question in self.questions
            for name, score in ask(*question, self.task.k)
        ]
        places = ("head", "relation", "tail") if self.task.target == "tail" else ("relation", "tail", "head")
        if self.task.save_file is not None:
            with atomic_path(self.task.save_file) as temporary:
                temporary.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
            logger.info("saved %s", self.task.save_file)
        else:
            session.answer(table("Likeliest entities", (*places, "score"), rows[:1000]))
        keys = (*places, "score")
        return {"task": self.task.task, "answers": [dict(zip(keys, row, strict=True)) for row in rows]}


def _ranking(config: KnowledgeConfig, task: EntityRanking, session: Session, graph: KnowledgeGraph) -> Ranking:
    from nodeloom.graph import KnowledgeGraph

    def of_names(heads: Any, relations: Any, tails: Any) -> KnowledgeGraph:
        columns = ([str(name) for name in column] for column in (heads, relations, tails))
        return KnowledgeGraph.from_arrays(*columns, like=graph, duplicates="keep")

    asked = (
        read_triples(config, [task.file_name], session, graph) if task.file_name else of_names(task.H, task.R, task.T)
    )
    known = [read_triples(config, [name], session, graph) for name in task.filter_files]
    if task.filter_H:
        known.append(of_names(task.filter_H, task.filter_R, task.filter_T))
    return Ranking(task, asked, known, graph, config.train.seed)


def _prediction(config: KnowledgeConfig, task: EntityPrediction, session: Session, graph: KnowledgeGraph) -> Prediction:
    from nodeloom.io.atomic import check_writable
    from nodeloom.io.tokens import read_tokens

    is_tail = task.target == "tail"
    if task.file_name is not None:
        form = "head relation" if is_tail else "relation tail"
        layout = config.format
        rows = read_tokens(
            locate(task.file_name, session), (2, 4), form,
            delimiters=layout.delimiters, comment=layout.comment, encoding=layout.encoding,
        )  # fmt: skip
        columns = [column.to_pylist() for column in rows.columns[:3]]
        whole = [name is not None for name in columns[2]]
        first = (
            columns[0]
            if is_tail
            else [r if full else h for h, r, full in zip(columns[0], columns[1], whole, strict=True)]
        )
        second = (
            columns[1]
            if is_tail
            else [t if full else r for r, t, full in zip(columns[1], columns[2], whole, strict=True)]
        )
    else:
        names = (task.H, task.R) if is_tail else (task.R, task.T)
        first, second = ([str(name) for name in column] for column in names)
    entities, relations = (first, second) if is_tail else (second, first)
    for kind, given, known in (("entity", entities, graph.entity_names), ("relation", relations, graph.relation_names)):
        missing = np.flatnonzero(known.find(given, missing=-1) < 0)
        if len(missing):
            where = f"evaluate: {task.file_name or 'names'}"
            raise DataError(describe(where, expected=f"a {kind} that is trained on", got=given[int(missing[0])]))
    if task.save_file is not None:
        check_writable(Path(task.save_file), 0)
    return Prediction(task, list(zip(first, second, strict=True)))

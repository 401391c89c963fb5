"""Judge vectors on the tasks of a configuration, beside vectors drawn by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.cli.tables import table
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.cli.inputs import Pairs
    from nodeloom.cli.session import Session
    from nodeloom.config import LinkPrediction, NodeClassification
    from nodeloom.io.labels import Labels
    from nodeloom.typing import FloatArray


def judge_labels(
    task: NodeClassification, vectors: FloatArray, labels: Labels, session: Session, *, control: bool, num_thread: int
) -> dict[str, Any]:
    """Run node classification and print its table.

    Returns
    -------
    dict
        The result for JSON; with `control` the result of random vectors under ``control``.
    """
    from nodeloom.tasks import node_classification, random_control

    if "patience" in task.model_fields_set:
        logger.info("patience has no effect: the classifier is solved to its optimum.")

    def run(table_of_vectors: FloatArray) -> Any:
        return node_classification(
            table_of_vectors,
            labels,
            portions=task.portions,
            times=task.times,
            normalization=task.normalization,
            C=task.C,
            seed=task.seed,
            num_thread=num_thread,
        )

    result = run(vectors)
    answer = {"file_name": task.file_name, **result.to_dict()}
    chance = run(random_control(vectors, seed=task.seed)) if control else None
    title = f"Node classification: {result.num_labelled:,} labelled nodes, {result.num_classes:,} classes"
    rows = []
    for index, score in enumerate(result.scores):
        row = [
            f"{100 * score.portion:g} %",
            _percent(score.micro_f1, score.micro_f1_std, task.times),
            _percent(score.macro_f1, score.macro_f1_std, task.times),
        ]
        if chance is not None:
            row += [f"{100 * chance.scores[index].micro_f1:.2f}", f"{100 * chance.scores[index].macro_f1:.2f}"]
        rows.append(row)
    columns = ["trained on", "micro-F1 %", "macro-F1 %"]
    if chance is not None:
        columns += ["random micro", "random macro"]
        answer["control"] = chance.to_dict()
    session.answer(table(title, columns, rows))
    return answer


def _percent(mean: float, deviation: float, times: int) -> str:
    return f"{100 * mean:.2f} ± {100 * deviation:.2f}" if times > 1 else f"{100 * mean:.2f}"


def judge_links(
    task: LinkPrediction,
    vertex: FloatArray,
    context: FloatArray | None,
    pairs: Pairs,
    session: Session,
    *,
    control: bool,
) -> dict[str, Any]:
    """Run link prediction and print its table.

    Returns
    -------
    dict
        The result for JSON; with `control` the result of random vectors under ``control``.
    """
    from nodeloom.tasks import filter_pairs, link_prediction, random_control, score_pairs

    links = pairs.links
    keep = None
    if pairs.known is not None:
        keep = filter_pairs(links.heads, links.tails, pairs.known.heads, pairs.known.tails)
    labels = np.asarray(links.labels)

    def run(vertex: FloatArray, context: FloatArray | None) -> Any:
        return link_prediction(score_pairs(vertex, context, links.heads, links.tails), labels, keep=keep)

    result = run(vertex, context)
    answer = {"file_name": task.file_name, **result.to_dict()}
    columns, rows = list(result.columns), [list(row) for row in result.rows()]
    if control:
        others = None if context is None else random_control(context, seed=task.seed + 1)
        chance = run(random_control(vertex, seed=task.seed), others)
        answer["control"] = chance.to_dict()
        columns += ["random AUC", "random AP"]
        rows[0] += [chance.auc, chance.ap]
    session.answer(table("Link prediction", columns, rows))
    return answer

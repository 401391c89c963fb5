"""How long walks are and how far apart the nodes of a pair, where the user leaves it open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.config import NodeTrain
from nodeloom.errors import ConfigError, describe
from nodeloom.plan import defaults
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.settings import Settings


def sink_share(graph: Graph) -> float:
    """Return the share of the edge weight that leads to nodes without edges out of them; 0 on undirected graphs."""
    if not graph.directed:
        return 0.0
    strengths = graph.in_strengths
    return float(strengths[graph.degrees == 0].sum() / strengths.sum())


def walk_shape(settings: Settings, directed: bool, sinks: float) -> tuple[int, int]:
    """Return the augmentation step and the length of walks.

    Raises
    ------
    ConfigError
        If the step that was asked for is longer than the walks.
    """
    train = settings.of_kind(NodeTrain)
    asked_step, asked_length = train.augmentation_step, train.random_walk_length
    step = asked_step if asked_step != "auto" else defaults.AUGMENTATION_STEP
    # A step of 1 asks for edges; on directed graphs only walks of one edge draw them evenly, on undirected ones all walks do.
    chosen_length = 1 if step == 1 and directed else defaults.random_walk_length(step, sinks)
    length = asked_length if asked_length != "auto" else chosen_length
    if asked_step == "auto":
        step = min(step, length)
    elif asked_length == "auto":
        length = max(step, length)
    if step > length:
        raise ConfigError(
            describe(
                setting("train.augmentation_step"),
                expected=f"at most {setting('train.random_walk_length')} ({length})",
                got=step,
            )
        )
    return step, length

"""What a configuration says to train: a model of a graph, or of a knowledge graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.cli.knowledge import run_triples
from nodeloom.cli.pipeline import estimator_of, run_config
from nodeloom.config.knowledge import KnowledgeConfig, knowledge_notices
from nodeloom.config.notices import notices
from nodeloom.config.train import TripleTrain
from nodeloom.log import logger

if TYPE_CHECKING:
    from nodeloom.cli.session import Session
    from nodeloom.config import Config


def run_model(config: Config, session: Session, **options: Any) -> None:
    """Do everything that a configuration says: of a graph as :func:`run_config`, of a knowledge graph as :func:`run_triples`."""
    if not isinstance(config.train, TripleTrain):
        run_config(config, session, **options)
        return
    more = knowledge_notices(config) if isinstance(config, KnowledgeConfig) else []
    for sentence in [*notices(config), *more]:
        logger.warning(sentence)
    given = {key: options[key] for key in ("evaluate", "overwrite", "inputs") if key in options}
    run_triples(config, session, estimator_of(config), **given)

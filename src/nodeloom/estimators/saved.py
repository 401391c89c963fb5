"""Models from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.errors import ConfigError, ModelError, describe
from nodeloom.estimators.fitted import path_of
from nodeloom.estimators.largevis import LargeVis
from nodeloom.estimators.models import LINE, DeepWalk, Node2Vec
from nodeloom.estimators.spectral import ProNE, Propagation, SpectralEmbedding
from nodeloom.estimators.triple_models import ComplEx, DistMult, QuatE, RotatE, SimplE, TransE
from nodeloom.estimators.tsne import TSNE

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from nodeloom.config.section import Section
    from nodeloom.estimators.base import NodeEmbedding
    from nodeloom.estimators.knowledge import KnowledgeEmbedding
    from nodeloom.estimators.maps import Map

MODELS: dict[str, type[NodeEmbedding]] = {kind._model: kind for kind in (DeepWalk, LINE, Node2Vec, Propagation, ProNE)}
"""The estimators by the names of their models, in configurations and files."""

TRIPLE_MODELS: dict[str, type[KnowledgeEmbedding]] = {
    kind._model: kind for kind in (TransE, DistMult, ComplEx, SimplE, RotatE, QuatE)
}

MAPS: dict[str, type[Map]] = {kind.__name__: kind for kind in (TSNE, LargeVis)}


def load(path: str | os.PathLike[str], *, mmap: bool = True) -> Any:
    """Read a model that :meth:`save` or a checkpoint wrote; a GraphVite pickle (``.pkl``) and vectors of word2vec are read too.

    Parameters
    ----------
    path : path
        The file.
    mmap : bool
        Map the vectors instead of keeping them in memory; what is written to them does not reach the file. The file is read once in
        either case, to compare checksums.

    Returns
    -------
    estimator
        Fitted, with the parameters it was trained with. A callable schedule comes back as "linear".

    Raises
    ------
    ModelError
        If the file is cut, damaged, no model, or holds NaN.
    """
    from nodeloom.io.models import open_model

    path = path_of("load", path)
    data = open_model(path, mmap=mmap)
    name = data.config.get("train", {}).get("model", "DeepWalk")
    if isinstance(name, str) and name in MAPS and "point" in data.rows:
        found = MAPS[name](**_map_parameters(path, data.config, MAPS[name]))
        found._take_file(data)
        return found
    if isinstance(name, str) and name in TRIPLE_MODELS:
        triples = TRIPLE_MODELS[name](**_parameters(path, data.config, TRIPLE_MODELS[name]))
        triples._take_file(data)
        triples.num_epoch_ = _epochs_done(path, data.state, triples.get_params(), data.graph)
        return triples
    if not isinstance(name, str) or name not in MODELS:
        raise ModelError(
            describe(path, expected=f"a model among {', '.join([*MODELS, *TRIPLE_MODELS, *MAPS])}", got=name)
        )
    model = MODELS[name](**_parameters(path, data.config, MODELS[name]))
    model._take_file(data)
    if not isinstance(model, SpectralEmbedding):
        model.num_epoch_ = _epochs_done(path, data.state, model.get_params(), data.graph)
    return model


def _epochs_done(path: Path, state: dict[str, Any], parameters: dict[str, Any], graph: dict[str, Any]) -> float:
    """Return how many epochs a model was trained, of a checkpoint by the position of its training.

    Raises
    ------
    ModelError
        The file says nothing that could be.
    """
    num_epoch = state.get("num_epoch", parameters["num_epoch"])  # of auto only the state knows the number
    num_epoch = float(num_epoch) if isinstance(num_epoch, (int, float)) else float("nan")
    if state.get("finished", True) is True:
        return num_epoch
    try:
        done = (
            float(state["epoch"])
            if "epoch" in state
            else state["num_pair"] / graph.get("num_edges", graph.get("num_triples"))
        )
        if "epoch" not in state and parameters.get("order") == "both":
            done = (state["part"] * num_epoch + done) / 2
        if not 0 <= done < float("inf"):
            raise ValueError(done)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        hint = "The file is damaged."
        raise ModelError(describe(path, expected="how far the training had come", got=state, hint=hint)) from error
    return done


def _parameters(
    path: Path, config: dict[str, Any], kind: type[NodeEmbedding] | type[KnowledgeEmbedding]
) -> dict[str, Any]:
    """Return the parameters of an estimator from the sections of a configuration; keys it does not know are left out.

    Raises
    ------
    ModelError
        A value is not one that the key may have.
    """
    from nodeloom.config import BuildConfig, OptimizerConfig, ResourceConfig
    from nodeloom.config.optimizer import OWN_KEYS
    from nodeloom.config.train import kind_of

    known = kind._defaults()
    build = config.get("build", {})
    optimizer = _checked(path, "build.optimizer", OptimizerConfig, _plain_schedule(build.get("optimizer", {})))
    flat: dict[str, Any] = {
        **_checked(path, "resource", ResourceConfig, config.get("resource", {})),
        **_checked(path, "build", BuildConfig, {key: value for key, value in build.items() if key != "optimizer"}),
        **_checked(path, "train", kind_of(kind._model), config.get("train", {})),
        **{key: optimizer.pop(key) for key in ("lr", "weight_decay", "schedule") if key in optimizer},
    }
    parameters = {name: value for name, value in flat.items() if name in known and name != "optimizer"}
    if optimizer and "optimizer" in known:
        name = optimizer.get("type", OptimizerConfig().type)
        defaults = {key: OptimizerConfig.model_fields[key].default for key in OWN_KEYS[name]}
        own = {key: optimizer[key] for key, default in defaults.items() if optimizer.get(key, default) != default}
        parameters["optimizer"] = {"type": name, **own} if own else name
    return parameters


def _map_parameters(path: Path, config: dict[str, Any], kind: type[Map]) -> dict[str, Any]:
    """Return the parameters of a map from the sections of a configuration."""
    from nodeloom.config import ResourceConfig

    flat = {
        **_checked(path, "resource", ResourceConfig, config.get("resource", {})),
        **_checked(path, "layout", kind._config_type(), config.get("layout", {})),
    }
    return {name: value for name, value in flat.items() if name in kind._defaults()}


def _plain_schedule(optimizer: Any) -> Any:
    """Return the keys of an optimizer with a schedule that a file can hold: functions are kept as their names only."""
    if isinstance(optimizer, dict) and str(optimizer.get("schedule", "linear")) not in ("linear", "constant"):
        return {**optimizer, "schedule": "linear"}
    return optimizer


def _checked(path: Path, where: str, section: type[Section], values: Any) -> dict[str, Any]:
    """Return those keys of a section that are given and known, checked."""
    from pydantic import ValidationError

    from nodeloom.io.model_file import in_words

    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key in section.model_fields}
    try:
        return section.model_validate(values).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise ModelError(f"{path}: {in_words(error, f'config.{where}')}. The file is damaged.") from error
    except ConfigError as error:
        raise ModelError(f"{path}: config.{where}: {error}. The file is damaged.") from error

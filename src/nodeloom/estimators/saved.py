"""Models from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nodeloom.errors import ModelError, describe
from nodeloom.estimators.base import NodeEmbedding
from nodeloom.estimators.models import LINE, DeepWalk, Node2Vec
from nodeloom.estimators.spectral import ProNE, Propagation

_MODELS: dict[str, type[NodeEmbedding]] = {kind._model: kind for kind in (DeepWalk, LINE, Node2Vec, Propagation, ProNE)}


def load(path: str | os.PathLike[str], *, mmap: bool = True) -> NodeEmbedding:
    """Read a model that :meth:`save` or a checkpoint wrote; a GraphVite pickle (``.pkl``) is read too.

    Parameters
    ----------
    path : path
        The file.
    mmap : bool
        Map the vectors (read-only) instead of keeping them in memory. The file is read once in either case, to compare checksums.

    Returns
    -------
    DeepWalk, LINE, Node2Vec, Propagation or ProNE
        Fitted, with the parameters it was trained with. A callable schedule comes back as "linear".

    Raises
    ------
    ModelError
        If the file is cut, damaged, no model, or holds NaN.
    """
    from nodeloom.io.graphvite_pickle import read_graphvite
    from nodeloom.io.model_file import read_model

    path = Path(path)
    data = read_graphvite(path) if path.suffix.lower() in (".pkl", ".pickle") else read_model(path, mmap=mmap)
    name = data.config.get("train", {}).get("model", "DeepWalk")
    if name not in _MODELS:
        raise ModelError(describe(path, expected=f"a model among {', '.join(_MODELS)}", got=name))
    model = _MODELS[name](**_parameters(data.config, _MODELS[name]))
    model.vectors_ = data.vertex
    model.context_vectors_ = data.vertex if data.context is None else data.context
    model.graph_names_ = data.names
    model.report_ = data.state.get("report", {})
    model.history_ = []
    model._config, model._graph_record = data.config, data.graph
    return model


def _parameters(config: dict[str, Any], kind: type[NodeEmbedding]) -> dict[str, Any]:
    """Return the parameters of an estimator from the sections of a configuration; keys it does not know are left out."""
    optimizer = dict(config.get("build", {}).get("optimizer", {}))
    flat = {**config.get("resource", {}), **config.get("build", {}), **config.get("train", {})}
    for key in ("lr", "weight_decay", "schedule"):
        if key in optimizer:
            flat[key] = optimizer.pop(key)
    if isinstance(flat.get("gpus"), list):  # JSON has no tuples
        flat["gpus"] = tuple(flat["gpus"])
    if str(flat.get("schedule", "linear")) not in ("linear", "constant"):
        flat["schedule"] = "linear"
    known = kind._defaults()
    parameters = {name: value for name, value in flat.items() if name in known and name != "optimizer"}
    if optimizer and "optimizer" in known:
        from nodeloom.config.optimizer import OWN_KEYS

        own = {key: optimizer[key] for key in OWN_KEYS[optimizer["type"]] if key in optimizer}
        parameters["optimizer"] = {"type": optimizer["type"], **own} if own else optimizer["type"]
    return parameters

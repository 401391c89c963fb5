"""The configuration: GraphVite's YAML schema, extended, as one typed and frozen tree.

Defaults, bounds and help texts stand in the fields; the checks, the options of the command line, the templates and
the documentation are made from them.
"""

from __future__ import annotations

from nodeloom.config.build import BuildConfig
from nodeloom.config.evaluate import EvaluateConfig, LinkPrediction, NodeClassification
from nodeloom.config.files import LoadConfig, SaveConfig
from nodeloom.config.graph import FormatConfig, GraphConfig
from nodeloom.config.loading import config_from_dict, load_config
from nodeloom.config.optimizer import OptimizerConfig
from nodeloom.config.problems import validated
from nodeloom.config.relations import check_training
from nodeloom.config.resource import ResourceConfig
from nodeloom.config.train import NodeTrain, SpectralTrain, TrainConfig, TripleTrain, train_config, train_fields
from nodeloom.config.tree import Config

__all__ = [
    "BuildConfig",
    "Config",
    "EvaluateConfig",
    "FormatConfig",
    "GraphConfig",
    "LinkPrediction",
    "LoadConfig",
    "NodeClassification",
    "NodeTrain",
    "OptimizerConfig",
    "ResourceConfig",
    "SaveConfig",
    "SpectralTrain",
    "TrainConfig",
    "TripleTrain",
    "check_training",
    "config_from_dict",
    "load_config",
    "train_config",
    "train_fields",
    "validated",
]

"""The whole configuration."""

from typing import Any, Literal

from pydantic import Field, field_validator

from nodeloom.config.build import BuildConfig
from nodeloom.config.evaluate import EvaluateConfig
from nodeloom.config.files import LoadConfig, SaveConfig
from nodeloom.config.graph import FormatConfig, GraphConfig
from nodeloom.config.resource import ResourceConfig
from nodeloom.config.section import Section
from nodeloom.config.train import NodeTrain, TrainConfig
from nodeloom.errors import ConfigError

LATER_APPLICATIONS = ("word graph", "knowledge graph", "visualization")


class Config(Section):
    """One experiment: GraphVite's YAML file as a typed tree."""

    application: Literal["graph"] = Field("graph", description="What to embed: the nodes of a graph.")
    resource: ResourceConfig = Field(ResourceConfig.model_construct(), description="What the machine may give.")
    format: FormatConfig = Field(FormatConfig.model_construct(), description="How text files are written.")
    graph: GraphConfig = Field(GraphConfig.model_construct(), description="Where the graph comes from.")
    build: BuildConfig = Field(BuildConfig.model_construct(), description="Optimizer and negatives.")
    load: LoadConfig = Field(LoadConfig.model_construct(), description="Vectors to start from.")
    train: TrainConfig = Field(NodeTrain.model_construct(), description="The model and its training.")
    evaluate: tuple[EvaluateConfig, ...] = Field((), description="Tasks on which the vectors are judged.")
    save: SaveConfig = Field(SaveConfig.model_construct(), description="Where the result goes.")

    @field_validator("application", mode="before")
    @classmethod
    def _supported(cls, value: Any) -> Any:
        if value in LATER_APPLICATIONS:
            raise ConfigError("'graph' (other applications are not supported yet by this version)")
        return value

    @field_validator("evaluate", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

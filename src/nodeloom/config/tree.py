"""The whole configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from nodeloom.config.build import BuildConfig
from nodeloom.config.evaluate import EvaluateConfig
from nodeloom.config.files import LoadConfig, SaveConfig
from nodeloom.config.graph import FormatConfig, GraphConfig
from nodeloom.config.resource import ResourceConfig
from nodeloom.config.section import Section
from nodeloom.config.train import TrainConfig
from nodeloom.errors import ConfigError
from nodeloom.words import in_words

LATER_APPLICATIONS = ("word graph", "knowledge graph", "visualization")


class Config(Section):
    """One experiment: GraphVite's YAML file as a typed tree."""

    application: Literal["graph"] = Field("graph", description="What to embed: the nodes of a graph.")
    resource: ResourceConfig = Field(ResourceConfig(), description="What the machine may give.")
    format: FormatConfig = Field(FormatConfig(), description="How text files are written.")
    graph: GraphConfig = Field(GraphConfig(), description="Where the graph comes from.")
    build: BuildConfig = Field(BuildConfig(), description="Optimizer and negatives.")
    load: LoadConfig = Field(LoadConfig(), description="Vectors to start from.")
    train: TrainConfig = Field(TrainConfig(), description="The model and its training.")
    evaluate: tuple[EvaluateConfig, ...] = Field((), description="Tasks on which the vectors are judged.")
    save: SaveConfig = Field(SaveConfig(), description="Where the result goes.")

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

    @staticmethod
    def new_template(application: str = "graph") -> str:
        """Return the text of a commented configuration file, written from the fields."""
        from nodeloom.config.template import template

        return template(application)

    def notices(self) -> list[str]:
        """Return one sentence for each key that was set but has no effect here, in the words of the interface at hand."""
        from nodeloom.config.notices import notices

        return [in_words(sentence) for sentence in notices(self)]

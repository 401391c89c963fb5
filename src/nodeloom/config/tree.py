"""The whole configuration."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from nodeloom.config.build import BuildConfig
from nodeloom.config.evaluate import EvaluateConfig
from nodeloom.config.files import LoadConfig, SaveConfig
from nodeloom.config.graph import FormatConfig, GraphConfig
from nodeloom.config.resource import ResourceConfig
from nodeloom.config.section import Section
from nodeloom.config.train import NodeTrain, TrainConfig, kind_of, with_defaults_of_model
from nodeloom.errors import ConfigError

APPLICATIONS = ("graph", "word graph")
OWN_FILES = ("visualization", "knowledge graph")
"""Applications whose configuration is a class of its own."""

OF_WORDS: dict[str, Any] = {"model": "LINE", "num_epoch": 80, "augmentation_step": 1}
"""Keys of ``train`` as they are for word graphs where they are not given."""


def application_of(value: Any) -> Any:
    """Return the name of an application as it is written here; GraphVite's files have ``word_graph``, too."""
    return value.replace("_", " ") if isinstance(value, str) else value


class Config(Section):
    """One experiment: GraphVite's YAML file as a typed tree."""

    application: Literal["graph", "word graph"] = Field(
        "graph", description="What to embed: the nodes of a graph, or the words of a text by those near them."
    )
    resource: ResourceConfig = Field(ResourceConfig.model_construct(), description="What the machine may give.")
    format: FormatConfig = Field(FormatConfig.model_construct(), description="How text files are written.")
    graph: GraphConfig = Field(GraphConfig.model_construct(), description="Where the graph comes from.")
    build: BuildConfig = Field(BuildConfig.model_construct(), description="Optimizer and negatives.")
    load: LoadConfig = Field(LoadConfig.model_construct(), description="Vectors to start from.")
    train: TrainConfig = Field(NodeTrain.model_construct(), description="The model and its training.")
    evaluate: tuple[EvaluateConfig, ...] = Field((), description="Tasks on which the vectors are judged.")
    save: SaveConfig = Field(SaveConfig.model_construct(), description="Where the result goes.")

    @model_validator(mode="before")
    @classmethod
    def _of_words(cls, values: Any) -> Any:
        """Take the defaults of word graphs, whose section ``graph`` has the keys of ``format`` in GraphVite's template."""
        if not isinstance(values, dict) or application_of(values.get("application")) != "word graph":
            return values
        values = dict(values)
        train, graph, layout = (values.get(name) or {} for name in ("train", "graph", "format"))
        if isinstance(graph, dict) and isinstance(layout, dict):
            own = {key: graph[key] for key in ("delimiters", "comment") if key in graph}
            values["graph"] = {key: value for key, value in graph.items() if key not in own}
            values["format"] = own | layout
        if isinstance(train, dict):
            trained = issubclass(kind_of(train.get("model") or "LINE"), NodeTrain)
            values["train"] = (OF_WORDS if trained else {}) | {
                key: value for key, value in train.items() if value is not None
            }
        return values

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_model(cls, values: Any) -> Any:
        return with_defaults_of_model(values) if isinstance(values, dict) else values

    @field_validator("application", mode="before")
    @classmethod
    def _supported(cls, value: Any) -> Any:
        if application_of(value) in OWN_FILES:
            raise ConfigError(
                f"{' or '.join(map(repr, APPLICATIONS))} (a file of the application {application_of(value)} is run by itself)"
            )
        return application_of(value)

    @field_validator("evaluate", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

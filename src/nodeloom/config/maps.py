"""The configuration of a map: GraphVite's application ``visualization``."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nodeloom.config.build import BuildConfig
from nodeloom.config.files import LoadConfig, SaveConfig
from nodeloom.config.graph import EdgesConfig, FormatConfig
from nodeloom.config.layout import Metric
from nodeloom.config.optimizer import OptimizerConfig
from nodeloom.config.resource import ResourceConfig
from nodeloom.config.section import Integer, Number, Section, ignoring_case
from nodeloom.config.tree import application_of

Label = str | int | float | None
Size = Annotated[Number, Field(ge=1, le=100)]


class MapGraphConfig(EdgesConfig):
    """What a map is made of: vectors, or a graph."""

    vector_file: str | None = Field(
        None,
        description="Vectors: text with a vector a line, .npy, .npz, .parquet, word2vec, a model, or <dataset.split>.",
    )
    vectors: str | None = Field(None, description="The same, under GraphVite's name for arrays.")
    num_neighbor: Annotated[Integer, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        200, description="Neighbors of a point that attract it. auto: one and a half times the perplexity."
    )
    perplexity: Annotated[Number, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        30.0, description="Effective number of neighbors of a point. auto: two thirds of num_neighbor."
    )
    vector_normalization: bool = Field(
        True,
        description="Subtract its mean from every column of the vectors, and divide it by its largest absolute value.",
    )
    metric: Metric = Field(
        "auto",
        description="Which neighbors are near: euclidean, cosine or inner_product. auto: cosine for models, else euclidean.",
    )


class MapBuildConfig(BuildConfig):
    """The optimizer and negatives of a map."""

    num_negative: Annotated[Integer, Field(ge=0, le=10_000)] = Field(
        5, description="LargeVis: points that are drawn at random and pushed away, for each edge."
    )
    optimizer: OptimizerConfig = Field(
        OptimizerConfig.model_construct(),
        description="SGD, whose lr counts. Others are GraphVite's, and have no effect.",
    )


class MapTrainConfig(Section):
    """How points become a map."""

    model: Annotated[Literal["LargeVis", "TSNE"], ignoring_case("LargeVis", "TSNE")] = Field(
        "LargeVis", description="LargeVis, GraphVite's, or TSNE, which keeps two to three times as many neighbors."
    )
    num_epoch: Annotated[Integer, Field(ge=1, le=1_000_000)] = Field(
        50, description="LargeVis: passes over the edges between neighbors."
    )
    negative_weight: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        3.0, description="LargeVis: weight of a negative."
    )
    exaggeration: Annotated[Number, Field(gt=0, le=100)] = Field(
        1.0, description="TSNE: what attraction is multiplied by. 2 shows gaps between groups; 4 looks like UMAP."
    )
    num_iteration: Annotated[Integer, Field(ge=1, le=1_000_000)] | Literal["auto"] = Field(
        "auto", description="TSNE: iterations. auto: 350, and up to 750 for more than 200,000 points."
    )
    seed: Annotated[Integer, Field(ge=0, lt=2**63)] = Field(0, description="Seed of all random numbers.")
    resume: bool = Field(False, description="GraphVite's switch. A map has no checkpoint to go on from.")
    negative_sample_exponent: Annotated[Number, Field(ge=-10, le=10)] = Field(
        0.75,
        description="GraphVite's exponent of degrees in negatives. No effect: points are pushed by all others alike.",
    )
    positive_reuse: Annotated[Integer, Field(ge=1, le=1000)] = Field(
        5, description="How often GraphVite trains an edge that it has drawn. No effect: edges are drawn anew."
    )
    sample_batch_size: Annotated[Integer, Field(ge=1)] = Field(
        2000, description="GraphVite's edges per batch of a sampler. No effect: there are no samplers."
    )
    log_frequency: Annotated[Integer, Field(ge=1)] = Field(
        1000, description="GraphVite's batches between two lines. No effect: progress is shown every few seconds."
    )


class _Drawing(Section):
    """What pictures have in common."""

    file_name: str | None = Field(
        None,
        description="Label file, a path or <dataset.split>: a label a line in the order of the vectors, or .npy; of a graph 'node label'.",
    )
    Y: tuple[Label, ...] | str = Field((), description="Labels in place of a file, one for each point; or a file.")
    save_file: str | None = Field(
        None, description="Where the picture goes. By default a file beside the model, which is told."
    )
    scale: Annotated[Number, Field(gt=0)] = Field(
        2.0, description="GraphVite's size of points. No effect: it follows from their number."
    )

    @property
    def labels(self) -> str | tuple[Label, ...] | None:
        """The label file or the labels; None if there are none."""
        return self.file_name if self.file_name is not None else self.Y or None


class MapDrawing(_Drawing):
    """A picture or a page of the map."""

    task: Literal["visualization"] = Field(..., description="visualization, animation or hierarchy.")
    figure_size: Size = Field(10.0, description="Side of the picture in inches.")


class MapAnimation(_Drawing):
    """A map of three dimensions that turns."""

    task: Literal["animation"] = Field(..., description="visualization, animation or hierarchy.")
    figure_size: Size = Field(5.0, description="Side of the picture in inches.")
    scale: Annotated[Number, Field(gt=0)] = Field(
        1.0, description="GraphVite's size of points. No effect: it follows from their number."
    )
    elevation: Annotated[Number, Field(ge=-90, le=90)] = Field(30.0, description="Degrees above the plane.")
    num_frame: Annotated[Integer, Field(ge=1, le=10_000)] = Field(
        700, description="Pictures of one turn, ten a second."
    )


class MapHierarchy(Section):
    """A map of two dimensions that follows a class down a hierarchy."""

    task: Literal["hierarchy"] = Field(..., description="visualization, animation or hierarchy.")
    file_name: str | None = Field(
        None, description="Label file: for each point in the order of the vectors a line of labels, the root first."
    )
    HY: tuple[tuple[Label, ...], ...] = Field((), description="The same in place of a file.")
    target: str | int | None = Field(None, description="The class to follow.")
    save_file: str | None = Field(
        None, description="Where the picture goes, .gif or .mp4. By default a file beside the model, which is told."
    )
    figure_size: Size = Field(10.0, description="Side of the picture in inches.")
    scale: Annotated[Number, Field(gt=0)] = Field(
        2.0, description="GraphVite's size of points. No effect: it follows from their number."
    )
    duration: Annotated[Number, Field(gt=0, le=1000)] = Field(3.0, description="Seconds of a frame.")


MapTask = Annotated[MapDrawing | MapAnimation | MapHierarchy, Field(discriminator="task")]
"""One task of the section ``evaluate``."""


class MapConfig(Section):
    """A map: GraphVite's YAML file for visualization as a typed tree."""

    application: Literal["visualization"] = Field("visualization", description="A map of vectors or of a graph.")
    resource: ResourceConfig = Field(ResourceConfig.model_construct(dim=2), description="What the machine may give.")
    format: FormatConfig = Field(FormatConfig.model_construct(), description="How text files are written.")
    graph: MapGraphConfig = Field(MapGraphConfig.model_construct(), description="What the map is made of.")
    build: MapBuildConfig = Field(MapBuildConfig.model_construct(), description="Optimizer and negatives.")
    load: LoadConfig = Field(LoadConfig.model_construct(), description="An earlier map to start from.")
    train: MapTrainConfig = Field(MapTrainConfig.model_construct(), description="How points become a map.")
    evaluate: tuple[MapTask, ...] = Field((), description="The pictures to draw.")
    save: SaveConfig = Field(SaveConfig.model_construct(), description="Where the map goes.")

    @model_validator(mode="before")
    @classmethod
    def _two_dimensions(cls, values: Any) -> Any:
        """Take 2 for ``resource.dim`` where it is not given."""
        if not isinstance(values, dict):
            return values
        resource = values.get("resource") or {}
        if isinstance(resource, dict) and resource.get("dim") in (None, "auto"):
            values = {**values, "resource": {**resource, "dim": 2}}
        return values

    @field_validator("application", mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        return application_of(value)

    @field_validator("evaluate", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, dict) else value

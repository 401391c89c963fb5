"""Section ``evaluate``: the tasks on which the vectors are judged."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from nodeloom.config.section import Integer, Number, Section

Name = str | int
Unknown = Literal["auto", "error", "skip"]
_UNKNOWN_HELP = (
    "What to do with names that the graph does not have: error, or skip them and say how many. auto: skip them in "
    "registered data sets, some of which are known to have them, and treat them as an error elsewhere."
)
Portion = Annotated[Number, Field(gt=0, lt=1)]


class NodeClassification(Section):
    """Whether the labels of hidden nodes can be read off their vectors."""

    task: Literal["node classification"] = Field(..., description="node classification or link prediction.")
    file_name: str | None = Field(
        None,
        description="Label file: a path or <dataset.split>. Each line is 'node label'; several lines per node "
        "where it has several labels.",
    )
    X: tuple[Name, ...] = Field((), description="Nodes in place of a file, one for each of Y.")
    Y: tuple[Name, ...] = Field((), description="Labels in place of a file, one for each of X.")
    portions: tuple[Portion, ...] = Field(
        (0.02,), min_length=1, description="Shares of the labelled nodes to learn from; one evaluation for each."
    )
    times: Annotated[Integer, Field(ge=1, le=10_000)] = Field(
        1, description="Repetitions with another random split; the mean and the deviation are reported."
    )
    normalization: bool = Field(False, description="Scale every vector to length 1 before the classifier sees it.")
    patience: Annotated[Integer, Field(ge=1)] = Field(
        100, description="GraphVite's patience of gradient descent. No effect: the classifier is solved exactly here."
    )
    C: Annotated[Number, Field(gt=0)] = Field(
        1.0, description="Inverse strength of the regularisation of the classifier."
    )
    seed: Annotated[Integer, Field(ge=0, lt=2**32)] = Field(0, description="Seed of the random splits.")
    unknown_nodes: Unknown = Field("auto", description=_UNKNOWN_HELP)

    @field_validator("portions", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (int, float)) else value


class LinkPrediction(Section):
    """Whether edges that were not trained on score higher than pairs that are no edges."""

    task: Literal["link prediction"] = Field(..., description="node classification or link prediction.")
    file_name: str | None = Field(
        None,
        description="Link file: a path or <dataset.split>. Each line is 'head tail label', label 1 for an edge "
        "and 0 for none; or each is 'head tail', an edge, and pairs that are no edges are drawn.",
    )
    H: tuple[Name, ...] = Field((), description="Heads in place of a file.")
    T: tuple[Name, ...] = Field((), description="Tails in place of a file.")
    Y: tuple[Annotated[Integer, Field(ge=0, le=1)], ...] = Field((), description="1 or 0 for each of H and T.")
    filter_file: str | None = Field(
        None, description="Edges to leave out of the evaluation, usually those trained on: a path or <dataset.split>."
    )
    filter_H: tuple[Name, ...] = Field((), description="Heads of edges to leave out, in place of a file.")  # noqa: N815  GraphVite\'s key
    filter_T: tuple[Name, ...] = Field((), description="Tails of edges to leave out, in place of a file.")  # noqa: N815  GraphVite\'s key
    fraction: Portion | None = Field(
        None,
        description="Without a file: hold out this share of the edges before training and judge on them and on "
        "num_negative times as many pairs that are no edges.",
    )
    num_negative: Annotated[Integer, Field(ge=1, le=10_000)] = Field(
        1, description="Pairs that are no edges to draw for each edge, with fraction or a file of two columns."
    )
    seed: Annotated[Integer, Field(ge=0, lt=2**32)] = Field(
        0, description="Seed of the held-out edges and of the pairs that are no edges."
    )
    unknown_nodes: Unknown = Field("auto", description=_UNKNOWN_HELP)


EvaluateConfig = Annotated[NodeClassification | LinkPrediction, Field(discriminator="task")]
"""One task of the section ``evaluate``."""

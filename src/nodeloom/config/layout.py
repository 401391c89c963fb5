"""Section ``layout``: how a map is made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nodeloom.config.section import Integer, Number, Section, ignoring_case

Metric = Literal["auto", "euclidean", "cosine", "inner_product"]


class AnyLayoutConfig(Section):
    """Neighbors, affinities and dimensions of a map of any kind."""

    dim: Annotated[Integer, Field(ge=2, le=3)] = Field(2, description="Dimensions of the map: 2 or 3.")
    perplexity: Annotated[Number, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        "auto",
        description="Effective number of neighbors of a point. auto: two thirds of num_neighbor, which is 10 by default.",
    )
    num_neighbor: Annotated[Integer, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        "auto",
        description="Neighbors of a point that attract it. auto: one and a half times the perplexity, 15 by default.",
    )
    metric: Metric = Field(
        "auto",
        description="Which neighbors are near: euclidean, cosine, or inner_product (the largest). auto: cosine for vectors of nodes, "
        "else euclidean.",
    )
    lr: Annotated[Number, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description="Learning rate. auto: of t-SNE the number of points over the exaggeration, at most half of it, a tenth for 1,000 "
        "points; of LargeVis 1, falling to 0.",
    )
    label_weight: Annotated[Number, Field(ge=0, le=1)] = Field(
        0.5,
        description="How much labels given to fit count: attraction of points with different labels is reduced by this part.",
    )
    seed: Annotated[Integer, Field(ge=0, lt=2**64)] = Field(0, description="Seed of the random numbers.")


class LayoutConfig(AnyLayoutConfig):
    """The optimization of t-SNE."""

    exaggeration: Annotated[Number, Field(gt=0, le=100)] = Field(
        1.0,
        description="What attraction is multiplied by. 1 is t-SNE, which keeps most neighbors; 2 shows gaps between groups; 4 looks like "
        "UMAP.",
    )
    early_exaggeration: Annotated[Number, Field(gt=0, le=100)] = Field(
        12.0, description="The same in the first two sevenths of the iterations, which place groups as a whole."
    )
    num_iteration: Annotated[Integer, Field(ge=1, le=1_000_000)] | Literal["auto"] = Field(
        "auto", description="Iterations. auto: 350, and up to 750 for more than 200,000 points."
    )


class LargeVisConfig(AnyLayoutConfig):
    """The optimization of LargeVis."""

    num_epoch: Annotated[Integer, Field(ge=1, le=1_000_000)] = Field(
        50, description="Passes over the edges between neighbors: in one, as many edges are drawn as there are."
    )
    num_negative: Annotated[Integer, Field(ge=0, le=10_000)] = Field(
        5, description="Points that are drawn at random and pushed away, for each edge."
    )
    negative_weight: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        3.0,
        description="Weight of a negative. 1 gives dense islands, 7 keeps more neighbors, and may tear groups apart.",
    )
    sharpness: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        1.0, description="a of the score 1 / (1 + a d^2) of two points at a distance d."
    )
    schedule: Annotated[Literal["linear", "constant"], ignoring_case("linear", "constant")] = Field(
        "linear", description="Learning rate over time: linear falls to 0, constant stays, and leaves the map noisy."
    )

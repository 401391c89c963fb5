"""Section ``build``: the optimizer and how samples are cut into pieces."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from nodeloom.config.optimizer import OptimizerConfig
from nodeloom.config.section import Integer, Section


class BuildConfig(Section):
    """Optimizer, negatives, and the sizes of GraphVite's blocks."""

    optimizer: OptimizerConfig = Field(
        OptimizerConfig.model_construct(),
        description="The optimizer: auto, a name, a learning rate, or the keys below.",
    )
    num_partition: Annotated[Integer, Field(ge=1, le=4096)] | Literal["auto"] = Field(
        "auto",
        description="Parts that each of the two tables is cut into, of which a device trains two at a time. auto: 1 if the "
        "tables fit, else what moves least; a number above 1 forces it. With several workers: the parts of the context table in all, a "
        "multiple of the workers.",
    )
    num_negative: Annotated[Integer, Field(ge=1, le=10_000)] = Field(
        1,
        description="Negatives per positive pair. Together with negative_weight it says how hard strangers are pushed "
        "apart; only the product of the two matters much.",
    )
    batch_size: Annotated[Integer, Field(ge=1, le=10**12)] = Field(
        100000, description="GraphVite's pairs per transfer to a GPU. Here it is the unit of log_frequency only."
    )
    episode_size: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="GraphVite's batches per block of partitions. No effect: episodes are as long as memory allows.",
    )

    @field_validator("num_partition", mode="before")
    @classmethod
    def _zero_is_auto(cls, value: Any) -> Any:
        """Take GraphVite's number for ``auto``, which its files have here."""
        return "auto" if value == 0 and not isinstance(value, bool) else value

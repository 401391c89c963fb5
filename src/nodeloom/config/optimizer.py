"""Section ``build.optimizer``: how a gradient moves a vector."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer, model_validator

from nodeloom.config.section import AUTO, Number, Section, ignoring_case

OptimizerType = Literal["SGD", "Momentum", "AdaGrad", "RMSprop", "Adam"]

OWN_KEYS: dict[str, tuple[str, ...]] = {
    "SGD": (),
    "Momentum": ("momentum",),
    "AdaGrad": ("epsilon",),
    "RMSprop": ("alpha", "epsilon"),
    "Adam": ("beta1", "beta2", "epsilon"),
}
"""The keys of single optimizers; lr, weight_decay and schedule belong to all of them."""


class OptimizerConfig(Section):
    """An optimizer; a bare name (``Adam``) or a bare learning rate (``0.01``) is accepted too, as is ``auto``."""

    type: Annotated[OptimizerType, ignoring_case(*OWN_KEYS)] = Field(
        "SGD",
        description="SGD needs no extra memory. Momentum, AdaGrad and RMSprop keep one more table of the size of the "
        "vectors, Adam two.",
    )
    lr: Annotated[Number, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="Learning rate at the start. auto: chosen from the optimizer and, for SGD, num_epoch."
    )
    weight_decay: Annotated[Number, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="Pull of every trained vector towards zero; 0 is none."
    )
    schedule: Annotated[Literal["linear", "constant"], ignoring_case("linear", "constant")] | Callable[..., Any] = (
        Field(
            "linear",
            description="Learning rate over time: linear falls to 1/10000 of lr at the end, constant stays. In Python "
            "also a function (done, total) -> factor.",
        )
    )
    momentum: Annotated[Number, Field(ge=0, lt=1)] = Field(
        0.9,
        description="Momentum only: share of the old direction kept in each step. GraphVite has 0.999.",
    )
    epsilon: Annotated[Number, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="AdaGrad, RMSprop, Adam: keeps the divisor from zero. auto: 1e-10 for AdaGrad, else 1e-8."
    )
    alpha: Annotated[Number, Field(ge=0, lt=1)] = Field(
        0.999, description="RMSprop only: share of the old squared gradient kept in each step."
    )
    beta1: Annotated[Number, Field(ge=0, lt=1)] = Field(
        0.9, description="Adam only: share of the old gradient kept in each step. GraphVite has 0.999."
    )
    beta2: Annotated[Number, Field(ge=0, lt=1)] = Field(
        0.999, description="Adam only: share of the old squared gradient kept in each step. GraphVite has 0.99999."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {} if value == AUTO else {"type": value}
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return {"lr": value}
        return value

    @field_serializer("schedule", when_used="json")
    def _name_of_schedule(self, value: Any) -> str:
        """Write a function as its name: a file can say which it was, not bring it back."""
        return value if isinstance(value, str) else f"function {getattr(value, '__qualname__', repr(value))}"

    @property
    def resolved_epsilon(self) -> float:
        """``epsilon`` as a number."""
        if self.epsilon != "auto":
            return float(self.epsilon)
        return 1e-10 if self.type == "AdaGrad" else 1e-8

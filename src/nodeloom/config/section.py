"""What all sections of the configuration have in common.

Modules of sections do not postpone the evaluation of annotations: pydantic would compile each of them from text, for every class that
inherits it, which is a tenth of the import.
"""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

AUTO = "auto"


def check_no_switch(value: object) -> object:
    """Keep ``true`` from becoming 1: a switch where a number belongs is a mistake."""
    if isinstance(value, bool):
        raise ValueError("a number, not a switch")
    return value


Integer = Annotated[int, BeforeValidator(check_no_switch)]
"""An int that does not accept true and false."""

Number = Annotated[float, BeforeValidator(check_no_switch), Field(allow_inf_nan=False)]
"""A finite float that does not accept true and false."""


def ignoring_case(*names: str) -> BeforeValidator:
    """Accept each of `names` in any spelling of case; anything else is passed on to be refused."""
    canonical = {name.lower(): name for name in names}
    return BeforeValidator(lambda value: canonical.get(value.lower(), value) if isinstance(value, str) else value)


def accepts_auto(annotation: Any) -> bool:
    """Tell whether `annotation` lists the literal ``"auto"`` among its choices."""
    if typing.get_origin(annotation) is Literal:
        return AUTO in typing.get_args(annotation)
    if typing.get_origin(annotation) is Annotated:
        return accepts_auto(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return any(accepts_auto(choice) for choice in typing.get_args(annotation))
    return False


class Section(BaseModel):
    """A frozen group of keys; unknown keys are refused.

    A key without a value (``file_name:`` in YAML) is as good as absent. So is ``auto`` for a key whose default is a
    plain value: GraphVite allows ``auto`` everywhere, and what the program would choose is the default.
    """

    # Help and completion look at the fields only: validators are built with the first value. A section as a default is
    # therefore made by model_construct, which needs none.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=False, use_attribute_docstrings=False, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {
            key: value
            for key, value in values.items()
            if key not in cls.model_fields
            or not (value is None or (isinstance(value, str) and value == AUTO and cls._auto_is_default(key)))
        }

    @classmethod
    def _auto_is_default(cls, key: str) -> bool:
        field = cls.model_fields.get(key)
        return field is not None and not field.is_required() and not accepts_auto(field.annotation)

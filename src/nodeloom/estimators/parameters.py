"""Parameters of an estimator: kept as given, checked when used, as scikit-learn wants it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from nodeloom.errors import ConfigError

Self = TypeVar("Self", bound="Parameters")


class Parameters:
    """``get_params``, ``set_params`` and ``repr`` from the signature of ``__init__``; scikit-learn's ``clone`` works with it."""

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        signature = inspect.signature(cls.__init__)
        return {name: p.default for name, p in signature.parameters.items() if name != "self"}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters as they were given.

        Parameters
        ----------
        deep : bool
            For scikit-learn; there are no nested estimators.
        """
        del deep
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self: Self, **params: Any) -> Self:
        """Change parameters by name and return the estimator.

        Raises
        ------
        ConfigError
            If there is no such parameter.
        """
        known = self._defaults()
        for name, value in params.items():
            if name not in known:
                raise ConfigError(f"{type(self).__name__}.{name}: unknown parameter. Allowed: {', '.join(known)}.")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn (1.6 and later; the only one that asks) that this is a transformer of something else than arrays."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(),
            input_tags=InputTags(two_d_array=False),
            no_validation=True,
            non_deterministic=not getattr(self, "deterministic", False),
        )

    def __repr__(self) -> str:
        defaults = self._defaults()
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if not _same(value, defaults[name])]
        return f"{type(self).__name__}({', '.join(changed)})"


def _same(a: object, b: object) -> bool:
    return a is b or (type(a) is type(b) and not isinstance(a, Mapping) and a == b)

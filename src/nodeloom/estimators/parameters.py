"""Parameters of an estimator: kept as given, checked when used, as scikit-learn wants it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from nodeloom.keywords import check_call, check_names

Self = TypeVar("Self", bound="Parameters")


class Parameters:
    """``get_params``, ``set_params`` and ``repr`` from the signature of ``__init__``; scikit-learn's ``clone`` works with it."""

    def __new__(cls: type[Self], *args: Any, **parameters: Any) -> Self:
        """Refuse a parameter that there is not, before ``__init__`` does so without saying which there are."""
        signature = inspect.signature(cls.__init__)
        known = signature.parameters
        if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            check_names(cls.__name__, parameters, cls._defaults())
            check_call(cls.__name__, signature, None, *args, **parameters)
        return super().__new__(cls)

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Return the defaults of all parameters by name: `dim`, those of the model itself, those that it shares with others."""
        own = inspect.get_annotations(cls)
        known = [(name, p.default) for name, p in inspect.signature(cls.__init__).parameters.items() if name != "self"]
        return dict(sorted(known, key=lambda parameter: (parameter[0] != "dim", parameter[0] not in own)))

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
        ParameterError
            If there is no such parameter; then none is changed.
        """
        check_names(type(self).__name__, params, self._defaults())
        for name, value in params.items():
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

"""From the parameters of an estimator to the sections of the configuration, and the model that an error leaves behind."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from nodeloom.errors import ConfigError, describe
from nodeloom.estimators.fitted import path_of
from nodeloom.estimators.parameters import Parameters

if TYPE_CHECKING:
    from nodeloom.engine import Settings
    from nodeloom.typing import Auto


class Configured(Parameters, abc.ABC):
    """An estimator that an engine trains, by the keys of the configuration of its model."""

    _model: ClassVar[str]
    verbose: bool | Auto

    @abc.abstractmethod
    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there are vectors."""

    @abc.abstractmethod
    def _take(self, *training: Any) -> None:
        """Become the model of a training."""

    def _settings(self) -> Settings:
        """Check all parameters and return them as sections of the configuration.

        Raises
        ------
        ConfigError
            Names every parameter that is not allowed.
        """
        where = type(self).__name__
        params = self.get_params()
        optimizer = params.pop("optimizer")
        values = dict(optimizer) if isinstance(optimizer, Mapping) else {"type": optimizer}
        for key in ("lr", "weight_decay", "schedule"):
            given = params.pop(key)
            if key in values and given not in (values[key], self._defaults()[key]):
                raise ConfigError(
                    describe(f"{where}.{key}", expected=f"that of optimizer ({values[key]!r}), or none", got=given)
                )
            values.setdefault(key, given)
        return self._sections(params, values)

    def _sections(self, params: Mapping[str, Any], optimizer: Mapping[str, Any]) -> Settings:
        """Put parameters into the sections they belong to, and check them and the keys of the optimizer."""
        from nodeloom.config import (
            BuildConfig,
            OptimizerConfig,
            ResourceConfig,
            check_training,
            validated,
        )
        from nodeloom.config.notices import of_removed, of_renamed
        from nodeloom.config.train import kind_of
        from nodeloom.engine import Settings
        from nodeloom.estimators.progress import checked_verbose
        from nodeloom.log import logger
        from nodeloom.transport.torchrun import num_workers

        where = type(self).__name__
        checked_verbose(where, self.verbose)
        kind = kind_of(self._model)
        sections: dict[str, dict[str, Any]] = {"train": {"model": self._model}, "build": {}, "resource": {}}
        for name, value in params.items():
            if name == "verbose":
                continue
            home = next(
                key
                for key, section in (("train", kind), ("build", BuildConfig), ("resource", ResourceConfig))
                if name in section.model_fields
            )
            sections[home][name] = value
        checked = validated(OptimizerConfig, dict(optimizer), where)
        settings = Settings(
            train=validated(kind, sections["train"], where),
            build=validated(BuildConfig, {**sections["build"], "optimizer": checked}, where),
            resource=validated(ResourceConfig, sections["resource"], where),
        )
        check_training(train=settings.train, optimizer=checked, resource=settings.resource, where=where)
        for sentence in (*of_removed(settings.train), *of_renamed(settings.resource)):
            logger.warning(sentence)
        if "num_worker" in params:
            num_workers(settings.resource, f"{where}.num_worker")  # that is what torchrun has started
        return settings

    @staticmethod
    def _run_options(
        callbacks: Iterable[Any] | None, checkpoint: Any, checkpoint_interval: float, resume: Any
    ) -> dict[str, Any]:
        """Check what :meth:`fit` is told about a run; return it as :func:`nodeloom.engine.train` takes it.

        Raises
        ------
        ConfigError, ParameterError
            A value is none that it may be.
        """
        from nodeloom.engine.progress import checked_callbacks

        told = checked_callbacks(callbacks)
        kept = None if checkpoint is None else path_of("checkpoint", checkpoint)
        begun = None if resume is None else path_of("resume", resume)
        if not isinstance(checkpoint_interval, int | float) or not checkpoint_interval >= 0:
            raise ConfigError(describe("checkpoint_interval", expected="seconds >= 0", got=checkpoint_interval))
        return {"callbacks": told, "checkpoint": kept, "checkpoint_interval": checkpoint_interval, "resume": begun}

    @contextmanager
    def _keeping(self) -> Iterator[Callable[..., None]]:
        """Give what takes over a training that is about to end by an error, and say so with the error."""
        kept = []

        def keep(*training: Any) -> None:
            self._take(*training)
            kept.append(True)

        try:
            yield keep
        except BaseException as error:
            if kept and self.__sklearn_is_fitted__():
                error.add_note("The model keeps the vectors learned so far: partial_ is True.")
            raise

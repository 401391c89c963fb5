"""What all maps share: fitting, new points, files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from nodeloom.errors import ConfigError, ModelError, OutputError, describe
from nodeloom.estimators.fitted import NotFittedError, not_fitted, path_of
from nodeloom.estimators.parameters import Parameters
from nodeloom.keywords import known_keywords

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nodeloom.config import ResourceConfig
    from nodeloom.config.layout import AnyLayoutConfig
    from nodeloom.engine.layout import Held, LayoutPlan, LayoutResult
    from nodeloom.estimators.map_data import MapData
    from nodeloom.io.model_data import ModelData
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import Auto, FloatArray

Self = TypeVar("Self", bound="Map")

MAP_FITTED = ("coordinates_", "names_", "report_", "history_", "partial_", "n_features_in_")


@dataclass(kw_only=True, eq=False, repr=False)
class MapParameters(Parameters):
    """The parameters that all maps have."""

    dim: int = field(default=2, kw_only=False)
    perplexity: float | Auto = "auto"
    num_neighbor: int | Auto = "auto"
    metric: str = "auto"
    lr: float | Auto = "auto"
    label_weight: float = 0.5
    num_thread: int | Auto = "auto"
    seed: int = 0
    device: str = "auto"
    gpu_memory_limit: int | str = "auto"
    memory_limit: int | str = "auto"
    verbose: bool | Auto = "auto"


class Map(MapParameters):
    """Base of the maps; see :class:`nodeloom.TSNE` for parameters and attributes."""

    _section: ClassVar[str] = "LayoutConfig"
    """The section of the configuration that has the parameters."""

    coordinates_: FloatArray
    names_: Vocabulary | None
    report_: dict[str, Any]
    history_: list[dict[str, Any]]
    partial_: bool
    n_features_in_: int
    _vectors: FloatArray | None
    _made: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name in MAP_FITTED and "coordinates_" not in vars(self):
            raise self._not_fitted()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_is_fitted__(self) -> bool:
        return "coordinates_" in vars(self)

    def _repr_html_(self) -> str | None:
        """Show a fitted map of two dimensions in a notebook: the page, in a frame that reaches nothing outside of it."""
        from nodeloom.figures import MapPoints
        from nodeloom.figures.page import notebook_page

        if not self.__sklearn_is_fitted__() or self.coordinates_.shape[1] != 2:
            return None
        names = None if self.names_ is None else self.names_.to_list()
        return notebook_page(MapPoints.of(self.coordinates_, names=names))

    def __len__(self) -> int:
        return len(self.coordinates_)

    def _not_fitted(self) -> NotFittedError:
        return not_fitted(f"{type(self).__name__}: not fitted yet. Call fit(X) first.")

    @classmethod
    def _config_type(cls) -> type[AnyLayoutConfig]:
        from nodeloom.config import layout

        kind: type[AnyLayoutConfig] = getattr(layout, cls._section)
        return kind

    def _settings(self) -> tuple[AnyLayoutConfig, ResourceConfig]:
        """Check all parameters."""
        from nodeloom.config import ResourceConfig, validated
        from nodeloom.estimators.progress import checked_verbose

        where, params = type(self).__name__, self.get_params()
        checked_verbose(where, params.pop("verbose"))
        layout = {name: params[name] for name in params if name in self._config_type().model_fields}
        resource = {name: params[name] for name in params if name not in layout}
        return validated(self._config_type(), layout, where), validated(ResourceConfig, resource, where)

    def plan(self, X: object, *, compiled_only: bool = False) -> LayoutPlan:
        """Say what fitting will do and cost: memory, and the time of the iterations, measured on this machine, before anything runs.

        Parameters
        ----------
        X : array [N, D], NeighborGraph, sparse array [N, N], Graph or fitted model
            The data, as :meth:`fit` takes it.
        compiled_only : bool
            Leave the time unknown if kernels would have to be compiled to measure it, which takes seconds.

        Returns
        -------
        LayoutPlan
            Printable; ``rows()`` for tables, ``to_dict()`` for programs.

        Raises
        ------
        ConfigError, DataError, GraphError, MemoryLimitError
            If fitting would be refused.
        """
        from nodeloom.engine.layout.calibrate import with_seconds

        plan, data = self._planned(X, warm=False)
        return with_seconds(plan, data.task().num_value, compiled_only=compiled_only)

    def _planned(self, X: object, *, warm: bool) -> tuple[LayoutPlan, MapData]:
        from nodeloom.engine.layout import make_layout_plan
        from nodeloom.estimators.map_data import map_data

        layout, resource = self._settings()
        data = map_data(type(self).__name__, X)
        return make_layout_plan(type(self).__name__, data.task(), layout, resource, warm=warm), data

    @known_keywords()
    def fit(
        self: Self,
        X: object,
        y: object = None,
        *,
        init: Map | FloatArray | None = None,
        hold: float = 0.0,
        callbacks: Iterable[Any] | None = (),
    ) -> Self:
        """Make a map.

        Parameters
        ----------
        X : array [N, D], NeighborGraph, sparse array [N, N], Graph or fitted model
            Vectors of any numbers; neighbors; affinities, of which both directions are added up; a graph, of which the ends of
            edges attract each other (two fifths of all attraction) and the neighbors by vectors of propagation; a model of nodes,
            whose vectors are taken.
        y : iterable of N labels, optional
            Weak supervision: neighbors of different labels attract each other less, see `label_weight`. None, NaN, -1 and "" are unknown.
        init : map or float [M, dim], optional
            Where points begin: at their places in an earlier map, by name, or row by row where there are no names; the first M if there are
            more now. New points begin among their neighbors. The result is laid onto the earlier map: maps that begin with each other
            are aligned.
        hold : float
            How strongly points are held at their places in `init`; 1 is as strong as their neighbors.
        callbacks : iterable
            Objects with any of ``on_train_begin(plan)``, ``on_pool_end(progress)`` (every ten iterations; ``progress.snapshot()``
            is the map at that moment), ``on_train_end(report)``. If ``on_pool_end`` returns True, it ends there and the map is `partial_`.

        Returns
        -------
        self

        Raises
        ------
        ConfigError, ParameterError
            If a parameter is not allowed.
        DataError, GraphError
            If there is nothing to make a map of: NaN, fewer than 4 points, rows that are all the same.
        MemoryLimitError
            If it does not fit the memory.
        TrainingError
            If the map diverges. NaN is never returned.
        TrainingInterrupted
            After Ctrl-C or SIGTERM; it is a KeyboardInterrupt. The map is as it was then, and is `partial_`.
        """
        from nodeloom.engine.layout import run_layout
        from nodeloom.engine.layout.components import Components
        from nodeloom.engine.layout.largevis import widened
        from nodeloom.engine.layout.start import laid_onto, turned
        from nodeloom.engine.progress import checked_callbacks
        from nodeloom.estimators.map_affinities import affinities_of, label_numbers, supervised
        from nodeloom.estimators.map_start import Earlier
        from nodeloom.estimators.progress import shown_progress

        told = checked_callbacks(callbacks)
        plan, data = self._planned(X, warm=init is not None)
        labels = label_numbers(y, data.num_points)
        earlier = None
        if isinstance(init, Map):
            earlier = Earlier.of(init.coordinates_, init.names_, data, plan.dim)
        elif init is not None:
            earlier = Earlier.of(np.asarray(init), None, data, plan.dim)
        if isinstance(hold, bool) or not isinstance(hold, int | float) or not 0 <= hold < float("inf"):
            raise ConfigError(describe("hold", expected="a number >= 0", got=hold))
        if hold and earlier is None:
            raise ConfigError(describe("hold", expected="0 without init", got=hold))
        if hold and plan.num_epoch:
            raise ConfigError(describe("hold", expected=f"0 for {plan.model}", got=hold, hint="TSNE holds points."))
        with shown_progress(type(self).__name__, self.verbose) as shown, self._keeping() as keep:
            affinities, start = affinities_of(data, plan, with_start=earlier is None)
            if labels is not None:
                affinities = supervised(affinities, labels, self._settings()[0].label_weight)
            if earlier is not None:
                start = earlier.start(affinities)
            parts = Components.of(affinities, together=earlier is not None) if data.is_graph else None
            laid = slice(None) if parts is None else parts.laid
            if earlier is None and plan.num_epoch:
                start = widened(start)

            def placed(coordinates: FloatArray) -> FloatArray:
                whole = coordinates if parts is None else parts.whole(coordinates)
                if earlier is None:
                    return whole
                whole = whole if hold else laid_onto(whole, start, earlier.known)
                return whole if parts is None else earlier.restored(whole, parts.laid)

            def finished(result: LayoutResult) -> FloatArray:
                return turned(result.coordinates) if earlier is None else result.coordinates

            result = run_layout(
                plan if parts is None else replace(plan, num_points=len(parts.laid)),
                affinities if parts is None else parts.of_laid(),
                start[laid],
                self._held(earlier, start, laid, hold),
                callbacks=(*told, *shown),
                place=placed,
                keep=lambda result: keep(data, plan, finished(result), result),
            )
        self._take(data, plan, finished(result), result)
        return self

    def _held(self, earlier: Any, start: FloatArray, laid: Any, hold: float) -> Held:
        from nodeloom.engine.layout import Held

        if earlier is None or not hold:
            return Held.nothing(start.shape[1])
        anchors = start[laid].copy()
        return Held(anchors, (earlier.known[laid] * (hold / len(anchors))).astype(np.float32))

    def _take(self, data: MapData, plan: LayoutPlan, coordinates: FloatArray, result: LayoutResult) -> None:
        """Become the map of a run."""
        layout, resource = self._settings()
        self.coordinates_, self.names_ = coordinates, data.names
        self.report_, self.history_, self.partial_ = result.report.to_dict(), result.history, result.is_partial
        vars(self).pop("n_features_in_", None)
        self._vectors = data.vectors
        if data.vectors is not None:
            self.n_features_in_ = data.vectors.shape[1]
        self._made = {
            "config": {
                "train": {"model": type(self).__name__},
                "resource": resource.model_dump(mode="json", exclude={"dim"}),
                "layout": layout.model_dump(mode="json"),
            },
            "metric": plan.metric,
            "scale": data.scale,
            "num_neighbor": plan.num_neighbor,
            "perplexity": plan.perplexity,
        }

    @contextmanager
    def _keeping(self) -> Iterator[Any]:
        """Give what takes over a map that is about to end by an error, and say so with the error."""
        kept = []

        def keep(*made: Any) -> None:
            self._take(*made)
            kept.append(True)

        try:
            yield keep
        except BaseException as error:
            if kept:
                error.add_note("The map keeps the coordinates so far: partial_ is True.")
            raise

    def fit_transform(self, X: object, y: object = None, **options: Any) -> FloatArray:
        """Fit and return the coordinates, float32 [N, dim]; `options` as in :meth:`fit`."""
        return self.fit(X, y, **options).coordinates_

    def transform(self, X: object = None) -> FloatArray:
        """Return the coordinates of new vectors, float32 [M, dim]; the points of the map stay where they are.

        Each new point is attracted by its neighbors in the map and repelled by all points of the map, and does not feel other new points.
        A vector of the map itself is at its place.

        Parameters
        ----------
        X : array [M, D], optional
            Vectors like those of :meth:`fit`. None: all coordinates of the map.

        Raises
        ------
        DataError
            If they have another number of values, or hold NaN.
        ModelError
            If the map has no vectors: it was made of neighbors, affinities or a graph, or saved without.
        """
        from nodeloom.estimators.map_start import transformed

        coordinates = self.coordinates_
        if X is None:
            return coordinates
        if self._vectors is None:
            hint = "Fit a map of vectors; or fit the data together with the new points, with init= this map."
            raise ModelError(
                describe(f"{type(self).__name__}.transform", expected="a map of vectors", got="none", hint=hint)
            )
        layout, resource = self._settings()
        exaggeration = getattr(layout, "exaggeration", 1.0)
        return transformed(X, self._vectors, coordinates, self._made, exaggeration, resource, type(self).__name__)

    def save(self, path: str | os.PathLike[str], *, vectors: bool = True) -> Path:
        """Write the map to a ``.safetensors`` file, atomically, and return the path; :func:`nodeloom.load` reads it.

        Parameters
        ----------
        path : path
            The file.
        vectors : bool
            Whether the vectors that it was made of are written, too; :meth:`transform` needs them.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        from nodeloom.io.model_data import ModelData
        from nodeloom.io.model_file import model_path, write_model
        from nodeloom.io.vocabulary import Vocabulary

        coordinates = self.coordinates_
        wanted = path_of("save", path)
        if wanted.is_dir():
            raise OutputError(describe(wanted, expected="the path of a file", got="a folder", hint="Add a file name."))
        target = model_path(wanted)
        tensors, rows = {"point": np.ascontiguousarray(coordinates)}, {"point": "point"}
        if vectors and self._vectors is not None:
            tensors["source"], rows["source"] = self._vectors, "point"
        names = self.names_ if self.names_ is not None else Vocabulary.range(len(coordinates))
        made = {key: value for key, value in self._made.items() if key != "config"}
        state = {
            "finished": not self.partial_,
            "report": self.report_,
            "map": {**made, "named": self.names_ is not None},
        }
        write_model(target, ModelData(tensors, rows, {"point": names}, self._made["config"], state))
        return target

    def _take_file(self, data: ModelData) -> None:
        """Become the map that a file holds."""
        made = data.state.get("map")
        checks = {"metric": str, "scale": float, "num_neighbor": int, "perplexity": float, "named": bool}
        if not isinstance(made, dict) or not all(isinstance(made.get(key), kind) for key, kind in checks.items()):
            hint = "The file is damaged."
            raise ModelError(describe(data.where, expected="how the map was made", got=made, hint=hint))
        self.coordinates_ = data.tensors["point"]
        self.names_ = data.vocabularies["point"] if made["named"] else None
        self.report_, self.history_ = data.state.get("report", {}), []
        self.partial_ = data.state.get("finished", True) is not True
        self._vectors = data.tensors["source"] if data.rows.get("source") == "point" else None
        if self._vectors is not None:
            self.n_features_in_ = self._vectors.shape[1]
        self._made = {**{key: made[key] for key in checks if key != "named"}, "config": data.config}

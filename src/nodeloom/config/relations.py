"""Rules between keys, all in one place. What holds for one key alone stands in its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nodeloom.config.optimizer import OWN_KEYS, OptimizerConfig
from nodeloom.config.resource import OLD_PARALLELISM, ResourceConfig
from nodeloom.config.train import NodeTrain, SpectralTrain, TrainSection, TripleTrain
from nodeloom.errors import ConfigError, describe
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.config.evaluate import LinkPrediction, NodeClassification
    from nodeloom.config.graph import GraphConfig
    from nodeloom.config.tree import Config


class Problem(NamedTuple):
    """A broken rule: the key to blame, what would be allowed, what is there, what to do."""

    path: tuple[str | int, ...]
    expected: str
    got: object
    hint: str = ""

    def message(self, where: str) -> str:
        """Return the sentence for the user, `where` standing for the place of the key."""
        return describe(where, expected=self.expected, got=self.got, hint=self.hint)


def of_training(
    *,
    train: TrainSection | None = None,
    optimizer: OptimizerConfig | None = None,
    resource: ResourceConfig | None = None,
) -> Iterator[Problem]:
    """Yield the broken rules among the parameters of an estimator."""
    if isinstance(train, NodeTrain):
        yield from _of_walks(train)
    if train is not None:
        yield from _of_order(train)
    if optimizer is not None:
        yield from _of_optimizer(optimizer)
    alone = isinstance(train, NodeTrain) and train.deterministic
    if alone and resource is not None and resource.threads not in ("auto", 1):
        yield Problem(
            ("resource", "num_thread"),
            f"1 thread, since {setting('train.deterministic')} is set",
            resource.threads,
            f"Leave {setting('resource.num_thread')} out, or give up determinism.",
        )
    if resource is not None:
        yield from _of_parallelism(resource)
        yield from _of_device(resource, deterministic=train is not None and train.deterministic)
    if train is not None and resource is not None and resource.num_worker != "auto":
        yield from of_workers(train, resource.num_worker)


def of_workers(train: TrainSection, num_worker: int) -> Iterator[Problem]:
    """Yield what several workers cannot do yet."""
    if num_worker == 1:
        return
    if isinstance(train, TripleTrain):
        yield Problem(
            ("resource", "num_worker"),
            f"1, since {setting('train.model')} is {train.model}",
            num_worker,
            "Models of knowledge graphs are trained in one process.",
        )
    if isinstance(train, SpectralTrain):
        yield Problem(
            ("resource", "num_worker"),
            f"1, since {setting('train.model')} is {train.model}",
            num_worker,
            "It is computed in one process, in seconds.",
        )


def _of_parallelism(resource: ResourceConfig) -> Iterator[Problem]:
    old = OLD_PARALLELISM.get(resource.worker_tables, resource.parallelism)
    if old != resource.parallelism:
        yield Problem(
            ("resource", "worker_tables"),
            f"no such key beside {setting('resource.parallelism', resource.parallelism)}",
            resource.worker_tables,
            "It is the old name. Leave it out.",
        )


def _of_device(resource: ResourceConfig, *, deterministic: bool) -> Iterator[Problem]:
    kind, _, number = resource.device.partition(":")
    if kind == "cuda" and deterministic:
        yield Problem(
            ("resource", "device"),
            f"'auto' or 'cpu', since {setting('train.deterministic')} is set",
            resource.device,
            f"Only the CPU repeats a training to the last bit: leave {setting('resource.device')} out, or give up determinism.",
        )
    if number and resource.gpus and int(number) not in resource.gpus:
        yield Problem(
            ("resource", "device"),
            f"a device among {setting('resource.gpus')} ({', '.join(f'cuda:{gpu}' for gpu in resource.gpus)})",
            resource.device,
            "Give one of the two.",
        )


def _of_walks(train: NodeTrain) -> Iterator[Problem]:
    step, length = train.augmentation_step, train.random_walk_length
    if step != "auto" and length != "auto" and step > length:
        yield Problem(
            ("train", "augmentation_step"),
            f"at most {setting('train.random_walk_length')} ({length})",
            step,
            "No two nodes of a walk are further apart than it is long. "
            f"Raise {setting('train.random_walk_length')} or lower {setting('train.augmentation_step')}.",
        )


def _of_order(train: TrainSection) -> Iterator[Problem]:
    order = train.order if isinstance(train, NodeTrain) else train.foreign.get("order", 2)
    if order != 2 and train.model != "LINE":
        yield Problem(
            ("train", "order"),
            f"2, since {setting('train.model')} is {train.model}",
            order,
            "Only LINE has other orders.",
        )


def _of_optimizer(optimizer: OptimizerConfig) -> Iterator[Problem]:
    own = OWN_KEYS[optimizer.type]
    for key in dict.fromkeys(key for keys in OWN_KEYS.values() for key in keys):
        value = getattr(optimizer, key)
        if key not in own and key in optimizer.model_fields_set:
            users = ", ".join(name for name, keys in OWN_KEYS.items() if key in keys)
            yield Problem(
                ("build", "optimizer", key), f"no such key for {optimizer.type}", value, f"It belongs to {users}."
            )


def of_config(config: Config) -> Iterator[Problem]:
    """Yield the broken rules of a whole configuration."""
    yield from of_training(train=config.train, optimizer=config.build.optimizer, resource=config.resource)
    yield from _of_graph(config.graph)
    if config.application == "word graph":
        yield from _of_words(config.graph)
    nowhere = config.save.checkpoint == "none" or (config.save.checkpoint == "auto" and config.save.file_name is None)
    if config.train.resume and nowhere and config.load.file_name is None:
        yield Problem(
            ("train", "resume"),
            "a checkpoint to go on from",
            True,
            f"Give {setting('save.checkpoint')}, {setting('save.file_name')} or {setting('load.file_name')}, or leave "
            f"{setting('train.resume')} out.",
        )
    if isinstance(config.train, SpectralTrain):
        yield from _of_spectral(config)
    for index, task in enumerate(config.evaluate):
        path = ("evaluate", index)
        if task.task == "node classification":
            yield from _of_node_classification(task, path)
        else:
            yield from _of_link_prediction(task, path)


def _of_spectral(config: Config) -> Iterator[Problem]:
    model = config.train.model
    if config.train.resume:
        yield Problem(
            ("train", "resume"),
            f"false, since {setting('train.model')} is {model}",
            True,
            "It is computed in seconds and keeps no checkpoint: start it again.",
        )
    if config.load.file_name is not None:
        yield Problem(
            ("load", "file_name"),
            f"none, since {setting('train.model')} is {model}",
            config.load.file_name,
            "It starts from random vectors. In Python nodeloom.enhance filters vectors of another model.",
        )


def _of_graph(graph: GraphConfig) -> Iterator[Problem]:
    given = [key for key in ("file_name", "edge_list", "weighted_edge_list") if getattr(graph, key)]
    if len(given) != 1:
        yield Problem(
            ("graph", given[1] if given else "file_name"),
            "exactly one of file_name, edge_list and weighted_edge_list",
            given or None,
            "Name an edge list or a data set such as <blogcatalog.graph>.",
        )
    if graph.columns is not None and graph.columns[0] == graph.columns[1]:
        yield Problem(("graph", "columns"), "different columns for head and tail", graph.columns)
    if graph.columns is not None and not graph.file_name:
        yield Problem(
            ("graph", "columns"), "a file whose columns these are", graph.columns, f"Give {setting('graph.file_name')}."
        )


def _of_words(graph: GraphConfig) -> Iterator[Problem]:
    for key, expected, hint in (
        ("edge_list", "text files (graph.file_name), since the application is word graph", ""),
        ("weighted_edge_list", "text files (graph.file_name), since the application is word graph", ""),
        (
            "as_undirected",
            "true: two words near each other are near either way",
            f"Leave {setting('graph.as_undirected')} out.",
        ),
    ):
        value = getattr(graph, key)
        if value != type(graph).model_fields[key].default:
            yield Problem(("graph", key), expected, value, hint)


def _of_node_classification(task: NodeClassification, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if (task.file_name is None) == (not task.X and not task.Y):
        yield Problem(
            (*path, "file_name"), "a label file, or X and Y", task.file_name, "Fill it in, or take the task out."
        )
    if len(task.X) != len(task.Y):
        yield Problem((*path, "Y"), f"one label for each of the {len(task.X)} nodes of X", len(task.Y))


def _of_link_prediction(task: LinkPrediction, path: tuple[str | int, ...]) -> Iterator[Problem]:
    sources = (task.file_name is not None) + bool(task.H or task.T) + (task.fraction is not None)
    if sources != 1:
        yield Problem(
            (*path, "file_name"),
            "exactly one of a link file, H with T and Y, and fraction",
            task.file_name,
            "fraction: 0.01 holds out one edge in a hundred before training.",
        )
    if not len(task.H) == len(task.T) == len(task.Y):
        yield Problem((*path, "Y"), "as many heads H, tails T and labels Y", (len(task.H), len(task.T), len(task.Y)))
    if len(task.filter_H) != len(task.filter_T):
        yield Problem((*path, "filter_T"), "as many filter_T as filter_H", (len(task.filter_H), len(task.filter_T)))


def check_training(
    *,
    train: TrainSection | None = None,
    optimizer: OptimizerConfig | None = None,
    resource: ResourceConfig | None = None,
    where: str = "",
) -> None:
    """Raise for the first broken rule among the parameters of an estimator.

    Parameters
    ----------
    train, optimizer, resource
        The sections that the caller has; rules about others are not asked.
    where : str
        Name of the caller, put before the name of the parameter.

    Raises
    ------
    ConfigError
        Names the parameter, what is allowed, what was given and what to do.
    """
    for problem in of_training(train=train, optimizer=optimizer, resource=resource):
        name = str(problem.path[-1])
        raise ConfigError(problem.message(f"{where}.{name}" if where else name))

"""What to say about keys that are accepted for GraphVite's sake but change nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.config.train import TrainSection, models_with
from nodeloom.words import in_words, setting

if TYPE_CHECKING:
    from nodeloom.config.resource import ResourceConfig
    from nodeloom.config.section import Section
    from nodeloom.config.tree import Config

WITHOUT_EFFECT: dict[tuple[str, str], str] = {
    ("build", "episode_size"): "an episode is as long as memory allows",
    ("train", "random_walk_batch_size"): "walks are trained as they are drawn, not held back in batches",
    ("train", "shuffle_base"): "all pairs of a walk are trained together, so there is nothing to spread",
    ("train", "sample_batch_size"): "triples are drawn as they are trained",
    ("train", "hub_threshold"): "all pairs count in full, since weights of hubs cost up to 0.2 of the AUC of edges",
    ("save", "save_hyperparameter"): "a model file always holds the settings it was trained with",
}
"""Keys without a role here, GraphVite's and, for a version, one of ours; and why."""

OLD_NAMES = {("resource", "worker_tables")}
"""Keys that are known for a version under the name that they had before."""

OF_GPUS = ("gpus", "gpu_memory_limit", "table_dtype", "sampler")
"""Keys of the section ``resource`` that act when training on a GPU only."""


def notices(config: Config) -> list[str]:
    """Return one sentence for each key that was set to other than its default but has no effect, in the words of the interface at hand.

    Values that GraphVite writes into every file by default are not worth a word, nor are the defaults themselves.
    """
    found = []
    for (section, key), reason in WITHOUT_EFFECT.items():
        if key != "hub_threshold" and _changed(getattr(config, section), key):
            found.append(f"{setting(f'{section}.{key}')} has no effect: {reason}.")
    found += _of_gpus(config)
    found += _of_application(config)
    found += of_renamed(config.resource)
    train = config.train
    found += of_removed(train)
    idle = [key for key in type(train).model_fields if train.model not in models_with(key) and _changed(train, key)]
    found += [
        f"{setting(f'train.{key}')} has no effect: the model is {train.model}."
        for key in (*idle, *train.foreign)
        if key not in ("p", "q") and ("train", key) not in WITHOUT_EFFECT
    ]
    if {"p", "q"} & {*idle, *train.foreign}:
        found.append(
            f"{setting('train.p')} and {setting('train.q')} have no effect: "
            f"only node2vec walks are steered, and the model is {train.model}."
        )
    for index, task in enumerate(config.evaluate):
        if task.task == "node classification" and "patience" in task.model_fields_set:
            found.append(
                f"evaluate.{index}.patience has no effect: the classifier is solved to its optimum, not stopped early."
            )
    return [in_words(sentence) for sentence in found]


def of_removed(train: TrainSection) -> list[str]:
    """Return a sentence if a key is set that acted in the previous version."""
    threshold = train.foreign.get("hub_threshold", getattr(train, "hub_threshold", "auto"))
    if threshold in ("auto", 0):
        return []
    reason = WITHOUT_EFFECT["train", "hub_threshold"]
    return [
        f"{setting('train.hub_threshold')} has no effect any more: {reason}. Leave it out: the next version does not know it."
    ]


def of_renamed(resource: ResourceConfig) -> list[str]:
    """Return a sentence if a setting is given under its old name."""
    if resource.worker_tables == "auto":
        return []
    return [
        f"{setting('resource.worker_tables')} is called parallelism now: give {setting('resource.parallelism', resource.parallelism)}. "
        "The next version does not know the old name."
    ]


def _changed(group: Section, key: str) -> bool:
    """Tell whether a key was set to other than its default."""
    if isinstance(group, TrainSection) and key in group.foreign:
        return True
    return key in group.model_fields_set and getattr(group, key) != type(group).model_fields[key].default


OF_WORDS, OF_EDGES = ("window", "min_count"), ("format", "weighted", "duplicates", "columns")
"""Keys of the section ``graph`` that act on texts only, and those that act on edges only."""


def _of_application(config: Config) -> list[str]:
    """Return sentences about keys of the graph that belong to another application."""
    words = setting("application", "word graph")
    if config.application == "word graph":
        reason = f"of {words} the files are text"
        return [
            f"{setting(f'graph.{key}')} has no effect: {reason}." for key in OF_EDGES if _changed(config.graph, key)
        ]
    # Told with the default, too: who says window: 5 means that of the walks.
    hint = {"window": f" The window of walks is {setting('train.augmentation_step')}."}
    return [
        f"{setting(f'graph.{key}')} has no effect: it belongs to {words}.{hint.get(key, '')}"
        for key in OF_WORDS
        if key in config.graph.model_fields_set
    ]


def _of_gpus(config: Config) -> list[str]:
    """Return sentences about keys of GPUs: all of them if the CPU is certain to train, else the GPUs left unused."""
    resource = config.resource
    reason = (
        f"{setting('resource.device')} is cpu"
        if resource.device == "cpu"
        else f"{setting('train.deterministic')} trains on the CPU"
        if config.train.deterministic
        else ""
    )
    if reason:
        return [f"{setting(f'resource.{key}')} has no effect: {reason}." for key in OF_GPUS if _changed(resource, key)]
    if len(resource.gpus) > 1 and ":" not in resource.device and resource.num_worker in ("auto", 1):
        return [
            f"{setting('resource.gpus')} names {len(resource.gpus)} GPUs, of which the first that can be used is trained on: several "
            f"workers ({setting('resource.num_worker')}) take them in turn."
        ]
    return []

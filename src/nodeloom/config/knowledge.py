"""The configuration of a knowledge graph: GraphVite's application ``knowledge graph``."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nodeloom.config.relations import Problem, of_config
from nodeloom.config.section import Integer, Section
from nodeloom.config.train import TripleTrain, kind_of
from nodeloom.config.tree import Config, application_of
from nodeloom.words import in_words, setting

Name = str | int
_NEGATIVES_OF_GRAPHVITE = 64  # in all of its files
Backend = Annotated[
    Literal["graphvite", "torch"] | None, Field(description="GraphVite's way to compute. No effect: ranks are exact.")
]


class _TripleTask(Section):
    """Triples to judge by, or to complete: a file, or names in place."""

    file_name: str | None = Field(None, description="Triples: a path or <dataset.split>, written as those trained on.")
    H: tuple[Name, ...] = Field((), description="Heads in place of a file.")
    R: tuple[Name, ...] = Field((), description="Relations in place of a file.")
    T: tuple[Name, ...] = Field((), description="Tails in place of a file.")
    backend: Backend = None


class EntityRanking(_TripleTask):
    """On which places the true heads and tails stand among all entities: GraphVite's link prediction."""

    task: Literal["link prediction"] = Field(..., description="link prediction or entity prediction.")
    filter_files: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="True triples, which are no wrong answers: usually those trained on, of validation and of the test.",
    )
    filter_H: tuple[Name, ...] = Field((), description="Heads of such triples, in place of files.")  # noqa: N815  GraphVite's key
    filter_R: tuple[Name, ...] = Field((), description="Their relations.")  # noqa: N815  GraphVite's key
    filter_T: tuple[Name, ...] = Field((), description="Their tails.")  # noqa: N815  GraphVite's key
    target: Literal["both", "head", "tail"] = Field("both", description="Which side is asked for.")
    fast_mode: Annotated[Integer, Field(ge=1)] | None = Field(
        None, description="Rank so many triples only, drawn with the seed of the training."
    )

    @field_validator("filter_files", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class EntityPrediction(_TripleTask):
    """The likeliest entities in the open place of triples: lines 'head relation' or 'relation tail', or whole triples."""

    task: Literal["entity prediction"] = Field(..., description="link prediction or entity prediction.")
    target: Literal["head", "tail"] = Field("tail", description="Which side is asked for.")
    k: Annotated[Integer, Field(ge=1, le=10**6)] = Field(10, description="Answers to each question.")
    save_file: str | None = Field(None, description="Text file for the answers: a line for each.")


class KnowledgeConfig(Config):
    """One experiment on a knowledge graph."""

    application: Literal["knowledge graph"] = Field("knowledge graph", description="Entities and relations of triples.")  # type: ignore[assignment]
    evaluate: tuple[Annotated[EntityRanking | EntityPrediction, Field(discriminator="task")], ...] = Field(  # type: ignore[assignment]
        (), description="Tasks on which the model is judged."
    )

    @model_validator(mode="before")
    @classmethod
    def _a_model_of_triples(cls, values: Any) -> Any:
        """Take ComplEx where no model is named."""
        if not isinstance(values, dict):
            return values
        train = values.get("train") or {}
        if not isinstance(train, dict) or train.get("model") not in (None, "auto"):
            return values
        return {**values, "train": {**train, "model": "ComplEx"}}

    @field_validator("application", mode="before")
    @classmethod
    def _supported(cls, value: Any) -> Any:
        return application_of(value)


def of_knowledge(config: KnowledgeConfig) -> Iterator[Problem]:
    """Yield the broken rules of a configuration of a knowledge graph."""
    yield from of_config(config.model_copy(update={"evaluate": ()}))
    if kind_of(config.train.model) is not TripleTrain:
        expected = (
            f"a model of knowledge graphs ({', '.join(TripleTrain.models)}), since the application is knowledge graph"
        )
        yield Problem(("train", "model"), expected, config.train.model)
    for index, task in enumerate(config.evaluate):
        names = [task.H, task.R, task.T]
        if task.task == "entity prediction":
            names.pop(0 if task.target == "head" else 2)
        lengths = {len(column) for column in names}
        if task.file_name is None and (lengths == {0} or len(lengths) > 1):
            yield Problem(("evaluate", index, "file_name"), "a file, or as many of each name in place", task.file_name)
        elif task.file_name is not None and (task.H or task.R or task.T):
            yield Problem(("evaluate", index, "file_name"), "a file or names in place, not both", task.file_name)


def knowledge_notices(config: KnowledgeConfig) -> list[str]:
    """Return one sentence for each key of GraphVite that acts in its program, but not on triples here."""
    found = []
    if config.graph.normalization:
        found.append(f"{setting('graph.normalization')} has no effect: triples of a batch are drawn alike.")
    build = config.build
    if build.num_negative not in (1, _NEGATIVES_OF_GRAPHVITE):
        found.append(
            f"{setting('build.num_negative')} has no effect: the triples of a batch share {setting('train.num_shared_negative')}."
        )
    found += [
        f"evaluate.{index}.backend has no effect: ranks are exact."
        for index, task in enumerate(config.evaluate)
        if task.backend is not None
    ]
    return [in_words(sentence) for sentence in found]

"""Section ``train``: the model and its training; a union by model, since models of another kind have other keys.

A model comes in as a name in :data:`ModelName` and in ``models`` of the class with its keys, a kind of models as a class in
:data:`TrainConfig`. From these classes come the options of the command line, the tables of the documentation, the template, and which key
acts with which model (:func:`models_with`).
"""

from collections.abc import Callable
from copy import copy
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, PrivateAttr, Tag, field_validator, model_validator
from pydantic.fields import FieldInfo

from nodeloom.config.section import Integer, Number, Section, check_no_switch, ignoring_case

ModelName = Literal[
    "DeepWalk", "LINE", "node2vec", "propagation", "ProNE", "TransE", "DistMult", "ComplEx", "SimplE", "RotatE", "QuatE"
]
Model = Annotated[ModelName, ignoring_case(*get_args(ModelName))]
_MODEL = (
    "DeepWalk: nodes near each other on random walks are pairs. LINE: the same pairs, neighbours alone "
    "with augmentation_step 1, and first order on request. node2vec: walks steered by p and q. propagation: random "
    "vectors averaged over neighbours and whitened, in seconds. ProNE: edges factorized and filtered. Of triples: TransE, DistMult, "
    "ComplEx, SimplE, RotatE and QuatE."
)


class TrainSection(Section):
    """What is learned, and from which seed: the keys of all models.

    A key of models of another kind has no effect, and a notice says so; its value must be one that they allow.
    """

    models: ClassVar[tuple[str, ...]] = ()
    """The models that have these keys."""
    only_with: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Keys that act with some of these models alone."""

    _foreign: dict[str, Any] = PrivateAttr(default_factory=dict)

    model: Model
    seed: Annotated[Integer, Field(ge=0, lt=2**63)] = Field(
        0, description="Seed of all random numbers. The same seed gives the same walks with any number of threads."
    )
    deterministic: bool = Field(
        False,
        description="Train on the CPU with one thread, so that the same seed gives the same vectors to the last bit. "
        "Otherwise threads update in whichever order they come.",
    )
    resume: bool = Field(
        False,
        description="Go on where the checkpoint (save.checkpoint, else load.file_name) stopped instead of starting "
        "anew.",
    )

    @property
    def foreign(self) -> dict[str, Any]:
        """The keys that were given though no model of this kind has them, with values that are not their default."""
        return self._foreign

    @model_validator(mode="wrap")
    @classmethod
    def _take_foreign(cls, values: Any, handler: Callable[[Any], Any]) -> Any:
        """Check keys of models of another kind by the class that has them, and keep them apart."""
        if not isinstance(values, dict):
            return handler(values)
        homes = {key: home for key in values if key not in cls.model_fields and (home := _home(key))}
        foreign = {}
        for key, home in homes.items():
            value = getattr(home.model_validate({"model": home.models[0], key: values[key]}), key)
            if value != home.model_fields[key].default:
                foreign[key] = value
        section = handler({key: value for key, value in values.items() if key not in homes})
        if section.model not in cls.models:
            raise ValueError(f"one of {', '.join(cls.models)}")
        section._foreign = foreign
        return section


class NodeTrain(TrainSection):
    """Keys of models that are trained on pairs of nodes from random walks."""

    models = ("DeepWalk", "LINE", "node2vec")
    only_with: ClassVar[dict[str, tuple[str, ...]]] = {"p": ("node2vec",), "q": ("node2vec",), "order": ("LINE",)}

    model: Model = Field("DeepWalk", description=_MODEL)
    num_epoch: Annotated[Integer, Field(ge=1, le=10**9)] | Literal["auto"] = Field(
        "auto",
        description="Passes over the edges: one epoch is as many positive pairs as the graph has edges. auto: 2000, on sparse "
        "graphs up to 8000, so that a node gets 20,000 pairs.",
    )
    augmentation_step: Annotated[Integer, Field(ge=1, le=1000)] | Literal["auto"] = Field(
        "auto",
        description="Nodes at most so many steps apart on a walk are a positive pair (the window of word2vec). auto: 5, or "
        "the length of the walks if that is less.",
    )
    random_walk_length: Annotated[Integer, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        "auto", description="Edges per random walk, at least augmentation_step. auto: what trains fastest."
    )
    p: Annotated[Number, Field(ge=1e-6, le=10**6)] = Field(
        1.0, description="node2vec: reluctance to go straight back. Above 1 keeps walks from turning round."
    )
    q: Annotated[Number, Field(ge=1e-6, le=10**6)] = Field(
        1.0, description="node2vec: reluctance to move away. Below 1 walks go far, above 1 they stay near."
    )
    order: Annotated[Literal[1, 2, "both"], BeforeValidator(check_no_switch)] = Field(
        2,
        description="LINE: 1 puts neighbours near each other, 2 nodes with the same neighbours, both joins the two "
        "halves.",
    )
    negative_weight: Annotated[Number, Field(gt=0, le=10**6)] = Field(
        5.0, description="Weight of the negatives against the positive pair. Above 10 training may get unsteady."
    )
    negative_sample_exponent: Annotated[Number, Field(ge=-10, le=10)] = Field(
        0.75, description="Nodes are drawn as negatives in proportion to their degree to this power; 0 is evenly."
    )
    num_shared_negative: Annotated[Integer, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto", description="Negatives drawn once for all pairs of a walk tile. More is slower and hardly better."
    )
    hub_threshold: Annotated[Number, Field(ge=0)] | Literal["auto"] = Field(
        "auto",
        description="Nodes visited more often than this share of all visits counted for less. It has no effect any more, and goes with the "
        "next version.",
    )
    positive_reuse: Annotated[Integer, Field(ge=1, le=1000)] = Field(
        1, description="How often a sampled pair is trained, each time with new negatives, before new ones are drawn."
    )
    log_frequency: Annotated[Integer, Field(ge=1, le=10**12)] | Literal["auto"] = Field(
        "auto", description="Log every so many batches of build.batch_size pairs. auto: every few seconds."
    )
    random_walk_batch_size: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="GraphVite's walks per sampler batch. No effect: walks are not held back in batches here."
    )
    shuffle_base: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="GraphVite's stride for spreading the pairs of a walk. No effect: a walk is trained whole."
    )


class SpectralTrain(TrainSection):
    """Keys of models that are computed from the whole graph, and not trained on pairs."""

    models = ("propagation", "ProNE")
    only_with: ClassVar[dict[str, tuple[str, ...]]] = {
        **dict.fromkeys(
            ("num_iteration", "tolerance", "degree_exponent", "residual", "whiten", "direction", "num_scale"),
            ("propagation",),
        ),
        **dict.fromkeys(("theta", "mu", "num_term", "negative_sample_exponent"), ("ProNE",)),
    }

    model: Model = Field("propagation", description=_MODEL)
    num_iteration: Annotated[Integer, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        "auto",
        description="propagation: steps, each over all edges. auto: up to 30 on dense graphs, 40 at five edges per node, 80 at 2.5, until "
        "`tolerance` is reached.",
    )
    tolerance: Annotated[Number, Field(ge=0)] | Literal["auto"] = Field(
        "auto",
        description="propagation: end when a step changes the variances of the columns by less than this share of what they differ "
        "by; 0 is never. auto: 0.0001, or never if num_iteration is given.",
    )
    degree_exponent: Number | Literal["auto"] = Field(
        "auto",
        description="propagation: what a node gives to its neighbours is divided by its degree to this power. auto: 0 on "
        "sparse graphs, up to 0.25 on graphs of 32 edges per node and more.",
    )
    residual: Annotated[Number, Field(ge=0, lt=1)] | Literal["auto"] = Field(
        "auto",
        description="propagation: share of its own vector that a node keeps in a step. auto: 0.5 on sparse graphs, down to "
        "0 on graphs of 32 edges per node and more.",
    )
    whiten: bool = Field(
        True,
        description="propagation: make columns uncorrelated after every step. Without it few steps are enough to "
        "make all vectors the same.",
    )
    direction: Literal["both", "out", "in"] = Field(
        "both",
        description="propagation on directed graphs: average over the tails of the edges that leave a node (out), over the "
        "heads of those that reach it (in), or add the two.",
    )
    num_scale: Annotated[Integer, Field(ge=1, le=16)] = Field(
        1,
        description="propagation: join the vectors after all steps, half of them, a quarter, ... in so many equal parts.",
    )
    row_length: Annotated[Number, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description="propagation, ProNE: length of every vector. auto: 2. Longer ones suit classifiers with much data.",
    )
    theta: Annotated[Number, Field(gt=0)] = Field(
        0.5, description="ProNE: width of the band that the filter lets through."
    )
    mu: Annotated[Number, Field(ge=0, le=2)] = Field(
        0.2, description="ProNE: eigenvalue of the Laplacian around which the filter lets through."
    )
    num_term: Annotated[Integer, Field(ge=2, le=10_000)] = Field(
        10, description="ProNE: terms of the filter, each two passes over the edges."
    )
    negative_sample_exponent: Annotated[Number, Field(ge=-10, le=10)] = Field(
        0.75, description="Nodes are drawn as negatives in proportion to their degree to this power; 0 is evenly."
    )


class TripleTrain(TrainSection):
    """Keys of models that are trained on the triples of a knowledge graph."""

    models = ("ComplEx", "TransE", "DistMult", "SimplE", "RotatE", "QuatE")
    only_with: ClassVar[dict[str, tuple[str, ...]]] = {
        "distance": ("TransE", "RotatE"),
        "l3_regularization": ("ComplEx", "DistMult", "SimplE", "QuatE"),
        "dura_regularization": ("ComplEx", "DistMult", "SimplE", "QuatE"),
    }

    model: Model = Field("ComplEx", description=_MODEL)
    num_epoch: Annotated[Integer, Field(ge=1, le=10**9)] | Literal["auto"] = Field(
        "auto", description="Triples: passes over them. auto: by their number and the device."
    )
    triples_per_batch: Annotated[Integer, Field(ge=1, le=10**7)] | Literal["auto"] = Field(
        "auto", description="Triples of a step, which share negatives; each asks for its tail and for its head."
    )
    num_shared_negative: Annotated[Integer, Field(ge=1, le=10**7)] | Literal["auto", "all"] = Field(
        "auto", description="Triples: entities that a batch is compared with; all of them, or so many drawn for it."
    )
    negative_sample_exponent: Annotated[Number, Field(ge=-10, le=10)] | Literal["auto"] = Field(
        "auto", description="Triples: entities are drawn in proportion to 1 + their triples to this power."
    )
    bernoulli: bool = Field(
        False,
        description="Weigh the two questions of a triple by how many tails a head of its relation has, and how many heads a tail.",
    )
    filter_negatives: bool = Field(
        False, description="Leave entities out of the negatives that are known as answers, too."
    )
    typed_negatives: bool = Field(
        False, description="Take only entities as negatives that stand in the same slot of the relation somewhere."
    )
    loss: Literal["auto", "cross entropy", "self adversarial", "logistic", "margin"] = Field(
        "auto",
        description="cross entropy of the soft-max over the truth and the negatives; self adversarial (RotatE's), which takes margin and "
        "adversarial_temperature; logistic; margin. auto: cross entropy for products, self adversarial for distances.",
    )
    margin: Annotated[Number, Field(ge=0, le=10**6)] | Literal["auto"] = Field(
        "auto", description="Losses self adversarial and margin: how far a truth is to be from negatives."
    )
    adversarial_temperature: Annotated[Number, Field(ge=0, le=10**6)] | Literal["auto"] = Field(
        "auto",
        description="Loss self adversarial: negatives weigh as the soft-max of their scores over this temperature, 1 / alpha of RotatE's "
        "paper; 0 weighs them equally. auto: 1.",
    )
    l3_regularization: Annotated[Number, Field(ge=0, le=10**6)] | Literal["auto"] = Field(
        "auto",
        description="Weight of the cubed moduli of the rows of a triple (N3). auto: by the model and the triples.",
    )
    dura_regularization: Annotated[Number, Field(ge=0, le=10**6)] | Literal["auto"] = Field(
        "auto",
        description="Weight of the squares of the queries and of the truths (DURA). auto: in place of N3 where all entities are "
        "negatives and an entity has few triples, if l3_regularization is auto, too; else 0.",
    )
    distance: Literal["auto", "L1", "L2", "squared", "modulus"] = Field(
        "auto", description="TransE, RotatE: the distance. auto: L1, and the modulus of complex numbers."
    )
    relation_lr_multiplier: Annotated[Number, Field(ge=0, le=10**6)] = Field(
        1.0, description="Learning rate of relations over that of entities."
    )
    adagrad_state: Literal["auto", "full", "row"] = Field(
        "auto",
        description="AdaGrad: one sum of squares for each value of an entity, or one for its row, which needs half the memory. auto: full "
        "below a million entities.",
    )
    validation: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Files of triples to check by while training, as the others are written: the best state is kept.",
        json_schema_extra={"allowed": "a path or a list of paths"},
    )
    validation_metric: Literal["mrr", "mr", "hits@1", "hits@3", "hits@10", "amri"] = Field(
        "mrr", description="What decides, where there are triples for validation."
    )
    validation_side: Literal["both", "tail", "head"] = Field(
        "both", description="Validation: the mean over tails and heads that are asked for, or one of the two."
    )
    validation_interval: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Validation: epochs between two checks. auto: a twentieth of the training."
    )
    patience: Annotated[Integer, Field(ge=0)] = Field(
        5,
        description="Validation: checks in a row without a better metric, after which the training ends; 0 never ends it.",
    )
    sample_batch_size: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="GraphVite's triples per sampler batch. No effect: they are drawn as they are trained."
    )

    @field_validator("validation", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


DIM_OF_TRIPLES = 256
"""Values in a vector of an entity, if nothing else is said."""


def with_defaults_of_model(values: dict[str, Any]) -> dict[str, Any]:
    """Return the sections of a configuration with what a model of knowledge graphs has as its own defaults: dim and optimizer."""
    train = values.get("train")
    model = train.get("model") if isinstance(train, dict) else getattr(train, "model", None)
    if kind_of(model) is not TripleTrain:
        return values
    optimizer_of = "Adam" if str(model).lower() in ("transe", "rotate") else "AdaGrad"
    resource, build = values.get("resource") or {}, values.get("build") or {}
    if isinstance(resource, dict) and resource.get("dim") in (None, "auto"):
        values = {**values, "resource": {**resource, "dim": DIM_OF_TRIPLES}}
    if isinstance(build, dict):
        optimizer = build.get("optimizer")
        if optimizer is None or optimizer == "auto":
            optimizer = {}
        elif isinstance(optimizer, int | float) and not isinstance(optimizer, bool):
            optimizer = {"lr": optimizer}
        if isinstance(optimizer, dict) and optimizer.get("type") in (None, "auto"):
            values = {**values, "build": {**build, "optimizer": {**optimizer, "type": optimizer_of}}}
    return values


def kind_of(model: object) -> type[TrainSection]:
    """Return the class with the keys of a model, in any spelling of case; of a name that is none the first, which refuses it."""
    name = model.lower() if isinstance(model, str) else ""
    return next((kind for kind in KINDS if name in map(str.lower, kind.models)), KINDS[0])


def _tag(values: Any) -> str:
    return kind_of(values.get("model") if isinstance(values, dict) else getattr(values, "model", None)).__name__


TrainConfig = Annotated[
    Annotated[NodeTrain, Tag("NodeTrain")]
    | Annotated[SpectralTrain, Tag("SpectralTrain")]
    | Annotated[TripleTrain, Tag("TripleTrain")],
    Discriminator(_tag),
]
"""The section ``train``."""

KINDS: tuple[type[TrainSection], ...] = tuple(get_args(member)[0] for member in get_args(get_args(TrainConfig)[0]))
"""One class for each kind of models; the first has the model that is meant where none is given."""


def train_config(**values: Any) -> Any:
    """Return the section of the model that `values` name: keys of ``train``."""
    return kind_of(values.get("model"))(**values)


@cache
def _home(key: str) -> type[TrainSection] | None:
    """Return the first class that has a key."""
    return next((kind for kind in KINDS if key in kind.model_fields), None)


def train_fields() -> dict[str, FieldInfo]:
    """Return the keys of all models; of a key that several kinds of models have, the field of the first with what each says of it."""
    found: dict[str, FieldInfo] = {}
    said: dict[str, dict[str, None]] = {}
    for kind in KINDS:
        for key, field in kind.model_fields.items():
            found.setdefault(key, copy(field))
            said.setdefault(key, {})[field.description or ""] = None
    for key, field in found.items():
        field.description = " ".join(said[key])
    return found


def models_with(key: str) -> tuple[str, ...]:
    """Return the models with which a key acts."""
    return tuple(
        model
        for kind in KINDS
        if key in kind.model_fields
        for model in kind.models
        if model in kind.only_with.get(key, kind.models)
    )

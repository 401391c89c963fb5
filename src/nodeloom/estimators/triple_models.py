"""The models of knowledge graphs: each a row of :data:`nodeloom.model.relational.RELATIONAL` over the same engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nodeloom.estimators.knowledge import KnowledgeEmbedding
from nodeloom.model.relational import DISTANCES, RELATIONAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nodeloom.model.relational import Relational
    from nodeloom.typing import Auto


@dataclass(kw_only=True, eq=False, repr=False)
class ComplEx(KnowledgeEmbedding):
    """ComplEx (Trouillon et al., ICML 2016): the score of a triple is the real part of the product of head, relation and conjugate tail.

    Trained with inverse relations, the soft-max cross entropy and N3 (Lacroix, Usunier, Obozinski, ICML 2018).

    Parameters
    ----------
    dim : int
        Real values in a vector: dim / 2 complex numbers, all real parts first.
    num_epoch : int or "auto"
        Passes over the triples. auto: by their number and the device.
    triples_per_batch : int or "auto"
        Triples of a step, which share negatives. Each asks for its tail and for its head.
    num_shared_negative : int, "all" or "auto"
        Entities that a batch is compared with: drawn for it, or all of them.
    negative_sample_exponent : float or "auto"
        Entities are drawn in proportion to 1 + their triples to this power. auto: 0.5.
    bernoulli : bool
        Weigh the two questions of a triple by how many tails a head of its relation has, and how many heads a tail.
    filter_negatives : bool
        Leave known answers out of the negatives.
    typed_negatives : bool
        Take only entities as negatives that stand in the same slot of the relation somewhere.
    loss : {"auto", "cross entropy", "self adversarial", "logistic", "margin"}
        What is minimised. auto: cross entropy.
    margin : float or "auto"
        How far a truth is to be from negatives, with the losses self adversarial and margin.
    adversarial_temperature : float or "auto"
        With the loss self adversarial, negatives weigh as the soft-max of their scores over this temperature: GraphVite's, and 1 / alpha
        of the paper of RotatE. 0 weighs them equally. auto: 1.
    l3_regularization : float or "auto"
        Weight of the cubed moduli of the rows of a triple (N3). auto: 0.05, or 0.1 where an entity has few triples.
    dura_regularization : float or "auto"
        Weight of the squares of queries and truths (DURA: Zhang, Cai, Wang, NeurIPS 2020). auto: where all entities are negatives and an
        entity has few triples, 0.2 in place of N3; else 0.
    relation_lr_multiplier : float
        Learning rate of relations over that of entities.
    optimizer : str or mapping
        SGD, Momentum, AdaGrad, RMSprop or Adam, or a mapping with ``type`` and its own keys.
    adagrad_state : {"auto", "full", "row"}
        AdaGrad: one sum of squares for each value, or one for a row. auto: full below a million entities.
    lr, weight_decay : float or "auto"
        Learning rate at the start; decay. auto: by the optimizer; none.
    schedule : {"linear", "constant"} or callable
        Of the learning rate; a callable gets (triples done, triples in all) and returns a factor.
    validation_metric : {"mrr", "mr", "hits@1", "hits@3", "hits@10", "amri"}
        What decides which state is the best, where :meth:`fit` has triples for validation.
    validation_side : {"both", "tail", "head"}
        Validation: the mean over tails and heads that are asked for, or one of the two.
    validation_interval : int or "auto"
        Validation: epochs between two checks. auto: a twentieth of the training.
    patience : int
        Validation: checks in a row without a better metric, after which the training ends; 0 never ends it.
    num_thread : int or "auto"
        CPU threads. auto: all that the process may use. The vectors are the same with any number.
    deterministic : bool
        Train on the CPU, even if there is a GPU, so that a seed gives the same vectors to the last bit.
    seed : int
        Seed of all random numbers.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to train. cuda: the first GPU that can be used. auto: the same, or the CPU if there is none.
    gpus : sequence of int
        Numbers of the GPUs to choose from; none: all. One of them is used.
    gpu_memory_limit : int, str or "auto"
        Bytes to use on a GPU at most. auto: what is free there.
    table_dtype : {"auto", "fp32", "bf16"}
        Number format of the tables on a GPU.
    memory_limit : int, str or "auto"
        Bytes (or "8GB") of main memory to use at most; what needs more is refused. auto: what the machine has.
    verbose : bool or "auto"
        Whether to show a bar while it trains. auto: in a terminal or a notebook, if it takes longer than a second or two.

    Attributes
    ----------
    entity_vectors_ : float32 [N, dim]
        Vectors of the entities.
    relation_vectors_, inverse_relation_vectors_ : float32 [R, dim]
        Vectors of the relations, which answer what the tail of a head is, and of their inverses, which answer what the head of a tail is.
    entity_names_, relation_names_ : Vocabulary
        Names.
    report_ : dict
        Seconds, triples per second, loss and peak memory.
    history_ : list of dict
        About a hundred points of progress.
    validation_ : list of dict
        The epoch and the metrics of each check on triples for validation; the vectors are those of the best one.
    partial_ : bool
        Whether training was stopped early.
    num_epoch_ : float
        Epochs that were trained.

    Examples
    --------
    >>> from nodeloom import ComplEx, KnowledgeGraph
    >>> graph = KnowledgeGraph.from_triples([("Ann", "knows", "Bob"), ("Bob", "knows", "Eve"), ("Eve", "likes", "Ann")])
    >>> model = ComplEx(dim=8, num_epoch=5, device="cpu").fit(graph)
    >>> model.entity_vectors_.shape, model["Ann"].shape
    ((3, 8), (8,))
    """

    _model = "ComplEx"
    _scoring = RELATIONAL["ComplEx"]

    l3_regularization: float | Auto = "auto"
    dura_regularization: float | Auto = "auto"


@dataclass(kw_only=True, eq=False, repr=False)
class DistMult(ComplEx):
    """DistMult (Yang et al., ICLR 2015): the score of a triple is the sum of the products of head, relation and tail.

    Parameters and attributes are those of :class:`ComplEx`; all `dim` values are real numbers.
    """

    _model = "DistMult"
    _scoring = RELATIONAL["DistMult"]


@dataclass(kw_only=True, eq=False, repr=False)
class SimplE(ComplEx):
    """SimplE (Kazemi and Poole, NeurIPS 2018): an entity has a half for heads and a half for tails.

    Parameters and attributes are those of :class:`ComplEx`.
    """

    _model = "SimplE"
    _scoring = RELATIONAL["SimplE"]


@dataclass(kw_only=True, eq=False, repr=False)
class QuatE(ComplEx):
    """QuatE (Zhang et al., NeurIPS 2019): the head is turned by the relation, both quaternions, and multiplied with the tail.

    Relations are not scaled to length 1. Parameters and attributes are those of :class:`ComplEx`; `dim` is a multiple of 4.
    """

    _model = "QuatE"
    _scoring = RELATIONAL["QuatE"]


@dataclass(kw_only=True, eq=False, repr=False)
class TransE(KnowledgeEmbedding):
    """TransE (Bordes et al., NIPS 2013): the tail is where the relation moves the head; the score is minus the distance.

    Parameters and attributes are those of :class:`ComplEx` without its regularizers, and the following.

    Parameters
    ----------
    negative_sample_exponent : float or "auto"
        Entities are drawn in proportion to 1 + their triples to this power. auto: 0, evenly.
    loss : {"auto", "cross entropy", "self adversarial", "logistic", "margin"}
        What is minimised. auto: self adversarial.
    distance : {"auto", "L1", "L2", "squared"}
        The distance; squared is that of L2. auto: L1. RotatE: the sum of the moduli of complex numbers (``modulus``) or squared.
    optimizer : str or mapping
        As with :class:`ComplEx`; Adam by default.
    """

    _model = "TransE"
    _scoring = RELATIONAL["TransE"]

    distance: str = "auto"
    optimizer: str | Mapping[str, Any] = "Adam"

    @property
    def _relational(self) -> Relational:
        """How the model scores triples."""
        return self._scoring if self.distance == "auto" else replace(self._scoring, comparator=DISTANCES[self.distance])


@dataclass(kw_only=True, eq=False, repr=False)
class RotatE(TransE):
    """RotatE (Sun et al., ICLR 2019): the tail is where the relation turns the complex numbers of the head to.

    Parameters and attributes are those of :class:`TransE`; `dim` is twice the complex numbers, and a vector of a relation has dim / 2
    phases in radians.
    """

    _model = "RotatE"
    _scoring = RELATIONAL["RotatE"]

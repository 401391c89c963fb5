"""Models of knowledge graphs, as data: a query operator and a comparator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodeloom.typing import Comparator, LossName, Operator


@dataclass(frozen=True)
class Relational:
    """How a triple is scored: a query ``q = f(head, relation)`` is compared with the row of the tail.

    Only tails are asked for: a relation has a second row, its inverse, which answers what the head of a tail is
    (reciprocal relations: Lacroix, Usunier, Obozinski, ICML 2018). A score is larger for a likelier triple; distances are negated.

    Attributes
    ----------
    operator : str
        What makes the query of a head row and a relation row: their sum (``translate``), their product by element (``multiply``),
        of complex numbers (``complex``), by element with the halves exchanged (``swap``), the head turned by the phases of the
        relation (``rotate``), or the Hamilton product (``hamilton``).
    comparator : str
        What compares a query with a row: the dot product, or minus their distance: L1, L2, squared L2, or the sum of the moduli of
        complex differences.
    """

    operator: Operator
    comparator: Comparator

    @property
    def num_part(self) -> int:
        """Real values of a number of an entity row: 1, 2 (complex numbers, pairs) or 4 (quaternions); the parts are halves or quarters."""
        return {"complex": 2, "rotate": 2, "swap": 2, "hamilton": 4}.get(self.operator, 1)

    @property
    def num_modulus(self) -> int:
        """Real values that N3 takes the modulus of. Pairs (SimplE) are two numbers to it: MRR .354 on FB15k-237, .342 with moduli."""
        return 1 if self.operator == "swap" else self.num_part

    def relation_dim(self, dim: int) -> int:
        """Return the values of a relation row in one direction, for entity rows of `dim` values: one phase for a complex number."""
        return dim // 2 if self.operator == "rotate" else dim

    @property
    def is_product(self) -> bool:
        """Whether scores are dot products, which are matrix products."""
        return self.comparator == "dot"


@dataclass(frozen=True)
class TripleLoss:
    """What is minimised over the queries of a batch, as a mean: a loss of their scores, and regularizers of their rows.

    Attributes
    ----------
    name : str
        The soft-max cross entropy of the truth among the negatives (``cross entropy``; of drawn negatives the logarithm of the
        expected count is subtracted), ``self adversarial``, ``logistic`` or ``margin``.
    margin : float
        Of the self-adversarial and of the margin loss.
    temperature : float
        Of the self-adversarial loss: the power of the weights, alpha of RotatE and the inverse of GraphVite's temperature. 0 weighs all
        negatives equally.
    n3, dura : float
        Weights of the nuclear 3-norm and of DURA.
    """

    name: LossName
    margin: float = 0.0
    temperature: float = 0.0
    n3: float = 0.0
    dura: float = 0.0


RELATIONAL = {
    "TransE": Relational("translate", "l1"),
    "DistMult": Relational("multiply", "dot"),
    "ComplEx": Relational("complex", "dot"),
    "SimplE": Relational("swap", "dot"),
    "RotatE": Relational("rotate", "modulus"),
    "QuatE": Relational("hamilton", "dot"),
}
"""The models by name: TransE (Bordes et al., NIPS 2013), DistMult (Yang et al., ICLR 2015), ComplEx (Trouillon et al., ICML 2016),
SimplE (Kazemi and Poole, NeurIPS 2018), RotatE (Sun et al., ICLR 2019), QuatE (Zhang et al., NeurIPS 2019)."""

DISTANCES: dict[str, Comparator] = {"L1": "l1", "L2": "l2", "squared": "squared", "modulus": "modulus"}
"""The distances by the names that users give them."""

"""The normalised scale, on which the engine works: logits centred per example, the teacher's within [−1, 1].

numpy only. Ours; `ensemble.bound` brings a student's logits onto it.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdistil.errors import UserError

Floats = NDArray[np.float64]
KAPPA = 1.25  # students are squashed to |f| < κ
B = 1 + KAPPA  # so |f − ĝ| ≤ B on the training inputs, where |ĝ| ≤ 1


def centred(logits: ArrayLike) -> Floats:
    """Logits (N, L) less their mean over each example's classes, float64."""
    logits = np.asarray(logits, dtype=np.float64)
    return logits - logits.mean(axis=1, keepdims=True)


def scale(teacher_logits: ArrayLike) -> float:
    """c, the largest absolute centred logit of the teacher on the un-augmented training inputs (N, L).

    Raises UserError if the logits are not finite or say nothing (all classes equal, everywhere).
    """
    if not np.isfinite(teacher_logits).all():
        raise UserError("The teacher's logits hold NaN or infinity; check the teacher and its input.")
    c = float(np.abs(centred(teacher_logits)).max())
    if c == 0:
        raise UserError("The teacher gives every class the same logit, so nothing can be distilled; check the teacher.")
    return c


def normalised(logits: ArrayLike, c: float) -> Floats:
    """Logits (N, L) on the teacher's scale, centred per example and divided by c: ĝ, with |ĝ| ≤ 1 where c was taken."""
    return centred(logits) / c

"""The frontier's point of a prefix, made when its round ends: what it reaches on the splits, and what it costs."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bdistil.records import Point, PrefixCost, SplitScores
from bdistil.statistics import accuracy_interval, persons


def prefix_logits(outputs: Iterable[np.ndarray], c: float) -> np.ndarray:
    """Outputs f_1 … f_T (N, L) on the normalised scale -> prefixes c·(f_1 + … + f_t)/t (T, N, L), float32.

    They are on the teacher's scale, summed in double precision, in round order.
    """
    total: NDArray[np.float64] | float = 0.0
    prefixes = []
    for number, output in enumerate(outputs, 1):
        total = total + output.astype(np.float64)
        prefixes.append((c * total / number).astype(np.float32))
    return np.stack(prefixes)


def scores(logits: np.ndarray, teacher: np.ndarray, labels: np.ndarray) -> SplitScores:
    """Accuracy and agreement with the teacher, both in [0, 1], of logits (N, L) beside teacher logits (N, L), labels
    (N,).
    """
    answers = logits.argmax(axis=1)
    return SplitScores(
        accuracy=float((answers == labels).mean()), agreement=float((answers == teacher.argmax(axis=1)).mean())
    )


def point(
    prefix: int,
    logits: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    previous: np.ndarray | None = None,
    *,
    validation: SplitScores,
    train: SplitScores,
    cost: PrefixCost,
    teacher_macs: float | None = None,
    people: np.ndarray | None = None,
    budget: int | None = None,
) -> Point:
    """One point of the frontier.

    logits, teacher: (N, L) on the test split, of the prefix and of the teacher; labels: (N,). previous: (N, L) logits
    of the prefix one student shorter, None in round 1. validation, train: what `scores` gives there. teacher_macs:
    None where they are unknown, and the share of them then, too. people: as of `accuracy_interval`.
    budget: the limit on its MACs, if any.
    """
    right = logits.argmax(axis=1) == labels
    low, high = accuracy_interval(right, people)
    before = np.zeros_like(right) if previous is None else previous.argmax(axis=1) == labels
    measured = scores(logits, teacher, labels)
    return Point(
        prefix=prefix,
        accuracy=measured.accuracy,
        accuracy_low=low,
        accuracy_high=high,
        persons=persons(people),
        agreement=measured.agreement,
        train=train,
        validation=validation,
        # The first student has nothing before it to repair or to spoil.
        fixed=None if previous is None else int((right & ~before).sum()),
        broken=None if previous is None else int((before & ~right).sum()),
        budget=budget,
        macs_ratio=cost.macs / teacher_macs if teacher_macs else None,
        **dict(cost),
    )

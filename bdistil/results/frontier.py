"""The accuracy-cost frontier: one row per prefix, with its uncertainty.

`prefix_logits`, `scores` and `point` make one row from students' outputs (the training loop calls them when a round
ends); `frontier` gives a run's rows as a tidy data frame. Intervals: Wilson for an accuracy, a paired bootstrap for a
difference of two accuracies on the same examples. Everything here reads the *test* split to report; nothing is chosen
from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bdistil.records import Point, PrefixCost, SplitScores

RESAMPLES = 2000


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % Wilson score interval (low, high), in [0, 1], of a proportion: `right` successes among `total`."""
    if total == 0:
        return 0.0, 1.0
    share = right / total
    centre = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # Rounding must not put 0 of n outside its own interval.
    return min(share, max(0.0, (centre - half) / scale)), max(share, min(1.0, (centre + half) / scale))


def prefix_logits(outputs: Iterable[np.ndarray], c: float) -> np.ndarray:
    """Outputs f_1 … f_T (N, L) on the normalised scale -> prefixes c·(f_1 + … + f_t)/t (T, N, L), float32.

    They are on the teacher's scale, summed in double precision, in round order.
    """
    total, prefixes = np.float64(0), []
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
) -> Point:
    """One point of the frontier.

    logits, teacher: (N, L) on the test split, of the prefix and of the teacher; labels: (N,). previous: (N, L) logits
    of the prefix one student shorter, None in round 1. validation, train: what `scores` gives there. teacher_macs:
    None where they are unknown, and the share of them then, too.
    """
    right = logits.argmax(axis=1) == labels
    low, high = wilson(int(right.sum()), len(labels))
    before = np.zeros_like(right) if previous is None else previous.argmax(axis=1) == labels
    measured = scores(logits, teacher, labels)
    return Point(
        prefix=prefix,
        accuracy=measured.accuracy,
        accuracy_low=low,
        accuracy_high=high,
        agreement=measured.agreement,
        train=train,
        validation=validation,
        # The first student has nothing before it to repair or to spoil.
        fixed=None if previous is None else int((right & ~before).sum()),
        broken=None if previous is None else int((before & ~right).sum()),
        macs_ratio=cost.macs / teacher_macs if teacher_macs else None,
        **dict(cost),
    )


def points_lost(
    logits: np.ndarray, teacher: np.ndarray, labels: np.ndarray, people: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float, float]:
    """Percentage points by which the prefix is less accurate than the teacher: (value, low, high), negative when it
    is better.

    logits, teacher: (N, L); labels: (N,). The 95 % interval is a paired bootstrap over examples. The difference
    depends only on how many examples the teacher alone and the prefix alone get right, so resampling examples is
    exactly a multinomial draw of those counts: no example is touched. people: (N,) whose example each is, where the
    split holds out whole persons: those of at least two are resampled whole, as new examples come with new persons.
    """
    total = len(labels)
    prefix_right, teacher_right = logits.argmax(axis=1) == labels, teacher.argmax(axis=1) == labels
    if people is not None and people.min() < people.max():
        lost = teacher_right.astype(np.int64) - prefix_right
        return (100 * float(lost.mean()), *_over_people(lost, people, seed))
    only_teacher, only_prefix = int((teacher_right & ~prefix_right).sum()), int((prefix_right & ~teacher_right).sum())
    shares = np.array([only_teacher, only_prefix, total - only_teacher - only_prefix]) / total
    draws = np.random.default_rng(seed).multinomial(total, shares, size=RESAMPLES)
    low, high = np.percentile(draws[:, 0] - draws[:, 1], [2.5, 97.5])
    return 100 * (only_teacher - only_prefix) / total, float(100 * low / total), float(100 * high / total)


def _over_people(lost: np.ndarray, people: np.ndarray, seed: int) -> tuple[float, float]:
    """The 95 % interval, in percentage points, of the mean of `lost` (N,) if whole persons are drawn anew."""
    number = np.unique(people, return_inverse=True)[1]
    examples, sums = np.bincount(number), np.bincount(number, lost)
    drawn = np.random.default_rng(seed).multinomial(len(examples), np.full(len(examples), 1 / len(examples)), RESAMPLES)
    low, high = np.percentile(100 * (drawn @ sums) / (drawn @ examples), [2.5, 97.5])
    return float(low), float(high)


def frontier(run: Any) -> pd.DataFrame:
    """A tidy data frame, one row per finished prefix of a run (an id, a folder, a `Run` or loaded `Results`).

    Columns: those of one row of `show RUN --json`'s `frontier` (accuracies in [0, 1], MACs and bytes for one
    example), nested ones flattened (`train_accuracy`, `validation_agreement`, …), and `points_lost`,
    `points_lost_low`, `points_lost_high`.
    """
    from bdistil.results.loading import Results, load

    return run.points if isinstance(run, Results) else load(run).points


def frame(
    points: Sequence[Point],
    prefixes: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    people: np.ndarray | None = None,
) -> pd.DataFrame:
    """Stored points and prefix logits (T, N, L) -> the data frame that `frontier` documents."""
    table = pd.json_normalize([point.document() for point in points], sep="_")
    lost = [points_lost(logits, teacher, labels, people) for logits in prefixes]
    return table.assign(
        points_lost=[value for value, _, _ in lost],
        points_lost_low=[low for _, low, _ in lost],
        points_lost_high=[high for _, _, high in lost],
    )

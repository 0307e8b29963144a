"""Intervals of accuracies and of their differences: over examples, and over whole persons where these are few.

Wilson for an accuracy, a paired bootstrap for a difference of two accuracies on the same examples, and a t interval
with a small-sample correction over groups of examples. numpy only.
"""

import math

import numpy as np

RESAMPLES = 2000
FEWEST_GROUPS = 3  # below, the range of the groups' means stands for an interval
_T = {
    1: 12.7062,
    2: 4.3027,
    3: 3.1824,
    4: 2.7764,
    5: 2.5706,
    6: 2.4469,
    7: 2.3646,
    8: 2.3060,
    9: 2.2622,
    10: 2.2281,
    15: 2.1314,
    20: 2.0860,
    30: 2.0423,
    60: 2.0003,
}


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


def persons(people: np.ndarray | None) -> int | None:
    """How many persons (N,) an interval is over: two at least. None where it is over single examples."""
    count = 0 if people is None else len(np.unique(people))
    return count if count > 1 else None


def accuracy_interval(right: np.ndarray, people: np.ndarray | None = None) -> tuple[float, float]:
    """The 95 % interval (low, high) of an accuracy, in [0, 1]. right: bool (N,), which examples are answered correctly.

    people: (N,) whose example each is, where the split holds out whole persons. Of at least two it is
    `group_interval`'s, as examples of a person are alike; else Wilson's.
    """
    if people is not None and persons(people):
        return group_interval(right.astype(float), people, (0, 1))
    return wilson(int(right.sum()), len(right))


def points_lost(
    logits: np.ndarray, teacher: np.ndarray, labels: np.ndarray, people: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float, float]:
    """Percentage points by which the prefix is less accurate than the teacher: (value, low, high), negative when it
    is better.

    logits, teacher: (N, L); labels: (N,). The 95 % interval is a paired bootstrap over examples. The difference
    depends only on how many examples the teacher alone and the prefix alone get right, so resampling examples is
    exactly a multinomial draw of those counts: no example is touched. people: (N,) whose example each is, where the
    split holds out whole persons: of at least two, the interval is `group_interval`'s, as new examples come with new
    persons.
    """
    total = len(labels)
    prefix_right, teacher_right = logits.argmax(axis=1) == labels, teacher.argmax(axis=1) == labels
    if people is not None and persons(people):
        lost = teacher_right.astype(np.int64) - prefix_right
        return (100 * float(lost.mean()), *group_interval(100.0 * lost, people, (-100, 100)))
    only_teacher, only_prefix = int((teacher_right & ~prefix_right).sum()), int((prefix_right & ~teacher_right).sum())
    shares = np.array([only_teacher, only_prefix, total - only_teacher - only_prefix]) / total
    draws = np.random.default_rng(seed).multinomial(total, shares, size=RESAMPLES)
    low, high = np.percentile(draws[:, 0] - draws[:, 1], [2.5, 97.5])
    return 100 * (only_teacher - only_prefix) / total, float(100 * low / total), float(100 * high / total)


def group_interval(
    values: np.ndarray, groups: np.ndarray, limits: tuple[float, float] = (-math.inf, math.inf)
) -> tuple[float, float]:
    """The 95 % interval (low, high) of the mean of values (N,) when whole groups (N,) are drawn anew, in their unit.

    A t interval of the ratio of the groups' sums to their sizes: each group's residual is divided by the root of one
    minus its share h of the examples (the CR2 correction of R. Bell and D. McCaffrey, 2002), and 1/Σh² groups less one
    are the degrees of freedom. For equal groups it is the t interval of their means. Of fewer than three groups it is
    no interval but the range of their means. It is clipped to `limits`.
    """
    number = np.unique(groups, return_inverse=True)[1]
    sizes, sums = np.bincount(number), np.bincount(number, values)
    if len(sizes) < FEWEST_GROUPS:
        means = sums / sizes
        return float(means.min()), float(means.max())
    centre, half = group_means_interval((sums / sizes)[None], sizes)
    low, high = np.clip([centre[0] - half[0], centre[0] + half[0]], *limits)
    return float(low), float(high)


def group_means_interval(means: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (R, G) of G >= 2 groups of sizes (G,) -> the weighted mean (R,) and half of `group_interval`'s width."""
    shares = sizes / sizes.sum()
    centre = means @ shares
    residuals = shares * (means - centre[:, None]) / np.sqrt(1 - shares)
    freedom = max(1.0, 1 / float((shares**2).sum()) - 1)
    return centre, t_quantile(freedom) * np.sqrt((residuals**2).sum(axis=1))


def t_quantile(freedom: float) -> float:
    """The 97.5 % quantile of Student's t for at least one degree of freedom, too large rather than too small.

    Linear in 1/freedom between tabulated ones; the quantile is convex in that, so no interval becomes too narrow.
    """
    return float(np.interp(1 / freedom, [0.0, *(1 / np.array(list(_T))[::-1])], [1.959964, *list(_T.values())[::-1]]))

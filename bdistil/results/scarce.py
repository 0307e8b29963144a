"""Classes of which a split has no example, or too few for a figure, and what always answering the largest one reaches.

Counts are examples of each of L classes, in the order of the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bdistil.results.loading import Results

FEWEST = 10  # examples of a class in a split below which a figure of it is little more than chance


@dataclass(frozen=True)
class Scarce:
    """The classes of a split (of `classes` in all) without an example, and those with fewer than `FEWEST`, by name."""

    split: str
    classes: int
    absent: tuple[str, ...] = ()
    thin: tuple[str, ...] = ()


def scarce(names: Sequence[str], counts: Sequence[int], split: str) -> Scarce:
    """Which of the classes a split lacks, or has few examples of. Without counts, none."""
    paired = list(zip(names, counts, strict=True)) if len(counts) else []
    return Scarce(
        split,
        len(names),
        absent=tuple(name for name, count in paired if count == 0),
        thin=tuple(name for name, count in paired if 0 < count < FEWEST),
    )


def scarce_of(results: Results, split: str) -> Scarce:
    """`scarce` of a run's split: test from its labels, others from run.json, where older runs know nothing of them."""
    return scarce(results.classes, counts_of(results, split), split)


def counts_of(results: Results, split: str) -> tuple[int, ...]:
    """Examples of each class in a run's split; empty where an older run does not tell."""
    if split == "test":
        return tuple(np.bincount(results.labels, minlength=len(results.classes)).tolist())
    return results.run.dataset.counts.get(split, ()) if results.run.dataset else ()


def largest_class(results: Results) -> tuple[str, float]:
    """The class with the most test examples, and its share of them in [0, 1]: what always answering it reaches."""
    counts = counts_of(results, "test")
    place = int(np.argmax(counts))
    return results.classes[place], counts[place] / max(1, sum(counts))

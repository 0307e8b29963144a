"""Classes of which a run's split has no example, or too few for a figure, and what answering the largest one reaches.

Counts are examples of each of L classes, in the order of the classes.
"""

from __future__ import annotations

import numpy as np

from bdistil.data.class_counts import Scarce, scarce
from bdistil.results.loading import Results


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

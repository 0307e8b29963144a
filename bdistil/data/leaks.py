"""What is on two sides of a split, so that a model is tested on what it has been trained on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bdistil.data.dataset import SPLITS, Dataset


@dataclass(frozen=True)
class Leak:
    """Something on two sides of a split.

    kind: `person`, or `example`: inputs that are the same byte for byte. count: how many persons, or how many inputs of
    the second side. sides: two of `SPLITS`, in their order. sentence: for people.
    """

    kind: str
    count: int
    sides: tuple[str, str]
    sentence: str


def leaks(data: Dataset) -> list[Leak]:
    """Finds the persons, where they are known, and the identical inputs on two sides of a data set's splits."""
    return [*_persons(data), *_examples(data)]


def describe(data: Dataset) -> list[str]:
    """Says how many examples and classes there are, how they were split, and what leaks; a sentence each."""
    counts = ", ".join(f"{len(data.split(name)[0]):,} {name}" for name in SPLITS)
    held_out = "no person and " if data.people_train is not None else ""
    found = [leak.sentence for leak in leaks(data)] or [f"Nothing leaks: {held_out}no example is on two sides."]
    return [f"{data.info.title}: {counts} examples of {len(data.info.classes)} classes.", data.info.split, *found]


def _persons(data: Dataset) -> Iterator[Leak]:
    if data.people_train is None:
        return
    people = {name: set(getattr(data, f"people_{name}").tolist()) for name in SPLITS}
    for sides in combinations(SPLITS, 2):
        count = len(people[sides[0]] & people[sides[1]])
        if count:
            are = "1 person is" if count == 1 else f"{count:,} persons are"
            yield Leak("person", count, sides, f"Leak: {are} in {' and '.join(sides)}.")


def _examples(data: Dataset) -> Iterator[Leak]:
    digests = {name: _digests(data.split(name)[0]) for name in SPLITS}
    for sides in combinations(SPLITS, 2):
        first = set(digests[sides[0]])
        count = sum(digest in first for digest in digests[sides[1]])
        if count:
            share = f"{count:,} of {len(digests[sides[1]]):,} {sides[1]} examples"
            yield Leak("example", count, sides, f"Leak: {share} {'is' if count == 1 else 'are'} in {sides[0]} too.")


def _digests(x: np.ndarray) -> list[bytes]:
    return [hashlib.blake2b(example, digest_size=16).digest() for example in x]

"""What is on two sides of a split, so that a model is tested on what it has been trained on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bdistil.data.dataset import SPLITS, Dataset

_BLOCK = 1024  # series hashed at a time
_LONGEST = 16  # steps of a stretch that tell a recording: a quarter of a series, and at most so many


@dataclass(frozen=True)
class Leak:
    """Something on two sides of a split.

    kind: `person`; `example`, inputs that are the same byte for byte; or `recording`, series that have a stretch in
    common though they are not the same, as windows have that were cut with overlap from one recording.
    count: how many persons, or how many inputs of the second side. sides: two of `SPLITS`, in their order.
    sentence: for people.
    """

    kind: str
    count: int
    sides: tuple[str, str]
    sentence: str


def leaks(data: Dataset) -> list[Leak]:
    """Finds what is on two sides of a data set's splits: persons, where they are known, inputs, parts of recordings."""
    return [*_persons(data), *_examples(data)]


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
    series = data.x_train.ndim == 3 and data.x_train.shape[-1] > 1  # of one step there are no stretches
    length = min(max(2, data.x_train.shape[-1] // 4), _LONGEST)
    digests = {name: _digests(data.split(name)[0]) for name in SPLITS}
    stretches = {name: _stretches(data.split(name)[0], length) for name in SPLITS} if series else {}
    for sides in combinations(SPLITS, 2):
        first, second = sides
        known = set(digests[first])
        same = np.array([digest in known for digest in digests[second]])
        if same.any():
            yield Leak("example", int(same.sum()), sides, f"Leak: {_share(same, second)} in {first} too.")
        if not series:
            continue
        overlaps = ~same & (np.isin(stretches[second], stretches[first]) & (stretches[second] > 0)).any(axis=1)
        if overlaps.any():
            cut = f"of a recording that {first} has too: {length} steps or more are the same"
            yield Leak("recording", int(overlaps.sum()), sides, f"Leak: {_share(overlaps, second)} {cut}.")


def _share(chosen: np.ndarray, side: str) -> str:
    count = int(chosen.sum())
    return f"{count:,} of {len(chosen):,} {side} examples {'is' if count == 1 else 'are'}"


def _digests(x: np.ndarray) -> list[bytes]:
    return [hashlib.blake2b(example, digest_size=16).digest() for example in x]


def _stretches(x: np.ndarray, length: int) -> np.ndarray:
    """Hashes every stretch of so many steps of float32 (N, C, S): uint64 (N, S − length + 1).

    0 stands for a stretch in which nothing changes, such as silence: that is the same in many recordings.
    """
    keys = np.random.default_rng(0).integers(2**63, size=(x.shape[1], 1), dtype=np.uint64)
    weights = np.random.default_rng(1).integers(2**63, size=length, dtype=np.uint64)
    hashed = []
    for at in range(0, len(x), _BLOCK):
        steps = _mixed(x[at : at + _BLOCK].view(np.uint32) + keys).sum(axis=1, dtype=np.uint64)
        windows = np.lib.stride_tricks.sliding_window_view(steps, length, axis=1)
        changes = (windows != windows[:, :, :1]).any(axis=2)
        hashed.append(np.where(changes, windows @ weights, 0))
    return np.concatenate(hashed)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Spreads each of uint64 values over all 64 bits (the finaliser of SplitMix64, S. Vigna, public domain)."""
    values = (values ^ (values >> 30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> 27)) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> 31)

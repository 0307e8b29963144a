"""What was found in somebody's own data, and how it is split where it is not split yet: whole persons or series."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from bdistil.data.dataset import SPLITS, Modality
from bdistil.errors import UserError, quoted

TRAIN, VALIDATION, TEST = range(len(SPLITS))
_ARRAYS = ("x", "y", "split", "people", "files")
_SEED = 0
_BLOCK = 1024  # examples that are hashed at a time
_TEST_SHARE, _VALIDATION_SHARE = 0.2, 0.25  # the second of what the first leaves: 60/20/20
_OFFICIAL_VALIDATION_SHARE = 0.1  # of a train part whose test part is given
_MOST_DRAWS, _DRAWN_GROUPS = 4000, 4_000_000  # draws of a balanced split; and groups in all of them, which bounds time
_MOST_ASSIGNMENTS, _AT_ONCE = 3**12, 2**16  # of groups to splits that are all tried; and those costed at a time
# Cost of a class that a split lacks: of one with too few groups for every split, of another, and for train.
_ABSENT_OF_FEW, _ABSENT, _ABSENT_FROM_TRAIN = 10.0, 1e3, 1e6


@dataclass(frozen=True)
class ImportedData:
    """Examples read from a path, in the order of their files.

    x: uint8 (N, C, H, W) of pictures, float32 (N, C, S) of series. y: int64 (N,), positions in `classes`.
    split: int64 (N,), positions in `SPLITS`. people: int64 (N,) person numbers, or None. files: text (N,), paths below
    the folder, or None.
    checksum: `Dataset.checksum` of the splits, stored so that it costs nothing to ask for it again.
    how: one sentence on the split. unreadable: one sentence for each file that was skipped. notes: sentences on how it
    was read, and on what may be amiss. Others as in `DatasetInfo`.
    """

    x: np.ndarray
    y: np.ndarray
    split: np.ndarray
    people: np.ndarray | None
    classes: tuple[str, ...]
    modality: Modality
    how: str
    files: np.ndarray | None = None
    channels: tuple[str, ...] = ()
    rate_hz: float | None = None
    sampling_hz: int | None = None
    front_end: str | None = None
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checksum: str | None = None

    def hashed(self) -> "ImportedData":
        """Itself with the checksum that `Dataset.of` works out for these splits."""
        digest, kind = hashlib.sha256(), np.uint8 if self.modality == "image" else np.float32
        for number in range(len(SPLITS)):
            rows = np.flatnonzero(self.split == number)
            for at in range(0, len(rows), _BLOCK):  # a copy of all examples may not fit the memory
                digest.update(np.ascontiguousarray(self.x[rows[at : at + _BLOCK]], dtype=kind).data)
            digest.update(np.ascontiguousarray(self.y[rows], dtype=np.int64).data)
        return replace(self, checksum=digest.hexdigest())

    def pack(self) -> dict[str, np.ndarray]:
        """All of it as arrays without objects, for the disk."""
        facts = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _ARRAYS}
        arrays = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        return {**arrays, "facts": np.array([json.dumps(facts)])}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> "ImportedData":
        """What `pack` has packed."""
        facts = json.loads(str(arrays["facts"][0]))
        lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
        x, y, split = (arrays[name] for name in ("x", "y", "split"))
        return cls(x=x, y=y, split=split, people=arrays.get("people"), files=arrays.get("files"), **{**facts, **lists})


def numbered(names: np.ndarray | list) -> tuple[np.ndarray, tuple[str, ...]]:
    """Names, or numbers, of N examples as int64 (N,) positions in the sorted different ones, and those as text."""
    different, position = np.unique(np.asarray(names), return_inverse=True)
    return position.astype(np.int64), tuple(str(name) for name in different)


def split_anew(y: np.ndarray, groups: np.ndarray, what: str, classes: tuple[str, ...], source: str) -> np.ndarray:
    """Splits examples 60/20/20 by whole groups, the same way every time; returns int64 (N,), positions in `SPLITS`.

    groups: int64 (N,), what is not to be torn apart: a file, a series or a person; `what` names them in an error, and
    `source` what they are of. Where each group has one class, every class is split in the same proportion; elsewhere
    the best of all assignments, or of many seeded draws, balances classes and shares. Raises UserError if a class or
    all of it has fewer than three groups, or if a class is left without training examples.
    """
    if not _of_one_class(y, groups):
        split = _balanced(y, groups, {TEST: 0.2, VALIDATION: 0.2}, what, source)
        return _checked(split, y, classes, source)
    test = _held_out(y, groups, _TEST_SHARE, 3, what, classes, source)
    split = np.where(test, TEST, TRAIN)
    held_out = _held_out(y[~test], groups[~test], _VALIDATION_SHARE, 2, what, classes, source)
    split[~test] = np.where(held_out, VALIDATION, TRAIN)
    return _checked(split, y, classes, source)


def split_validation(
    split: np.ndarray, y: np.ndarray, groups: np.ndarray, what: str, classes: tuple[str, ...], source: str
) -> np.ndarray:
    """As `split_anew`, where only validation is missing: a tenth of the train part's groups, one at least, is held out.

    Raises UserError as `split_anew` does, if there are fewer than two groups.
    """
    train = split == TRAIN
    split = split.copy()
    if _of_one_class(y[train], groups[train]):
        held_out = _held_out(y[train], groups[train], _OFFICIAL_VALIDATION_SHARE, 2, what, classes, source)
        split[train] = np.where(held_out, VALIDATION, TRAIN)
    else:
        split[train] = _balanced(y[train], groups[train], {VALIDATION: _OFFICIAL_VALIDATION_SHARE}, what, source)
    return _checked(split, y, classes, source)


def _of_one_class(y: np.ndarray, groups: np.ndarray) -> bool:
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    return np.array_equal(y, y[first][group])


def _held_out(
    y: np.ndarray, groups: np.ndarray, share: float, least: int, what: str, classes: tuple[str, ...], source: str
) -> np.ndarray:
    """Chooses a share of the groups of each class, one at least, where every group has one class; returns bool (N,)."""
    generator = np.random.default_rng(_SEED)
    names, first, group = np.unique(groups, return_index=True, return_inverse=True)
    chosen = np.zeros(len(names), bool)
    for label in np.unique(y):
        members = np.flatnonzero(y[first] == label)
        if len(members) < least:
            raise UserError(
                f"The class {quoted(classes[label])} of {source} needs {least} {what} to hold some out, "
                f"and has {len(members)}: add more."
            )
        count = max(1, round(share * len(members)))
        chosen[generator.permutation(members)[:count]] = True
    return chosen[group]


def _balanced(y: np.ndarray, groups: np.ndarray, shares: dict[int, float], what: str, source: str) -> np.ndarray:
    """Assigns whole groups to each split in `shares`, the rest to train, as balanced as can be found.

    Of few groups every assignment is tried, of more the best of many draws is taken. The cost is the squared distance
    of every class's shares, and of the total's, from those asked for; a class that a split lacks costs more than any
    imbalance, more still where it has a group for each split, and most in train. Returns int64 (N,), positions in
    `SPLITS`.
    """
    names, group = np.unique(groups, return_inverse=True)
    size = len(names)
    if size <= len(shares):
        raise UserError(f"{source} needs {len(shares) + 1} {what} to hold some out, and has {size}: add more.")
    _, label = np.unique(y, return_inverse=True)
    counts = np.zeros((size, label.max() + 1))
    np.add.at(counts, (group, label), 1)

    few = (len(shares) + 1) ** size <= _MOST_ASSIGNMENTS
    best, least = np.full(size, TRAIN), np.inf
    for assigned in _assignments(size, [TRAIN, *shares]) if few else [_draws(counts.sum(axis=1), shares)]:
        # Assignments that mirror each other cost the same; rounding must not decide between them.
        cost = _costs(assigned, counts, shares).round(9)
        if cost.min(initial=np.inf) < least:
            best, least = assigned[cost.argmin()], cost.min()
    return best[group].astype(np.int64)


def _assignments(size: int, places: list[int]) -> Iterator[np.ndarray]:
    """Every assignment of groups to places that leaves none empty, in blocks (at most `_AT_ONCE`, size)."""
    total = len(places) ** size
    for start in range(0, total, _AT_ONCE):
        number = np.arange(start, min(start + _AT_ONCE, total))[:, None]
        assigned = np.array(places)[number // len(places) ** np.arange(size) % len(places)]
        yield assigned[np.all([(assigned == place).any(axis=1) for place in places], axis=0)]


def _draws(examples: np.ndarray, shares: dict[int, float]) -> np.ndarray:
    """Seeded draws (D, G) of groups, of so many examples each, that fill every split up to its share, one at least."""
    size = len(examples)
    draws = int(np.clip(_DRAWN_GROUPS // size, 100, _MOST_DRAWS))
    order = np.random.default_rng(_SEED).permuted(np.tile(np.arange(size), (draws, 1)), axis=1)
    drawn = examples[order]
    middle = (np.cumsum(drawn, axis=1) - drawn / 2) / drawn.sum(axis=1, keepdims=True)
    part, start, reached = np.full((draws, size), TRAIN), np.zeros(draws, np.int64), 0.0
    for left, (place, share) in enumerate(shares.items()):
        reached += share
        # The splits still to come, and train, get a group each.
        stop = np.clip((middle < reached).sum(axis=1), start + 1, size - (len(shares) - left))
        rank = np.arange(size)
        part[(rank >= start[:, None]) & (rank < stop[:, None])] = place
        start = stop
    assigned = np.empty_like(part)
    np.put_along_axis(assigned, order, part, axis=1)
    return assigned


def _costs(assigned: np.ndarray, counts: np.ndarray, shares: dict[int, float]) -> np.ndarray:
    """The cost (D,) of assignments (D, G) of groups with `counts` (G, L) examples of each class."""
    totals = counts.sum(axis=0)
    absent = np.where((counts > 0).sum(axis=0) > len(shares), _ABSENT, _ABSENT_OF_FEW)
    cost = np.zeros(len(assigned))
    for place, share in {**shares, TRAIN: 1 - sum(shares.values())}.items():
        held = (assigned == place).astype(float) @ counts
        cost += ((held / totals - share) ** 2).sum(axis=1)
        cost += len(totals) * (held.sum(axis=1) / totals.sum() - share) ** 2
        cost += (held == 0) @ np.where(place == TRAIN, _ABSENT_FROM_TRAIN, absent)
    return cost


def _checked(split: np.ndarray, y: np.ndarray, classes: tuple[str, ...], source: str) -> np.ndarray:
    missing = np.setdiff1d(np.arange(len(classes)), y[split == TRAIN])
    if len(missing):
        raise UserError(
            f"The class {quoted(classes[missing[0]])} of {source} has no example left to train on: add "
            "some of other persons."
        )
    return split.astype(np.int64)

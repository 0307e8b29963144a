"""The guarantee of a run: what the boosting game's certificate says after each round, class by class.

`by_round` tidies a run's records, `guarantee` is what follows from them, `bounds` the nine values of η behind one
bound, `heaviest` the training examples that weighed most for a round's student. The certificate itself is stated and
computed in `boosting`; nothing here computes it anew. All of it is about the *training* split and the normalised
scale, on which the teacher's largest logit is 1. In a polished run the records are those of the final students.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from bdistil.paths import open_regular
from bdistil.records import RoundRecord
from bdistil.runs.previews import Examples, stored

ROUNDING = 1e-9  # the inequality is exact; both of its sides are rounded


@dataclass(frozen=True)
class ClassRound:
    """One class after one round: its largest deviation, its bound and the trivial one, on the normalised scale.

    place: of the class. edge, relative_edge: at the theory's η. multiple: of the theory's η, which gives the bound;
    None in runs that kept only the least bound. effective: the least effective number of weighted examples of any
    class.
    """

    round: int
    place: int
    name: str
    measured: float
    bound: float
    trivial: float
    edge: float
    relative_edge: float
    multiple: float | None
    effective: float

    @property
    def tells(self) -> bool:
        """Whether the bound is below the trivial one."""
        return self.bound < self.trivial


def by_round(records: Sequence[RoundRecord], classes: Sequence[str]) -> list[ClassRound]:
    """One for each round and class, in that order."""
    return [
        ClassRound(
            record.round,
            place,
            name,
            record.measured_by_class[place],
            record.bound_by_class[place],
            record.trivial_by_class[place],
            record.edges[place],
            record.relative_edges[place],
            min(bounds(record, place), key=lambda each: each.bound).multiple if record.by_eta else None,
            record.effective_examples,
        )
        for record in records
        for place, name in enumerate(classes)
    ]


@dataclass(frozen=True)
class EtaBound:
    """The bound of a class at one η, a multiple of the theory's."""

    multiple: float
    bound: float


def bounds(record: RoundRecord, place: int) -> list[EtaBound]:
    """The bound of the class at `place` after a round for each η; none in runs that kept only the least."""
    if record.by_eta is None:
        return []
    pairs = zip(record.by_eta.multiples, record.by_eta.bounds, strict=True)
    return [EtaBound(multiple, row[place]) for multiple, row in pairs]


@dataclass(frozen=True)
class Guarantee:
    """What a run's certificate amounts to.

    A bound *tells* something where it is below the trivial one. shown: the class to show it by after the last round:
    of those whose bound tells something the one with the least slack; where none does, the one that comes closest.
    broken: the first class whose deviation exceeds its bound, which no undamaged run has. telling: how many of
    `classes` have a bound that tells something after the last round; since: from which round on it does for `shown`,
    or, where it does for all, for every class. needed: after how many rounds, all told, each class's bound
    would, if further rounds were like these; inf where it never would; None where the run kept too little to tell.
    """

    rounds: int
    classes: int
    shown: ClassRound
    broken: ClassRound | None
    telling: int
    since: int | None
    needed: tuple[float, ...] | None


def guarantee(records: Sequence[RoundRecord], classes: Sequence[str], examples: int, eta: float) -> Guarantee:
    """What the certificate amounts to after at least one round.

    examples: N, the size of the training split; eta: the theory's η of the run, on the normalised scale.
    """
    rows = by_round(records, classes)
    tells: np.ndarray = np.array([row.tells for row in rows]).reshape(len(records), len(classes))
    last = rows[-len(classes) :]
    telling = [row for row in last if row.tells]
    if telling:
        shown = min(telling, key=lambda row: row.bound - row.measured)
    else:
        shown = min(last, key=lambda row: row.bound / row.trivial if row.trivial else math.inf)
    series = np.all(tells, axis=1) if tells[-1].all() else tells[:, shown.place]
    return Guarantee(
        rounds=len(records),
        classes=len(classes),
        shown=shown,
        broken=next((row for row in rows if row.measured > row.bound + ROUNDING), None),
        telling=len(telling),
        since=int(np.flatnonzero(~series).max(initial=-1)) + 2 if series[-1] else None,
        needed=_needed(records[-1], examples, eta),
    )


def _needed(record: RoundRecord, examples: int, eta: float) -> tuple[float, ...] | None:
    """After how many rounds like the mean of those so far the bound of each class falls below its trivial one.

    At each η the bound is (−mean edge + mean growth/η) + ln(2N)/(ηT): only the last term depends on T, so that the
    rest is what is left of the bound without it. The mean of b, and with it the trivial bound, stays.
    """
    if record.by_eta is None:
        return None
    etas = eta * np.array(record.by_eta.multiples)[:, None]
    price = np.log(2 * examples) / etas
    room = np.array(record.trivial_by_class) - (np.array(record.by_eta.bounds) - price / record.round)
    rounds = np.full(room.shape, np.inf)
    np.divide(price, room, out=rounds, where=room > 0)
    return tuple((np.floor(rounds.min(axis=0)) + 1).tolist())


@dataclass(frozen=True)
class Heavy:
    """One pair of a training example and a class that weighs much before a round.

    index: the example's place in the training split. name: the class of the weight; label, teacher: the example's own
    class and the teacher's answer. too_low: whether the ensemble's logit of `name` lies below the teacher's, else
    above. times: the weight as a multiple of an equal share, 1/(2N).
    """

    index: int
    name: str
    label: str
    teacher: str
    too_low: bool
    times: float


def heaviest(folder: Path, classes: Sequence[str], examples: int) -> tuple[list[Heavy], Examples] | None:
    """The pairs that weighed most for the student of a round (from 2 on), heaviest first, and their examples.

    folder: the round's; examples: N. None where the run kept none, or where they are damaged.
    """
    try:
        with open_regular(folder / "heaviest.npz") as file, np.load(file) as kept:
            columns = zip(
                *(kept[name].tolist() for name in ("index", "label", "true", "teacher", "sign", "weight")), strict=True
            )
            pairs = [
                Heavy(index, classes[name], classes[label], classes[teacher], sign > 0, 2 * examples * weight)
                for index, name, label, teacher, sign, weight in columns
            ]
            return pairs, stored(kept)
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, BadZipFile):
        return None

"""Which class of students a round's candidates come from: compositions from the configured one up, in some size.

Without budgets a student has the catalogue's size, times the growth. With budgets its size follows from the limit on
the MACs of its prefix: as large as fits, counted on students that are really built, so that what a composition spends
on reading others is within the limit. Where students are searched for, the first candidate leaves some of it to the
later ones, which are wider, then more expressive within the same limit.
Paper: the classes that FIND-WL searches (arXiv 2302.10093, Algorithm 2); sizes from budgets are ours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from bdistil.budgets import parse
from bdistil.config import DistilConfig
from bdistil.cost import student_macs
from bdistil.data.dataset import DatasetInfo
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.method.distillation import Distillation
from bdistil.students.build import build_student
from bdistil.students.catalogue import family, segment
from bdistil.students.custom import own_student
from bdistil.students.student import Student

WIDER = 1.5  # times the channels, on the last rung of a ladder without budgets
FIRST_SHARE = 0.85  # of what a round may spend: the first candidate of a search
SMALLEST, LARGEST = 1 / 64, 64.0  # times the catalogue's size, where it follows from a budget
NEAR = 0.75  # of what a round may spend: students that spend less are remarked upon
PRECISION = 1.005  # ratio of two sizes that are not told apart


@dataclass(frozen=True)
class Rung:
    """A class of students: how they read their predecessors, and their size.

    wider, grown, fitted: times the catalogue's channels or units, see `StudentOptions`.
    """

    number: int
    composition: str
    wider: float = 1.0
    grown: float = 1.0
    fitted: bool = False


@dataclass(frozen=True)
class PlannedStudent:
    """A student as budgets plan it. limit, macs: of its prefix; share: of what the round may spend that it spends."""

    limit: int
    macs: int
    share: float

    def remark(self, prefix: int) -> str | None:
        """A sentence where the student is the nearest below its budget and still far from it; None where it is near."""
        if self.share >= NEAR:
            return None
        return (
            f"Prefix {prefix} takes {self.macs:,} of the {self.limit:,} MACs of its budget: there is no student of "
            "this kind between them."
        )


def rungs(distillation: Distillation) -> list[Rung]:
    """The ladder of the round to come, from the configured composition up."""
    config, ensemble = distillation.config, distillation.ensemble
    if not distillation.budgets:
        return ladder(config, distillation.round)
    return _sized_ladder(config, distillation.data.dataset.info, ensemble, distillation.budgets[len(ensemble)])


def ladder(config: DistilConfig, round: int) -> list[Rung]:
    """The rungs of a round without budgets. The first student has no one to read."""
    growth = config.growth ** (round - 1)
    if round == 1 or config.factory:
        return [Rung(0, config.composition, grown=growth)]
    steps = _compositions(config)
    widest = Rung(len(steps), steps[-1], WIDER, growth)
    return [*(Rung(number, name, grown=growth) for number, name in enumerate(steps)), widest]


def budgets_of(
    config: DistilConfig, info: DatasetInfo, teacher_macs: float | None
) -> tuple[tuple[int, ...], list[str]]:
    """The run's budgets in MACs, () where it has none, and remarks on those that no student comes near.

    Raises UserError for shares of MACs that are not known, and for a budget that the smallest student does not fit.
    """
    if not config.budgets:
        return (), []
    limits = parse(config.budgets).macs(teacher_macs)
    remarks = [each.remark(prefix) for prefix, each in enumerate(plan(config, info, limits), start=1)]
    return limits, [remark for remark in remarks if remark]


def plan(config: DistilConfig, info: DatasetInfo, budgets: Sequence[int]) -> list[PlannedStudent]:
    """The student of each budget, in MACs. What torch draws next is as before.

    Raises UserError for a budget that even the smallest student does not fit.
    """
    with torch.random.fork_rng(devices=[]):
        students = untrained(config, info, len(budgets), budgets).students
    planned, spent = list[PlannedStudent](), 0
    for limit, student in zip(budgets, students, strict=True):
        macs = spent + student_macs(student)
        planned.append(PlannedStudent(limit, macs, (macs - spent) / (limit - spent)))
        spent = macs
    return planned


def untrained(config: DistilConfig, info: DatasetInfo, rounds: int, budgets: Sequence[int] = ()) -> ProgressiveEnsemble:
    """The first students of a run as they would be built, for what they cost."""
    ensemble = ProgressiveEnsemble(
        c=1.0,
        classes=info.classes,
        mean=[0.0] * info.input_shape[0],
        std=[1.0] * info.input_shape[0],
        input_shape=info.input_shape,
    )
    for round in range(1, rounds + 1):
        sized = _sized_ladder(config, info, ensemble, budgets[round - 1]) if budgets else ladder(config, round)
        ensemble.append(build(config, info, ensemble, sized[0]))
    return ensemble


def _sized_ladder(config: DistilConfig, info: DatasetInfo, ensemble: ProgressiveEnsemble, limit: int) -> list[Rung]:
    """The rungs of the round to come, each as large as its prefix may be."""
    spent = _spent(ensemble)
    searched = config.meet_condition and not config.polished and len(ensemble) > 0
    first = spent + FIRST_SHARE * (limit - spent) if searched else limit
    limits = [(config.composition, first)]
    if searched:
        limits += [(name, limit) for name in _compositions(config)]
    sizes = [(name, _largest(config, info, ensemble, name, each - spent)) for name, each in limits]
    found = [(name, size) for name, size in sizes if size is not None]
    if not found:
        smallest = spent + _macs(config, info, ensemble, config.composition, SMALLEST)
        raise UserError(
            f"The budget of prefix {len(ensemble) + 1}, {limit:,} MACs, is too small: even with the smallest student "
            f"of the kind of {config.student} it takes {smallest:,}. Raise this one of the `budgets`, or leave it out."
        )
    if searched and len(found) > 1 and len({_macs(config, info, ensemble, *each) for each in found[:2]}) == 1:
        del found[1]  # there is no wider student below the budget
    return [Rung(number, name, grown=size, fitted=True) for number, (name, size) in enumerate(found)]


def _largest(
    config: DistilConfig, info: DatasetInfo, ensemble: ProgressiveEnsemble, composition: str, limit: float
) -> float | None:
    """How many times its catalogue's size the next student may have to take at most `limit` MACs; None for no size."""
    low = high = SMALLEST
    if _macs(config, info, ensemble, composition, low) > limit:
        return None
    while high < LARGEST and _macs(config, info, ensemble, composition, high) <= limit:
        low, high = high, 2 * high
    while high / low > PRECISION:
        middle = math.sqrt(low * high)
        fits = _macs(config, info, ensemble, composition, middle) <= limit
        low, high = (middle, high) if fits else (low, middle)
    return low


def build(config: DistilConfig, info: DatasetInfo, ensemble: ProgressiveEnsemble, rung: Rung) -> Student:
    """A fresh student that comes after those of `ensemble`, its weights drawn from torch's generator."""
    if config.factory:
        return own_student(config.factory, info.input_shape, len(info.classes), list(ensemble.students))
    return build_student(
        config.student,
        input_shape=info.input_shape,
        classes=len(info.classes),
        composition=rung.composition,
        previous=ensemble.students[-1] if len(ensemble) else None,
        head=config.head,
        wider=rung.wider,
        grown=rung.grown,
        fitted=rung.fitted,
        steps=segment(config.mode, len(ensemble) + 1, config.rounds, info.input_shape),
        dropout=config.dropout,
        cell=config.cell,
    )


def student_name(config: DistilConfig, rung: Rung) -> str:
    """The catalogue's name, and how many times its size the student of a rung has: `cnn-xs × 1.5`."""
    times = rung.grown * rung.wider
    return config.student if times == 1 else f"{config.student} × {times:.3g}"


def student_names(distillation: Distillation) -> list[str]:
    """Names of the ensemble's students, each the first of its round's ladder."""
    before, names = distillation.data.ensemble(), []
    for student in distillation.ensemble.students:
        names.append(student_name(distillation.config, rungs(replace(distillation, ensemble=before))[0]))
        before.append(student)
    return names


def _compositions(config: DistilConfig) -> tuple[str, ...]:
    """The configured composition and the more expressive ones."""
    whole = family(config.student).compositions(config.mode)
    return whole[whole.index(config.composition) :]


def _spent(ensemble: ProgressiveEnsemble) -> int:
    """MACs of all students."""
    return sum(map(student_macs, ensemble.students))


def _macs(config: DistilConfig, info: DatasetInfo, ensemble: ProgressiveEnsemble, composition: str, size: float) -> int:
    """MACs of such a student after those of `ensemble`. What torch draws next is as before."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):  # nothing is computed there
        return student_macs(build(config, info, ensemble, Rung(0, composition, grown=size, fitted=True)))

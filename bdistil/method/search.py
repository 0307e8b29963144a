"""FIND-WL, Algorithm 2 of B-DISTIL: find the student of a round, one that corrects the ensemble on every class.

Dennis et al., *Progressive Ensemble Distillation* (NeurIPS 2023). `find_weak_learner` trains a candidate, and corrects
its head so that it meets the weak learning condition on the training set and the next one can. Where that fails or
costs too much it tries again with a stronger barrier and fresh weights, and then with the next rung of the ladder, a
more expressive class of students. Nothing here reads or writes files; runs/jobs.py does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bdistil.config import DistilConfig
from bdistil.method.certificate import Certificate
from bdistil.method.correction import correct
from bdistil.method.distillation import Distillation
from bdistil.method.ladder import Rung, rungs, student_name
from bdistil.method.student_training import train_student
from bdistil.records import AttemptRecord, Candidate
from bdistil.students.student import Student
from bdistil.training.loop import Position

BARRIER_FACTOR = 3.0  # by which each retry raises the barrier


@dataclass(frozen=True, eq=False)
class Attempt:
    """One training of a candidate, and what became of it.

    f: the candidate's answers f_t on the training inputs, float32 (N, L); None where it comes from an earlier worker.
    """

    student: Student
    record: AttemptRecord
    f: np.ndarray | None = None

    @property
    def met(self) -> bool:
        """Whether the search ends with it."""
        return self.record.outcome in ("kept", "corrected")


@dataclass(frozen=True)
class SearchCallbacks:
    """Callbacks of a search: where an attempt starts, and what became of it (its training has callbacks of its own)."""

    starts: Callable[[Candidate], None] = lambda candidate: None
    tried: Callable[[int, Attempt], None] = lambda round, attempt: None


def find_weak_learner(
    distillation: Distillation,
    certificate: Certificate,
    tried: Sequence[Attempt] = (),
    callbacks: SearchCallbacks | None = None,
) -> tuple[Attempt, list[Attempt]]:
    """The student of the next round, and all attempts made; `tried` are those from before an interruption.

    The first that meets the condition ends the search. If none does, the one with the largest smallest edge is kept.
    """
    callbacks, attempts = callbacks or SearchCallbacks(), list(tried)
    round, config = distillation.round, distillation.config
    for number, (rung, gain) in enumerate(_plan(distillation), start=1):
        if number > len(attempts):
            callbacks.starts(candidate(config, round, number, rung, gain))
            attempts.append(_attempt(distillation, certificate, number, rung, gain))
            callbacks.tried(round, attempts[-1])
        if attempts[number - 1].met:
            return attempts[number - 1], attempts
    return max(attempts, key=lambda attempt: min(attempt.record.edges_before)), attempts


def _plan(distillation: Distillation) -> list[tuple[Rung, float]]:
    """Rung and barrier of each attempt, in order: on every rung the retries, each with a stronger barrier."""
    config, ladder = distillation.config, rungs(distillation)
    if distillation.round == 1 or not config.meet_condition:
        return [(ladder[0], config.barrier)]
    return [(rung, config.barrier * BARRIER_FACTOR**n) for rung in ladder for n in range(1 + config.retries)]


def candidate(config: DistilConfig, round: int, attempt: int, rung: Rung, gain: float) -> Candidate:
    """What an attempt of a round trains. The first student has no one to read."""
    return Candidate(
        round=round,
        attempt=attempt,
        rung=rung.number,
        barrier=gain,
        composition=rung.composition if round > 1 else "alone",
        student=student_name(config, rung),
    )


def _attempt(distillation: Distillation, certificate: Certificate, number: int, rung: Rung, gain: float) -> Attempt:
    config, round = distillation.config, distillation.round
    position = Position("rounds", round=round, attempt=number)
    student, trained = train_student(distillation, certificate.signed_weights(), position, rung, gain)
    f, correction = correct(distillation, certificate, student, position)
    record = AttemptRecord(
        **dict(correction),
        **dict(candidate(config, round, number, rung, gain)),
        seed=position.seed(config.seed),
        loss=trained.loss,
        seconds=trained.total + correction.correction_seconds,
    )
    return Attempt(student, record, f)

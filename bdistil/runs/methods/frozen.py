"""The method `b-distil`: a round finds one student, and it never changes again."""

from bdistil.config import DistilConfig
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.method.certificate import Certificate
from bdistil.method.correction import LOOKAHEAD
from bdistil.method.distillation import Distillation
from bdistil.method.frozen import distil
from bdistil.method.ladder import rungs
from bdistil.method.search import Attempt, SearchCallbacks
from bdistil.method.student_training import train_student
from bdistil.records import AttemptFinished, RoundRecord, RoundStarted, RoundUnmet
from bdistil.runs.job import DistillationJob
from bdistil.runs.rounds import restore, restore_attempts, save_attempt, save_round
from bdistil.runs.store import Run
from bdistil.training.loop import Position

COPIES = (1, 2)


def train(job: DistillationJob) -> ProgressiveEnsemble:
    """Find the students of the rounds to come; those that the search has rejected are kept until their round ends."""
    run, config = job.run, job.config
    ensemble, finished = restore(run, job.data)
    callbacks = SearchCallbacks(
        starts=lambda candidate: run.record(RoundStarted, **dict(candidate), epochs=config.epochs),
        tried=lambda round, attempt: _record_attempt(run, attempt),
    )
    tried = restore_attempts(run, len(finished) + 1)
    _record_missing_attempts(run, tried)
    distillation = job.distillation(ensemble, job.callbacks(config.rounds))
    for done in distil(distillation, finished, tried, callbacks):
        if config.meet_condition and not done.record.condition_met:
            run.record(RoundUnmet, round=len(ensemble), attempt=done.record.attempt)
        save_round(job, ensemble, done)
        job.record_round()
    return ensemble


def fit(distillation: Distillation) -> list[RoundRecord]:
    return [done.record for done in distil(distillation)]


def begin_round(distillation: Distillation, certificate: Certificate) -> None:
    position, barrier = Position("rounds", distillation.round, 1), distillation.config.barrier
    train_student(distillation, certificate.signed_weights(), position, rungs(distillation)[0], barrier)


def schedule(config: DistilConfig) -> list[tuple[int, int]]:
    return [(round, config.epochs) for round in range(1, config.rounds + 1)]


def corrections(config: DistilConfig, done: int) -> tuple[int, int]:
    return 1 + LOOKAHEAD, config.rounds - done


def _record_attempt(run: Run, attempt: Attempt) -> None:
    """An event for an attempt; a rejected one is saved as well until its round ends."""
    if not attempt.met:
        save_attempt(run, attempt)
    run.record(AttemptFinished, **dict(attempt.record))


def _record_missing_attempts(run: Run, tried: list[Attempt]) -> None:
    """Events of saved attempts that a crash kept from being recorded."""
    recorded = {(event.round, event.attempt) for event in run.events()[0] if isinstance(event, AttemptFinished)}
    for attempt in tried:
        if (attempt.record.round, attempt.record.attempt) not in recorded:
            run.record(AttemptFinished, **dict(attempt.record))

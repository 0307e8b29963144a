"""The method `b-distil+polish`: a round trains all students so far, and after the last one comes the polish of all."""

from itertools import accumulate

from bdistil.config import DistilConfig
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation
from bdistil.method.joint import composition, corrective_round, distil_together, polish
from bdistil.method.ladder import rungs, student_name
from bdistil.records import Correction, HeadCorrected, PolishFinished, RoundRecord, RoundStarted
from bdistil.runs.job import DistillationJob, summary
from bdistil.runs.rounds import restore_polished, restore_snapshot, save_corrective_round, save_polish
from bdistil.training.loop import Callbacks, Stopped

COPIES = (2, 3)  # of each: as its round ended, and polished


def train(job: DistillationJob) -> ProgressiveEnsemble:
    """Train round after round, and polish all students unless that is done."""
    run = job.run
    if not run.is_polished():
        _rounds_and_polish(job)
    rounds = run.rounds()
    if not any(isinstance(event, PolishFinished) for event in run.events()[0]):
        run.record(PolishFinished, rounds=tuple(rounds))
    run.update(points=summary(rounds), seconds=job.seconds())
    return restore_polished(run, job.data)


def _rounds_and_polish(job: DistillationJob) -> None:
    run, config = job.run, job.config
    ensemble, previous = restore_snapshot(run, job.data)
    ensemble.to(job.device)
    for t in range(len(ensemble) + 1, config.rounds + 1):
        distillation = job.distillation(ensemble, _callbacks(job, t - 1))
        run.record(
            RoundStarted,
            round=t,
            composition=composition(config, t),
            student=student_name(config, rungs(distillation)[0]),
            barrier=config.barrier,
            epochs=config.epochs,
        )
        snapshot = corrective_round(distillation, previous)
        previous = save_corrective_round(job, ensemble, snapshot)
        job.record_round()
    job.enter("polish")
    distillation = job.distillation(ensemble, _callbacks(job, config.rounds))
    snapshot = polish(distillation, corrected=lambda record: _record_correction(job, record))
    save_polish(job, ensemble, snapshot)


def fit(distillation: Distillation) -> list[RoundRecord]:
    return distil_together(distillation)


def begin_round(distillation: Distillation, certificate: Certificate) -> None:
    corrective_round(distillation, certificate.prefix() if distillation.round > 1 else None)


def schedule(config: DistilConfig) -> list[tuple[int, int]]:
    return [*((round, config.epochs) for round in range(1, config.rounds + 1)), (config.rounds, config.polish_epochs)]


def corrections(config: DistilConfig, done: int) -> tuple[int, int]:
    return config.rounds, 1


def _callbacks(job: DistillationJob, part: int) -> Callbacks:
    """Those of one training of the schedule, 0, 1, …: its work is epochs times students."""
    work = [students * epochs for students, epochs in schedule(job.config)]
    return job.callbacks(sum(work), list(accumulate(work, initial=0))[part], work[part])


def _record_correction(job: DistillationJob, record: RoundRecord) -> None:
    """An event for a corrected head; the epochs are in the checkpoint by then, a stop costs the corrections alone."""
    job.run.record(HeadCorrected, **{name: getattr(record, name) for name in ("round", *Correction.model_fields)})
    job.heartbeat.write(phase="polish", fraction=1.0)
    if job.heartbeat.stop():
        raise Stopped

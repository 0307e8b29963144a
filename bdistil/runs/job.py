"""A worker's job: the run that it trains, and how what happens gets into the run's directory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch

from bdistil.config import DistilConfig
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.records import (
    EpochFinished,
    EpochRecord,
    FinishedRound,
    Notice,
    Phase,
    PhaseBegan,
    PointSummary,
    RoundFinished,
)
from bdistil.runs.heartbeat import HeartbeatWriter
from bdistil.runs.store import Run
from bdistil.teachers.doubts import far_below
from bdistil.training.loop import Callbacks, Checkpoint, Position


def best_device() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True, eq=False)
class Job:
    """The run in a worker's hands. seconds: how long it has been trained, all its workers together."""

    run: Run
    heartbeat: HeartbeatWriter
    seconds: Callable[[], float]
    device: str = field(default_factory=best_device)

    @property
    def checkpoint(self) -> Checkpoint:
        """Where the run's training in progress is kept."""
        return checkpoint_of(self.run)

    def enter(self, phase: Phase) -> None:
        """Record that a phase begins."""
        self.run.update(phase=phase)
        self.run.record(PhaseBegan, phase=phase)

    def notice(self, sentences: Iterable[str]) -> None:
        """Record each sentence that is not on record yet."""
        recorded = {event.text for event in self.run.events()[0] if isinstance(event, Notice)}
        for sentence in sentences:
            if sentence not in recorded:
                self.run.record(Notice, text=sentence)

    def callbacks(self, whole: float, before: float | None = None, part: float = 1.0) -> Callbacks:
        """Callbacks of a training: heartbeats while it goes on, an event and the time after each epoch.

        `whole` is the run's work, of which `before` is done when this training, `part` of it, begins; None: as many
        parts as rounds are finished.
        """

        def batch(position: Position, epoch: int, epochs: int, number: int, batches: int) -> None:
            done = (position.round or 1) - 1 if before is None else before
            self.heartbeat.write_batch(position, epoch, epochs, number, batches, before=done / whole, part=part / whole)

        def finished(position: Position, record: EpochRecord) -> None:
            place = dict(phase=position.phase, round=position.round, attempt=position.attempt)
            self.run.record(EpochFinished, **place, **dict(record))
            self.run.update(seconds=self.seconds())

        def correction(position: Position, update: int, updates: int) -> None:
            place = dict(phase=position.phase, round=position.round, attempt=position.attempt)
            self.heartbeat.write(**place, update=update, updates=updates, fraction=1.0)

        return Callbacks(batch, finished, self.heartbeat.stop, correction)


@dataclass(frozen=True, eq=False)
class DistillationJob(Job):
    """The job of a distillation. teacher_macs: None where they are not known. budgets: in MACs, if the run has some."""

    config: DistilConfig = field(kw_only=True)
    data: DistillationData = field(kw_only=True)
    teacher_macs: float | None = field(kw_only=True)
    budgets: tuple[int, ...] = field(kw_only=True, default=())

    def distillation(self, ensemble: ProgressiveEnsemble, callbacks: Callbacks) -> Distillation:
        """What its rounds share, from the ensemble's students on."""
        return Distillation(self.config, self.data, ensemble, self.checkpoint, callbacks, self.device, self.budgets)

    def record_round(self) -> None:
        """Record the round that has been saved: its event, the summary, the time, and a notice of a poor first one."""
        rounds = self.record_missing_rounds()
        if len(rounds) == 1:
            teacher, dataset = self.data.teacher.validation, self.data.dataset
            accuracy = float((teacher.argmax(axis=1) == dataset.y_validation).mean())
            sentence = far_below(rounds[0].point.validation.accuracy, accuracy, len(dataset.info.classes))
            self.notice([sentence] if sentence else [])
        self.run.update(seconds=self.seconds())

    def record_missing_rounds(self) -> list[FinishedRound]:
        """Record finished rounds that a crash kept from being recorded, and the summary of all; returns them.

        They are as they stood when they ended; the summary is of polished students where there are some.
        """
        final = self.run.rounds()
        rounds = self.run.unpolished() or final
        recorded = {event.round for event in self.run.events()[0] if isinstance(event, RoundFinished)}
        for number, finished in enumerate(rounds, start=1):
            if number not in recorded:
                self.run.record(RoundFinished, round=number, **dict(finished))
        self.run.update(rounds_done=len(rounds), points=summary(final))
        return rounds


def checkpoint_of(run: Run) -> Checkpoint:
    """Where a run's training in progress is kept."""
    return Checkpoint(run.path / "checkpoint.safetensors")


def summary(rounds: list[FinishedRound]) -> tuple[PointSummary, ...]:
    """The points of finished rounds as run.json lists them."""
    return tuple(PointSummary.model_validate(finished.point.model_dump()) for finished in rounds)

"""What a worker does with a run of each kind: phase by phase, writing what is finished into the run's directory."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from bdistil.config import DistilConfig, TeachConfig
from bdistil.data import CATALOGUE, Dataset, custom, load_dataset, recordings
from bdistil.data.dataset import SPLITS
from bdistil.data.leaks import leaks
from bdistil.data.views import view
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.method.certificate import theory_eta
from bdistil.method.distillation_data import Task
from bdistil.method.frozen import distil
from bdistil.method.joint import composition, corrective_round, polish
from bdistil.method.search import Attempt, SearchWatch
from bdistil.method.student_training import student_name
from bdistil.paths import home
from bdistil.records import (
    AttemptFinished,
    Correction,
    DatasetRecord,
    EpochFinished,
    EpochRecord,
    FinishedRound,
    HeadCorrected,
    Notice,
    Phase,
    PhaseBegan,
    PointSummary,
    PolishFinished,
    RoundFinished,
    RoundRecord,
    RoundStarted,
    RoundUnmet,
    Scale,
    TeacherFinished,
    TeacherRecord,
)
from bdistil.runs import previews
from bdistil.runs.heartbeat import HeartbeatWriter
from bdistil.runs.rounds import (
    polished,
    restore,
    restore_attempts,
    restore_snapshot,
    save_attempt,
    save_corrective_round,
    save_polish,
    save_round,
    write_arrays,
)
from bdistil.runs.store import Run, teacher_figures
from bdistil.runs.versions import versions
from bdistil.scale import B
from bdistil.teachers.cards import card_of, check_split
from bdistil.teachers.doubts import better_scaling, check_spread, doubts, far_below
from bdistil.teachers.logits import asked
from bdistil.teachers.onnx_teacher import OnnxTeacher
from bdistil.training.loop import Checkpoint, Position, Stopped, Watch
from bdistil.training.teacher import finish_teacher, teach

CHANGED = "The teacher or the dataset has changed since this run began. Start a new run."
_C = TypeVar("_C", TeachConfig, DistilConfig)


def teach_phases(run: Run, heartbeat: HeartbeatWriter, seconds: Callable[[], float]) -> None:
    """Train a teacher and save it with its card."""
    config = _config(run, TeachConfig)
    data = load_dataset(config.dataset, config.data)
    _refuse_changed_data(run, data.checksum)
    run.update(dataset=describe(data))
    _enter(run, "teacher")
    _record_data(run, data, config)
    device = best_device()
    model, validation = teach(
        config, data, checkpoint=checkpoint_of(run), watch=_watch(run, heartbeat, seconds, 1), device=device
    )
    _enter(run, "report")
    card = finish_teacher(config, data, model, validation, versions(), seconds(), device, run=run.id)
    run.update(teacher_name=card["name"])
    run.record(TeacherFinished, teacher=card["name"], card=card)


def distil_phases(run: Run, heartbeat: HeartbeatWriter, seconds: Callable[[], float]) -> None:
    """Ask the teacher, train round after round from where the run stands, and save the ensemble."""
    config, device = _config(run, DistilConfig), best_device()
    if not config.examples:  # the checksum of thinned data is compared once it is read
        _refuse_changed_data(run, config.known.checksum)
    card = card_of(config)
    _enter(run, "teacher")
    task = make_task(config, card, heartbeat, device)
    _record_data(run, task.data, config)
    _record_doubts(run, config, task, card)
    _describe_task(run, config, task, card)

    _enter(run, "rounds")
    _record_missing_rounds(run)
    train = _corrective_phases if config.polished else _frozen_rounds
    ensemble = train(run, config, task, card["macs"], heartbeat, seconds, device)

    _enter(run, "report")
    ensemble.cpu().save(run.path / "ensemble")


def _frozen_rounds(
    run: Run,
    config: DistilConfig,
    task: Task,
    teacher_macs: float | None,
    heartbeat: HeartbeatWriter,
    seconds: Callable[[], float],
    device: str,
) -> ProgressiveEnsemble:
    """The preset `b-distil`: a round finds one student, and it never changes again."""
    ensemble, finished = restore(run, task)
    watch = SearchWatch(
        starts=lambda candidate: run.record(RoundStarted, **dict(candidate), epochs=config.epochs),
        tried=lambda round, attempt: _record_attempt(run, attempt),
        training=_watch(run, heartbeat, seconds, config.rounds),
    )
    tried = restore_attempts(run, len(finished) + 1)
    _record_missing_attempts(run, tried)
    rounds = distil(config, task, ensemble, finished, tried, checkpoint=checkpoint_of(run), watch=watch, device=device)
    for done in rounds:
        if config.meet_condition and not done.record.condition_met:
            run.record(RoundUnmet, round=len(ensemble), attempt=done.record.attempt)
        save_round(run, task, ensemble, done, teacher_macs)
        _record_missing_rounds(run)
        if len(ensemble) == 1:
            _record_far_below(run, task)
        run.update(seconds=seconds())
    return ensemble


def _corrective_phases(
    run: Run,
    config: DistilConfig,
    task: Task,
    teacher_macs: float | None,
    heartbeat: HeartbeatWriter,
    seconds: Callable[[], float],
    device: str,
) -> ProgressiveEnsemble:
    """The preset `b-distil+polish`: a round trains all students so far, and after the last one comes the polish."""
    work = _work(config)

    def training(part: int) -> dict[str, Any]:
        watch = _watch(run, heartbeat, seconds, sum(work), sum(work[:part]), work[part])
        return {"checkpoint": checkpoint_of(run), "watch": watch}

    if not run.is_polished():
        ensemble, previous = restore_snapshot(run, task)
        ensemble.to(device)
        for t in range(len(ensemble) + 1, config.rounds + 1):
            run.record(
                RoundStarted,
                round=t,
                composition=composition(config, t),
                student=student_name(config, t),
                barrier=config.barrier,
                epochs=config.epochs,
            )
            snapshot = corrective_round(config, task, ensemble, previous, **training(t - 1), device=device)
            previous = save_corrective_round(run, task, ensemble, snapshot, teacher_macs)
            _record_missing_rounds(run)
            if t == 1:
                _record_far_below(run, task)
            run.update(seconds=seconds())
        _enter(run, "polish")
        snapshot = polish(
            config,
            task,
            ensemble,
            **training(config.rounds),
            corrected=lambda record: _record_correction(run, heartbeat, record),
        )
        save_polish(run, task, ensemble, snapshot, teacher_macs)
    rounds = run.rounds()
    if not any(isinstance(event, PolishFinished) for event in run.events()[0]):
        run.record(PolishFinished, rounds=tuple(rounds))
    run.update(points=_summary(rounds), seconds=seconds())
    return polished(run, task)


def _work(config: DistilConfig) -> list[float]:
    """How much of a polished run each round is, and the polish last: epochs times students."""
    return [*(config.epochs * t for t in range(1, config.rounds + 1)), config.polish_epochs * config.rounds]


def make_task(
    config: DistilConfig, card: dict[str, Any], heartbeat: HeartbeatWriter | None = None, device: str = "cpu"
) -> Task:
    """The data set with the teacher's logits on its splits and on the views of its training inputs."""
    data = load_dataset(config.dataset, config.data)
    check_split(card, data.checksum, config.dataset, config.data)
    ask, augmentation = asked(card, data, device, config.threads or 1), config.augmentation(data.info)
    if config.examples:
        data = data.thinned(config.examples)
    views = np.stack([view(data.x_train, v, config.seed, augmentation) for v in range(config.views)])
    inputs, splits = [data.x_validation, data.x_test, *views], ["validation", "test", *["train"] * len(views)]
    total = sum(map(len, inputs))

    def ticker(before: int, count: int) -> Callable[[float], None]:
        def tick(done: float) -> None:
            if heartbeat:
                heartbeat.write(phase="teacher", fraction=(before + done * count) / total)
                if heartbeat.stop():
                    raise Stopped

        return tick

    befores = np.cumsum([0, *map(len, inputs)])
    validation, test, *view_logits = (
        ask(x, split, ticker(int(before), len(x))) for x, split, before in zip(inputs, splits, befores, strict=False)
    )
    return Task(data, {"train": view_logits[0], "validation": validation, "test": test}, views, np.stack(view_logits))


def describe(data: Dataset) -> DatasetRecord:
    """A data set as run.json describes it."""
    info = data.info
    return DatasetRecord(
        name=info.name,
        title=info.title,
        modality=info.modality,
        people=info.people,
        train=len(data.x_train),
        validation=len(data.x_validation),
        test=len(data.x_test),
        classes=tuple(info.classes),
        split=info.split,
        counts={split: tuple(counts) for split, counts in data.counts.items()},
        checksum=data.checksum,
        test_checksum=data.test_checksum,
    )


def _config(run: Run, kind: type[_C]) -> _C:
    """The run's configuration, checked against the catalogues. Raises UserError as `create` does."""
    return kind.build(**run.stored().config.model_dump())


def best_device() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _record_doubts(run: Run, config: DistilConfig, task: Task, card: dict[str, Any]) -> None:
    """What the user should know of a teacher of which not all is on record, as events.

    Raises UserError if nothing can be learnt from a black box's logits at the run's temperature.
    """
    found: list[str] = []
    if "kind" in card:
        check_spread(task.teacher["train"], config.temperature, card["name"])
        found = black_box_doubts(config, card, task.data, task.teacher)
    _notice(run, [*card["notices"], *found])


def black_box_doubts(
    config: DistilConfig, card: dict[str, Any], data: Dataset, answers: dict[str, np.ndarray] | None = None
) -> list[str]:
    """Sentences on what is doubtful of a black box. answers: its logits on each split, where they are known.

    Raises UserError if nothing can be learnt from given logits at the run's temperature.
    """
    ask = asked(card, data, threads=config.threads or 1)
    if not answers and not isinstance(ask, OnnxTeacher):
        answers = {split: ask(data.split(split)[0], split, lambda done: None) for split in SPLITS}
        check_spread(answers["train"], config.temperature, card["name"])
    found = doubts(answers, {split: data.split(split)[1] for split in SPLITS}) if answers else []
    return found + (better_scaling(ask, card["reads"], data) if isinstance(ask, OnnxTeacher) else [])


def _record_far_below(run: Run, task: Task) -> None:
    """A notice, once round 1 is done, if its student is far below the teacher."""
    teacher = float((task.teacher["validation"].argmax(axis=1) == task.data.y_validation).mean())
    first = (run.unpolished() or run.rounds())[0].point.validation.accuracy
    sentence = far_below(first, teacher, len(task.data.info.classes))
    _notice(run, [sentence] if sentence else [])


def _record_data(run: Run, data: Dataset, config: TeachConfig | DistilConfig) -> None:
    """What one's own data has on two sides, and what may be amiss with it, as events. Others' is known."""
    if data.info.name not in CATALOGUE:
        _notice(run, [leak.sentence for leak in leaks(data)])
        _notice(run, custom.notes(config.dataset, config.data))


def _notice(run: Run, texts: list[str]) -> None:
    """An event for each text that has none yet."""
    recorded = {event.text for event in run.events()[0] if isinstance(event, Notice)}
    for text in texts:
        if text not in recorded:
            run.record(Notice, text=text)


def _describe_task(run: Run, config: DistilConfig, task: Task, card: dict[str, Any]) -> None:
    """Write targets.npz, the previews, and what run.json says of the task.

    Raises UserError if the teacher or the data are no longer those of the run's finished rounds. The teacher's figures
    are those on the run's own splits, never those of its card.
    """
    data, before = task.data, run.stored()
    _refuse_changed_data(run, data.checksum)
    if before.scale:
        weights = (before.teacher and before.teacher.weights_sha256) or card["weights_sha256"]
        if (before.scale.c, weights) != (task.c, card["weights_sha256"]):
            raise UserError(CHANGED)
    targets = {f"teacher_{split}": logits for split, logits in task.teacher.items()}
    targets |= {f"labels_{split}": data.split(split)[1] for split in task.teacher}
    if data.test_persons is not None:
        targets["people_test"] = data.test_persons
    write_arrays(run.path / "targets.npz", targets)
    path = home() / "previews" / f"{data.info.name}.npz"
    if not previews.is_of(path, data.test_checksum):
        path.parent.mkdir(parents=True, exist_ok=True)
        heard = previews.heard(data.info, recordings(config.dataset, config.data))
        write_arrays(path, previews.arrays(data, data.x_test, heard) | previews.origin(data.test_checksum))
    views = {"approximate_views": card.get("kind") == "logits" and config.views > 1}
    teacher = TeacherRecord.model_validate({**card, **teacher_figures(targets), **views})
    eta_b = theory_eta(len(data.x_train), config.rounds_for_eta) * B
    scale = Scale(c=task.c, B=B, eta_B=eta_b, temperature=config.temperature)
    run.update(dataset=describe(data), teacher=teacher, scale=scale)


def _refuse_changed_data(run: Run, checksum: str | None) -> None:
    """Raises UserError if the run has begun on data of another checksum. None: it is not known before it is read."""
    before = run.stored().dataset
    if before and checksum and before.checksum != checksum:
        raise UserError(CHANGED)


def _enter(run: Run, phase: Phase) -> None:
    run.update(phase=phase)
    run.record(PhaseBegan, phase=phase)


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


def _record_correction(run: Run, heartbeat: HeartbeatWriter, record: RoundRecord) -> None:
    """An event for a corrected head; the epochs are in the checkpoint by then, a stop costs the corrections alone."""
    run.record(HeadCorrected, **{name: getattr(record, name) for name in ("round", *Correction.model_fields)})
    heartbeat.write(phase="polish", fraction=1.0)
    if heartbeat.stop():
        raise Stopped


def _record_missing_rounds(run: Run) -> None:
    """Events and summary of finished rounds that a crash kept from being recorded."""
    rounds = run.unpolished() or run.rounds()
    recorded = {event.round for event in run.events()[0] if isinstance(event, RoundFinished)}
    for number, finished in enumerate(rounds, start=1):
        if number not in recorded:
            run.record(RoundFinished, round=number, **dict(finished))
    run.update(rounds_done=len(rounds), points=_summary(run.rounds()))


def _summary(rounds: list[FinishedRound]) -> tuple[PointSummary, ...]:
    return tuple(PointSummary.model_validate(finished.point.model_dump()) for finished in rounds)


def checkpoint_of(run: Run) -> Checkpoint:
    """Where a run's training in progress is kept."""
    return Checkpoint(run.path / "checkpoint.safetensors")


def _watch(
    run: Run,
    heartbeat: HeartbeatWriter,
    seconds: Callable[[], float],
    whole: float,
    before: float | None = None,
    part: float = 1.0,
) -> Watch:
    """Tells the run's directory what a training does: heartbeats between, an event and the time after each epoch.

    `whole` is the run's work, of which `before` is done when this training, `part` of it, begins; None: as many parts
    as rounds are finished.
    """

    def batch(position: Position, epoch: int, epochs: int, number: int, batches: int) -> None:
        done = (position.round or 1) - 1 if before is None else before
        heartbeat.write_batch(position, epoch, epochs, number, batches, before=done / whole, part=part / whole)

    def correction(position: Position, update: int, updates: int) -> None:
        heartbeat.write(
            phase=position.phase,
            round=position.round,
            attempt=position.attempt,
            update=update,
            updates=updates,
            fraction=1.0,
        )

    def finished(position: Position, record: EpochRecord) -> None:
        run.record(EpochFinished, phase=position.phase, round=position.round, attempt=position.attempt, **dict(record))
        run.update(seconds=seconds())

    return Watch(batch, finished, heartbeat.stop, correction)


PHASES = {"teach": teach_phases, "distil": distil_phases}

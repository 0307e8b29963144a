"""What a worker does with a run of each kind: phase by phase, writing what is finished into the run's directory."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from bdistil.config import DistilConfig, TeachConfig
from bdistil.data import CATALOGUE, Dataset, custom, load_dataset, recordings
from bdistil.data.dataset import SPLITS, Splits
from bdistil.data.leaks import leaks
from bdistil.data.views import view
from bdistil.errors import UserError
from bdistil.method.certificate import theory_eta
from bdistil.method.distillation import DistillationData
from bdistil.method.ladder import budgets_of
from bdistil.paths import home
from bdistil.records import DatasetRecord, Scale, TeacherFinished, TeacherRecord
from bdistil.runs import previews
from bdistil.runs.heartbeat import HeartbeatWriter
from bdistil.runs.job import DistillationJob, Job
from bdistil.runs.methods import trainer
from bdistil.runs.rounds import write_arrays
from bdistil.runs.store import Run, teacher_accuracies
from bdistil.runs.versions import versions
from bdistil.scale import B
from bdistil.teachers.card import BlackBox, GivenAnswers, TeacherCard
from bdistil.teachers.cards import card_of, check_split
from bdistil.teachers.doubts import better_scaling, check_spread, doubts
from bdistil.teachers.logits import teacher_oracle
from bdistil.teachers.onnx_teacher import OnnxTeacher
from bdistil.training.loop import Stopped
from bdistil.training.teacher import finish_teacher, teach

CHANGED = "The teacher or the dataset has changed since this run began. Start a new run."
_C = TypeVar("_C", TeachConfig, DistilConfig)


def teach_phases(run: Run, heartbeat: HeartbeatWriter, seconds: Callable[[], float]) -> None:
    """Train a teacher and save it with its card."""
    job, config = Job(run, heartbeat, seconds), _config(run, TeachConfig)
    data = load_dataset(config.dataset, config.data)
    _refuse_changed_data(run, data.checksum)
    run.update(dataset=describe(data))
    job.enter("teacher")
    _notice_data(job, data, config)
    model, validation = teach(config, data, checkpoint=job.checkpoint, callbacks=job.callbacks(1), device=job.device)
    job.enter("report")
    card = finish_teacher(config, data, model, validation, versions(), seconds(), job.device, run=run.id)
    run.update(teacher_name=card.name)
    run.record(TeacherFinished, teacher=card.name, card=card)


def distil_phases(run: Run, heartbeat: HeartbeatWriter, seconds: Callable[[], float]) -> None:
    """Ask the teacher, train round after round from where the run stands, and save the ensemble."""
    before, config = Job(run, heartbeat, seconds), _config(run, DistilConfig)
    if not config.examples:  # the checksum of thinned data is compared once it is read
        _refuse_changed_data(run, config.data_info.checksum)
    card = card_of(config)
    before.enter("teacher")
    limits, remarks = budgets_of(config, config.data_info, card.macs)
    data = distillation_data(config, card, heartbeat, before.device)
    job = DistillationJob(run, heartbeat, seconds, config=config, data=data, teacher_macs=card.macs, budgets=limits)
    _notice_data(job, data.dataset, config)
    _notice_teacher(job, card)
    job.notice(remarks)
    _describe(job, card)

    job.enter("rounds")
    job.record_missing_rounds()
    ensemble = trainer(config.method).train(job)

    job.enter("report")
    ensemble.cpu().save(run.path / "ensemble")


def distillation_data(
    config: DistilConfig, card: TeacherCard, heartbeat: HeartbeatWriter | None = None, device: str = "cpu"
) -> DistillationData:
    """The data set with the teacher's logits on its splits and on the views of its training inputs."""
    data = load_dataset(config.dataset, config.data)
    check_split(card, data.checksum, config.dataset, config.data)
    ask = teacher_oracle(card, data, device, config.threads or 1)
    augmentation = config.augmentation(data.info)
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
    return DistillationData(data, Splits(view_logits[0], validation, test), views, np.stack(view_logits))


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


def _notice_teacher(job: DistillationJob, card: TeacherCard) -> None:
    """Record what the user should know of a teacher of which not all is on record.

    Raises UserError if nothing can be learnt from a black box's logits at the run's temperature.
    """
    found: list[str] = []
    if isinstance(card, BlackBox):
        check_spread(job.data.teacher.train, job.config.temperature, card.name)
        found = black_box_doubts(job.config, card, job.data.dataset, job.data.teacher)
    job.notice([*card.notices, *found])


def black_box_doubts(
    config: DistilConfig, card: TeacherCard, data: Dataset, answers: Splits[np.ndarray] | None = None
) -> list[str]:
    """Sentences on what is doubtful of a black box. answers: its logits on each split, where they are known.

    Raises UserError if nothing can be learnt from given logits at the run's temperature.
    """
    ask = teacher_oracle(card, data, threads=config.threads or 1)
    if not answers and not isinstance(ask, OnnxTeacher):
        answers = Splits.of(lambda split: ask(data.split(split)[0], split, lambda done: None))
        check_spread(answers.train, config.temperature, card.name)
    found = doubts(answers, Splits(data.y_train, data.y_validation, data.y_test)) if answers else []
    return found + (better_scaling(ask, ask.reads, data) if isinstance(ask, OnnxTeacher) else [])


def _notice_data(job: Job, data: Dataset, config: TeachConfig | DistilConfig) -> None:
    """Record what one's own data has on two sides, and what may be amiss with it. Others' is known."""
    if data.info.name not in CATALOGUE:
        job.notice(leak.sentence for leak in leaks(data))
        job.notice(custom.notes(config.dataset, config.data))


def _describe(job: DistillationJob, card: TeacherCard) -> None:
    """Write targets.npz, the previews, and what run.json says of data and teacher.

    Raises UserError if the teacher or the data are no longer those of the run's finished rounds. The teacher's figures
    are those on the run's own splits, never those of its card.
    """
    run, config, logits = job.run, job.config, job.data.teacher
    data, before = job.data.dataset, run.stored()
    _refuse_changed_data(run, data.checksum)
    if before.scale:
        weights = (before.teacher and before.teacher.weights_sha256) or card.weights_sha256
        if (before.scale.c, weights) != (job.data.c, card.weights_sha256):
            raise UserError(CHANGED)
    targets = {f"teacher_{split}": rows for split, rows in logits.items()}
    targets |= {f"labels_{split}": data.split(split)[1] for split in SPLITS}
    if data.test_persons is not None:
        targets["people_test"] = data.test_persons
    write_arrays(run.path / "targets.npz", targets)
    path = home() / "previews" / f"{data.info.name}.npz"
    if not previews.is_of(path, data.test_checksum):
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = previews.preview_recordings(data.info, recordings(config.dataset, config.data))
        write_arrays(path, previews.arrays(data, data.x_test, kept) | previews.origin(data.test_checksum))
    views = {"approximate_views": isinstance(card, GivenAnswers) and config.views > 1}
    teacher = TeacherRecord.model_validate({**dict(card), **teacher_accuracies(targets)._asdict(), **views})
    eta_b = theory_eta(len(data.x_train), config.rounds_for_eta) * B
    scale = Scale(c=job.data.c, B=B, eta_B=eta_b, temperature=config.temperature)
    run.update(dataset=describe(data), teacher=teacher, scale=scale)


def _refuse_changed_data(run: Run, checksum: str | None) -> None:
    """Raises UserError if the run has begun on data of another checksum. None: it is not known before it is read."""
    before = run.stored().dataset
    if before and checksum and before.checksum != checksum:
        raise UserError(CHANGED)


PHASES = {"teach": teach_phases, "distil": distil_phases}

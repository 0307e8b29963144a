"""What a run would cost, before anything is trained: counted where it can be counted, timed on a few real steps else.

`bdistil run --dry-run` and `bdistil teach --dry-run` print it; pages, which import no torch, ask for it in a process of
its own. The types of what is returned are in estimate_record.py.
"""

import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import psutil
import torch

from bdistil.budgets import parse
from bdistil.config import DistilConfig, TeachConfig
from bdistil.cost import model_cost, prefix_costs, weight_bytes
from bdistil.data.catalogue import is_here, load_dataset
from bdistil.data.dataset import Dataset, DatasetInfo, Splits
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.head_correction import HeadProblem, lagrangian
from bdistil.method.ladder import untrained
from bdistil.runs.estimate_record import Estimate, StudentCost, TeacherFacts, TeachEstimate
from bdistil.runs.methods import trainer
from bdistil.students.catalogue import blocks_of, family, names
from bdistil.students.student import Student
from bdistil.teachers.card import BlackBox, OnnxFile, SavedTeacher, TeacherCard
from bdistil.teachers.cards import card_of
from bdistil.teachers.onnx_teacher import OnnxTeacher
from bdistil.teachers.scaling import Statistics
from bdistil.teachers.weights import load_teacher
from bdistil.teachers.zoo import build_teacher
from bdistil.training.loop import Callbacks, Stopped, batch_count
from bdistil.training.teacher import CROPPED, teach

STEPS, FEW_STEPS = 6, 2  # timed steps of a training, after two to warm up; of one whose steps are long
ROW_BYTES = 30 * 8  # for each example and class: arrays of the certificate and of a head correction
RECORD_BYTES, EPOCH_BYTES = 1_150, 250  # of text on disk: for each round and class, for each epoch
CORRECTED, EVALUATIONS = 20_000, 300  # examples that a correction is timed on; what it evaluates, as a rule
TIMED_MACS = 10e9  # of a teacher's timed step, forwards: of a large network fewer examples than a batch are timed
FORWARD = 1 / 3  # of a training step, which goes back through the network as well
Ask = Callable[[torch.Tensor], object]  # a batch of inputs to answers
BUSY = 0.25  # of all cores, used by other programs: from then on they compete with a training


def estimate(config: DistilConfig, done: int = 0) -> Estimate:
    """What training the students of this configuration takes on this machine.

    done: rounds that an extended run begins with. Without a teacher in the configuration, the figures are with the
    architecture that `bdistil teach` would train for the data set.
    """
    import bdistil.runs.jobs  # noqa: F401  (for its memory: it is what a worker imports)

    _set_threads(config.threads)
    info, load = config.data_info, Load()
    card, teaching = None, None
    if config.teacher or config.teacher_logits:
        card = card_of(config)
        teacher, ask = _teacher(card, info)
    else:
        teaching = TeachConfig.create(config.dataset, data=config.data, threads=config.threads)
        teacher, ask = _untrained(teaching, info)
    budgets = parse(config.budgets).macs(teacher.macs) if config.budgets else ()
    ensemble = untrained(config, info, config.rounds, budgets)
    costs = prefix_costs(ensemble)
    cost, teacher_seconds = costs[-1], _teacher_seconds(ask, info, config) if ask else 0.0
    epochs = _epoch_seconds(config, info, done, budgets)
    features = ensemble.students[-1].head.in_features if config.meet_condition else 0
    corrections = _correction_seconds(config, info, features, done) if config.meet_condition else 0.0
    classes, examples = len(info.classes), info.train + info.validation + info.test
    outputs, views = examples * classes * 4, config.views * info.train * _input_bytes(info)
    arrays = 3 * config.views * outputs + info.train * (classes * ROW_BYTES + features * 4)
    method = trainer(config.method)
    epochs_of_all = sum(count for _, count in method.schedule(config)[done:])
    files = sum(map(weight_bytes, ensemble.students))  # one each, also of weights that are shared
    copies_of_logits, copies_of_students = method.COPIES
    # What a batch takes was really taken here, so it is part of this process's own peak, as torch is. Views are there
    # twice while they are stacked, before anything else is.
    memory = int(peak_bytes() + _input_bytes(info) * examples + views + max(views, arrays))
    if isinstance(card, BlackBox) and is_here(config.dataset):
        from bdistil.runs.jobs import black_box_doubts

        found = black_box_doubts(config, card, load_dataset(config.dataset, config.data))
        teacher = teacher.model_copy(update={"notices": (*teacher.notices, *found)})
    return Estimate(
        macs=cost.macs,
        parameters=cost.parameters,
        bytes=cost.bytes,
        macs_ratio=_ratio(cost.macs, teacher),
        teacher=teacher if teacher.notices or teacher.kind else None,
        untrained=estimate_teaching(teaching) if teaching else None,
        seconds=teacher_seconds + _training_seconds(config, epochs) + corrections,
        first_model_seconds=teacher_seconds + config.epochs * epochs[0],
        memory_bytes=memory,
        disk_bytes=copies_of_logits * config.rounds * (outputs + classes * RECORD_BYTES)
        + copies_of_students * files
        + outputs
        + epochs_of_all * EPOCH_BYTES,
        busy=busy(load.others(), os.cpu_count() or 1),
        macs_of=tuple(np.diff([0, *(each.macs for each in costs)]).tolist()),
        sizes=tuple(_sizes(student) for student in ensemble.students) if config.growth > 1 or budgets else None,
        students=tuple(
            _student_cost(name, config, info, teacher)
            for name in names(info.modality)
            if config.composition in family(name).ladder
        ),
    )


def estimate_teaching(config: TeachConfig) -> TeachEstimate:
    """What training this teacher takes on this machine: a few real steps on invented data, for all its epochs.

    Of a network that is too large for that, a few examples are timed, and taken as a share of a batch.
    """
    import bdistil.runs.jobs  # noqa: F401  (for its memory: it is what a worker imports)

    _set_threads(config.threads)
    info, load = config.data_info, Load()
    cost = model_cost(_network(config, info), info.input_shape)
    batch = int(np.clip(TIMED_MACS / max(1, cost.macs), 2, config.batch_size))
    whole = _teaching_step(config.model_copy(update={"crop": 0}), info, batch) / batch
    memory = peak_bytes()
    if batch < config.batch_size:  # what twice as many examples take more is what each further one takes
        whole = _teaching_step(config.model_copy(update={"crop": 0}), info, 2 * batch) / (2 * batch)
        memory += int((peak_bytes() - memory) * (config.batch_size / batch - 1))
    cropped = _teaching_step(config, info, batch) / batch if config.crop else whole
    example = CROPPED * cropped + (1 - CROPPED) * whole
    evaluated = info.validation * max(1, config.epochs) + info.test
    return TeachEstimate(
        macs=cost.macs,
        parameters=cost.parameters,
        bytes=cost.bytes,
        seconds=config.epochs * info.train * example + evaluated * whole * FORWARD,
        memory_bytes=memory + _input_bytes(info) * (info.train + info.validation + info.test),
        busy=busy(load.others(), os.cpu_count() or 1),
        config=config,
    )


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Load:
    """How much of the machine other programs use from its making on."""

    def __init__(self) -> None:
        self._since, self._used = time.monotonic(), self._used_by_others()

    def others(self) -> float:
        """The cores that other programs have used, on average."""
        return max(0.0, self._used_by_others() - self._used) / max(time.monotonic() - self._since, 1e-9)

    @staticmethod
    def _used_by_others() -> float:
        """Processor seconds of all programs but this process, at any priority, since the machine was started."""
        times = psutil.cpu_times()
        return times.user + times.system + getattr(times, "nice", 0.0) - time.process_time()


def _set_threads(threads: int | None) -> None:
    """As many as a worker has."""
    torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) - 1))


def _input_bytes(info: DatasetInfo) -> int:
    """Of one raw example."""
    return int(np.prod(info.input_shape)) * (1 if info.modality == "image" else 4)


def _ratio(macs: int, teacher: TeacherFacts) -> float | None:
    """Of the teacher's MACs, where they are known."""
    return macs / teacher.macs if teacher.macs else None


def _sizes(student: Student) -> tuple[int, ...]:
    """Channels of each level, or units of the state; once where all are alike."""
    sizes = tuple(blocks_of(student.spec).values())
    return sizes[:1] if len(set(sizes)) == 1 else sizes


def _epoch_seconds(config: DistilConfig, info: DatasetInfo, done: int, budgets: tuple[int, ...]) -> list[float]:
    """Seconds of an epoch in each round to come: timed in the first and the last, in between on the line."""
    rounds, steps = range(done + 1, config.rounds + 1), batch_count(info.train, config.batch_size)
    ends = [steps * _seconds_per_step(config, info, t, budgets) for t in dict.fromkeys((rounds[0], rounds[-1]))]
    return np.linspace(ends[0], ends[-1], len(rounds)).tolist()


def _training_seconds(config: DistilConfig, epochs: list[float]) -> float:
    """Of all trainings. epochs: seconds of an epoch in each round to come."""
    schedule, done = trainer(config.method).schedule(config), config.rounds - len(epochs)
    return sum(count * epochs[students - done - 1] for students, count in schedule[done:])


def _correction_seconds(config: DistilConfig, info: DatasetInfo, features: int, done: int) -> float:
    """Correcting the heads of frozen rounds one by one, or all after the polish; features: inputs of a head."""
    heads, times = trainer(config.method).corrections(config, done)
    classes, examples = len(info.classes), min(info.train, CORRECTED)
    x, answers = torch.randn(examples, features), torch.randn(examples, classes) / 10
    problem = HeadProblem([x] * heads, [False] * heads, 2, answers, answers, [1.0] * heads, 1.0, 1.0, 2.0)
    layers = [torch.zeros(classes, features)] * heads + [torch.zeros(classes)] * heads
    layers = [layer.clone().requires_grad_() for layer in layers]
    lagrangian(problem, layers).backward()
    started = time.perf_counter()
    lagrangian(problem, layers).backward()
    return (time.perf_counter() - started) * EVALUATIONS * times * info.train / examples


def _student_cost(name: str, config: DistilConfig, info: DatasetInfo, teacher: TeacherFacts) -> StudentCost:
    """One student in the middle of a run, which reads a predecessor of its own kind; of a run of one, that one."""
    pair = untrained(config.model_copy(update={"student": name}), info, min(2, config.rounds))
    before, last = [0, *(cost.macs for cost in prefix_costs(pair))][-2:]
    macs = last - before
    return StudentCost(student=name, macs=macs, macs_ratio=_ratio(macs, teacher))


def _teacher(card: TeacherCard, info: DatasetInfo) -> tuple[TeacherFacts, Ask | None]:
    """What a card says, and what answers a batch for it; None where the answers are given."""
    facts = TeacherFacts(**{name: getattr(card, name) for name in TeacherFacts.model_fields})
    if isinstance(card, OnnxFile):
        onnx = OnnxTeacher(card, info, Statistics.invented(info.input_shape[0]))
        return facts, lambda x: onnx.ask(x.numpy())
    return facts, load_teacher(card) if isinstance(card, SavedTeacher) else None


def _untrained(config: TeachConfig, info: DatasetInfo) -> tuple[TeacherFacts, Ask | None]:
    """As `_teacher`, of one with fresh weights."""
    network = _network(config, info).eval()
    return TeacherFacts(name=config.architecture, macs=model_cost(network, info.input_shape).macs), network


def _network(config: TeachConfig, info: DatasetInfo) -> torch.nn.Module:
    return build_teacher(config.architecture, input_shape=info.input_shape, classes=len(info.classes))


def _teacher_seconds(ask: Ask, info: DatasetInfo, config: DistilConfig) -> float:
    """Asking the teacher about every split and view."""
    x = torch.zeros(100, *info.input_shape)
    x = x.contiguous(memory_format=torch.channels_last) if info.modality == "image" else x
    with torch.inference_mode():
        ask(x)
        started = time.perf_counter()
        ask(x)
    asked = info.validation + info.test + info.train * config.views
    return (time.perf_counter() - started) / len(x) * asked


def _teaching_step(config: TeachConfig, info: DatasetInfo, batch: int) -> float:
    """Seconds of a step of so many examples in a real training on invented data, stopped after a few steps."""
    times, stop = _timed(STEPS if batch == config.batch_size else FEW_STEPS)
    config = config.model_copy(update={"batch_size": batch, "epochs": max(1, config.epochs), "weights": None})
    with contextlib.suppress(Stopped):
        teach(config, _invented(info, batch), callbacks=Callbacks(stop=stop))
    return float(np.median(np.diff(times)[2:]))


def _timed(steps: int = STEPS) -> tuple[list[float], Callable[[], bool]]:
    """The moments at which a training asks whether to stop, and what it asks: it does after two steps and so many."""
    times: list[float] = []

    def stop() -> bool:
        times.append(time.perf_counter())
        return len(times) > steps + 2

    return times, stop


def _invented(info: DatasetInfo, batch: int) -> Dataset:
    """Examples for as many steps as are timed, of batches of this size."""
    generator = np.random.default_rng(0)
    splits = {
        split: (generator.integers(0, 256, (n, *info.input_shape)), generator.integers(0, len(info.classes), n))
        for split, n in (("train", batch * (STEPS + 3)), ("validation", 2), ("test", 2))
    }
    return Dataset.of(info, splits)


def _seconds_per_step(config: DistilConfig, info: DatasetInfo, round: int, budgets: tuple[int, ...]) -> float:
    """A real training of round `round` on invented data, stopped after a few steps."""
    data, generator = _invented(info, config.batch_size), np.random.default_rng(0)
    logits = Splits.of(lambda split: generator.normal(size=(len(data.split(split)[1]), len(info.classes))))
    task = DistillationData(data, logits, data.x_train[None], logits.train[None])
    times, stop = _timed()
    ensemble, callbacks = untrained(config, info, round - 1, budgets), Callbacks(stop=stop)
    certificate = Certificate(task.g_hat, config.rounds)
    for _ in range(round - 1):
        certificate.update(np.zeros_like(task.g_hat))
    with contextlib.suppress(Stopped):
        distillation = Distillation(config, task, ensemble, callbacks=callbacks, budgets=budgets)
        trainer(config.method).begin_round(distillation, certificate)
    return float(np.median(np.diff(times)[2:]))


def busy(others: float, cores: int) -> str | None:
    """A sentence where other programs use so many of the cores that what is timed takes longer; None where they don't.

    others: the cores that they use on average, 1.6 for one and most of another.
    """
    if others < BUSY * cores:
        return None
    used = "the only core" if cores == 1 else f"{min(others, cores):.1f} of {cores} cores"
    return f"The machine is busy (other programs use {used}): the time may be shorter once it is idle."

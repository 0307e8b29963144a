"""What a run would cost, before anything is trained: counted where it can be counted, timed on a few real steps else.

`bdistil run --dry-run` prints it; pages, which import no torch, ask for it in a process of its own.
"""

import contextlib
import os
import resource
import sys
import time
from typing import Any

import numpy as np
import psutil
import torch

from bdistil.budgets import parse
from bdistil.config import DistilConfig
from bdistil.cost import prefix_costs, weight_bytes
from bdistil.data.catalogue import is_here, load_dataset
from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.head_correction import HeadProblem, lagrangian
from bdistil.method.ladder import untrained
from bdistil.runs.methods import trainer
from bdistil.students.catalogue import blocks_of, family, names
from bdistil.students.student import Student
from bdistil.teachers.cards import card_of
from bdistil.teachers.onnx_teacher import OnnxTeacher
from bdistil.teachers.scaling import Statistics
from bdistil.teachers.weights import load_teacher
from bdistil.training.loop import Callbacks, Stopped, batch_count

STEPS = 6  # timed steps a round, after two to warm up
ROW_BYTES = 30 * 8  # for each example and class: arrays of the certificate and of a head correction
RECORD_BYTES, EPOCH_BYTES = 1_150, 250  # of text on disk: for each round and class, for each epoch
TOLD = ("name", "kind", "signature", "macs", "macs_stated", "notices")  # of a black box
CORRECTED, EVALUATIONS = 20_000, 300  # examples that a correction is timed on; what it evaluates, as a rule
BUSY = 0.25  # of all cores, used by other programs: from then on they compete with a training


def estimate(config: DistilConfig, done: int = 0) -> dict[str, Any]:
    """MACs, parameters and bytes of the last prefix, and what training it takes on this machine.

    macs, parameters, bytes: of all students, per example. seconds: of the whole run, one attempt a round;
    first_model_seconds: until its first round ends. memory_bytes: of the worker at its peak; a process that has done
    more than this estimate overstates it. disk_bytes: of the finished run. busy: a sentence where other programs used
    the machine while this one timed, so that the times are too long; None else.
    macs_ratio: of the teacher's. teacher: what is known of a black box, None else. students: what one student of each
    name would cost in this composition, {"student", "macs", "macs_ratio"}; macs_of: what each of the run's adds. sizes:
    of students that grow, each one's channels or state; None else. done: rounds that an extended run begins with.
    """
    import bdistil.runs.jobs  # noqa: F401  (for its memory: it is what a worker imports)

    torch.set_num_threads(config.threads or max(1, (os.cpu_count() or 2) - 1))
    known, card, load = config.known, card_of(config), Load()
    budgets = parse(config.budgets).macs(card["macs"]) if config.budgets else ()
    ensemble = untrained(config, known, config.rounds, budgets)
    costs, teacher_seconds = prefix_costs(ensemble), _teacher_seconds(card, known, config)
    cost = costs[-1]
    epochs = _epoch_seconds(config, known, done, budgets)
    features = ensemble.students[-1].head.in_features if config.meet_condition else 0
    corrections = _correction_seconds(config, known, features, done) if config.meet_condition else 0.0
    classes, examples = len(known.classes), known.train + known.validation + known.test
    input_bytes = int(np.prod(known.input_shape)) * (1 if known.modality == "image" else 4)
    outputs, views = examples * classes * 4, config.views * known.train * input_bytes
    arrays = 3 * config.views * outputs + known.train * (classes * ROW_BYTES + features * 4)
    method = trainer(config.method)
    epochs_of_all = sum(epochs for _, epochs in method.schedule(config)[done:])
    files = sum(map(weight_bytes, ensemble.students))  # one each, also of weights that are shared
    copies_of_logits, copies_of_students = method.COPIES
    # What a batch takes was really taken here, so it is part of this process's own peak, as torch is. Views are there
    # twice while they are stacked, before anything else is.
    memory = int(peak_bytes() + input_bytes * examples + views + max(views, arrays))
    if "kind" in card and is_here(config.dataset):
        from bdistil.runs.jobs import black_box_doubts

        card["notices"] = card["notices"] + black_box_doubts(config, card, load_dataset(config.dataset, config.data))
    return {
        "macs": cost.macs,
        "parameters": cost.parameters,
        "bytes": cost.bytes,
        "macs_ratio": cost.macs / card["macs"] if card["macs"] else None,
        "teacher": {key: card.get(key) for key in TOLD} if card["notices"] or "kind" in card else None,
        "seconds": teacher_seconds + _training_seconds(config, epochs) + corrections,
        "first_model_seconds": teacher_seconds + config.epochs * epochs[0],
        "memory_bytes": memory,
        "disk_bytes": copies_of_logits * config.rounds * (outputs + classes * RECORD_BYTES)
        + copies_of_students * files
        + outputs
        + epochs_of_all * EPOCH_BYTES,
        "busy": busy(load.others(), os.cpu_count() or 1),
        "macs_of": np.diff([0, *(each.macs for each in costs)]).tolist(),
        "sizes": [_sizes(student) for student in ensemble.students] if config.growth > 1 or budgets else None,
        "students": [
            _student_cost(name, config, known, card)
            for name in names(known.modality)
            if config.composition in family(name).ladder
        ],
    }


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


def _sizes(student: Student) -> list[int]:
    """Channels of each level, or units of the state; once where all are alike."""
    sizes = list(blocks_of(student.spec).values())
    return sizes[:1] if len(set(sizes)) == 1 else sizes


def _epoch_seconds(config: DistilConfig, known: DatasetInfo, done: int, budgets: tuple[int, ...]) -> list[float]:
    """Seconds of an epoch in each round to come: timed in the first and the last, in between on the line."""
    rounds, steps = range(done + 1, config.rounds + 1), batch_count(known.train, config.batch_size)
    ends = [steps * _seconds_per_step(config, known, t, budgets) for t in dict.fromkeys((rounds[0], rounds[-1]))]
    return np.linspace(ends[0], ends[-1], len(rounds)).tolist()


def _training_seconds(config: DistilConfig, epochs: list[float]) -> float:
    """Of all trainings. epochs: seconds of an epoch in each round to come."""
    schedule, done = trainer(config.method).schedule(config), config.rounds - len(epochs)
    return sum(count * epochs[students - done - 1] for students, count in schedule[done:])


def _correction_seconds(config: DistilConfig, known: DatasetInfo, features: int, done: int) -> float:
    """Correcting the heads of frozen rounds one by one, or all after the polish; features: inputs of a head."""
    heads, times = trainer(config.method).corrections(config, done)
    classes, examples = len(known.classes), min(known.train, CORRECTED)
    x, answers = torch.randn(examples, features), torch.randn(examples, classes) / 10
    problem = HeadProblem([x] * heads, [False] * heads, 2, answers, answers, [1.0] * heads, 1.0, 1.0, 2.0)
    layers = [torch.zeros(classes, features)] * heads + [torch.zeros(classes)] * heads
    layers = [layer.clone().requires_grad_() for layer in layers]
    lagrangian(problem, layers).backward()
    started = time.perf_counter()
    lagrangian(problem, layers).backward()
    return (time.perf_counter() - started) * EVALUATIONS * times * known.train / examples


def _student_cost(name: str, config: DistilConfig, known: DatasetInfo, card: dict[str, Any]) -> dict[str, Any]:
    """One student in the middle of a run: it reads a predecessor of its own kind."""
    pair = untrained(config.model_copy(update={"student": name}), known, 2)
    costs = prefix_costs(pair)
    macs = costs[1].macs - costs[0].macs
    return {"student": name, "macs": macs, "macs_ratio": macs / card["macs"] if card["macs"] else None}


def _teacher_seconds(card: dict[str, Any], known: DatasetInfo, config: DistilConfig) -> float:
    """Asking the teacher about every split and view; answers that are given take no time."""
    kind = card.get("kind")
    if kind == "logits":
        return 0.0
    if kind == "onnx":
        x = np.zeros((100, *known.input_shape), np.float32)
        ask = OnnxTeacher(card, known, Statistics.invented(known.input_shape[0])).ask
    else:
        ask, x = load_teacher(card), torch.zeros(100, *known.input_shape)
        x = x.contiguous(memory_format=torch.channels_last) if known.modality == "image" else x
    with torch.inference_mode():
        ask(x)
        started = time.perf_counter()
        ask(x)
    asked = known.validation + known.test + known.train * config.views
    return (time.perf_counter() - started) / len(x) * asked


def _seconds_per_step(config: DistilConfig, known: DatasetInfo, round: int, budgets: tuple[int, ...]) -> float:
    """A real training of round `round` on invented data, stopped after a few steps."""
    generator = np.random.default_rng(0)
    count = config.batch_size * (STEPS + 3)
    splits = {
        split: (generator.integers(0, 256, (n, *known.input_shape)), generator.integers(0, len(known.classes), n))
        for split, n in (("train", count), ("validation", 2), ("test", 2))
    }
    data = Dataset.of(known, splits)
    logits = {split: generator.normal(size=(len(y), len(known.classes))) for split, (_, y) in splits.items()}
    task = DistillationData(data, logits, data.x_train[None], logits["train"][None])
    times: list[float] = []

    def stop() -> bool:
        times.append(time.perf_counter())
        return len(times) > STEPS + 2

    ensemble, callbacks = untrained(config, known, round - 1, budgets), Callbacks(stop=stop)
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

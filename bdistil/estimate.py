"""What a run would cost, before anything is trained: counted where it can be counted, timed on a few real steps else.

`bdistil run --dry-run` prints it; pages, which import no torch, ask for it in a process of its own.
"""

import contextlib
import os
import time
from typing import Any

import numpy as np
import torch

from bdistil.boosting import Certificate
from bdistil.config import DistilConfig
from bdistil.cost import prefix_costs
from bdistil.data.catalogue import info
from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.distil import Task, train_student
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.students import build_student
from bdistil.students.catalogue import names
from bdistil.teachers.cards import card_for
from bdistil.teachers.weights import load_teacher
from bdistil.training import Position, Stopped, Watch, batch_count
from bdistil.wording import duration, quantity, share

STEPS = 6  # timed steps a round, after two to warm up
PROCESS_BYTES = 450e6  # what Python, torch and the worker take before there is any data


def estimate(config: DistilConfig) -> dict[str, Any]:
    """MACs, parameters and bytes of the last prefix, and what training it takes on this machine.

    macs, parameters, bytes: of all students, per example. seconds: of the whole run; first_model_seconds: until round 1
    ends. memory_bytes: of the worker. disk_bytes: of the finished run. macs_ratio: of the teacher's. students: what one
    student of each name would cost in this composition, {"student", "macs", "macs_ratio"}.
    """
    torch.set_num_threads(config.threads or max(1, (os.cpu_count() or 2) - 1))
    known, card = info(config.dataset), card_for(config.teacher, config.dataset)
    cost = prefix_costs(_prefix_of(config, known, config.rounds))[-1]
    teacher_seconds = _teacher_seconds(card, known, config)
    per_step = [_seconds_per_step(config, known, 1), _seconds_per_step(config, known, config.rounds)]
    steps = config.epochs * batch_count(known.train, config.batch_size)
    rows = known.train + known.validation + known.test
    outputs = rows * len(known.classes) * 4
    return {
        "macs": cost["macs"], "parameters": cost["parameters"], "bytes": cost["bytes"],
        "macs_ratio": cost["macs"] / card["macs"] if card["macs"] else None,
        "seconds": teacher_seconds + config.rounds * steps * sum(per_step) / 2,
        "first_model_seconds": teacher_seconds + steps * per_step[0],
        "memory_bytes": int(PROCESS_BYTES + known.train * np.prod(known.input_shape) * (config.views + 2)
                            + 3 * config.views * outputs + 30 * known.train * len(known.classes) * 8),
        "disk_bytes": config.rounds * (outputs + cost["bytes"] // config.rounds * 2) + outputs,
        "students": [_student_cost(name, config, known, card) for name in names()],
    }  # fmt: skip


def describe(expected: dict[str, Any]) -> str:
    """The estimate in three lines for people."""
    ratio = expected["macs_ratio"]
    of_teacher = f", {share(ratio)} of the teacher" if ratio else ""
    return (
        f"{quantity(expected['macs'])} MACs for all students{of_teacher}\n"
        f"first usable model after about {duration(expected['first_model_seconds'])}, "
        f"the whole run about {duration(expected['seconds'])}\n"
        f"{expected['memory_bytes'] / 1e9:.1f} GB of memory, {expected['disk_bytes'] / 1e6:.0f} MB on disk"
    )


def _prefix_of(config: DistilConfig, known: DatasetInfo, rounds: int) -> ProgressiveEnsemble:
    ensemble = ProgressiveEnsemble(c=1.0, classes=known.classes, mean=[0.0] * known.input_shape[0],
                                   std=[1.0] * known.input_shape[0], input_shape=known.input_shape)  # fmt: skip
    for _ in range(rounds):
        ensemble.append(build_student(
            config.student, input_shape=known.input_shape, classes=len(known.classes), composition=config.composition,
            previous=ensemble.students[-1] if len(ensemble) else None,
        ))  # fmt: skip
    return ensemble


def _student_cost(name: str, config: DistilConfig, known: DatasetInfo, card: dict[str, Any]) -> dict[str, Any]:
    """One student in the middle of a run: it reads a predecessor of its own kind."""
    pair = _prefix_of(config.model_copy(update={"student": name}), known, 2)
    costs = prefix_costs(pair)
    macs = costs[1]["macs"] - costs[0]["macs"]
    return {"student": name, "macs": macs, "macs_ratio": macs / card["macs"] if card["macs"] else None}


def _teacher_seconds(card: dict[str, Any], known: DatasetInfo, config: DistilConfig) -> float:
    """Asking the teacher about every split and view."""
    model, x = load_teacher(card), torch.zeros(100, *known.input_shape).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        model(x)
        started = time.perf_counter()
        model(x)
    asked = known.validation + known.test + known.train * config.views
    return (time.perf_counter() - started) / len(x) * asked


def _seconds_per_step(config: DistilConfig, known: DatasetInfo, round: int) -> float:
    """A real training of round `round` on invented data, stopped after a few steps."""
    generator = np.random.default_rng(0)
    count = config.batch_size * (STEPS + 3)
    splits = {
        split: (generator.integers(0, 256, (n, *known.input_shape)), generator.integers(0, len(known.classes), n))
        for split, n in (("train", count), ("validation", 2), ("test", 2))
    }
    data = Dataset.of(known, splits)
    logits = {split: generator.normal(size=(len(y), len(known.classes))) for split, (_, y) in splits.items()}
    task = Task(data, logits, data.x_train[None], logits["train"][None])
    times: list[float] = []

    def stop() -> bool:
        times.append(time.perf_counter())
        return len(times) > STEPS + 2

    certificate = Certificate(task.g_hat, config.rounds)
    ensemble = _prefix_of(config, known, round - 1)
    for _ in range(round - 1):
        certificate.update(np.zeros_like(task.g_hat))
    with contextlib.suppress(Stopped):
        train_student(config, task, ensemble, certificate, Position("rounds", round, 1), watch=Watch(stop=stop))
    return float(np.median(np.diff(times)[2:]))

"""FIND-WL, Algorithm 2 of B-DISTIL: find the student of a round, one that corrects the ensemble on every class.

Dennis et al., *Progressive Ensemble Distillation* (NeurIPS 2023). `find_weak_learner` trains, and corrects the head so
that the student meets the weak learning condition on the training set and the next one can (head_correction.py). Where
that fails or costs too much it tries again with a stronger barrier and fresh weights, and then with the next rung of
the ladder, a more expressive class of students. Every attempt is told. Nothing here reads or writes files; phases.py
does.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bdistil.config import DistilConfig
from bdistil.data.dataset import DatasetInfo
from bdistil.ensemble import ProgressiveEnsemble, evaluating, step
from bdistil.method.certificate import Certificate, Floats
from bdistil.method.distillation_data import Batch, Task
from bdistil.method.head_correction import HeadProblem, correct_heads
from bdistil.method.objective import Barrier, DistillationLoss
from bdistil.students.build import build_student
from bdistil.students.catalogue import compositions, segment
from bdistil.students.custom import own_student
from bdistil.students.student import Student
from bdistil.training.loop import Checkpoint, Position, Watch, batch_count, decayed, one_cycle, train

BATCH = 500
AHEAD = 1  # rounds that a frozen round's correction thinks of beyond its own
HARDER = 3.0  # times the barrier at each retry
MOST_KL = 1.02  # times the prefix's KL to the teacher: a head correction that costs more, and accuracy, is not taken
WIDER = 1.5  # times the channels, on the ladder's last rung


@dataclass(frozen=True)
class Rung:
    """A class of students: how they read their predecessors, and how many channels they have."""

    number: int
    composition: str
    wider: float = 1.0


@dataclass(frozen=True, eq=False)
class Attempt:
    """One training of a candidate, and what became of it; `record` is what events and round.json tell of it.

    f: the candidate's answers f_t on the training inputs, float32 (N, L); None where it comes from an earlier worker.
    """

    student: Student
    record: dict[str, Any]
    f: np.ndarray | None = None

    @property
    def met(self) -> bool:
        """Whether the search ends with it."""
        return self.record["outcome"] in ("kept", "corrected")


@dataclass(frozen=True)
class SearchWatch:
    """What a search tells: where an attempt starts, and what became of it."""

    starts: Callable[[dict[str, Any]], None] = lambda fields: None
    tried: Callable[[int, Attempt], None] = lambda round, attempt: None
    training: Watch = field(default_factory=Watch)


def ladder(config: DistilConfig, round: int) -> list[Rung]:
    """The rungs of a round, from the configured composition up. The first student has no one to read."""
    if round == 1 or config.factory:
        return [Rung(0, config.composition)]
    whole = compositions(config.student, config.mode)
    steps = whole[whole.index(config.composition) :]
    return [*(Rung(n, name) for n, name in enumerate(steps)), Rung(len(steps), steps[-1], WIDER)]


def find_weak_learner(
    config: DistilConfig,
    task: Task,
    ensemble: ProgressiveEnsemble,
    certificate: Certificate,
    tried: Sequence[Attempt] = (),
    *,
    checkpoint: Checkpoint | None = None,
    watch: SearchWatch | None = None,
    device: str = "cpu",
) -> tuple[Attempt, list[Attempt]]:
    """The student of the next round, and all attempts made; `tried` are those from before an interruption.

    The first that meets the condition ends the search. If none does, the one with the largest smallest edge is kept.
    """
    watch, attempts = watch or SearchWatch(), list(tried)
    round = len(ensemble) + 1
    for number, (rung, gain) in enumerate(_plan(config, round), start=1):
        if number > len(attempts):
            position = Position("rounds", round=round, attempt=number)
            watch.starts({**_place(config, position, rung, gain), "epochs": config.epochs})
            attempts.append(_attempt(config, task, ensemble, certificate, position, rung, gain, checkpoint,
                                     watch.training, device))  # fmt: skip
            watch.tried(round, attempts[-1])
        if attempts[number - 1].met:
            return attempts[number - 1], attempts
    return max(attempts, key=lambda attempt: min(attempt.record["edges_before"])), attempts


def train_student(
    config: DistilConfig,
    task: Task,
    ensemble: ProgressiveEnsemble,
    signed_weights: Floats,
    position: Position,
    rung: Rung,
    gain: float,
    checkpoint: Checkpoint | None = None,
    watch: Watch | None = None,
    device: str = "cpu",
) -> tuple[Student, dict[str, Any]]:
    """Train a candidate for round t = position.round; returns it with the last epoch's record (see `training.train`).

    It minimises D(F_t or f_t, g) − (1/γ) Σ_j log(1 + edge_j/2B) over fixed views of the training inputs; edges are
    estimated on the examples of a batch whose view is the input itself. `gain` is 1/γ, `signed_weights` K⁺ − K⁻ (N, L).
    """
    t, examples = position.round, len(task.g_hat)
    student = new_student(config, task, ensemble, position, rung).to(device)
    optimizer = torch.optim.AdamW(decayed(student, config.weight_decay), lr=0.0)
    barrier = Barrier(student.classes, gain).to(device)
    signed = torch.from_numpy(signed_weights.astype(np.float32)).to(device)
    objective = objective_of(config, task)

    def batches(epoch: int) -> Iterator[Batch]:
        views = len(task.views) if epoch < config.epochs - config.clean_epochs else 1
        return task.batches(position.generator(config.seed, epoch), config.batch_size, views, ensemble)

    def loss(batch: Batch) -> Tensor:
        total, carry = ensemble.run(batch.x)
        f, _ = step(student, t, batch.x, carry, total, task.c)
        value = objective(f, batch.target, round=t, previous=total / max(1, t - 1), labels=batch.labels)
        if t > 1 and len(batch.clean):
            clean = batch.clean
            value = value + barrier.penalty(f[clean], batch.target[clean], signed[batch.chosen[clean]], examples)
        return value

    record = train(
        student, optimizer, position=position, epochs=config.epochs, batches=batches, loss=loss,
        batches_per_epoch=batch_count(examples, config.batch_size),
        rate=one_cycle(config.learning_rate, config.warm_up), seed=config.seed, clip=config.clip,
        extra={"edges": barrier.edges},
        evaluate=lambda: validation(config, task, ensemble, student), checkpoint=checkpoint, watch=watch,
    )  # fmt: skip
    return student.eval(), record


def new_student(
    config: DistilConfig, task: Task, ensemble: ProgressiveEnsemble, position: Position, rung: Rung
) -> Student:
    """A fresh student for the next round, its weights drawn from the run's seed and the position."""
    torch.manual_seed(position.seed(config.seed))
    return build(config, task.data.info, ensemble, rung)


def build(config: DistilConfig, known: DatasetInfo, ensemble: ProgressiveEnsemble, rung: Rung) -> Student:
    """A fresh student that comes after those of `ensemble`, its weights drawn from torch's generator."""
    if config.factory:
        return own_student(config.factory, known.input_shape, len(known.classes), ensemble.students)
    previous = ensemble.students[-1] if len(ensemble) else None
    return build_student(
        config.student, input_shape=known.input_shape, classes=len(known.classes), composition=rung.composition,
        previous=previous, head=config.head, wider=rung.wider, grown=grown(config, len(ensemble) + 1),
        steps=segment(config.mode, len(ensemble) + 1, config.rounds, known.input_shape), dropout=config.dropout,
        cell=config.cell,
    )  # fmt: skip


def grown(config: DistilConfig, round: int) -> float:
    """How many times the catalogue's sizes a student of the round has on the ladder's first rungs."""
    return config.growth ** (round - 1)


def student_name(config: DistilConfig, round: int, rung: Rung | None = None) -> str:
    """The catalogue's name, and how many times its sizes the student has on a rung, or the first: `cnn-xs × 1.5`."""
    times = grown(config, round) * (rung or ladder(config, round)[0]).wider
    return config.student if times == 1 else f"{config.student} × {times:.3g}"


def objective_of(config: DistilConfig, task: Task) -> DistillationLoss:
    """The distillation loss that the configuration names."""
    return DistillationLoss(task.c, config.loss, config.divergence, config.temperature, config.label_share)


def validation(config: DistilConfig, task: Task, ensemble: ProgressiveEnsemble, student: Student) -> dict[str, float]:
    """Accuracy and KL of the prefix that the student in training completes, on the validation split."""
    return figures(config, task, _validation_prefix(task, ensemble, student))


def figures(config: DistilConfig, task: Task, prefix: np.ndarray) -> dict[str, float]:
    """Accuracy and KL to the teacher of a prefix (N, L), normalised, on the validation split."""
    return {"accuracy": float(_right(task, prefix).mean()),
            "kl": task.divergence(prefix, "validation", config.temperature)}  # fmt: skip


def _right(task: Task, prefix: np.ndarray) -> np.ndarray:
    """Which validation examples a prefix (N, L) answers right, (N,)."""
    return prefix.argmax(1) == task.data.y_validation


def _validation_prefix(task: Task, ensemble: ProgressiveEnsemble, student: Student) -> np.ndarray:
    passes = _passes(ensemble, student, task.data.x_validation)
    return torch.cat([(total + f) / (len(ensemble) + 1) for total, f, _ in passes]).cpu().numpy()


def answers(ensemble: ProgressiveEnsemble, student: Student, x: np.ndarray) -> np.ndarray:
    """f_t float32 (N, L) on the normalised scale of the student after `ensemble`, for raw inputs (N, C, H, W)."""
    return torch.cat([f for _, f, _ in _passes(ensemble, student, x)]).cpu().numpy()


def correct(
    config: DistilConfig,
    task: Task,
    ensemble: ProgressiveEnsemble,
    certificate: Certificate,
    student: Student,
    position: Position,
    checkpoint: Checkpoint | None = None,
    watch: Watch | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Check the student of the next round, and correct its head for the weak learning condition, now and later.

    Returns f_t on the training inputs, float32 (N, L), and what is told of it. A correction that is not found, or is
    dear, is not taken: outcome "edge" or "kl" where the condition is missed without it. Where a student meets it all
    the same, `turned_down` tells of the correction (see `turned_down`).
    """
    started = time.monotonic()
    x, ahead = task.data.x_train, max(0, min(AHEAD, config.planned - certificate.round - 1))
    passes = [(f, features) for _, f, features in _passes(ensemble, student, x)]
    answer, features = (torch.cat(parts) for parts in zip(*passes, strict=True))
    f = answer.cpu().numpy()
    before, kl = certificate.candidate(f), _divergence(config, task, certificate, f)
    told = {**before, "edges_before": before["edges"], "corrected": False, "kl_before": kl, "kl_after": kl,
            "accuracy_lost": 0.0, "correction_seconds": 0.0, "outcome": "kept", "turned_down": None}  # fmt: skip
    if not config.certified or (before["certified"] and not ahead):
        return f, told
    right = _right(task, _validation_prefix(task, ensemble, student))
    weight, bias = student.head.weight.detach().clone(), student.head.bias.detach().clone()
    heads = 1 + ahead
    problem = _problem(config, task, certificate, student, features, heads)
    found = correct_heads(problem, [weight] * heads, [bias] * heads, position=position,
                          checkpoint=checkpoint and checkpoint.heads, watch=watch)  # fmt: skip
    if found is None:
        return f, {**told, "correction_seconds": time.monotonic() - started, "turned_down": turned_down(None),
                   "outcome": "kept" if before["certified"] else "edge"}  # fmt: skip
    set_head(student, found[0][0], found[1][0])
    corrected = answers(ensemble, student, x)
    after, kl_after = certificate.candidate(corrected), _divergence(config, task, certificate, corrected)
    still = _right(task, _validation_prefix(task, ensemble, student))
    dear = is_dear(config, (kl, kl_after), right, still)
    outcome = "edge" if not after["certified"] else "kl" if dear else "corrected"
    seconds = time.monotonic() - started
    tried = {**told, **after, "corrected": outcome == "corrected", "kl_after": kl_after, "outcome": outcome,
             "accuracy_lost": float(right.mean() - still.mean()), "correction_seconds": seconds}  # fmt: skip
    if outcome == "corrected":
        return corrected, tried
    set_head(student, weight, bias)
    if before["certified"]:
        return f, {**told, "correction_seconds": seconds, "turned_down": turned_down(tried)}
    return f, tried


def turned_down(tried: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is told of a correction that was not taken: `tried` is the record it would have had, None: none was found.

    `why`: "kl", "edge" or "none found"; else `edge_min`, `kl_after` and `accuracy_lost` as they would have been.
    """
    if tried is None:
        return {"why": "none found"}
    return {"why": tried["outcome"], **{key: tried[key] for key in ("edge_min", "kl_after", "accuracy_lost")}}


def is_dear(config: DistilConfig, kl: tuple[float, float], before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a correction costs more than `MOST_KL` times the prefix's KL and `config.most_lost` of its accuracy.

    kl: before and after it. before, after: which validation examples are answered right, (N,). Close to the teacher KL
    moves long before answers do, so KL alone would turn down what costs nothing; and a loss within a standard error is
    none that can be told.
    """
    error = np.sqrt(np.count_nonzero(before != after)) / len(before)
    return bool(kl[1] > MOST_KL * kl[0] and before.mean() - after.mean() - error > config.most_lost)


def _plan(config: DistilConfig, round: int) -> list[tuple[Rung, float]]:
    """Rung and barrier of each attempt, in order: on every rung the retries, each with a stronger barrier."""
    rungs = ladder(config, round)
    if round == 1 or not config.certified:
        return [(rungs[0], config.barrier)]
    return [(rung, config.barrier * HARDER**n) for rung in rungs for n in range(1 + config.retries)]


def _place(config: DistilConfig, position: Position, rung: Rung, gain: float) -> dict[str, Any]:
    composition = rung.composition if position.round > 1 else "alone"  # the first has no one to read
    return {"round": position.round, "attempt": position.attempt, "composition": composition, "rung": rung.number,
            "student": student_name(config, position.round, rung), "barrier": gain}  # fmt: skip


def _attempt(config: DistilConfig, task: Task, ensemble: ProgressiveEnsemble, certificate: Certificate,
             position: Position, rung: Rung, gain: float, checkpoint: Checkpoint | None, watch: Watch,
             device: str) -> Attempt:  # fmt: skip
    student, trained = train_student(
        config, task, ensemble, certificate.signed_weights(), position, rung, gain, checkpoint, watch, device
    )
    f, told = correct(config, task, ensemble, certificate, student, position, checkpoint, watch)
    seconds = trained["total"] + told["correction_seconds"]
    return Attempt(student, {**told, **_place(config, position, rung, gain), "seed": position.seed(config.seed),
                             "loss": trained["loss"], "seconds": seconds}, f)  # fmt: skip


def _passes(ensemble: ProgressiveEnsemble, student: Student, x: np.ndarray) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batch by batch: f_1 + … + f_{t−1}, f_t and the inputs of its head, all of the student after `ensemble`."""
    seen: list[Tensor] = []
    hook = student.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        with evaluating(student):
            for start in range(0, len(x), BATCH):
                batch = ensemble.normalise(x[start : start + BATCH])
                total, carry = ensemble.run(batch)
                f, _ = step(student, len(ensemble) + 1, batch, carry, total, ensemble.c)
                yield total, f, seen.pop()
    finally:
        hook.remove()


def _divergence(config: DistilConfig, task: Task, certificate: Certificate, f: np.ndarray) -> float:
    """KL to the teacher of the prefix that f completes, on the training inputs."""
    prefix = (certificate.summed() + f) / (certificate.round + 1)
    return task.divergence(prefix, "train", config.temperature)


def _problem(config: DistilConfig, task: Task, certificate: Certificate, student: Student, features: Tensor,
             heads: int) -> HeadProblem:  # fmt: skip
    """What is to be corrected: the student's head and those of successors that would read the same features (N, D)."""
    g_hat, summed = (torch.from_numpy(a).float().to(features.device) for a in (task.g_hat, certificate.summed()))
    return HeadProblem(
        [features] * heads, [student.gives_prefix] * heads, certificate.round + 1, summed, g_hat, [1 / heads] * heads,
        certificate.eta, task.c, config.temperature,
    )  # fmt: skip


def set_head(student: Student, weight: Any, bias: Any) -> None:
    """Give a student's output layer other values, arrays or tensors."""
    with torch.no_grad():
        student.head.weight.copy_(torch.as_tensor(weight))
        student.head.bias.copy_(torch.as_tensor(bias))

"""B-DISTIL: the loop over rounds, each of which trains one student on top of the ones before it.

`distil` is Algorithm 1 of Dennis et al., *Progressive Ensemble Distillation* (NeurIPS 2023): weights on pairs of an
example and a class tell each round where the ensemble is still wrong. `train_student` trains the round's student on a
distillation loss with the log barrier of Algorithm 2. Predecessors are frozen. Neither reads or writes files; phases.py
does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bdistil.boosting import Certificate, normalised, scale
from bdistil.config import DistilConfig
from bdistil.data.dataset import SPLITS, Dataset
from bdistil.ensemble import ProgressiveEnsemble, bound, evaluating
from bdistil.objective import Barrier, DistillationLoss, kl
from bdistil.students.build import build_student
from bdistil.students.student import Student
from bdistil.training import Checkpoint, Position, Watch, batch_count, decayed, one_cycle, order, train

CLEAN_EPOCHS = 2  # the last epochs of a round see the un-augmented inputs only
WARM_UP = 0.2  # share of a round's steps in which the learning rate rises
BATCH = 500


@dataclass(frozen=True, eq=False)
class Task:
    """What is distilled: a data set, and what the teacher answers on it.

    teacher: raw logits float32 (N, L) of each split. views: uint8 (V, N, C, H, W) of the train split, the first one the
    inputs themselves; view_logits: the teacher's float32 (V, N, L) on each.
    """

    data: Dataset
    teacher: dict[str, np.ndarray]
    views: np.ndarray
    view_logits: np.ndarray

    @cached_property
    def c(self) -> float:
        """The teacher's scale: the largest centred logit on the un-augmented training inputs."""
        return scale(self.teacher["train"])

    @cached_property
    def g_hat(self) -> np.ndarray:
        """ĝ (N, L), float64: the training logits on the normalised scale."""
        return normalised(self.teacher["train"], self.c)

    @cached_property
    def view_targets(self) -> np.ndarray:
        """The teacher's logits on each view on the normalised scale, float32 (V, N, L)."""
        return np.stack([normalised(logits, self.c).astype(np.float32) for logits in self.view_logits])

    def ensemble(self, **names: str) -> ProgressiveEnsemble:
        """An ensemble without students yet, for this task."""
        known = self.data.info
        return ProgressiveEnsemble(c=self.c, classes=known.classes, mean=self.data.mean, std=self.data.std,
                                   input_shape=known.input_shape, **names)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Round:
    """A finished round: its student, f_t of each split, float32 (N, L) on the normalised scale, and its record."""

    student: Student
    outputs: dict[str, np.ndarray]
    record: dict[str, Any]


def distil(
    config: DistilConfig,
    task: Task,
    ensemble: ProgressiveEnsemble,
    finished: Sequence[np.ndarray] = (),
    *,
    checkpoint: Checkpoint | None = None,
    watch: Watch | None = None,
    device: str = "cpu",
) -> Iterator[Round]:
    """Algorithm 1: yields each round as it ends, with its student appended to `ensemble`.

    `finished` holds f_t (N, L) on the training inputs of the rounds that are in `ensemble` already; they are replayed
    into the weights, so that going on equals never having stopped.
    """
    certificate = Certificate(task.g_hat, config.rounds)
    for f in finished:
        certificate.update(f)
    ensemble.to(device)
    for t in range(len(finished) + 1, config.rounds + 1):
        position = Position("rounds", round=t, attempt=1)
        student, trained = train_student(config, task, ensemble, certificate, position, checkpoint, watch, device)
        ensemble.append(student)
        outputs = {split: last_outputs(ensemble, task.data.split(split)[0]) for split in SPLITS}
        record = certificate.update(outputs["train"])  # the weights K⁺, K⁻ of round t + 1 follow from it
        divergence = mean_kl(task.c * certificate.prefix(), task.teacher["train"], config.temperature)
        yield Round(student, outputs, {
            **record, "composition": [composition(config, t)], "attempts": 1, "corrected": False,
            "barrier": config.barrier, "kl_before": divergence, "kl_after": divergence, "loss": trained["loss"],
            "seconds": trained["total"],
        })  # fmt: skip


def composition(config: DistilConfig, round: int) -> str:
    """How the student of a round reads the one before it: the first has none and stands alone."""
    return config.composition if round > 1 else "alone"


def train_student(
    config: DistilConfig,
    task: Task,
    ensemble: ProgressiveEnsemble,
    certificate: Certificate,
    position: Position,
    checkpoint: Checkpoint | None = None,
    watch: Watch | None = None,
    device: str = "cpu",
) -> tuple[Student, dict[str, Any]]:
    """Train the student of round t = position.round; returns it with the last epoch's record (see `training.train`).

    It minimises D(F_t or f_t, g) − (1/γ) Σ_j log(1 + edge_j/2B) over fixed views of the training inputs; edges are
    estimated on the examples of a batch whose view is the input itself.
    """
    t, examples = position.round, len(task.g_hat)
    torch.manual_seed(position.seed(config.seed))
    known = task.data.info
    student = build_student(
        config.student, input_shape=known.input_shape, classes=len(known.classes), composition=config.composition,
        previous=ensemble.students[-1] if len(ensemble) else None,
    ).to(device)  # fmt: skip
    optimizer = torch.optim.AdamW(decayed(student, config.weight_decay), lr=0.0)
    barrier = Barrier(len(known.classes), config.barrier).to(device)
    signed = torch.from_numpy(certificate.signed_weights().astype(np.float32)).to(device)
    objective = DistillationLoss(task.c, config.loss, config.divergence, config.temperature, config.label_share)

    def batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor, Tensor]]:
        generator = position.generator(config.seed, epoch)
        views = len(task.views) if epoch < config.epochs - CLEAN_EPOCHS else 1
        for chosen in order(generator, examples, config.batch_size):
            view = generator.integers(0, views, len(chosen))
            target = torch.from_numpy(task.view_targets[view, chosen]).to(device)
            yield chosen, view, ensemble.normalise(task.views[view, chosen]), target

    def loss(batch: tuple[np.ndarray, np.ndarray, Tensor, Tensor]) -> Tensor:
        chosen, view, x, target = batch
        total, carry = ensemble.run(x)
        f = bound(student(x, carry)[0], task.c)
        labels = torch.from_numpy(task.data.y_train[chosen]).to(device)
        value = objective(f, target, round=t, previous=total / max(1, t - 1), labels=labels)
        clean = np.flatnonzero(view == 0)
        if t > 1 and len(clean):
            value = value + barrier.penalty(f[clean], target[clean], signed[chosen[clean]], examples)
        return value

    record = train(
        student, optimizer, position=position, epochs=config.epochs, batches=batches, loss=loss,
        batches_per_epoch=batch_count(examples, config.batch_size),
        rate=one_cycle(config.learning_rate, WARM_UP), extra={"edges": barrier.edges},
        evaluate=lambda: _validation(config, task, ensemble, student), checkpoint=checkpoint, watch=watch,
    )  # fmt: skip
    return student.eval(), record


def last_outputs(ensemble: ProgressiveEnsemble, x: np.ndarray) -> np.ndarray:
    """f_T float32 (N, L) on the normalised scale, of the ensemble's last student, for raw inputs (N, C, H, W)."""
    answers = []
    for start in range(0, len(x), BATCH):
        *_, f = ensemble.student_outputs(x[start : start + BATCH])
        answers.append(f.cpu().numpy())
    return np.concatenate(answers)


def mean_kl(logits: np.ndarray, teacher: np.ndarray, temperature: float) -> float:
    """KL(teacher ‖ logits) at temperature τ times τ², mean over examples; both (N, L) on the teacher's scale."""
    return float(kl(torch.from_numpy(logits), torch.from_numpy(teacher.astype(np.float64)), temperature))


def _validation(config: DistilConfig, task: Task, ensemble: ProgressiveEnsemble, student: Student) -> dict[str, float]:
    """Accuracy and KL of the prefix that the student in training completes, on the validation split."""
    x, labels = task.data.split("validation")
    prefixes, round = [], len(ensemble) + 1
    with evaluating(student):
        for start in range(0, len(x), BATCH):
            batch = ensemble.normalise(x[start : start + BATCH])
            total, carry = ensemble.run(batch)
            prefixes.append(task.c * (total + bound(student(batch, carry)[0], task.c)) / round)
    logits = torch.cat(prefixes).cpu().double().numpy()
    divergence = mean_kl(logits, task.teacher["validation"], config.temperature)
    return {"accuracy": float((logits.argmax(1) == labels).mean()), "kl": divergence}

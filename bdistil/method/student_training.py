"""Training the student of a round: which class it comes from, what it minimises, and what it answers.

It minimises D(F_t or f_t, g) − (1/γ) Σ_j log(1 + edge_j/2B), the log-barrier form of Dennis et al., *Progressive
Ensemble Distillation* (NeurIPS 2023), Algorithm 2, over fixed views of the training inputs. The checkpoint is the only
file.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from bdistil.config import DistilConfig
from bdistil.ensemble import ProgressiveEnsemble, evaluating, step
from bdistil.method.distillation import Batch, Distillation, DistillationData
from bdistil.method.ladder import Rung, build, rungs
from bdistil.method.objective import Barrier, DistillationLoss
from bdistil.records import EpochRecord
from bdistil.scale import Floats
from bdistil.students.student import Student
from bdistil.training.loop import Position, batch_count, decayed, one_cycle, train

BATCH = 500


def train_student(
    distillation: Distillation, signed_weights: Floats, position: Position, rung: Rung, gain: float
) -> tuple[Student, EpochRecord]:
    """Train a candidate for the round to come, t; returns it with the last epoch's record (see `training.train`).

    It minimises D(F_t or f_t, g) − (1/γ) Σ_j log(1 + edge_j/2B) over fixed views of the training inputs; edges are
    estimated on the examples of a batch whose view is the input itself. `gain` is 1/γ, `signed_weights` K⁺ − K⁻ (N, L).
    """
    config, data, ensemble = distillation.config, distillation.data, distillation.ensemble
    t, examples = distillation.round, len(data.g_hat)
    student = new_student(distillation, position, rung).to(distillation.device)
    optimizer = torch.optim.AdamW(decayed(student, config.weight_decay), lr=0.0)
    barrier = Barrier(student.classes, gain).to(distillation.device)
    signed = torch.from_numpy(signed_weights.astype(np.float32)).to(distillation.device)
    objective = objective_of(config, data)

    def batches(epoch: int) -> Iterator[Batch]:
        views = len(data.views) if epoch < config.epochs - config.clean_epochs else 1
        return data.batches(position.generator(config.seed, epoch), config.batch_size, views, ensemble)

    def loss(batch: Batch) -> Tensor:
        total, carry = ensemble.run(batch.x)
        f, _ = step(student, t, batch.x, carry, total, data.c)
        value = objective(f, batch.target, round=t, previous=total / max(1, t - 1), labels=batch.labels)
        if t > 1 and len(batch.clean):
            clean = batch.clean
            value = value + barrier.penalty(f[clean], batch.target[clean], signed[batch.chosen[clean]], examples)
        return value

    record = train(
        student,
        optimizer,
        position=position,
        epochs=config.epochs,
        batches=batches,
        loss=loss,
        batches_per_epoch=batch_count(examples, config.batch_size),
        rate=one_cycle(config.learning_rate, config.warm_up),
        seed=config.seed,
        clip=config.clip,
        extra={"edges": barrier.edges},
        evaluate=lambda: validation(distillation, student),
        checkpoint=distillation.checkpoint,
        callbacks=distillation.callbacks,
    )
    return student.eval(), record


def new_student(distillation: Distillation, position: Position, rung: Rung | None = None) -> Student:
    """A fresh student for the round to come, its weights drawn from the run's seed and the position.

    rung: of its ladder, the first by default.
    """
    rung = rung or rungs(distillation)[0]
    torch.manual_seed(position.seed(distillation.config.seed))
    return build(distillation.config, distillation.data.dataset.info, distillation.ensemble, rung)


def objective_of(config: DistilConfig, data: DistillationData) -> DistillationLoss:
    """The distillation loss that the configuration names."""
    return DistillationLoss(data.c, config.loss, config.divergence, config.temperature, config.label_share)


def validation(distillation: Distillation, student: Student) -> dict[str, float]:
    """Accuracy and KL of the prefix that the student in training completes, on the validation split."""
    prefix = validation_prefix(distillation.data, distillation.ensemble, student)
    return metrics(distillation.config, distillation.data, prefix)


def metrics(config: DistilConfig, data: DistillationData, prefix: np.ndarray) -> dict[str, float]:
    """Accuracy and KL to the teacher of a prefix (N, L), normalised, on the validation split."""
    return {
        "accuracy": float(right(data, prefix).mean()),
        "kl": data.divergence(prefix, "validation", config.temperature),
    }


def right(data: DistillationData, prefix: np.ndarray) -> np.ndarray:
    """Which validation examples a prefix (N, L) answers right, (N,)."""
    return prefix.argmax(1) == data.dataset.y_validation


def validation_prefix(data: DistillationData, ensemble: ProgressiveEnsemble, student: Student) -> np.ndarray:
    batches = passes(ensemble, student, data.dataset.x_validation)
    return torch.cat([(total + f) / (len(ensemble) + 1) for total, f, _ in batches]).cpu().numpy()


def answers(ensemble: ProgressiveEnsemble, student: Student, x: np.ndarray) -> np.ndarray:
    """f_t float32 (N, L) on the normalised scale of the student after `ensemble`, for raw inputs (N, C, H, W)."""
    return torch.cat([f for _, f, _ in passes(ensemble, student, x)]).cpu().numpy()


def passes(ensemble: ProgressiveEnsemble, student: Student, x: np.ndarray) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
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

"""Corrective rounds and the polish: what the preset `b-distil+polish` does instead of freezing finished students.

Round t adds student t and trains students 1 … t together on the weighted sum of their prefixes' losses, on top of where
round t − 1 left them. After the last round comes a long training of all, the polish, and then the heads are corrected,
all together (head_correction.py), on students that change no more. Our own preset: it gives the best frontier, where
the frozen rounds of Algorithm 1 (Dennis et al., NeurIPS 2023) can be extended.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bdistil.config import DistilConfig
from bdistil.data.dataset import Splits
from bdistil.ensemble import ProgressiveEnsemble, bound, evaluating
from bdistil.method.certificate import Certificate, theory_eta, weights
from bdistil.method.correction import is_too_costly, rejected, set_head
from bdistil.method.distillation import Batch, Distillation, DistillationData
from bdistil.method.head_correction import HeadProblem, correct_heads
from bdistil.method.ladder import student_names
from bdistil.method.objective import Barrier
from bdistil.method.student_training import BATCH, metrics, new_student, objective_of
from bdistil.records import EpochRecord, RoundRecord
from bdistil.scale import Floats
from bdistil.training.loop import Position, batch_count, decayed, one_cycle, train

ROUNDS_END = 0.5  # share of the peak learning rate at which a corrective round ends; the polish ends at 0
FIRST_WEIGHT = 2.0  # of the first prefix's loss, in units of each other's: it costs the rest nothing
POLISH = Position("polish")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All students at one moment: their outputs f_1 … f_t on each split, float32 (t, N, L), and their records."""

    outputs: Splits[np.ndarray]
    records: list[RoundRecord]
    heaviest: list[dict[str, np.ndarray]]

    def with_records(self, **changes: Any) -> "Snapshot":
        """The same with fields of all records changed."""
        return replace(self, records=[record.model_copy(update=changes) for record in self.records])


def distil_together(distillation: Distillation) -> list[RoundRecord]:
    """All corrective rounds and the polish in memory, students appended to the ensemble; returns the final records."""
    previous = None
    for _ in range(distillation.config.rounds):
        snapshot = corrective_round(distillation, previous)
        previous = (snapshot.outputs.train.astype(np.float64).mean(axis=0)).astype(np.float32)
    return polish(distillation).records


def corrective_round(distillation: Distillation, previous: np.ndarray | None) -> Snapshot:
    """Append student t to the ensemble and train all t together.

    `previous` is F_{t−1} (N, L) on the training inputs as round t − 1 left it, normalised; None in round 1. The newest
    student's edges, for the barrier, are taken under the weights that follow from it.
    """
    config, data, round = distillation.config, distillation.data, distillation.round
    position = Position("rounds", round=round, attempt=1)
    student = new_student(distillation, position)
    distillation.ensemble.append(student.to(distillation.device))
    signed = None
    if previous is not None:
        up, down = weights((round - 1) * (previous - data.g_hat), eta(config, data))
        signed = up - down
    record = _train_together(distillation, position, config.epochs, ROUNDS_END, signed)
    snapshot = evaluate_all(distillation)
    last = snapshot.records[-1].model_copy(update={"loss": record.loss, "seconds": record.total})
    return replace(snapshot, records=[*snapshot.records[:-1], last])


def polish(distillation: Distillation, corrected: Callable[[RoundRecord], None] = lambda record: None) -> Snapshot:
    """Train all students of a finished run's rounds together, then correct their heads.

    `corrected` is called with the records of rounds 2 … T, which say what became of the correction.
    """
    record, epochs = None, distillation.config.polish_epochs
    if epochs:
        record = _train_together(distillation, POLISH, epochs, 0.0, None)
    snapshot = _corrected(distillation)
    loss, seconds = (record.loss, record.total) if record else (None, 0.0)
    records = [
        row.model_copy(update={"loss": loss, "seconds": seconds + row.correction_seconds}) for row in snapshot.records
    ]
    for row in records[1:]:
        corrected(row)
    return replace(snapshot, records=records)


def _corrected(distillation: Distillation) -> Snapshot:
    """Correct the heads where a round misses the weak learning condition; all students after that.

    A correction that is not found, or is too costly for any prefix (see `correction.is_too_costly`), is rejected: the
    outcome is "edge" or "kl" of the rounds that miss the condition, and `rejected` of all rounds describes it.
    """
    config, data, ensemble = distillation.config, distillation.data, distillation.ensemble
    before = evaluate_all(distillation)
    if not config.meet_condition or all(record.condition_met for record in before.records):
        return before
    started = time.monotonic()
    heads = [(s.head.weight.detach().clone(), s.head.bias.detach().clone()) for s in ensemble.students]
    g_hat = torch.from_numpy(data.g_hat).float().to(ensemble.mean.device)
    problem = HeadProblem(
        head_inputs(ensemble, data.dataset.x_train),
        [student.gives_prefix for student in ensemble.students],
        1,
        torch.zeros_like(g_hat),
        g_hat,
        prefix_weights(len(heads)),
        eta(config, data),
        data.c,
        config.temperature,
    )
    found = correct_heads(
        problem,
        *zip(*heads, strict=True),
        position=POLISH,
        checkpoint=distillation.checkpoint and distillation.checkpoint.heads,
        callbacks=distillation.callbacks,
    )
    del problem
    after, outcome = before, "edge"
    if found is not None:
        _set_heads(ensemble, zip(*found, strict=True))
        after, outcome = _judged(config, data, before, evaluate_all(distillation))
        if outcome != "corrected":
            _set_heads(ensemble, heads)
    seconds = (time.monotonic() - started) / len(heads)  # shared out: the heads are corrected together
    if outcome == "corrected":
        return after.with_records(correction_seconds=seconds)
    reasons = [rejected(tried if found is not None else None) for tried in after.records]
    records = [
        record.model_copy(
            update={
                "outcome": "kept" if record.condition_met else outcome,
                "rejected": reason,
                "correction_seconds": seconds,
            }
        )
        for record, reason in zip(before.records, reasons, strict=True)
    ]
    return replace(before, records=records)


def _judged(config: DistilConfig, data: DistillationData, before: Snapshot, after: Snapshot) -> tuple[Snapshot, str]:
    """The snapshot after a correction with records that compare it with the one before, and what becomes of it."""
    right, still = _right(data, before), _right(data, after)
    kls = [(old.kl_after, row.kl_after) for row, old in zip(after.records, before.records, strict=True)]
    costly = any(is_too_costly(config, *each) for each in zip(kls, right, still, strict=True))
    met = all(record.condition_met for record in after.records)
    outcome = "kl" if costly else "corrected" if met else "edge"
    records = [
        row.model_copy(
            update={
                "corrected": True,
                "edges_before": old.edges,
                "kl_before": old.kl_after,
                "accuracy_lost": float(lost),
                "outcome": outcome,
            }
        )
        for row, old, lost in zip(after.records, before.records, right.mean(1) - still.mean(1), strict=True)
    ]
    return replace(after, records=records), outcome


def head_inputs(ensemble: ProgressiveEnsemble, x: np.ndarray) -> list[Tensor]:
    """What each student's head reads, float32 (N, D_t), for raw inputs (N, C, H, W).

    Where each head reads what the one before it reads and more, all are views of one tensor.
    """
    seen: list[list[Tensor]] = []
    hooks = [
        student.head.register_forward_pre_hook(lambda _, inputs: seen[-1].append(inputs[0]))
        for student in ensemble.students
    ]
    try:
        for start in range(0, len(x), BATCH):
            seen.append([])
            for _ in ensemble.student_outputs(x[start : start + BATCH]):
                pass
            if all(torch.equal(a, b[:, : a.shape[1]]) for a, b in zip(seen[-1], seen[-1][1:], strict=False)):
                seen[-1] = seen[-1][-1:]
    finally:
        for hook in hooks:
            hook.remove()
    whole = [torch.cat(parts) for parts in zip(*seen, strict=True)]
    sizes = [student.head.in_features for student in ensemble.students]
    return [whole[0][:, :size] for size in sizes] if len(whole) == 1 else whole


def _set_heads(ensemble: ProgressiveEnsemble, heads: Iterable[tuple[Tensor, Tensor]]) -> None:
    for student, (weight, bias) in zip(ensemble.students, heads, strict=True):
        set_head(student, weight, bias)


def _right(data: DistillationData, snapshot: Snapshot) -> np.ndarray:
    """Which validation examples every prefix answers right, (T, N)."""
    prefixes = snapshot.outputs.validation.astype(np.float64).cumsum(axis=0)
    return prefixes.argmax(axis=2) == data.dataset.y_validation


def evaluate_all(distillation: Distillation) -> Snapshot:
    """All students as they are now: outputs on every split, and the certificate worked out from them."""
    config, data, ensemble = distillation.config, distillation.data, distillation.ensemble
    outputs = Splits.of(lambda split: _outputs(ensemble, data.dataset.split(split)[0]))
    certificate, records, heaviest = Certificate(data.g_hat, config.rounds_for_eta), [], []
    for t, (f, name) in enumerate(zip(outputs.train, student_names(distillation), strict=True), start=1):
        heaviest.append(certificate.heaviest())
        row = certificate.update(f)
        kl = data.divergence(certificate.prefix(), "train", config.temperature)
        records.append(
            RoundRecord(
                **dict(row),
                composition=(composition(config, t),),
                student=name,
                corrected=False,
                barrier=config.barrier,
                kl_before=kl,
                kl_after=kl,
                edges_before=row.edges,
                accuracy_lost=0.0,
            )
        )
    return Snapshot(outputs, records, heaviest)


def composition(config: DistilConfig, round: int) -> str:
    """How the student of a round reads the ones before it: the first has none and stands alone."""
    return config.composition if round > 1 else "alone"


def eta(config: DistilConfig, data: DistillationData) -> float:
    """The theory's η of a run."""
    return theory_eta(len(data.g_hat), config.rounds_for_eta)


def prefix_weights(count: int) -> list[float]:
    """Weights of the losses of prefixes 1 … count: the first counts `FIRST_WEIGHT` times, and they sum to 1."""
    shares = [FIRST_WEIGHT, *[1.0] * (count - 1)]
    return [share / sum(shares) for share in shares]


def _train_together(
    distillation: Distillation, position: Position, epochs: int, end: float, signed_weights: Floats | None
) -> EpochRecord:
    """Minimise the weighted sum of the prefixes' losses over all students; with weights, also the barrier of the last.

    Returns the last epoch's record (see `training.train`).
    """
    config, data, ensemble = distillation.config, distillation.data, distillation.ensemble
    device, examples = ensemble.mean.device, len(data.g_hat)
    optimizer = torch.optim.AdamW(decayed(ensemble, config.weight_decay), lr=0.0)
    barrier = Barrier(len(ensemble.classes), config.barrier).to(device)
    signed = None if signed_weights is None else torch.from_numpy(signed_weights.astype(np.float32)).to(device)
    objective, shares = objective_of(config, data), prefix_weights(len(ensemble))

    def batches(epoch: int) -> Iterator[Batch]:
        clean = position == POLISH and epoch >= epochs - config.clean_epochs
        views = 1 if clean else len(data.views)
        return data.batches(position.generator(config.seed, epoch), config.batch_size, views, ensemble)

    def loss(batch: Batch) -> Tensor:
        prefixes = list(_prefixes(ensemble, batch.x))
        losses = (
            share * objective.compare(prefix, batch.target, batch.labels)
            for share, prefix in zip(shares, prefixes, strict=True)
        )
        value = sum(losses, start=torch.zeros((), device=device))
        if signed is not None and len(batch.clean):
            t, clean = len(prefixes), batch.clean
            f = t * prefixes[-1] - (t - 1) * prefixes[-2].detach()
            penalty = barrier.penalty(f[clean], batch.target[clean], signed[batch.chosen[clean]], examples)
            value = value + shares[-1] / t * penalty
        return value

    return train(
        ensemble,
        optimizer,
        position=position,
        epochs=epochs,
        batches=batches,
        loss=loss,
        batches_per_epoch=batch_count(examples, config.batch_size),
        extra={"edges": barrier.edges},
        rate=one_cycle(config.learning_rate, config.warm_up, end=end),
        seed=config.seed,
        clip=config.clip,
        evaluate=lambda: _validation(config, data, ensemble),
        checkpoint=distillation.checkpoint,
        callbacks=distillation.callbacks,
    )


def _prefixes(ensemble: ProgressiveEnsemble, x: Tensor) -> Iterator[Tensor]:
    """F_1 … F_T (batch, L) on the normalised scale, with gradients, students in the mode that they are in."""
    carry: dict[str, Tensor] = {}
    total: Tensor | float = 0.0
    for t, student in enumerate(ensemble.students, start=1):
        raw, carry = student(x, carry)
        answer = bound(raw, ensemble.c)
        prefix = answer if student.gives_prefix else (total + answer) / t
        total = t * prefix
        yield prefix


def _outputs(ensemble: ProgressiveEnsemble, x: np.ndarray) -> np.ndarray:
    """f_1 … f_T float32 (T, N, L) for raw inputs."""
    batches = [torch.stack(list(ensemble.student_outputs(x[i : i + BATCH]))) for i in range(0, len(x), BATCH)]
    return torch.cat(batches, dim=1).cpu().numpy()


def _validation(config: DistilConfig, data: DistillationData, ensemble: ProgressiveEnsemble) -> dict[str, float]:
    """Accuracy and KL of the last prefix on the validation split."""
    x = data.dataset.x_validation
    with evaluating(ensemble):
        last = [list(_prefixes(ensemble, ensemble.normalise(x[i : i + BATCH])))[-1] for i in range(0, len(x), BATCH)]
    return metrics(config, data, torch.cat(last).cpu().numpy())

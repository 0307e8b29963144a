"""Checking a frozen round's student against the weak learning condition, and correcting its head.

The correction itself is `head_correction`; here it is judged: taken, or rejected with the reason.
"""

import time

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bdistil.config import DistilConfig
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.head_correction import HeadProblem, correct_heads
from bdistil.method.student_training import answers, passes, right, validation_prefix
from bdistil.records import Correction, RejectedCorrection
from bdistil.students.student import Student
from bdistil.training.loop import Position

LOOKAHEAD = 1  # rounds that a frozen round's correction thinks of beyond its own
MOST_KL = 1.02  # times the prefix's KL to the teacher: a correction that costs more, and accuracy, is rejected


def correct(
    distillation: Distillation, certificate: Certificate, student: Student, position: Position
) -> tuple[np.ndarray, Correction]:
    """Check the student of the next round, and correct its head for the weak learning condition, now and later.

    Returns f_t on the training inputs, float32 (N, L), and the record of the check. A correction that is not found, or
    is too costly, is rejected: the outcome is "edge" or "kl" where the condition is missed without it. Where a student
    meets it all the same, `rejected` describes the correction.
    """
    started = time.monotonic()
    config, data, ensemble = distillation.config, distillation.data, distillation.ensemble
    x, ahead = data.dataset.x_train, max(0, min(LOOKAHEAD, config.rounds_for_eta - certificate.round - 1))
    batches = [(f, features) for _, f, features in passes(ensemble, student, x)]
    answer, features = (torch.cat(parts) for parts in zip(*batches, strict=True))
    f = answer.cpu().numpy()
    before, kl = certificate.candidate(f), _divergence(config, data, certificate, f)
    unchanged = Correction(
        **dict(before), edges_before=before.edges, corrected=False, kl_before=kl, kl_after=kl, accuracy_lost=0.0
    )
    if not config.meet_condition or (before.condition_met and not ahead):
        return f, unchanged
    right_before = right(data, validation_prefix(data, ensemble, student))
    weight, bias = student.head.weight.detach().clone(), student.head.bias.detach().clone()
    heads = 1 + ahead
    problem = _problem(config, data, certificate, student, features, heads)
    found = correct_heads(
        problem,
        [weight] * heads,
        [bias] * heads,
        position=position,
        checkpoint=distillation.checkpoint and distillation.checkpoint.heads,
        callbacks=distillation.callbacks,
    )
    if found is None:
        outcome = "kept" if before.condition_met else "edge"
        seconds = time.monotonic() - started
        return f, unchanged.model_copy(
            update={"correction_seconds": seconds, "rejected": rejected(None), "outcome": outcome}
        )
    set_head(student, found[0][0], found[1][0])
    corrected = answers(ensemble, student, x)
    after, kl_after = certificate.candidate(corrected), _divergence(config, data, certificate, corrected)
    right_after = right(data, validation_prefix(data, ensemble, student))
    too_costly = is_too_costly(config, (kl, kl_after), right_before, right_after)
    outcome = "edge" if not after.condition_met else "kl" if too_costly else "corrected"
    seconds = time.monotonic() - started
    tried = Correction(
        **dict(after),
        edges_before=before.edges,
        corrected=outcome == "corrected",
        kl_before=kl,
        kl_after=kl_after,
        outcome=outcome,
        accuracy_lost=float(right_before.mean() - right_after.mean()),
        correction_seconds=seconds,
    )
    if outcome == "corrected":
        return corrected, tried
    set_head(student, weight, bias)
    if before.condition_met:
        return f, unchanged.model_copy(update={"correction_seconds": seconds, "rejected": rejected(tried)})
    return f, tried


def rejected(tried: Correction | None) -> RejectedCorrection:
    """The description of a correction that was not taken: `tried` is the record it would have had, None: none found."""
    if tried is None:
        return RejectedCorrection(why="none found")
    return RejectedCorrection(
        why=tried.outcome, edge_min=tried.edge_min, kl_after=tried.kl_after, accuracy_lost=tried.accuracy_lost
    )


def is_too_costly(config: DistilConfig, kl: tuple[float, float], before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a correction costs more than `MOST_KL` times the prefix's KL and `max_accuracy_drop` of its accuracy.

    kl: before and after it. before, after: which validation examples are answered right, (N,). Close to the teacher KL
    moves long before answers do, so KL alone would reject what costs nothing; and a loss within a standard error cannot
    be told from none.
    """
    error = np.sqrt(np.count_nonzero(before != after)) / len(before)
    return bool(kl[1] > MOST_KL * kl[0] and before.mean() - after.mean() - error > config.max_accuracy_drop)


def _divergence(config: DistilConfig, data: DistillationData, certificate: Certificate, f: np.ndarray) -> float:
    """KL to the teacher of the prefix that f completes, on the training inputs."""
    prefix = (certificate.summed() + f) / (certificate.round + 1)
    return data.divergence(prefix, "train", config.temperature)


def _problem(
    config: DistilConfig,
    data: DistillationData,
    certificate: Certificate,
    student: Student,
    features: Tensor,
    heads: int,
) -> HeadProblem:
    """What is to be corrected: the student's head and those of successors that would read the same features (N, D)."""
    g_hat, summed = (torch.from_numpy(a).float().to(features.device) for a in (data.g_hat, certificate.summed()))
    return HeadProblem(
        [features] * heads,
        [student.gives_prefix] * heads,
        certificate.round + 1,
        summed,
        g_hat,
        [1 / heads] * heads,
        certificate.eta,
        data.c,
        config.temperature,
    )


def set_head(student: Student, weight: ArrayLike | Tensor, bias: ArrayLike | Tensor) -> None:
    """Give a student's output layer other values, arrays or tensors."""
    with torch.no_grad():
        student.head.weight.copy_(torch.as_tensor(weight))
        student.head.bias.copy_(torch.as_tensor(bias))

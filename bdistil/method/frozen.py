"""B-DISTIL: the loop over rounds, each of which finds one student on top of the ones before it.

`distil` is Algorithm 1 of Dennis et al., *Progressive Ensemble Distillation* (NeurIPS 2023): weights on pairs of an
example and a class tell each round where the ensemble is still wrong, weak_learner.py finds a student that corrects it,
and predecessors are frozen. The other preset's rounds are in corrective.py. Neither reads or writes files; phases.py
does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bdistil.config import DistilConfig
from bdistil.data.dataset import SPLITS
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.method.certificate import Certificate
from bdistil.method.distillation_data import Task
from bdistil.method.search import Attempt, SearchWatch, answers, find_weak_learner
from bdistil.students.student import Student
from bdistil.training.loop import Checkpoint


@dataclass(frozen=True, eq=False)
class Round:
    """A finished round: its student, f_t of each split, float32 (N, L) on the normalised scale, and its record.

    heaviest: what weighed most in it, see `boosting.Certificate.heaviest`.
    """

    student: Student
    outputs: dict[str, np.ndarray]
    record: dict[str, Any]
    heaviest: dict[str, np.ndarray]


def distil(
    config: DistilConfig,
    task: Task,
    ensemble: ProgressiveEnsemble,
    finished: Sequence[np.ndarray] = (),
    tried: Sequence[Attempt] = (),
    *,
    checkpoint: Checkpoint | None = None,
    watch: SearchWatch | None = None,
    device: str = "cpu",
) -> Iterator[Round]:
    """Algorithm 1: yields each round as it ends, with its student appended to `ensemble`.

    `finished` holds f_t (N, L) on the training inputs of the rounds that are in `ensemble` already; they are replayed
    into the weights, so that going on equals never having stopped. `tried` are attempts of the next round that failed.
    """
    certificate = Certificate(task.g_hat, config.planned)
    for f in finished:
        certificate.update(f)
    ensemble.to(device)
    for _ in range(len(finished), config.rounds):
        attempt, attempts = find_weak_learner(
            config, task, ensemble, certificate, tried, checkpoint=checkpoint, watch=watch, device=device
        )
        tried = ()
        outputs = {} if attempt.f is None else {"train": attempt.f}
        for split in SPLITS:
            if split not in outputs:
                outputs[split] = answers(ensemble, attempt.student, task.data.split(split)[0])
        ensemble.append(attempt.student)
        heaviest = certificate.heaviest()
        record = certificate.update(outputs["train"])  # the weights K⁺, K⁻ of round t + 1 follow from it
        yield Round(attempt.student, outputs, {**record, **_found(attempt, attempts)}, heaviest)


def _found(attempt: Attempt, attempts: list[Attempt]) -> dict[str, Any]:
    """What a round's record tells of the search; where a correction was taken back, nothing of it."""
    told = attempt.record
    kept = ("attempt", "rung", "student", "corrected", "barrier", "edges_before", "kl_before", "correction_seconds",
            "loss")  # fmt: skip
    return {
        **{key: told[key] for key in kept}, "composition": [told["composition"]], "attempts": len(attempts),
        "kl_after": told["kl_after"] if attempt.met else told["kl_before"],
        "seconds": sum(each.record["seconds"] for each in attempts),
    }  # fmt: skip

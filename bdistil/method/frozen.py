"""B-DISTIL: the loop over rounds, each of which finds one student on top of the ones before it.

`distil` is Algorithm 1 of Dennis et al., *Progressive Ensemble Distillation* (NeurIPS 2023): weights on pairs of an
example and a class tell each round where the ensemble is still wrong, search.py finds a student that corrects it, and
predecessors are frozen. The other preset's rounds are in joint.py. Neither reads or writes files; runs/jobs.py does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bdistil.data.dataset import Splits
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation
from bdistil.method.search import Attempt, SearchCallbacks, find_weak_learner
from bdistil.method.student_training import answers
from bdistil.records import CertificateRow, RoundRecord
from bdistil.students.student import Student


@dataclass(frozen=True, eq=False)
class Round:
    """A finished round: its student, f_t of each split, float32 (N, L) on the normalised scale, and its record.

    heaviest: what weighed most in it, see `Certificate.heaviest`.
    """

    student: Student
    outputs: Splits[np.ndarray]
    record: RoundRecord
    heaviest: dict[str, np.ndarray]


def distil(
    distillation: Distillation,
    finished: Sequence[np.ndarray] = (),
    tried: Sequence[Attempt] = (),
    callbacks: SearchCallbacks | None = None,
) -> Iterator[Round]:
    """Algorithm 1: yields each round as it ends, with its student appended to the ensemble.

    `finished` holds f_t (N, L) on the training inputs of the rounds that are in the ensemble already; they are replayed
    into the weights, so that going on equals never having stopped. `tried` are attempts of the next round that failed.
    """
    config, data, ensemble = distillation.config, distillation.data, distillation.ensemble
    certificate = Certificate(data.g_hat, config.rounds_for_eta)
    for f in finished:
        certificate.update(f)
    ensemble.to(distillation.device)
    for _ in range(len(finished), config.rounds):
        attempt, attempts = find_weak_learner(distillation, certificate, tried, callbacks)
        tried = ()
        inputs = (data.dataset.x_validation, data.dataset.x_test)
        f = answers(ensemble, attempt.student, data.dataset.x_train) if attempt.f is None else attempt.f
        outputs = Splits(f, *(answers(ensemble, attempt.student, x) for x in inputs))
        ensemble.append(attempt.student)
        heaviest = certificate.heaviest()
        row = certificate.update(outputs.train)  # the weights K⁺, K⁻ of round t + 1 follow from it
        yield Round(attempt.student, outputs, _record(row, attempt, attempts), heaviest)


def _record(row: CertificateRow, attempt: Attempt, attempts: list[Attempt]) -> RoundRecord:
    """A round's record: the certificate, and how the search went; of a correction that was taken back, nothing."""
    found = attempt.record
    return RoundRecord(
        **dict(row),
        attempt=found.attempt,
        attempts=len(attempts),
        rung=found.rung,
        student=found.student,
        composition=(found.composition,),
        barrier=found.barrier,
        corrected=found.corrected,
        edges_before=found.edges_before,
        kl_before=found.kl_before,
        kl_after=found.kl_after if attempt.met else found.kl_before,
        accuracy_lost=found.accuracy_lost,
        correction_seconds=found.correction_seconds,
        outcome=found.outcome,
        rejected=found.rejected,
        loss=found.loss,
        seconds=sum(each.record.seconds for each in attempts),
    )

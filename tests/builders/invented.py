"""Invented teachers and students for run directories (writer.py): the logits are made up, the records follow.

Student t is the teacher plus noise of its own, leaning against the mean error of the students before it, so that
averages come closer to the teacher and edges lie above zero. `Game` plays the boosting game on them.
"""

from __future__ import annotations

import numpy as np

from bdistil.method.certificate import Certificate
from bdistil.records import CertificateRow, Condition
from bdistil.scale import normalised, scale

LEANINGS = (0.3, 0.6, 1.0, 1.5, 2.5, 4.0, 6.0)


def teacher(count: int, classes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Teacher logits (count, classes) that are right on some 95 % of the labels (count,)."""
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 1.2, (count, classes))
    logits[np.arange(count), labels] += 4.5
    return logits.astype(np.float32), labels.astype(np.int64)


class Game:
    """The students of one run so far, `outputs` f_1 … f_t of each split, and their certificate.

    splits: teacher logits (N, L) and labels (N,) of train, validation and test.
    """

    def __init__(self, splits: dict[str, tuple[np.ndarray, np.ndarray]], rounds: int):
        self.splits = splits
        self.c = scale(splits["train"][0])
        self.g_hat = {name: normalised(logits, self.c) for name, (logits, _) in splits.items()}
        self.certificate = Certificate(self.g_hat["train"], rounds)
        self.outputs: list[dict[str, np.ndarray]] = []

    def student(self, rng: np.random.Generator, noise: float = 1.0) -> dict[str, np.ndarray]:
        """The next student before any correction: noise, most of it between neighbouring classes."""
        student = {}
        for name, (_, labels) in self.splits.items():
            g_hat = self.g_hat[name]
            f = g_hat + noise * rng.normal(0, 0.12, g_hat.shape)
            f[np.arange(len(f)), (labels + 1) % g_hat.shape[1]] += noise * rng.normal(0.1, 0.3, len(f))
            student[name] = f - f.mean(axis=1, keepdims=True)
        return student

    def corrected(self, student: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The student, leaning against the ensemble's mean error by as little as meets the condition."""
        if not self.outputs:
            return student
        for lean in LEANINGS:
            leaning = {name: f - lean * (self.prefix(name) - self.g_hat[name]) for name, f in student.items()}
            if self.candidate(leaning).condition_met:
                break
        return leaning

    def candidate(self, student: dict[str, np.ndarray]) -> Condition:
        return self.certificate.candidate(student["train"].astype(np.float32))

    def prefix(self, split: str, logits: bool = False) -> np.ndarray:
        """F_t (N, L), on the normalised scale or as logits on the teacher's."""
        return (self.c if logits else 1) * np.mean([f[split] for f in self.outputs], axis=0)

    def add(self, student: dict[str, np.ndarray]) -> CertificateRow:
        """Take the next student; returns its part of the round's record."""
        student = {name: f.astype(np.float32) for name, f in student.items()}
        self.outputs.append(student)
        return self.certificate.update(student["train"])

    def heaviest(self) -> dict[str, np.ndarray]:
        """The pairs of an example and a class that weigh most for the next student, and the teacher's answers."""
        found, (logits, labels) = self.certificate.heaviest(), self.splits["train"]
        return found | {"true": labels[found["index"]], "teacher": logits[found["index"]].argmax(axis=1)}

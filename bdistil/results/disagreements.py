"""Test examples on which a prefix and the teacher answer differently, and which prefixes get them right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bdistil.results.loading import Results


@dataclass(frozen=True)
class Disagreement:
    """One test example; the answers are class names, the probabilities their own in [0, 1].

    index: its place in the test split. strip: for each prefix 1 … T, whether it answers correctly.
    """

    index: int
    label: str
    teacher: str
    teacher_probability: float
    students: str
    students_probability: float
    strip: tuple[bool, ...]

    @property
    def teacher_right(self) -> bool:
        return self.teacher == self.label

    @property
    def students_right(self) -> bool:
        return self.students == self.label


def disagreements(results: Results, prefix: int, most: int = 6) -> tuple[int, list[Disagreement]]:
    """How many test examples the prefix (1 … T) answers differently from the teacher, and those it is surest of.

    Returns the count of all, and at most `most` of them, the prefix's probability of its answer falling.
    """
    logits = results.prefixes[prefix - 1]
    answers, teacher = logits.argmax(axis=1), results.teacher.argmax(axis=1)
    differing = np.flatnonzero(answers != teacher)
    sure = _probabilities(logits[differing]).max(axis=1)
    shown = differing[np.argsort(-sure, kind="stable")[:most]]
    ours, theirs = _probabilities(logits[shown]), _probabilities(results.teacher[shown])
    strips = results.prefixes[:, shown].argmax(axis=2) == results.labels[shown]
    names = results.classes
    return len(differing), [
        Disagreement(
            index=int(index),
            label=names[results.labels[index]],
            teacher=names[teacher[index]],
            teacher_probability=float(theirs[place].max()),
            students=names[answers[index]],
            students_probability=float(ours[place].max()),
            strip=tuple(strips[:, place].tolist()),
        )
        for place, index in enumerate(shown)
    ]


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis: (N, L) -> (N, L)."""
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return weights / weights.sum(axis=1, keepdims=True)

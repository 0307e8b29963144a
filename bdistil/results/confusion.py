"""Which classes are mixed up, by a prefix and by the teacher, and how accurate each is on every class (test split)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bdistil.results.loading import Results

MOST_CLASSES = 12


@dataclass(frozen=True, eq=False)
class Confusion:
    """classes: K names. students, teacher: (K, K) percent of the row: true class by answer; a class without examples
    is 0.
    """

    classes: tuple[str, ...]
    students: np.ndarray
    teacher: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """(K, K) percentage points, students minus teacher: better is more on the diagonal and less beside it."""
        return self.students - self.teacher


def confusion(results: Results, prefix: int) -> Confusion:
    """The confusion of the prefix (1 … T) and of the teacher; above twelve classes, among the prefix's twelve worst.

    Classes without a test example have no accuracy: above twelve classes they are never among those shown.
    """
    students = _percent(results.prefixes[prefix - 1].argmax(axis=1), results)
    teacher = _percent(results.teacher.argmax(axis=1), results)
    kept = np.arange(len(results.classes))
    if len(kept) > MOST_CLASSES:
        seen = np.unique(results.labels)
        kept = np.sort(seen[np.argsort(students.diagonal()[seen], kind="stable")[:MOST_CLASSES]])
    names = tuple(results.classes[index] for index in kept)
    return Confusion(names, students[np.ix_(kept, kept)], teacher[np.ix_(kept, kept)])


@dataclass(frozen=True)
class ClassAccuracy:
    """One class: its test examples, and the accuracies of the students and of the teacher on them, in [0, 1]."""

    name: str
    examples: int
    accuracy: float
    teacher: float

    @property
    def difference(self) -> float:
        """Percentage points, students minus teacher."""
        return 100 * (self.accuracy - self.teacher)


def by_class(results: Results, prefix: int) -> list[ClassAccuracy]:
    """Accuracy by class, the one that lost most against the teacher first; without classes of no test example."""
    right = results.prefixes[prefix - 1].argmax(axis=1) == results.labels
    teacher_right = results.teacher.argmax(axis=1) == results.labels
    size = len(results.classes)
    examples = np.bincount(results.labels, minlength=size)
    counts = np.maximum(examples, 1)
    ours, theirs = (np.bincount(results.labels, hits, size) / counts for hits in (right, teacher_right))
    columns = (examples.tolist(), ours.tolist(), theirs.tolist())
    rows = [ClassAccuracy(*row) for row in zip(results.classes, *columns, strict=True)]
    return sorted((row for row in rows if row.examples), key=lambda row: (row.difference, row.accuracy))


def _percent(answers: np.ndarray, results: Results) -> np.ndarray:
    size = len(results.classes)
    counts = np.bincount(results.labels * size + answers, minlength=size * size).reshape(size, size)
    return 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

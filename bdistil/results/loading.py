"""Reading a finished or growing run's logits and rows, without torch.

Students are stored on the normalised scale (f_t, see the statement of the method in `boosting`): the prefixes on the
teacher's scale are c · (f_1 + … + f_t) / t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from bdistil.errors import UserError
from bdistil.paths import open_regular
from bdistil.records import Point
from bdistil.runs.points import prefix_logits
from bdistil.runs.store import RunInfo
from bdistil.statistics import accuracy_interval, persons, points_lost


class FrontierPoint(Point):
    """A point of a loaded run. points_lost: percentage points below the teacher, and their paired 95 % interval."""

    points_lost: float
    points_lost_low: float
    points_lost_high: float


@dataclass(frozen=True, eq=False)
class Results:
    """What a run knows about its test split.

    run: the run's summary (run.json); classes: L names; labels: (N,); teacher: (N, L) logits; prefixes: (T, N, L)
    logits on the teacher's scale; points: the frontier, one point per prefix. T = 0 while the first round trains.
    unpolished: the points of the prefixes as their rounds ended, None where no polish has changed them since.
    people: (N,) whose example each is, None where the split holds out nobody.
    """

    run: RunInfo
    classes: tuple[str, ...]
    labels: np.ndarray
    teacher: np.ndarray
    prefixes: np.ndarray
    points: tuple[FrontierPoint, ...]
    unpolished: tuple[FrontierPoint, ...] | None = None
    people: np.ndarray | None = None

    @property
    def people_counted(self) -> tuple[str, int] | None:
        """What the split holds out whole, and how many of them are in the test split: (`speaker`, 2)."""
        if self.people is None:
            return None
        return (self.run.dataset.people if self.run.dataset else None) or "person", len(np.unique(self.people))

    @property
    def rounds(self) -> int:
        """How many students the run is meant to have."""
        return self.run.distil_config.rounds


def load(run: Any) -> Results:
    """The results of a run: an id, a run's folder, or an opened `Run`.

    Raises UserError for an unknown, unreadable or newer run (from the store) and for damaged result files.
    """
    if isinstance(run, (str, Path)):
        from bdistil.runs import open_run

        run = open_run(Path(run))
    info, folder = run.info(), Path(run.path)
    classes = info.dataset.classes if info.dataset else ()
    try:
        # Read the rounds once: a running worker may finish another one meanwhile.
        rows = [finished.point for finished in run.rounds()]
        if not rows:
            empty = np.zeros((0, len(classes)), np.float32)
            return Results(info, classes, np.zeros(0, np.int64), empty, empty[None][:0], ())
        labels, teacher, people = _targets(folder / "targets.npz")
        _ = info.known_dataset, info.known_teacher  # whoever reads results relies on both
        c, folders = info.known_scale.c, run.round_folders()[: len(rows)]
        if (folders[0] / "prefix.npz").exists():
            prefixes = _prefixes(folders, c)
        else:
            prefixes = prefix_logits((_arrays(file / "logits.npz", "test")[0] for file in folders), c)
        earlier = run.unpolished()
        unpolished = earlier and compared(
            [finished.point for finished in earlier],
            _prefixes(run.unpolished_folders(), c),
            teacher,
            labels,
            people,
        )
        points = compared(rows, prefixes, teacher, labels, people)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise UserError(
            f"The results of run {folder.name} cannot be read: a file is missing or damaged. "
            "The others are not affected."
        ) from error
    return Results(info, classes, labels, teacher, prefixes, points, unpolished or None, people)


def _targets(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Labels (N,), teacher logits (N, L) and persons (N,), if it holds any, of the test split."""
    with open_regular(path) as file, np.load(file) as kept:
        return kept["labels_test"], kept["teacher_test"], kept.get("people_test")


def _prefixes(folders: list[Path], c: float) -> np.ndarray:
    """Prefixes (T, N, L) on the teacher's scale, each as it stood when its corrective round ended."""
    return np.stack([c * _arrays(folder / "prefix.npz", "test")[0] for folder in folders])


def _arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays of an NPZ file, which is closed even where it is damaged (numpy leaves it open then)."""
    with open_regular(path) as file, np.load(file) as arrays:
        return [arrays[name] for name in names]


def compared(
    points: Sequence[Point],
    prefixes: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    people: np.ndarray | None = None,
) -> tuple[FrontierPoint, ...]:
    """Stored points beside the teacher: prefixes are (T, N, L) logits, teacher (N, L), labels and people (N,)."""
    return tuple(
        _compared(point, logits, teacher, labels, people) for point, logits in zip(points, prefixes, strict=True)
    )


def _compared(
    point: Point, logits: np.ndarray, teacher: np.ndarray, labels: np.ndarray, people: np.ndarray | None
) -> FrontierPoint:
    value, low, high = points_lost(logits, teacher, labels, people)
    fields = dict(point) | {"persons": persons(people)}
    if persons(people):  # points of earlier versions store the interval over examples
        fields["accuracy_low"], fields["accuracy_high"] = accuracy_interval(logits.argmax(axis=1) == labels, people)
    return FrontierPoint(**fields, points_lost=value, points_lost_low=low, points_lost_high=high)

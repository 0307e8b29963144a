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
import pandas as pd

from bdistil.errors import UserError
from bdistil.paths import open_regular
from bdistil.records import Point
from bdistil.runs.points import prefix_logits
from bdistil.runs.store import RunInfo
from bdistil.statistics import accuracy_interval, persons, points_lost


@dataclass(frozen=True, eq=False)
class Results:
    """What a run knows about its test split.

    run: the run's summary (run.json); classes: L names; labels: (N,); teacher: (N, L) logits; prefixes: (T, N, L)
    logits on the teacher's scale; points: the frontier's data frame, one row per prefix. T = 0 while the first round
    trains. unpolished: the rows of the prefixes as their rounds ended, None where no polish has changed them since.
    people: (N,) whose example each is, None where the split holds out nobody.
    """

    run: RunInfo
    classes: tuple[str, ...]
    labels: np.ndarray
    teacher: np.ndarray
    prefixes: np.ndarray
    points: pd.DataFrame
    unpolished: pd.DataFrame | None = None
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
        return self.run.config.rounds


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
            return Results(info, classes, np.zeros(0, np.int64), empty, empty[None][:0], pd.DataFrame())
        labels, teacher, people = _targets(folder / "targets.npz")
        if info.scale is None:
            raise ValueError("run.json says no scale")
        c, folders = info.scale.c, run.round_folders()[: len(rows)]
        if (folders[0] / "prefix.npz").exists():
            prefixes = _prefixes(folders, c)
        else:
            prefixes = prefix_logits((_arrays(file / "logits.npz", "test")[0] for file in folders), c)
        earlier = run.unpolished()
        unpolished = earlier and frame(
            [finished.point for finished in earlier],
            _prefixes(run.unpolished_folders(), c),
            teacher,
            labels,
            people,
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise UserError(
            f"The results of run {folder.name} cannot be read: a file is missing or damaged. "
            "The others are not affected."
        ) from error
    points = frame(rows, prefixes, teacher, labels, people)
    return Results(info, classes, labels, teacher, prefixes, points, unpolished, people)


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


def frame(
    points: Sequence[Point],
    prefixes: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    people: np.ndarray | None = None,
) -> pd.DataFrame:
    """Stored points and prefix logits (T, N, L) -> the data frame that `frontier` documents."""
    table = pd.json_normalize([point.document() for point in points], sep="_")
    lost = [points_lost(logits, teacher, labels, people) for logits in prefixes]
    if persons(people):  # rows of earlier versions store the interval over examples
        bounds = [accuracy_interval(logits.argmax(axis=1) == labels, people) for logits in prefixes]
        table = table.assign(accuracy_low=[low for low, _ in bounds], accuracy_high=[high for _, high in bounds])
    return table.assign(
        persons=persons(people),
        points_lost=[value for value, _, _ in lost],
        points_lost_low=[low for _, low, _ in lost],
        points_lost_high=[high for _, _, high in lost],
    )

"""Answers instead of a model: two NPZ files of logits, read strictly, and the teacher that they make.

TRAIN.npz and TEST.npz hold `logits` (N, classes) and, where the data set has files, `files` (N,), their relative paths.
The rows of TRAIN.npz answer for the train and the validation split, which were one before it was split off. Without
`files` rows are in the data set's own order: of a folder its relative paths, sorted; else the train split, then the
validation split, as `load_dataset` gives them.

Answers know no pictures but the originals, so an augmented view gets its original's logits: an approximation, which the
run's record calls one (`approximate_views`) and which goes no further than `most_shift`. Imports no torch.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bdistil.data.npz import listed, read_npz
from bdistil.errors import UserError
from bdistil.paths import absolute
from bdistil.teachers.card import GivenAnswers

LEAST_PROBABILITY = 1e-7
ROUNDING = 0.01  # by which probabilities in half precision miss a sum of 1
UNKNOWN_SPLIT = (
    "The teacher was trained on a split that is not known: if it has seen test examples, its accuracy is too high."
)
PROBABILITIES = "{} gives probabilities, not logits: they are taken as log(max(p, 1e-7))."


def logits_card(paths: Sequence[str], info: Any, macs: int | None = None) -> GivenAnswers:
    """The card of the teacher that two files of answers make for a data set (`DatasetInfo`).

    Its accuracy is known once the data set has been read. macs: per example, as stated by whoever gives the answers.
    Raises UserError, one sentence, if a file is not as the module says; rows are matched by `GivenLogits`.
    """
    files = [str(absolute(path)) for path in paths]
    answers = [read_answers(path, len(info.classes)) for path in files]
    counts = ({"train": info.train, "validation": info.validation}, {"test": info.test})
    for path, (logits, names), count in zip(files, answers, counts, strict=True):
        if names is None:
            _check_rows(logits, count, path)
        _check_not_constant(logits, path)
    kinds = [are_probabilities(logits) for logits, _ in answers]
    if kinds[0] != kinds[1]:
        first, second = files if kinds[0] else files[::-1]
        raise UserError(f"{first} holds probabilities and {second} does not: give logits, or probabilities, in both.")
    content = hashlib.sha256(b"".join(hashlib.sha256(logits.data).digest() for logits, _ in answers)).hexdigest()
    fields = black_box_fields(Path(files[0]).name, info, content, probabilities=kinds[0], macs=macs)
    return GivenAnswers(**fields, answers=(files[0], files[1]))


def most_shift(info: Any) -> int:
    """Pixels by which pictures (`DatasetInfo`) may be moved and keep their logits: an eighth of the shorter side."""
    return max(1, min(info.input_shape[1:]) // 8)


def given_logits(recipe: dict[str, Any], modality: str) -> dict[str, Any]:
    """A recipe's views as far as answers hold for them: recipes hardly move pictures, series are not changed at all."""
    return recipe if modality == "image" else recipe | {"views": 1}


def black_box_fields(
    name: str, info: Any, checksum: str, *, probabilities: bool, macs: int | None, notices: Sequence[str] = ()
) -> dict[str, Any]:
    """What the card of any black box says: no weights, and costs only where they are stated.

    notices: further sentences for the user.
    """
    return {
        "name": name,
        "dataset": info.name,
        "classes": info.classes,
        "input_shape": info.input_shape,
        "macs": macs,
        "macs_stated": macs is not None,
        "weights_sha256": checksum,
        "probabilities": probabilities,
        "notices": (*notices, *([PROBABILITIES.format(name)] if probabilities else [])),
    }


def read_answers(path: str, classes: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The float32 (N, classes) answers of an NPZ file and, where it has them, the files (N,) that they answer for.

    Nothing is unpickled. Raises UserError naming the file, and the row, counted from 1, where one row is wrong.
    """
    how = "Write it with np.savez(file, logits=…)."
    try:
        given = read_npz(path, ("logits", "files"))
    except FileNotFoundError:
        raise UserError(f"There is no file {path}: give the paths of TRAIN.npz and TEST.npz.") from None
    except (OSError, ValueError):
        raise UserError(f"{path} is no NPZ file of plain numbers and fixed-width strings. {how}") from None
    if "logits" not in given:
        raise UserError(f"{path} holds no array called logits, it holds {listed(path)}. {how}")
    logits, files = given["logits"], given.get("files")
    if logits.dtype.kind != "f":
        raise UserError(f"The logits in {path} are {logits.dtype}: give floating-point numbers, one a class.")
    if logits.ndim != 2 or logits.shape[1] != classes:
        raise UserError(
            f"The logits in {path} have shape {logits.shape}, the dataset has {classes} classes: give "
            f"one row an example and {classes} numbers a row."
        )
    with np.errstate(over="ignore"):  # what overflows is told as infinite
        logits = np.ascontiguousarray(logits, dtype=np.float32)
    check_finite(logits, path)
    if files is not None:
        if files.dtype.kind not in "US" or files.shape != (len(logits),):
            raise UserError(
                f"The files in {path} are {files.dtype} of shape {files.shape}: give one relative path "
                f"for each of the {len(logits)} rows, as fixed-width strings."
            )
        files = np.char.decode(files, "utf-8", "replace") if files.dtype.kind == "S" else files
    return logits, files


def check_finite(logits: np.ndarray, source: str) -> None:
    """Raises UserError naming the source and the first row of (N, classes) that is not finite."""
    bad = ~np.isfinite(logits).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        what = "NaN" if np.isnan(logits[row]).any() else "infinite values"
        raise UserError(f"{source}, row {row + 1}: the logits hold {what}. Every answer must be a finite number.")


def _check_not_constant(logits: np.ndarray, path: str) -> None:
    """Raises UserError if all classes, or all examples, have the same logits (N, classes)."""
    if len(logits) and not np.ptp(logits, axis=1).any():
        raise UserError(f"The logits in {path} are the same for every class, in every row: check how they were made.")
    if len(logits) > 1 and not np.ptp(logits, axis=0).any():
        raise UserError(f"The logits in {path} are the same in every row: check how they were made.")


def are_probabilities(answers: np.ndarray) -> bool:
    """Whether all rows (N, classes) lie in [0, 1] and sum to 1."""
    inside = len(answers) and answers.min() >= 0 and answers.max() <= 1
    return bool(inside and np.abs(answers.sum(axis=1, dtype=np.float64) - 1).max() <= ROUNDING)


def as_logits(probabilities: np.ndarray) -> np.ndarray:
    """log(max(p, 1e-7)) of (N, classes), float32."""
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY)).astype(np.float32)


def match(files: Iterable[str], wanted: Iterable[str], source: str) -> np.ndarray:
    """Where in `files` each of `wanted` is: int64 (len(wanted),). Files that nobody wants are left over.

    Raises UserError naming the source for a path that is there twice or is missing.
    """
    places: dict[str, int] = {}
    for row, file in enumerate(map(str, files)):
        if places.setdefault(file, row) != row:
            raise UserError(
                f"{source}, row {row + 1}: {file} is there already, in row {places[file] + 1}. Give one row a file."
            )
    missing = [file for file in map(str, wanted) if file not in places]
    if missing:
        more = f" and {len(missing) - 1} more of the dataset’s files" if len(missing) > 1 else ""
        raise UserError(f"{source} has no row for {missing[0]}{more}: give the relative path of every file.")
    return np.array([places[file] for file in map(str, wanted)], dtype=np.int64)


class GivenLogits:
    """Answers from the files of a card (`logits_card`), by split: every view of an input gets the input's own.

    data: the `Dataset`; of `files_train`, `files_validation` and `files_test`, (N,) relative paths, where it has them.
    Raises UserError if rows are missing, too many, or there twice.
    """

    def __init__(self, card: GivenAnswers, data: Any) -> None:
        self.answers: dict[str, np.ndarray] = {}
        for path, splits in zip(card.answers, (("train", "validation"), ("test",)), strict=True):
            logits, files = read_answers(path, len(card.classes))
            logits = as_logits(logits) if card.probabilities else logits
            self.answers |= _by_split(logits, files, data, splits, path)

    def __call__(self, x: np.ndarray, split: str, tick: Callable[[float], None] = lambda done: None) -> np.ndarray:
        """Raw inputs of a split, in any view, to float32 logits (N, classes)."""
        return self.answers[split]


def _by_split(
    logits: np.ndarray, files: np.ndarray | None, data: Any, splits: Sequence[str], path: str
) -> dict[str, np.ndarray]:
    counts = {split: len(data.split(split)[1]) for split in splits}
    paths = [names for split in splits if (names := getattr(data, f"files_{split}", None)) is not None]
    if paths and files is not None:
        return {split: logits[match(files, own, path)] for split, own in zip(splits, paths, strict=True)}
    _check_rows(logits, counts, path)
    order = np.arange(len(logits))
    if paths:
        order = np.argsort(np.argsort(np.concatenate(paths)))
    ends = np.cumsum(list(counts.values()))
    return dict(zip(splits, np.split(logits[order], ends[:-1]), strict=True))


def _check_rows(logits: np.ndarray, counts: dict[str, int], path: str) -> None:
    if len(logits) != sum(counts.values()):
        expected = " and ".join(f"{count} {split}" for split, count in counts.items())
        raise UserError(
            f"{path} has {len(logits)} rows, the dataset has {expected} examples: give one row for each, in "
            "the dataset’s order."
        )


def no_better_than_chance(logits: np.ndarray, labels: np.ndarray) -> str | None:
    """A sentence where answers (N, classes) agree with labels hardly more than shuffled ones would; None where they do.

    Shuffled, they agree for Σ_j P(answer = j) · P(label = j) of the examples, give or take three standard errors.
    """
    count, classes = logits.shape
    answers = logits.argmax(axis=1)
    agreement = float((answers == labels).mean())
    shares = [np.bincount(which, minlength=classes) / count for which in (answers, labels)]
    chance = float(shares[0] @ shares[1])
    if agreement == 1 or agreement > chance + 3 * np.sqrt(chance * (1 - chance) / count):
        return None
    found = f"are right for {100 * agreement:.1f} % of the training examples, hardly more often than in a random order"
    return f"The teacher’s answers {found} ({100 * chance:.1f} %): check the order of its rows and of its classes."


class Measured(NamedTuple):
    """An accuracy with its 95 % interval."""

    accuracy: float
    low: float
    high: float


def measured(logits: np.ndarray, labels: np.ndarray, people: np.ndarray | None = None) -> Measured:
    """The accuracy of the answers (N, classes) on the test split, with the interval of `accuracy_interval`."""
    from bdistil.statistics import accuracy_interval

    right = logits.argmax(axis=1) == labels
    low, high = accuracy_interval(right, people)
    return Measured(int(right.sum()) / len(labels), low, high)

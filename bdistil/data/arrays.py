"""NPZ files with x and y, and subject and split where one has them."""

from pathlib import Path

import numpy as np

from bdistil.data.dataset import SPLITS, Modality
from bdistil.data.imported import ImportedData, numbered, split_anew, split_validation
from bdistil.data.npz import listed, read_npz
from bdistil.errors import UserError, quoted

_SPLIT_NAMES = {**{name: name for name in SPLITS}, "val": "validation"}


def read_arrays(path: Path) -> ImportedData:
    """Reads an NPZ file of pictures `x` uint8 (N, channels, height, width) or series (N, time, channels), and `y` (N,).

    `y` and `subject` (N,) are whole numbers or text; `split` (N,) is train, validation or test. Without it whole
    subjects are held out, or examples of each class. Raises UserError, one sentence, for what does not fit.
    """
    given = _load(path)
    if missing := {"x", "y"} - set(given):
        raise UserError(f"{path.name} has no array {min(missing)}: it holds {listed(path)}.")
    x, modality = _inputs(given["x"], path)
    names = {name: _names(given[name], name, len(x), path) for name in ("y", "subject", "split") if name in given}
    y, classes = numbered(names["y"])
    if len(classes) < 2:
        raise UserError(f"{path.name} has the one class {quoted(classes[0])} in y: 2 at least are needed.")
    people = numbered(names["subject"])[0] if "subject" in names else None
    groups, what = (np.arange(len(x)), "examples") if people is None else (people, "persons")
    by = "examples of each class" if people is None else "persons, none of whom is on two sides"
    if "split" in names:
        split, how = _split(names["split"], path), f"As {path.name} says."
        if not (split == SPLITS.index("validation")).any():
            split = split_validation(split, y, groups, what, classes, path.name)
            how = f"As {path.name} says; a tenth of the {what} is held out of train for validation."
    else:
        split, how = split_anew(y, groups, what, classes, path.name), f"60/20/20 of the {by}, with a fixed seed."
    return ImportedData(x=x, y=y, split=split, people=people, classes=classes, modality=modality, how=how)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_npz(path, ("x", "y", "subject", "split"))
    except OSError as error:
        raise UserError(f"{path.name} can't be read ({error.strerror}): make it readable.") from None
    except ValueError:
        raise UserError(f"{path.name} is no intact NPZ file of plain arrays: save it with numpy.savez.") from None


def _inputs(x: np.ndarray, path: Path) -> tuple[np.ndarray, Modality]:
    """Pictures as they are, series with their steps last; and the modality."""
    if not x.size:
        raise UserError(f"{path.name} has no example in x: give some.")
    if x.ndim == 4 and x.dtype == np.uint8 and x.shape[1] in (1, 3):
        return x, "image"
    if x.ndim == 3 and x.dtype.kind in "fiu":
        with np.errstate(over="ignore"):  # what overflows is told
            series = np.ascontiguousarray(x.transpose(0, 2, 1), dtype=np.float32)
        wrong = np.flatnonzero(~np.isfinite(series).all(axis=(1, 2)))
        if len(wrong):
            raise UserError(
                f"{path.name}, row {wrong[0] + 1} of x holds a value that is no number, or none that 32 "
                "bits hold: fix or remove it."
            )
        return series, "sensor"
    raise UserError(
        f"{path.name} has x of shape {x.shape} and type {x.dtype}: give uint8 (N, 1 or 3, height, width) for pictures, "
        "or numbers (N, time, channels) for series."
    )


def _names(values: np.ndarray, name: str, count: int, path: Path) -> np.ndarray:
    if values.shape != (count,):
        raise UserError(f"{path.name} has {name} of shape {values.shape} for {count} examples in x: give one for each.")
    if values.dtype.kind not in "iuU":
        raise UserError(f"{path.name} has {name} of type {values.dtype}: give whole numbers or text.")
    return values


def _split(names: np.ndarray, path: Path) -> np.ndarray:
    wrong = np.flatnonzero(~np.isin(names, list(_SPLIT_NAMES)))
    if len(wrong):
        place = f"{path.name}, row {wrong[0] + 1} of split is “{quoted(names[wrong[0]])}”"
        raise UserError(f"{place}: it must be train, validation or test.")
    split = np.array([SPLITS.index(_SPLIT_NAMES[name]) for name in names.tolist()])
    for name in ("train", "test"):
        if not (split == SPLITS.index(name)).any():
            raise UserError(f"{path.name} has no {name} in split: add some, or leave split out.")
    return split

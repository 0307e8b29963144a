"""Series in the .ts files of sktime and aeon, in which the archives at timeseriesclassification.com are kept.

Lines of # and @tags, then `@data` and a case a line: dimensions with : between them, values with commas, the class
last. NAME_TRAIN.ts and NAME_TEST.ts side by side are one data set, whose test part is kept. Times, missing values and
targets that are no classes are not read.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bdistil.data import text_tables, windows
from bdistil.data.imported import TEST, TRAIN, ImportedData, numbered, split_anew, split_validation
from bdistil.data.npz import MOST_BYTES
from bdistil.errors import UserError, quoted

if TYPE_CHECKING:
    from bdistil.data.reading import OwnData

_PART = re.compile(r"(.+)_(TRAIN|TEST)\.ts", re.IGNORECASE)


@dataclass(frozen=True)
class Cases:
    """What a file holds: float32 (dimensions, steps) of each case, which may differ in steps, and its label."""

    series: list[np.ndarray]
    labels: list[str]


def files_of(path: Path) -> tuple[Path, ...]:
    """The files of the data set that a .ts file is of, or that a folder holds as its one pair: (train, test), or one.

    Empty for what is neither.
    """
    if path.suffix.lower() == ".ts" and os.path.isfile(path):
        return _pair(path) or (path,)
    pairs = {_pair(each) for each in path.glob("*.[tT][sS]")} - {()} if os.path.isdir(path) else set()
    return pairs.pop() if len(pairs) == 1 else ()


def _pair(path: Path) -> tuple[Path, ...]:
    """(train, test) of the data set that a file is one part of, if both are there."""
    part = _PART.fullmatch(path.name)
    if not part:
        return ()
    names = ("TRAIN", "TEST") if part[2].isupper() else ("train", "test")
    pair = tuple(path.with_name(f"{part[1]}_{name}{path.suffix}") for name in names)
    return pair if all(map(os.path.isfile, pair)) else ()


def read_ts(files: tuple[Path, ...], own: "OwnData") -> ImportedData:
    """Reads (train, test), or one file, which is split here; each case is an example, or cut into `own.window` steps.

    Where cases differ in length and no window is asked for, the last step of shorter ones is held. Raises UserError,
    one sentence that names the line, for what is not in the format, is missing, or is no number.
    """
    parts = [_read(path) for path in files]
    source, *other = (quoted(path.name) for path in files)
    series = [each for part in parts for each in part.series]
    if len({len(each) for each in series}) > 1:
        raise UserError(
            f"{source} and {other[0]} have different numbers of dimensions: give the parts of one data set."
        )
    of_case, classes = numbered([label for part in parts for label in part.labels])
    given = np.repeat([TRAIN, TEST][: len(parts)], [len(part.series) for part in parts])
    shortest, longest = min(each.shape[1] for each in series), max(each.shape[1] for each in series)
    if own.window is None:
        if 4 * len(series) * len(series[0]) * longest > MOST_BYTES:
            raise UserError(
                f"{source} has cases of up to {longest} steps, which are too many where the last step of "
                "shorter ones is held: say how many steps an example has with `window`."
            )
        x, case = windows.held(series), np.arange(len(series))
        cutting = f"each case of {longest} steps is one example."
        if shortest < longest:
            cutting = f"cases have {shortest} to {longest} steps, and the last step of shorter ones is held."
    else:
        where = [
            f"{quoted(path.name)}, case {at + 1}"
            for path, part in zip(files, parts, strict=True)
            for at in range(len(part.series))
        ]
        x, case = windows.cut(series, own.window, own.overlap, where.__getitem__)
        cutting = windows.sentence(own.window, own.overlap)
    y = of_case[case]
    if len(classes) < 2:
        raise UserError(f"{source} has cases of the one class {quoted(classes[0])}: 2 at least are needed.")
    if len(parts) == 2:
        split = split_validation(given[case], y, case, "series", classes, source)
        how = f"As {source} and {other[0]} say; a tenth of the series is held out of train for validation"
    else:
        split = split_anew(y, case, "series", classes, source)
        how = "60/20/20 of the series of each class, with a fixed seed"
    return ImportedData(x=x, y=y, split=split, people=None, classes=classes, modality="sensor", how=f"{how}; {cutting}")


def _read(path: Path) -> Cases:
    """All cases of a file. Raises UserError, one sentence with the line, for what is not in the format."""
    name = quoted(path.name)
    try:
        with text_tables.opened_text(path, name) as text:
            return _cases(name, text)
    except OSError as error:
        raise UserError(f"{name} can't be read ({error.strerror}): make it readable.") from None


def _cases(name: str, text: Iterable[str]) -> Cases:
    tags: dict[str, str] = {}
    series: list[np.ndarray] = []
    labels: list[str] = []
    classes: list[str] = []
    begun = False
    for number, line in enumerate(map(str.strip, text), 1):
        if not line or (not begun and line.startswith("#")):
            continue
        if begun:
            values, label = _case(line, f"{name}, line {number}", int(tags.get("dimensions", 0)))
            if label not in classes:
                raise UserError(f"{name}, line {number}: the class is none of those that @classLabel lists: fix it.")
            if series and len(values) != len(series[0]):
                raise UserError(
                    f"{name}, line {number} has {len(values)} dimensions where others have {len(series[0])}: fix it."
                )
            series.append(values)
            labels.append(label)
        elif line.lower() == "@data":
            begun, classes = True, _classes(name, tags)
        elif not line.startswith("@"):
            raise UserError(f"{name} is no .ts file: its line {number} is no @tag, and no @data stands above it.")
        else:
            tag, _, value = line[1:].partition(" ")
            tags[tag.lower()] = value.strip()
    if not series:
        raise UserError(f"{name} is no .ts file with cases: lines of values must follow a line @data.")
    return Cases(series, labels)


def _classes(name: str, tags: dict[str, str]) -> list[str]:
    """The classes of a file. Raises UserError for tags that tell of what is not read."""
    if tags.get("timestamps", "false").lower() != "false":
        raise UserError(f"{name} has @timeStamps: resample it to even steps, and save it without.")
    if tags.get("missing", "false").lower() != "false":
        raise UserError(f"{name} has @missing values: fill them in, and save it without.")
    if not tags.get("dimensions", "0").isdecimal():
        raise UserError(f"{name} has @dimensions that are no whole number: fix it.")
    labelled, *classes = tags.get("classlabel", "false").split()
    if labelled.lower() != "true" or len(set(classes)) < 1:
        raise UserError(f"{name} lists no classes in @classLabel, and only classes are read: give another data set.")
    return classes


def _case(line: str, where: str, dimensions: int) -> tuple[np.ndarray, str]:
    """A case as float32 (dimensions, steps), and its class."""
    *parts, label = (part.strip() for part in line.split(":"))
    if not parts or (dimensions and len(parts) != dimensions):
        count = f"the {dimensions} dimensions that @dimensions says" if dimensions else "values, a : and a class"
        raise UserError(f"{where} does not hold {count}: fix it.")
    values = [part.split(",") for part in parts]
    if len({len(each) for each in values}) > 1:
        raise UserError(f"{where} has dimensions of different lengths: make them as long as each other.")
    missing = UserError(f"{where} has a missing value: fill it in, or remove the case.")
    try:
        with np.errstate(over="ignore"):  # what overflows is refused below
            array = np.array(values, dtype=np.float64).astype(np.float32)
    except ValueError:
        if any(cell.strip() in ("", "?") for each in values for cell in each):
            raise missing from None
        raise UserError(f"{where} has a value that is no number: fix it.") from None
    if np.isnan(array).any():
        raise missing
    if np.isinf(array).any():
        raise UserError(f"{where} has a value that is no number below 3e38: fix it.")
    return array, label

"""CSV and Parquet tables of sensor series, a row per time step, cut into windows. Row 1 of a CSV file is its header."""

import csv
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bdistil.data.imported import Found, numbered, split_anew
from bdistil.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from bdistil.data.custom import OwnData

SUFFIXES = frozenset({".csv", ".parquet"})
_RATES_DIFFER = 0.05  # relative; clocks of one make of sensor differ by less
_INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__")  # what pandas writes beside a table's own columns
_CHOOSE = ", or name the columns to use with --channels"
_OVERLAP = 0.5
_GAP = 2.5  # steps without a row

# pandas is imported where it is used: it takes a second, and listing data sets must not.


def read_table(path: Path, own: "OwnData") -> Found:
    """Reads the series of a table and cuts each into windows of `own.window` steps that overlap by `own.overlap`.

    Whole persons are held out where `own.subject` names their column, else whole series. Raises UserError, one
    sentence that names the row, for what is missing, is no number, or does not fit.
    """
    if own.series is None or own.label is None or own.window is None:
        raise UserError(f"{path.name} is a table: say --series COLUMN, --label COLUMN and --window STEPS.")
    table = _load(path)
    known = [own.series, own.label, own.subject, own.time]
    for column in [*filter(None, known), *(own.channels or ())]:
        if column not in table.columns:
            raise _missing(path, column, list(table.columns))
    channels = own.channels or tuple(name for name in table.columns if name not in known and not _INDEX.fullmatch(name))
    _check_channels(path, channels, table, own)
    if not channels:
        raise UserError(f"{path.name} has no column of values beside {', '.join(filter(None, known))}: add one.")
    if table.empty:
        raise UserError(f"{path.name} has no rows: give a table that has some.")

    def row(at: int) -> str:
        return f"{path.name}, row {_line(path, at)}"

    values = np.stack([_numbers(table[column], column, row, _CHOOSE, np.float32) for column in channels])
    series = _names(table[own.series], own.series, row)
    label = _names(table[own.label], own.label, row)
    person = None if own.subject is None else _names(table[own.subject], own.subject, row)
    order, starts = _series_rows(series)
    for column, names in [(own.label, label), (own.subject, person)]:
        if names is not None:
            _check_constant(names, series, column, order, starts, row)
    rate_hz = None if own.time is None else _rate(_seconds(table[own.time], own.time, row), series, order, starts, row)

    overlap = _OVERLAP if own.overlap is None else own.overlap
    windows, of_series = [], []
    for rows in np.split(order, starts[1:]):
        if len(rows) < own.window:
            raise UserError(f"{row(rows[0])}: the series {series[rows[0]]} has {len(rows)} steps, a window has "
                            f"{own.window}: choose a shorter window, or remove it.")  # fmt: skip
        cut = _windows(values[:, rows], own.window, overlap)
        windows.append(cut)
        of_series += [rows[0]] * len(cut)
    y, classes = numbered(label[of_series])
    if len(classes) < 2:
        raise UserError(f"{path.name} has the one class {classes[0]} in its column {own.label}: 2 at least are needed.")
    people = None if person is None else numbered(person[of_series])[0]
    groups, what = (numbered(series[of_series])[0], "series") if people is None else (people, "persons")
    how = "60/20/20 of the series of each class" if people is None else "60/20/20 of the persons"
    return Found(
        x=np.concatenate(windows), y=y, people=people, classes=classes, modality="sensor", channels=channels,
        rate_hz=rate_hz, split=split_anew(y, groups, what, classes, path.name),
        how=f"{how}, none of which is on two sides, with a fixed seed; windows of {own.window} steps that overlap by "
        f"{100 * overlap:g} %.",
    )  # fmt: skip


def _load(path: Path) -> "pd.DataFrame":
    """The table. Only an empty cell of a CSV file is empty: a class or a person may be called null, None or NA."""
    import pandas as pd

    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, low_memory=False, keep_default_na=False, na_values=[""])
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path, partitioning=None).to_pandas(ignore_metadata=True)
    except OSError as error:
        raise UserError(f"{path.name} can't be read ({error.strerror or 'no table'}): make it readable.") from None
    except (ValueError, ArithmeticError) as error:  # what pandas and pyarrow raise for a file that is no table
        if longer := re.search(r"Expected \d+ fields in line (\d+)", str(error)):
            told = f"{path.name}, row {longer[1]} has more values than there are columns: mend it."
            raise UserError(told) from None
        raise UserError(f"{path.name} is no readable table: save it anew as CSV (in UTF-8) or Parquet.") from None


def _line(path: Path, at: int) -> int:
    """Which row of the file row `at` of the table is, as people count: pandas skips blank lines of a CSV file."""
    if path.suffix.lower() != ".csv":
        return at + 1
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as text:
        reader = csv.reader(text)
        lines = (reader.line_num for cells in reader if len(cells) > 1 or "".join(cells).strip())
        return next(islice(lines, at + 1, None))


def _missing(path: Path, column: str, columns: list[str]) -> UserError:
    if len(columns) == 1 and re.search(r"[;\t|]", columns[0]):
        return UserError(f"{path.name} has the one column {columns[0]!r}: save it with commas between the columns.")
    return UserError(f"{path.name} has no column {column}: it has {', '.join(columns)}.")


def _check_channels(path: Path, channels: tuple[str, ...], table: "pd.DataFrame", own: "OwnData") -> None:
    """Raises UserError for a channel that would give the answer away, and for one of times."""
    for column in channels:
        if column in (own.series, own.label, own.subject):
            raise UserError(f"{path.name}: the column {column} says what a series is, not what it measures: leave it "
                            "out of --channels.")  # fmt: skip
        if table[column].dtype.kind in "mM":
            raise UserError(f"{path.name}: the column {column} holds times, not values: name it with --time, or name "
                            "the columns to use with --channels.")  # fmt: skip


def _numbers(column: "pd.Series", name: str, row, otherwise: str = "", dtype: type = np.float64) -> np.ndarray:
    """A column as floats; UserError at the first value that is none, or is too large for one."""
    import pandas as pd

    whole = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):  # what overflows is told
        numbers = whole.astype(dtype)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        at = wrong[0]
        value = " ".join(str(column.iloc[at]).split())
        told = f"is {value}" if np.isfinite(whole[at]) or isinstance(column.iloc[at], float) else f"holds “{value}”"
        told = "is empty" if column.isna().iloc[at] else told
        what = "a number below 3e38" if np.isfinite(whole[at]) else "a number"
        raise UserError(f"{row(at)}: the column {name} {told} where {what} must be: mend it{otherwise}.")
    return numbers


def _names(column: "pd.Series", name: str, row) -> np.ndarray:
    """A column of names or whole numbers; UserError where one is missing."""
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise UserError(f"{row(missing[0])}: the column {name} is empty: fill it in.")
    values = column.to_numpy()
    return values if values.dtype.kind in "iu" else column.astype(str).to_numpy(dtype=np.str_)


def _series_rows(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, series by series, in the file's order within each; and where each series begins among them."""
    number = numbered(series)[0]
    return np.argsort(number, kind="stable"), np.searchsorted(np.sort(number), np.arange(number.max() + 1))


def _check_constant(names: np.ndarray, series: np.ndarray, column: str, order: np.ndarray, starts: np.ndarray,
                    row) -> None:  # fmt: skip
    """Raises UserError at the first row whose label, or person, is not that of its series' first row."""
    first = np.repeat(order[starts], np.diff([*starts, len(order)]))
    other = names[order] != names[first]
    if other.any():
        at, begin = order[other][0], first[other][0]
        raise UserError(f"{row(at)}: the column {column} says {names[at]} where the series {series[at]} began with "
                        f"{names[begin]}: give one of them a series of its own.")  # fmt: skip


def _seconds(column: "pd.Series", name: str, row) -> np.ndarray:
    """Times as float64 seconds: numbers are seconds, and text is a date with a time."""
    import pandas as pd

    dated = pd.api.types.is_datetime64_any_dtype(column)
    if not dated and pd.to_numeric(column, errors="coerce").notna().mean() > 0.5:
        return _numbers(column, name, row)
    times = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
    wrong = np.flatnonzero(times.isna())
    if len(wrong):
        raise UserError(f"{row(wrong[0])}: the column {name} holds “{column.iloc[wrong[0]]}”, which is neither seconds "
                        "nor an ISO 8601 time: mend it.")  # fmt: skip
    return (times - times.iloc[0]).dt.total_seconds().to_numpy()


def _rate(seconds: np.ndarray, series: np.ndarray, order: np.ndarray, starts: np.ndarray, row) -> float | None:
    """Steps a second of all series; UserError where time stands still or jumps, or where their rates differ."""
    rates = []
    for rows in np.split(order, starts[1:]):
        passed = np.diff(seconds[rows])
        if not len(passed):
            continue
        wrong = np.flatnonzero((passed <= 0) | (passed > _GAP * np.median(passed)))
        if len(wrong):
            told = "does not go on" if passed[wrong[0]] <= 0 else f"jumps by {passed[wrong[0]]:g} s"
            raise UserError(f"{row(rows[wrong[0] + 1])}: time {told} in the series {series[rows[0]]}: mend it, or give "
                            "what follows a series of its own.")  # fmt: skip
        rates.append((len(passed) / passed.sum(), rows[0]))
    if not rates:
        return None
    usual = float(np.median([rate for rate, _ in rates]))
    for rate, at in rates:
        if abs(rate - usual) > _RATES_DIFFER * usual:
            raise UserError(f"{row(at)}: the series {series[at]} has {rate:.4g} steps a second where most have "
                            f"{usual:.4g}: resample it, or remove it.")  # fmt: skip
    return round(usual, 3)


def _windows(series: np.ndarray, length: int, overlap: float) -> np.ndarray:
    """(channels, steps) -> (windows, channels, length); what is left at the end is no whole window and is left out."""
    every = max(1, round(length * (1 - overlap)))
    return np.lib.stride_tricks.sliding_window_view(series, length, axis=1)[:, ::every].transpose(1, 0, 2)

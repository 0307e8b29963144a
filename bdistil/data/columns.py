"""Columns of series tables: as numbers, names and times, the rate of their steps, and those that may give labels away.

Rows are those of a table, in any order; `series` says of which series each is. `row` names a row in sentences.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bdistil.data.imported import numbered
from bdistil.errors import UserError, quoted

if TYPE_CHECKING:
    import pandas as pd

Row = Callable[[int], str]

INDEX = re.compile(r"Unnamed: \w+|__index_level_\d+__")  # what pandas writes beside a table's own columns
CHOOSE = "list the columns of values with `channels`"
_RATES_DIFFER = 0.05  # relative; clocks of one make of sensor differ by less
_GAP = 2.5  # steps without a row
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_TIME_NAME = re.compile(r"(.*[ _.-])?(time|times|timestamp|datetime|date|epoch|clock)s?([ _.([-].*)?|ts", re.IGNORECASE)
_LARGEST = float(np.finfo(np.float32).max)

# pandas is imported where it is used: it takes a second, and listing data sets must not.


@dataclass(frozen=True)
class SeriesRows:
    """Which rows each series has. order: int64 (N,), rows series by series. starts: int64 (series,), places in it."""

    order: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, series: np.ndarray) -> "SeriesRows":
        """Rows of one series keep the order that they have in the table."""
        number = numbered(series)[0]
        starts = np.searchsorted(np.sort(number), np.arange(number.max() + 1))
        return cls(np.argsort(number, kind="stable"), starts)

    def each(self) -> list[np.ndarray]:
        """The rows of each series."""
        return np.split(self.order, self.starts[1:])

    def firsts(self) -> np.ndarray:
        """int64 (N,): the first row of the series, for each place in `order`."""
        return np.repeat(self.order[self.starts], np.diff([*self.starts, len(self.order)]))


def numbers(column: "pd.Series", name: str, row: Row, otherwise: str = "") -> np.ndarray:
    """A column as float64 that float32 can hold. Raises UserError at the first value that is no such number."""
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~(np.abs(values) <= _LARGEST))
    if len(wrong):
        at = wrong[0]
        large, value = np.isfinite(values[at]), column.iloc[at]
        found = f"is {value}" if large or isinstance(value, float) else f"holds “{quoted(value)}”"
        found = "is empty" if column.isna().iloc[at] else found
        if isinstance(value, str) and is_date(value):
            raise UserError(
                f"{row(at)}: the column {quoted(name)} holds a time, not a value: name it with `time`, or {CHOOSE}."
            )
        what = "a number below 3e38" if large else "a number"
        raise UserError(f"{row(at)}: the column {quoted(name)} {found} where {what} must be: fix it{otherwise}.")
    return values


def names(column: "pd.Series", name: str, row: Row) -> np.ndarray:
    """A column of names or whole numbers. Raises UserError where one is missing."""
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise UserError(f"{row(missing[0])}: the column {quoted(name)} is empty: fill it in.")
    values = column.to_numpy()
    return values if values.dtype.kind in "iu" else column.astype(str).to_numpy(dtype=np.str_)


def seconds(column: "pd.Series", name: str, row: Row) -> np.ndarray:
    """Times as float64 seconds: numbers are seconds, and text is a date with a time."""
    import pandas as pd

    dated = pd.api.types.is_datetime64_any_dtype(column)
    if not dated and pd.to_numeric(column, errors="coerce").notna().mean() > 0.5:
        return numbers(column, name, row)
    times = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
    wrong = np.flatnonzero(times.isna())
    if len(wrong):
        value = quoted(column.iloc[wrong[0]])
        raise UserError(
            f"{row(wrong[0])}: the column {quoted(name)} holds “{value}”, which is neither seconds nor an "
            "ISO 8601 time: fix it."
        )
    return (times - times.iloc[0]).dt.total_seconds().to_numpy()


def check_constant(labels: np.ndarray, series: np.ndarray, column: str, rows: SeriesRows, row: Row) -> None:
    """Raises UserError at the first row whose label, or person, is not that of its series' first row."""
    first = rows.firsts()
    other = labels[rows.order] != labels[first]
    if other.any():
        at, begin = rows.order[other][0], first[other][0]
        raise UserError(
            f"{row(at)}: the column {quoted(column)} says {quoted(labels[at], 40)} where the series "
            f"{quoted(series[at], 40)} began with {quoted(labels[begin], 40)}: give one of them a series "
            "of its own."
        )


def rate(times: np.ndarray, series: np.ndarray, rows: SeriesRows, row: Row) -> float | None:
    """Steps a second of all series, of times in seconds (N,); None where each series has one step.

    Raises UserError where time stands still or jumps, or where the rates of series differ.
    """
    rates = []
    for mine in rows.each():
        passed = np.diff(times[mine])
        if not len(passed):
            continue
        wrong = np.flatnonzero((passed <= 0) | (passed > _GAP * np.median(passed)))
        if len(wrong):
            what = "does not go on" if passed[wrong[0]] <= 0 else f"jumps by {passed[wrong[0]]:g} s"
            raise UserError(
                f"{row(mine[wrong[0] + 1])}: time {what} in the series {quoted(series[mine[0]])}: fix it, "
                "or give what follows a series of its own."
            )
        rates.append((len(passed) / passed.sum(), mine[0]))
    if not rates:
        return None
    usual = float(np.median([each for each, _ in rates]))
    for each, at in rates:
        if abs(each - usual) > _RATES_DIFFER * usual:
            raise UserError(
                f"{row(at)}: the series {quoted(series[at])} has {each:.4g} steps a second where most have "
                f"{usual:.4g}: resample it, or remove it."
            )
    return round(usual, 3)


def check_unnamed(
    values: dict[str, np.ndarray], series: np.ndarray, copies: np.ndarray, source: str, persons: bool
) -> None:
    """Raises UserError for channels that nobody named and that look like a clock, a counter or an id.

    values: (N,) of each column. copies: bool (N,), rows that stood in the table before; they are not looked at.
    persons: whether a column may be named as that of persons. What only rises, or only falls, within all series tells
    when each was recorded; what never changes within a series, but between them, tells which it is.
    """
    clocks, ids = clocks_and_ids(values, series, copies)
    for found, one, several in [
        (clocks, "looks like a clock or a counter", "look like clocks or counters"),
        (ids, "is the same for all of a series, like an id", "are the same for all of a series, like ids"),
    ]:
        if found:
            named = quoted(", ".join(found))
            which = f"column {named} {one}" if len(found) == 1 else f"columns {named} {several}"
            person = ", a person with `subject`" if persons and found is ids else ""
            raise UserError(
                f"{source}: the {which}, and could give the label away: name a time with `time`{person}, or {CHOOSE}."
            )


def clocks_and_ids(
    values: dict[str, np.ndarray], series: np.ndarray, copies: np.ndarray
) -> tuple[list[str], list[str]]:
    """The columns that look like clocks or counters, and those that look like ids; as `check_unnamed` says."""
    rows = SeriesRows.of(series[~copies])
    changes = {name: _change(column[~copies], rows) for name, column in values.items()}
    clocks = [name for name, change in changes.items() if change == "one way" or is_time(name)]
    return clocks, [name for name, change in changes.items() if change == "between series" and name not in clocks]


def is_time(name: str) -> bool:
    """Whether a column is called like one of times."""
    return bool(_TIME_NAME.fullmatch(name))


def is_date(value: str) -> bool:
    """Whether a text is a date, with a time or without."""
    return bool(_DATE.fullmatch(value))


def still(values: dict[str, np.ndarray]) -> list[str]:
    """The columns that have one value in all rows."""
    return [name for name, column in values.items() if (column == column[0]).all()]


def _change(column: np.ndarray, rows: SeriesRows) -> str:
    """How a column changes: not at all, only between series, only one way in all series, or freely."""
    ordered = column[rows.order]
    steps = np.diff(ordered)
    steps = np.delete(steps, rows.starts[1:] - 1)
    if not steps.any():
        return "between series" if (ordered != ordered[0]).any() else "never"
    return "one way" if (steps >= 0).all() or (steps <= 0).all() else "freely"

"""Tables of sensor series, a row per time step, cut into windows: CSV and other text tables, or Parquet."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bdistil.data import columns, text_tables, windows
from bdistil.data.imported import ImportedData, numbered, split_anew
from bdistil.errors import UserError, quoted
from bdistil.paths import open_regular

if TYPE_CHECKING:
    import pandas as pd

    from bdistil.data.reading import OwnData

_TEXT = (".csv", ".tsv", ".txt")
SUFFIXES = frozenset({*_TEXT, *(f"{suffix}.gz" for suffix in _TEXT), ".parquet"})

# pandas is imported where it is used: it takes a second, and listing data sets must not.


@dataclass(frozen=True)
class Table:
    """A table as it was read.

    name: of its file, in sentences. how: the way its text is written; None for Parquet. left_out: columns of Parquet
    that hold lists or records.
    """

    frame: "pd.DataFrame"
    path: Path
    name: str
    how: text_tables.TextFormat | None = None
    left_out: tuple[str, ...] = ()

    def row(self, at: int) -> str:
        """Row `at` of the frame in the file, as people count: blank lines of a text table are in no frame."""
        if self.how is None:
            return f"{self.name}, row {at + 1}"
        line, _ = next(islice(text_tables.rows_of(self.path, self.how), int(at), None))
        return f"{self.name}, row {line}"

    def channels(self, but: tuple[str | None, ...]) -> tuple[str, ...]:
        """All columns but the named ones and an index."""
        own = (column for column in self.frame.columns if not columns.INDEX.fullmatch(column))
        return tuple(column for column in own if column not in but)

    def values(self, chosen: tuple[str, ...]) -> dict[str, np.ndarray]:
        """float64 (N,) of each chosen column. Raises UserError, one sentence with the row, where one is no number."""
        for column in chosen:
            if self.frame[column].dtype.kind in "mM":
                raise UserError(
                    f"{self.name}: the column {quoted(column)} holds times, not values: name it with "
                    f"`time`, or {columns.CHOOSE}."
                )
        return {
            column: columns.numbers(self.frame[column], column, self.row, f", or {columns.CHOOSE}") for column in chosen
        }


def is_table(path: str | Path) -> bool:
    """Whether a file is called like a table."""
    return str(path).lower().endswith(tuple(SUFFIXES))


def load_table(
    path: Path, name: str, named: tuple[str, ...], names_only: tuple[str, ...] = (), alone: bool = False
) -> Table:
    """Reads a table, which has rows and the named columns; arguments as of `text_tables.recognise`.

    Raises UserError, one sentence, for a file that is no such table.
    """
    try:
        if path.suffix.lower() == ".parquet":
            table = _parquet(path, name, named)
        else:
            how = text_tables.recognise(path, name, named, names_only, alone)
            table = Table(text_tables.read(path, name, how), path, name, how)
    except OSError as error:
        raise UserError(f"{name} can't be read ({error.strerror or 'no table'}): make it readable.") from None
    if table.frame.empty:
        raise UserError(f"{name} has no rows: give a table that has some.")
    return table


def read_table(path: Path, own: "OwnData") -> ImportedData:
    """Reads the series of a table and cuts each into windows of `own.window` steps that overlap by `own.overlap`.

    Whole persons are held out where `own.subject` names their column, else whole series. Raises UserError, one
    sentence that names the row, for what is missing, is no number, or does not fit, and for columns that nobody named
    and that could give the label away.
    """
    name = quoted(path.name)
    if own.series is None or own.label is None or own.window is None:
        raise UserError(f"{name} is read as a table: say what to read with `series`, `label` and `window`.")
    names_only = tuple(filter(None, (own.series, own.label, own.subject)))
    named = (*names_only, *filter(None, (own.time,)))
    for column in own.channels or ():
        if column in names_only:
            raise UserError(
                f"{name}: the column {quoted(column)} says what a series is, not what it measures: "
                "leave it out of `channels`."
            )
    table = load_table(path, name, (*named, *(own.channels or ())), names_only)
    frame, row = table.frame, table.row
    channels = own.channels or table.channels(named)
    if not channels:
        raise UserError(f"{name} has no column of values beside {quoted(', '.join(named))}: add one.")

    values = table.values(channels)
    series = columns.names(frame[own.series], own.series, row)
    label = columns.names(frame[own.label], own.label, row)
    person = None if own.subject is None else columns.names(frame[own.subject], own.subject, row)
    rows = columns.SeriesRows.of(series)
    for named_by, names in [(own.label, label), (own.subject, person)]:
        if named_by is not None and names is not None:
            columns.check_constant(names, series, named_by, rows, row)
    times = None if own.time is None else columns.seconds(frame[own.time], own.time, row)
    rate_hz = None if times is None else columns.rate(times, series, rows, row)
    copies = frame.duplicated().to_numpy()
    if own.channels is None:
        columns.check_unnamed(values, series, copies, name, persons=True)

    stacked, begins = np.stack([each.astype(np.float32) for each in values.values()]), rows.order[rows.starts]
    x, number = windows.cut(
        [stacked[:, mine] for mine in rows.each()],
        own.window,
        own.overlap,
        lambda at: f"{row(begins[at])}: the series {quoted(series[begins[at]])}",
    )
    of_series = begins[number]
    y, classes = numbered(label[of_series])
    if len(classes) < 2:
        raise UserError(
            f"{name} has the one class {quoted(classes[0])} in its column {quoted(own.label)}: 2 at least are needed."
        )
    people = None if person is None else numbered(person[of_series])[0]
    groups, what = (numbered(series[of_series])[0], "series") if people is None else (people, "persons")
    how = "60/20/20 of the series of each class" if people is None else "60/20/20 of the persons"
    return ImportedData(
        x=x,
        y=y,
        people=people,
        classes=classes,
        modality="sensor",
        channels=channels,
        rate_hz=rate_hz,
        split=split_anew(y, groups, what, classes, name),
        how=f"{how}, none of which is on two sides, with a fixed seed; {windows.sentence(own.window, own.overlap)}",
        notes=tuple(_notes(table, own, values, series, rows, copies)),
    )


def value_notes(values: dict[str, np.ndarray], series: np.ndarray, copies: np.ndarray) -> Iterator[str]:
    """Sentences on channels that never change, or look like clocks or ids though they were chosen."""
    if still := columns.still(values):
        yield f"Constant in all rows: {quoted(', '.join(still))}."
    clocks, ids = columns.clocks_and_ids(values, series, copies)
    if clocks or ids:
        yield (
            f"Notice: {quoted(', '.join(clocks + ids))} could give the label away, as a clock, a counter or an id does."
        )


def _notes(
    table: Table,
    own: "OwnData",
    values: dict[str, np.ndarray],
    series: np.ndarray,
    rows: columns.SeriesRows,
    copies: np.ndarray,
) -> Iterator[str]:
    """Sentences on how the table was read, on its columns, and on rows that are there twice."""
    if table.how and table.how.sentence:
        yield table.how.sentence
    if table.left_out:
        yield f"Left out, as they hold lists or records: {quoted(', '.join(table.left_out))}."
    yield from value_notes(values, series, copies)
    if own.time is not None:
        return  # a time that is there twice was refused
    unused = [column for column in table.frame.columns if column not in (own.series, own.label, own.subject, *values)]
    for column in filter(columns.is_time, unused):
        again = int(table.frame.duplicated([own.series, column]).sum())
        if again:
            yield (
                f"Notice: {again:,} rows have a time in the column {quoted(column)} that their series had before, "
                "and make windows as all others do: remove them, or name the column with `time`."
            )
            return
    if own.window and copies.sum() >= own.window and _longest_repeat(table.frame, rows) >= own.window:
        yield (
            f"Notice: {int(copies.sum()):,} rows repeat earlier rows in all columns, and make windows as all others "
            "do: remove them if they were recorded once."
        )


def _longest_repeat(frame: "pd.DataFrame", rows: columns.SeriesRows) -> int:
    """The most rows one after the other that all stood in their series before, in the same order.

    Values at rest, which are the same row by row, are no such repeat.
    """
    _, first, number = np.unique(
        frame.groupby(list(frame.columns), dropna=False).ngroup().to_numpy(), return_index=True, return_inverse=True
    )
    place = np.empty(len(frame), np.int64)
    place[rows.order] = np.arange(len(frame))
    longest = 0
    for mine in rows.each():
        before = place[first[number[mine]]]
        goes_on = (np.diff(before) == 1) & (before[1:] < place[mine][1:])
        breaks = np.flatnonzero(~np.concatenate([[False], goes_on, [False]]))
        longest = max(longest, int(np.diff(breaks).max()))
    return longest


def _parquet(path: Path, name: str, named: tuple[str, ...]) -> Table:
    """A Parquet table without columns of lists or records. Raises UserError as `load_table` does, OSError as `open`."""
    import pyarrow.parquet

    with open_regular(path) as content:
        try:
            file = pyarrow.parquet.ParquetFile(content)
            schema = file.schema_arrow
        except Exception:  # readers of Parquet raise what they please
            raise text_tables.no_table(name) from None
        text_tables.check_columns(tuple(schema.names), named, name)
        nested = tuple(field.name for field in schema if pyarrow.types.is_nested(field.type))
        for column in nested:
            if column in named:
                raise UserError(
                    f"{name}: the column {quoted(column)} holds lists or records, not values: name another."
                )
        try:
            flat = [column for column in schema.names if column not in nested]
            return Table(file.read(flat).to_pandas(ignore_metadata=True), path, name, left_out=nested)
        except Exception:
            raise text_tables.no_table(name) from None

"""Class folders of tables, each file one series: ROOT/CLASS/*.csv, with train, val and test above or without.

The columns are the same in all files. What `folders` says of links and hidden files holds here too.
"""

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bdistil.data import columns, folders, windows
from bdistil.data.imported import ImportedData
from bdistil.data.progress import Tick, silent
from bdistil.data.tables import SUFFIXES, Table, load_table, value_notes
from bdistil.errors import UserError, quoted

if TYPE_CHECKING:
    from bdistil.data.reading import OwnData

_NOTES = frozenset({".txt", ".txt.gz"})  # where there are other tables
_MOST_FILES = 200_000  # that are looked at


def kinds_of_tables(root: Path) -> frozenset[str]:
    """Endings of the tables in the folders of a folder; none where a picture or a recording is among them.

    Text files (.txt) are notes where there are files of another kind.
    """
    found, others = set(), False
    files = (name for at, _, names in os.walk(root) if at != str(root) for name in names if not name.startswith("."))
    for name in islice(files, _MOST_FILES):
        if Path(name).suffix.lower() in folders.MEDIA:
            return frozenset()
        suffixes = {suffix for suffix in SUFFIXES if name.lower().endswith(suffix)}
        found |= suffixes
        others = others or not suffixes
    return frozenset(found - _NOTES or (set() if others else found))


def read_series_folder(
    root: Path, files: list[folders.File], others: tuple[str, ...], own: "OwnData", tick: Tick = silent
) -> ImportedData:
    """Reads the tables that `folders.scan` has listed, and cuts each into windows where `own.window` is given.

    Channels are all columns that hold numbers, but `own.time`, or `own.channels`. A file that is no table is skipped;
    UserError is raised if those are more than one in a hundred, and, as `tables.read_table` does, for values, times and
    columns that can't be used, and for a file with other columns than the first one.
    """
    import pandas  # noqa: F401  (its modules import each other: two threads that begin with it at once fail)

    time = () if own.time is None else (own.time,)
    named = (*time, *(own.channels or ()))
    kept, tables, unreadable, layout = folders.read_files(
        root, files, lambda file: load_table(root / file.name, quoted(file.name), named, alone=True), tick
    )
    lengths = np.array([len(table.frame) for table in tables])
    if own.window is None and len(set(lengths.tolist())) > 1:
        raise UserError(
            f"{quoted(root.name)} has series of {lengths.min()} to {lengths.max()} steps: say how many a "
            "window has, with `window`."
        )
    channels, left_out = _channels(tables, own)
    by_file = [table.values(channels) for table in tables]
    values = {name: np.concatenate([each[name] for each in by_file]) for name in channels}
    series = np.repeat(np.arange(len(tables)), lengths)
    copies = np.concatenate([table.frame.duplicated().to_numpy() for table in tables])
    if own.channels is None:
        columns.check_unnamed(values, series, copies, quoted(root.name), persons=False)

    length = own.window or int(lengths[0])
    steps = [np.stack([each[name].astype(np.float32) for name in channels]) for each in by_file]
    x, of = windows.cut(steps, length, own.overlap, lambda number: f"{tables[number].name}:")
    how = windows.sentence(length, own.overlap) if own.window else f"each series of {length} steps is one example."
    formats = sorted({table.how.sentence for table in tables if table.how and table.how.sentence})
    people = layout.people
    return ImportedData(
        x=x,
        y=layout.y[of],
        split=layout.split[of],
        people=None if people is None else people[of],
        classes=layout.classes,
        files=np.array([file.name for file in kept])[of],
        modality="sensor",
        channels=channels,
        rate_hz=None if own.time is None else _rate(tables, own.time, series),
        how=f"{layout.how.removesuffix('.')}; {how}",
        unreadable=unreadable + others,
        notes=(*formats, *left_out, *value_notes(values, series, copies)),
    )


def _rate(tables: list[Table], time: str, series: np.ndarray) -> float | None:
    """Steps a second of all tables. Raises UserError, with file and row, as `columns.rate` does."""
    ends = np.cumsum([len(table.frame) for table in tables])

    def row(at: int) -> str:
        number = series[at]
        return tables[number].row(at - (ends[number] - len(tables[number].frame)))

    times = np.concatenate([columns.seconds(table.frame[time], time, table.row) for table in tables])
    names = np.array([table.name for table in tables], dtype=object)
    return columns.rate(times, names[series], columns.SeriesRows.of(series), row)


def _channels(tables: list[Table], own: "OwnData") -> tuple[tuple[str, ...], list[str]]:
    """The channels, and a sentence on columns that hold no numbers. Raises UserError where files differ in columns."""
    first = tables[0]
    if own.channels is not None:
        return own.channels, []
    for table in tables[1:]:
        lacks = [name for name in first.frame.columns if name not in table.frame.columns]
        more = [name for name in table.frame.columns if name not in first.frame.columns]
        if lacks or more:
            which, other = (first, table) if lacks else (table, first)
            raise UserError(
                f"{which.name} has the column {quoted((lacks or more)[0])} and "
                f"{other.name} has not: give all files the same columns, or "
                f"{columns.CHOOSE}."
            )
    candidates = first.channels((own.time,))
    text = [name for name in candidates if _holds_names(first.frame[name])]
    channels = tuple(name for name in candidates if name not in text)
    if not channels:
        raise UserError(f"{first.name} has no column of numbers: add one.")
    return channels, [f"Left out, as they hold no numbers: {quoted(', '.join(text))}."] if text else []


def _holds_names(column: Any) -> bool:
    """Whether a column has no number, and not only empty cells or times."""
    import pandas as pd

    text = column.dropna()
    dated = text.dtype.kind in "mM" or text.astype(str).map(columns.is_date).all()
    return bool(len(text)) and not dated and bool(pd.to_numeric(text, errors="coerce").isna().all())

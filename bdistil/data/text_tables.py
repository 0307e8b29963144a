"""Text tables as spreadsheets, loggers and programs write them: encoding, separator and decimal mark are recognised.

Read are UTF-8 and UTF-16 with or without a byte order mark (UTF-16 only with one) and Windows-1252, which covers
Latin-1; commas, semicolons, tabs and | between the columns; decimal points and commas; gzip. Comment lines (#) and a
line `sep=;` may stand above the header. What has two readings is refused, and no sentence shows what a file that is no
table holds.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from bdistil.errors import UserError, quoted
from bdistil.paths import open_regular

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 4e9  # of a compressed table, unpacked
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars (|)"}
_ENCODINGS = {"utf-16": "UTF-16", "cp1252": "Windows-1252"}
_SAMPLE = 1000  # rows from which separator and decimal mark are recognised
_BLOCK = 2**20  # bytes, and the longest line
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WITH_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+|[+-]?\d{1,3}(\.\d{3})+,\d+|[+-]?\d{1,3}((,\d{3}){2,}|(\.\d{3}){2,})")
_TWO_READINGS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,234
_POINTS = "save it with decimal points and without thousands separators."


@dataclass(frozen=True)
class TextFormat:
    """How a text table is written.

    encoding: `utf-8-sig`, `utf-16` or `cp1252`. separator: between columns. decimal: `.` or `,`.
    header: the columns' names. above: lines before the header. trailing: whether rows end in a separator that the
    header does not have.
    """

    encoding: str
    separator: str
    decimal: str
    header: tuple[str, ...]
    above: int = 0
    trailing: bool = False

    @property
    def sentence(self) -> str | None:
        """What was recognised, where it is not UTF-8 with commas and decimal points."""
        facts = [
            f"{_SEPARATORS[self.separator]} between the columns" if self.separator != "," else "",
            "decimal commas" if self.decimal == "," else "",
            f"the encoding {_ENCODINGS[self.encoding]}" if self.encoding in _ENCODINGS else "",
        ]
        recognised = [fact for fact in facts if fact]
        return f"Recognised: {', '.join(recognised)}." if recognised else None


def recognise(
    path: Path, name: str, named: tuple[str, ...], names_only: tuple[str, ...] = (), alone: bool = False
) -> TextFormat:
    """Recognises how a table is written, from its first rows (and its encoding from all of it).

    name: of the file, in sentences. named: columns that the user has named. names_only: those of them that hold names,
    which tell nothing of the decimal mark. alone: whether a table may have one column. Raises UserError, one sentence,
    for what is no table, and for what can be read in two ways.
    """
    encoding = _encoding(path, name)
    with _text(path, encoding) as text:
        lines = list(_lines(text, name, _SAMPLE + 1))
    above, separator = _above(lines, named)
    marks = [separator] if separator else [*_SEPARATORS]
    samples = {mark: _cells(lines[above:], mark, whole=len(lines) <= _SAMPLE) for mark in marks}
    samples = {mark: rows for mark, rows in samples.items() if rows}
    if not samples:
        raise UserError(f"{name} is empty: give a table that has a header and rows.")
    separator = _separator(samples, named, name, alone)
    first, *rows = samples[separator]
    width = len(first)
    header = tuple(each.strip().lstrip("\ufeff") or f"Unnamed: {at}" for at, each in enumerate(first))
    trailing = bool(rows) and all(len(row) == width + 1 and not row[-1].strip() for row in rows)
    _check_header(header, rows, named, name)
    values = [row[at].strip() for row in rows for at in range(min(width, len(row))) if header[at] not in names_only]
    return TextFormat(encoding, separator, _decimal(values, name), header, above, trailing)


def read(path: Path, name: str, how: TextFormat) -> "pd.DataFrame":
    """The table. Only an empty cell is empty: a class or a person may be called null, None or NA."""
    import pandas as pd

    names = [*how.header, "Unnamed: end"] if how.trailing else list(how.header)
    try:
        wider = next((line for line, cells in rows_of(path, how) if len(cells) > len(names)), None)
    except csv.Error:
        raise no_table(name) from None
    if wider is not None:
        decimals = " (where numbers have decimal commas, semicolons must stand between columns)"
        raise UserError(
            f"{name}, row {wider} has more values than there are columns: fix it"
            f"{decimals if how.separator == ',' else ''}."
        )
    with _text(path, how.encoding) as text:
        _skip_header(text, how)
        try:
            table = pd.read_csv(
                text,
                sep=how.separator,
                decimal=how.decimal,
                skipinitialspace=True,
                low_memory=False,
                names=names,
                header=None,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
            )
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=names)
        except Exception:  # parsers raise what they please
            raise no_table(name) from None
    for at, column in enumerate(names):
        if at and column.startswith("Unnamed: ") and table[column].notna().any():
            raise UserError(f"{name} has values in column {at + 1}, which has no name: name it in the first row.")
    return table


def rows_of(path: Path, how: TextFormat) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header as (line in the file, cells); blank lines are none, as for pandas."""
    with _text(path, how.encoding) as text:
        begins = _skip_header(text, how)
        reader = csv.reader(text, delimiter=how.separator, skipinitialspace=True)
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield begins + reader.line_num, cells


def opened_text(path: Path, name: str) -> io.TextIOWrapper:
    """A text file open for reading, in the encoding that it is in. Raises UserError for what is no text."""
    return _text(path, _encoding(path, name))


def no_table(name: str) -> UserError:
    return UserError(f"{name} is no readable table: save it anew as CSV (in UTF-8) or Parquet.")


def _opened(path: Path) -> BinaryIO:
    content = open_regular(path)
    if path.suffix.lower() != ".gz":
        return content
    content.close()
    return cast(BinaryIO, gzip.open(path))


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_opened(path), encoding=encoding, newline="")


def _encoding(path: Path, name: str) -> str:
    """The encoding that all of the file is in. Raises UserError for what is no text, or unpacks to too much."""
    try:
        with _opened(path) as content:
            begin = content.read(4)
        marked = begin[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and begin != codecs.BOM_UTF32_LE
        for encoding in ["utf-16"] if marked else ["utf-8-sig", "cp1252"]:
            with _opened(path) as content:
                if _is_text(content, encoding, name):
                    return encoding
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UserError(f"{name} is no intact gzip file: compress the table anew.") from None
    raise no_table(name)


def _is_text(content: BinaryIO, encoding: str, name: str) -> bool:
    decoder, total = codecs.getincrementaldecoder(encoding)(), 0
    blocks: Callable[[], bytes] = lambda: content.read(_BLOCK)  # noqa: E731
    try:
        for block in iter(blocks, b""):
            total += len(block)
            if total > MOST_BYTES and isinstance(content, gzip.GzipFile):
                raise UserError(f"{name} unpacks to more than {MOST_BYTES / 1e9:.0f} GB: give a smaller table.")
            if _NO_TEXT.search(decoder.decode(block)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _above(lines: list[str], named: tuple[str, ...]) -> tuple[int, str | None]:
    """How many blank lines, comments and lines of Excel's `sep=` stand above the header; the separator they name."""
    separator = None
    for above, line in enumerate(lines):
        declared = re.fullmatch(r'"?sep=([,;\t|])"?', line.rstrip("\r\n"))
        header = line.startswith("#") and named and all(column in line for column in named)
        if header or not (declared or not line.strip("\ufeff \t\r\n") or line.startswith("#")):
            return above, separator
        separator = declared[1] if declared else separator
    return len(lines), separator


def _skip_header(text: io.TextIOWrapper, how: TextFormat) -> int:
    """Reads to the first line below the header; how many lines that are."""
    for _ in range(how.above):
        text.readline()
    reader = csv.reader(text, delimiter=how.separator, skipinitialspace=True)
    next(reader)
    return how.above + reader.line_num


def _lines(text: io.TextIOWrapper, name: str, most: int) -> Iterator[str]:
    for line in islice(iter(lambda: text.readline(_BLOCK), ""), most):
        if len(line) == _BLOCK:
            raise no_table(name)
        yield line


def _cells(lines: list[str], separator: str, whole: bool) -> list[list[str]]:
    """The rows of some lines; none if a cell is too long to be one.

    whole: whether the lines are the whole file; else the last row, which may be cut off, is left out.
    """
    try:
        rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    except csv.Error:
        return []
    rows = [row for row in rows if len(row) > 1 or "".join(row).strip()]
    return rows if whole else rows[:-1]


def _separator(samples: dict[str, list[list[str]]], named: tuple[str, ...], name: str, alone: bool) -> str:
    """The one separator that splits the header, has the named columns in it, and fits all rows.

    Where one of these leaves several or none, the next decides; where the last does, UserError is raised.
    """

    def has_named(rows: list[list[str]]) -> bool:
        return set(named) <= {cell.strip().lstrip("\ufeff") for cell in rows[0]}

    def fits(rows: list[list[str]]) -> bool:
        return _fit(rows, len(rows[0]))

    fitting = [mark for mark, rows in samples.items() if len(rows[0]) > 1]
    if not fitting and alone:
        return ";"
    if named and not any(has_named(samples[mark]) for mark in fitting):
        _check_no_numbers([cell for mark in fitting for cell in samples[mark][0]], name)
    for test in (has_named, fits):
        fitting = [mark for mark in fitting if test(samples[mark])] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UserError(
            f"{name} is not a table: neither commas, semicolons, tabs nor bars (|) stand between columns "
            "in its first row."
        )
    marks = " or ".join(_SEPARATORS[mark] for mark in fitting)
    raise UserError(f"{name} can be read with {marks} between the columns: save it with commas, names in quotes.")


def _fit(rows: list[list[str]], width: int) -> bool:
    """Whether all rows have so many values; a separator may follow the last one."""
    return all(len(row) == width or (len(row) == width + 1 and not row[-1].strip()) for row in rows)


def _check_header(header: tuple[str, ...], rows: list[list[str]], named: tuple[str, ...], name: str) -> None:
    """Raises UserError for a header that is missing, lacks a named column, or has a name twice."""
    absent = [column for column in named if column not in header]
    if absent or not named:
        _check_no_numbers(header, name)
        if not rows and not absent:
            raise UserError(f"{name} has no rows: give a table that has some.")
        if not rows or not _is_table(header, rows):
            lacks = f"has no column {quoted(absent[0])} and " if absent else ""
            raise UserError(
                f"{name} {lacks}hardly looks like a table: check the path, or that its rows have as many "
                "values as the header has names."
            )
    check_columns(header, named, name)


def _check_no_numbers(header: Iterable[str], name: str) -> None:
    if any(_NUMBER.fullmatch(cell.strip().replace(",", ".")) for cell in header):
        raise UserError(
            f"{name} has a number in its first row, where a header must be: write the names of the columns there."
        )


def check_columns(header: tuple[str, ...], named: tuple[str, ...], name: str) -> None:
    """Raises UserError for a named column that a table lacks, and for columns of one name."""
    for column in named:
        if column not in header:
            raise UserError(f"{name} has no column {quoted(column)}: it has {quoted(', '.join(header))}.")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise UserError(f"{name} has more than one column called {quoted(', '.join(twice))}: rename all but one.")


def _is_table(header: tuple[str, ...], rows: list[list[str]]) -> bool:
    """Whether all rows have a value for each column, and most of those of one column are numbers."""
    if not _fit(rows, len(header)):
        return False
    columns = zip(*(row[: len(header)] for row in rows), strict=True)
    numeric = ([bool(_NUMBER.fullmatch(cell.strip().replace(",", "."))) for cell in column] for column in columns)
    return any(2 * sum(column) > len(column) for column in numeric)


def _decimal(values: list[str], name: str) -> str:
    """The decimal mark of all values. Raises UserError where it can't be told from a thousands separator."""
    if any(_GROUPED.fullmatch(value) for value in values):
        raise UserError(f"{name} has thousands separators in its numbers: {_POINTS}")
    commas = [value for value in values if _WITH_COMMA.fullmatch(value)]
    if not commas:
        return "."
    if any(_WITH_POINT.fullmatch(value) for value in values):
        raise UserError(f"{name} has both decimal commas and decimal points in its numbers: {_POINTS}")
    if all(_TWO_READINGS.fullmatch(value) for value in commas):
        raise UserError(f"{name} has numbers like 1,234, which may be 1.234 or 1234: {_POINTS}")
    return ","

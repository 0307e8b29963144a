"""Printing: results to standard output, everything else to standard error, and never a control character."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from bdistil.config import OPTIONS
from bdistil.errors import UserError, printable
from bdistil.options import in_voice
from bdistil.paths import PLAIN_NAMES


def in_flags(sentence: object) -> str:
    """A sentence of the engine as the command line says it: with --rounds for `rounds`."""
    if os.environ.get(PLAIN_NAMES):
        return str(sentence)
    return in_voice(str(sentence), lambda name, _: OPTIONS[name].flag if name in OPTIONS else None)


def with_command(error: UserError) -> str:
    """An error's sentence, and the command that would help."""
    if not error.command or os.environ.get(PLAIN_NAMES):
        return str(error)
    return f"{str(error).removesuffix('.')}: {shlex.join(['bdistil', *error.command])}."


def say(*lines: object) -> None:
    """Print results, a line each. What others have named (files, columns, runs) never moves a terminal's cursor."""
    print(*map(printable, map(in_flags, lines)), sep="\n")


def say_aside(*lines: object) -> None:
    """Print on standard error, as `say` does."""
    print(*map(printable, map(in_flags, lines)), sep="\n", file=sys.stderr)


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines of columns; on a terminal that is too narrow each row's first cell, and the others below it."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths: dict[int, int] = {}
    for row in cells:
        widths |= {at: max(len(cell), widths.get(at, 0)) for at, cell in enumerate(row[:-1])}

    def line(row: Sequence[str], first: int) -> str:
        return "  ".join([*(f"{cell:{widths[at]}}" for at, cell in enumerate(row[:-1], first)), row[-1]])

    wide = [line(row, 0) for row in cells]
    if not sys.stdout.isatty() or max(map(len, wide), default=0) <= shutil.get_terminal_size().columns:
        return wide
    return [part for row in cells for part in (row[0], f"  {line(row[1:], 1)}")]


def say_json(document: Any) -> None:
    """Print one JSON document, which escapes what does not print itself."""
    print(json.dumps(document))


def drop_output() -> None:
    """Sends what is still buffered to nothing: Python would fail on it again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""Printing: results to standard output, everything else to standard error, and never a control character."""

import json
import os
import sys
from typing import Any

from bdistil.errors import printable


def say(*lines: object) -> None:
    """Print results, a line each. What others have named (files, columns, runs) never moves a terminal's cursor."""
    print(*map(printable, lines), sep="\n")


def say_aside(*lines: object) -> None:
    """Print on standard error, as `say` does."""
    print(*map(printable, lines), sep="\n", file=sys.stderr)


def say_json(document: Any) -> None:
    """Print one JSON document, which escapes what does not print itself."""
    print(json.dumps(document))


def drop_output() -> None:
    """Sends what is still buffered to nothing: Python would fail on it again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

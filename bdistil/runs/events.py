"""The event file: what a run did, one JSON object a line, only ever appended.

A line without its newline was not finished and does not count: a reader stops before it, the next writer cuts it off.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bdistil.paths import open_regular

VERSION = 1
MOST_BYTES = 256e6  # of a file; a day of training writes a thousandth of it


def now() -> str:
    """The time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def append(path: Path, kind: str, **fields: Any) -> dict[str, Any]:
    """Append one event, flushed to the disk, and return it. A torn last line left by a crash is cut off first."""
    event = {"v": VERSION, "time": now(), "kind": kind, **fields}
    line = json.dumps(event, allow_nan=False).encode() + b"\n"
    with open(path, "ab+") as file:
        _cut_torn_tail(file)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return event


def read(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The events from byte `offset` on, and the offset to go on from.

    Raises ValueError for a damaged line that is not the last one, and for a file of more than `MOST_BYTES`.
    """
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise ValueError("too large for an event file")
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return [], offset
    complete = content[: content.rfind(b"\n") + 1]
    try:
        events = [json.loads(line) for line in complete.splitlines()]
    except RecursionError:
        raise ValueError("brackets within brackets, too many to be read") from None
    if not all(isinstance(event, dict) and "kind" in event for event in events):
        raise ValueError("a line is no event")
    return events, offset + len(complete)


def _cut_torn_tail(file: Any) -> None:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)

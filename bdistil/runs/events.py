"""The event file: what a run did, one JSON object a line, only ever appended.

A line without its newline was not finished and does not count: a reader stops before it, the next writer cuts it off.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from bdistil.paths import open_regular
from bdistil.records import AnyEvent, read_events

MOST_BYTES = 256e6  # of a file; a day of training writes a thousandth of it


def now() -> datetime:
    """The time in UTC, to the millisecond."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def append(path: Path, event: AnyEvent) -> None:
    """Append one event, flushed to the disk. A torn last line left by a crash is cut off first."""
    line = event.model_dump_json().encode() + b"\n"
    with open(path, "ab+") as file:
        _cut_torn_tail(file)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, offset: int = 0) -> tuple[list[AnyEvent], int]:
    """The events from byte `offset` on, and the offset to go on from; none where there is no file.

    Raises ValueError for a damaged line that is not the last one, and for a file of more than `MOST_BYTES`; OSError for
    what is no regular file.
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
    return list(read_events(complete)), offset + len(complete)


def _cut_torn_tail(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)

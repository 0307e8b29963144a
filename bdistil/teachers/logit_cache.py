"""Teachers' answers on disk: computed once, and found again by who answers and by the inputs themselves.

While they are computed, every batch goes to a file beside them (`.part`), so that whoever is stopped, or killed, goes
on after the last whole batch.
"""

import contextlib
import fcntl
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bdistil.atomic import write_bytes
from bdistil.data.views import digest
from bdistil.paths import home

BATCH = 500  # inputs that are asked at a time
Answer = Callable[[np.ndarray], np.ndarray]


def kept(teacher: str, x: np.ndarray, answer: Answer, tick: Callable[[float], None] = lambda done: None) -> np.ndarray:
    """The answers (N, classes) on x (N, …) of the teacher of that digest, from the cache as far as they are there.

    answer: gives those on a batch. tick: called before each batch with the share done; may raise to stop. A file never
    answers for another teacher, split or view.
    """
    path = home() / "cache" / "teacher-logits" / f"{teacher}-{digest(x)}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # none yet, or a damaged one: ask again
        logits = np.load(path, allow_pickle=False)
        if len(logits) == len(x):
            return logits
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with open(part, "ab+") as file:
        alone = _lock(file)
        found = _batches(file) if alone else []
        for start in range(sum(map(len, found)), len(x), BATCH):
            tick(start / len(x))
            found.append(answer(x[start : start + BATCH]))
            if alone:
                _append(file, found[-1])
        logits = np.concatenate(found)
        _write(path, logits)
        if alone:
            part.unlink()
    return logits


def _lock(file: BinaryIO) -> bool:
    """Whether nobody else computes the same answers; two that append to one file would mix them up."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _batches(file: BinaryIO) -> list[np.ndarray]:
    """The whole batches in a file; what was torn when a process was killed is cut off."""
    found: list[np.ndarray] = []
    whole = file.seek(0)
    with contextlib.suppress(ValueError, EOFError, OSError):
        while True:
            batch, checksum = (np.load(file, allow_pickle=False) for _ in range(2))
            if checksum != zlib.crc32(batch.tobytes()):
                break
            found.append(batch)
            whole = file.tell()
    file.truncate(whole)
    return found


def _append(file: BinaryIO, batch: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, batch, allow_pickle=False)
    np.save(buffer, np.array(zlib.crc32(batch.tobytes())), allow_pickle=False)
    file.write(buffer.getvalue())
    file.flush()


def _write(path: Path, logits: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, logits, allow_pickle=False)
    write_bytes(path, buffer.getvalue())

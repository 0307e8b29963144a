"""The lock of a run: a run is training exactly as long as somebody holds it.

Whoever starts a worker takes the lock and hands it to the worker's process as an open file, so that no moment passes at
which a run that starts looks idle. The lock is a `flock`: it belongs to the open file, and the kernel drops it with the
last process that has that file open.
"""

import fcntl
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

READERS = 1.0  # seconds that anybody who looks may be in the way


def take(path: Path, patience: float = READERS) -> BinaryIO:
    """The lock as an open file, held until every process has closed it.

    patience: seconds to wait for whoever holds it. Raises BlockingIOError if that is not enough, OSError if there can
    be no such file.
    """
    end = time.monotonic() + patience
    with ExitStack() as opened:
        file = opened.enter_context(open(path, "ab"))
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise
            time.sleep(0.02)
        opened.pop_all()  # it stays open
    return file


def inherited(descriptor: int) -> BinaryIO:
    """The lock that the process which started this one has taken for it."""
    os.set_inheritable(descriptor, False)  # no program that this one starts holds it longer
    return os.fdopen(descriptor, "ab")


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock. Any number of readers may ask at once, and none gets in another's way."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False

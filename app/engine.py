"""The engine's commands, each in a process of its own: they take torch, or long, and pages do neither.

`Answers` keeps what was asked for all sessions of a server: one command at a time, and only the newest question waits.
Commands run at a lower priority: what is on the screen comes first.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

from bdistil.errors import UserError

NICENESS = 10  # as a worker's

Question, Answer = TypeVar("Question"), TypeVar("Answer")


def output(*arguments: str, seconds: float, slow: str, failed: str) -> str:
    """What `bdistil …` prints to standard output.

    Raises UserError with the command's own sentence where it refuses, `slow` after so many seconds, else `failed`.
    """
    command = [sys.executable, "-m", "bdistil", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with suppress(ProcessLookupError):  # it has ended already
            lowest = max(NICENESS, os.getpriority(os.PRIO_PROCESS, process.pid))  # only root may raise a priority
            os.setpriority(os.PRIO_PROCESS, process.pid, lowest)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise UserError(slow) from None
    if process.returncode == 2:
        raise UserError(err.strip().splitlines()[-1])
    if process.returncode:
        raise UserError(failed)
    return out


class Answers(Generic[Question, Answer]):
    """Answers of `work` by question, which is told by its `repr`."""

    def __init__(self, work: Callable[[Question], Answer]) -> None:
        self._work = work
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._asked: dict[str, Future[Answer]] = {}

    def ask(self, question: Question) -> Answer | None:
        """The answer, or None while it is being found. Raises UserError as `work` does."""
        future = self._asked.get(repr(question))
        if future is None or future.cancelled():
            for other in self._asked.values():
                other.cancel()
            future = self._asked[repr(question)] = self._pool.submit(self._work, question)
        return future.result() if future.done() else None

    def close(self) -> None:
        """Gives up what waits."""
        self._pool.shutdown(cancel_futures=True)

"""The engine's commands, each in a process of its own: they take torch, or long, and pages do neither.

`Answers` keeps what was asked for all sessions of a server: one command at a time, only the newest question waits, and
a command whose answer nobody looks out for any more gives way to it. Commands run at a lower priority: what is on the
screen comes first.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

from bdistil.errors import UserError
from bdistil.paths import PLAIN_NAMES

NICENESS = 10  # as a worker's
LOOK = 0.2  # seconds between looks at a command
FORGOTTEN = 3.0  # seconds since anybody asked for an answer; pages ask twice a second

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Refused(UserError):
    """The command's own sentence on what it was asked for: asked for again it would refuse again."""


class Unwanted(Exception):
    """The command was ended: another question waits and nobody asks for this one."""


def output(*arguments: str, wanted: Callable[[], bool], seconds: float, slow: str, failed: str) -> str:
    """What `bdistil …` prints to standard output.

    Raises Refused with the command's own sentence, UserError with `slow` after so many seconds, else with `failed`; and
    Unwanted once it is not wanted.
    """
    command, ends = [sys.executable, "-m", "bdistil", *arguments], time.monotonic() + seconds
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, PLAIN_NAMES: "1"},
    ) as process:  # names of files need not be UTF-8
        with suppress(ProcessLookupError):  # it has ended already
            lowest = max(NICENESS, os.getpriority(os.PRIO_PROCESS, process.pid))  # only root may raise a priority
            os.setpriority(os.PRIO_PROCESS, process.pid, lowest)
        while True:
            try:
                out, err = process.communicate(timeout=LOOK)
                break
            except subprocess.TimeoutExpired:
                late = time.monotonic() > ends
                if late or not wanted():
                    process.kill()
                    raise (UserError(slow) if late else Unwanted) from None
    if process.returncode == 2:
        raise Refused(err.strip().splitlines()[-1])
    if process.returncode:
        raise UserError(failed)
    return out


class Answers(Generic[Question, Answer]):
    """Answers of `work(question, wanted)` by question, which `known_by` names; `wanted` as in `output`.

    A refusal is not kept once nobody has asked for a while: what it is about may have been mended.
    """

    def __init__(
        self, work: Callable[[Question, Callable[[], bool]], Answer], known_by: Callable[[Question], str] = repr
    ) -> None:
        self._work, self._known_by, self._lock = work, known_by, Lock()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._found: dict[str, Future[Answer]] = {}
        self._asked: dict[str, float] = {}

    def ask(self, question: Question) -> Answer | None:
        """The answer, or None while it is being found. Raises UserError as `work` does."""
        name, now = self._known_by(question), time.monotonic()
        with self._lock:
            forgotten = now - self._asked.get(name, now) > FORGOTTEN
            self._asked[name] = now
            found = self._found.get(name)
            if found is None or found.cancelled() or (forgotten and found.done() and found.exception()):
                for other in self._found.values():
                    other.cancel()
                found = self._found[name] = self._pool.submit(self._work, question, lambda: self._wanted(name))
        if not found.done():
            return None
        try:
            return found.result()
        except Unwanted:
            with self._lock:
                self._found.pop(name, None)
            return None

    def _wanted(self, name: str) -> bool:
        with self._lock:
            waits = any(not (found.done() or found.running()) for found in self._found.values())
            return not waits or time.monotonic() - self._asked[name] < FORGOTTEN

    def close(self) -> None:
        """Gives up what waits."""
        self._pool.shutdown(cancel_futures=True)

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
from dataclasses import dataclass
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


@dataclass
class _Asked(Generic[Answer]):
    """A question that has been asked: its answer to come, and when it was asked last."""

    answer: Future[Answer]
    at: float

    def is_forgotten(self, now: float) -> bool:
        return now - self.at > FORGOTTEN


class Answers(Generic[Question, Answer]):
    """Answers of `work(question, wanted)` by question, which `known_by` names; `wanted` as in `output`.

    A refusal is not kept once nobody has asked for a while: what it is about may have been fixed.
    """

    def __init__(
        self, work: Callable[[Question, Callable[[], bool]], Answer], known_by: Callable[[Question], str] = repr
    ) -> None:
        self._work, self._known_by, self._lock = work, known_by, Lock()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._asked: dict[str, _Asked[Answer]] = {}

    def ask(self, question: Question) -> Answer | None:
        """The answer, or None while it is being found. Raises UserError as `work` does."""
        name, now = self._known_by(question), time.monotonic()
        with self._lock:
            asked = self._asked.get(name)
            if asked is None or asked.answer.cancelled() or (_is_refused(asked.answer) and asked.is_forgotten(now)):
                for other in self._asked.values():
                    other.answer.cancel()  # but for the one that is being worked on
                asked = _Asked(self._pool.submit(self._work, question, lambda: self._wanted(name)), now)
                self._asked[name] = asked
            asked.at = now
        if not asked.answer.done():
            return None
        try:
            return asked.answer.result()
        except Unwanted:
            with self._lock:
                self._asked.pop(name, None)
            return None

    def _wanted(self, name: str) -> bool:
        """Whether a command is to go on: somebody looks out for its answer, or nothing else waits."""
        with self._lock:
            waits = any(not (asked.answer.done() or asked.answer.running()) for asked in self._asked.values())
            return not waits or not self._asked[name].is_forgotten(time.monotonic())

    def close(self) -> None:
        """Gives up what waits."""
        self._pool.shutdown(cancel_futures=True)


def _is_refused(answer: Future) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is not None

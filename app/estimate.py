"""The price of a run before anything is trained, from `bdistil run --dry-run --json`: a process of its own, since
building models takes torch and pages import none. One estimate at a time; only the newest question waits. It runs at
a lower priority: what is on the screen comes first.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import streamlit as st

from bdistil.config import DistilConfig
from bdistil.errors import UserError

# Seconds. Importing torch and building the models takes two to five on a laptop.
LIMIT = 120
NICENESS = 10  # as a worker's


def flags(config: DistilConfig) -> list[str]:
    """The command line's flags for what differs from the recipe of data set and method: `--dataset digits ...`."""
    given = config.model_dump()
    recipe = DistilConfig.create(dataset=config.dataset, teacher=config.teacher, method=config.method).model_dump()
    always = ("dataset", "teacher", "student", "rounds", "seed", "method")
    names = [*always, *(name for name in given if name not in always and given[name] != recipe.get(name))]
    return [part for name in names if given[name] is not None for part in _flag(name, given[name])]


def _flag(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [f"--{option}", str(value)]


def estimate(config: DistilConfig) -> dict[str, Any]:
    """Returns what a run would cost: macs, parameters, bytes, seconds, first_model_seconds, memory_bytes, disk_bytes.

    Raises UserError with the command's own sentence where it refuses.
    """
    command = [sys.executable, "-m", "bdistil", "run", "--dry-run", "--json", *flags(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with suppress(ProcessLookupError):  # it has ended already
            lowest = max(NICENESS, os.getpriority(os.PRIO_PROCESS, process.pid))  # only root may raise a priority
            os.setpriority(os.PRIO_PROCESS, process.pid, lowest)
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            sentence = "The estimate took too long and was given up; the run can be started all the same."
            raise UserError(sentence) from None
    if process.returncode == 2:
        raise UserError(err.strip().splitlines()[-1])
    if process.returncode:
        raise UserError("The estimate failed; the run can be started all the same.")
    return json.loads(out)


class Estimates:
    """Estimates asked for and had, by configuration; shared by all sessions of a server."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._asked: dict[str, Future] = {}

    def ask(self, config: DistilConfig) -> dict[str, Any] | None:
        """Returns the estimate, or None while it is being made. Raises UserError as `estimate` does."""
        key = config.model_dump_json()
        future = self._asked.get(key)
        if future is None or future.cancelled():
            for other in self._asked.values():
                other.cancel()
            future = self._asked[key] = self._pool.submit(estimate, config)
        return future.result() if future.done() else None

    def close(self) -> None:
        """Gives up what waits."""
        self._pool.shutdown(cancel_futures=True)


@st.cache_resource
def estimates() -> Estimates:
    """The server's estimates."""
    return Estimates()

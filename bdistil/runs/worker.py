"""The process that trains: holds a run's lock, waits its turn, trains, and tells where it is.

Started by `runs.launch` as `bdistil resume RUN --worker`; whatever ends it (a stop, a signal, a kill, a failure) costs
at most the running epoch. Only the lock needs no torch, so it is taken before torch is imported.
"""

import contextlib
import errno
import importlib.metadata
import os
import platform
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bdistil.atomic import write_json
from bdistil.errors import UserError
from bdistil.paths import home
from bdistil.runs import events
from bdistil.runs.store import LAST_WORD, Run

TICK = 0.4  # seconds between heartbeats: the dashboard looks once a second
ALIVE = 5.0  # seconds between them where training has nothing to tell
NICENESS = 10
PLACE = ("phase", "round", "attempt", "epoch", "update")


@dataclass
class Pulse:
    """Writes the heartbeat while training goes on, and knows whether to stop."""

    run: Run
    signalled: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    _last: float = 0.0
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _started: float = field(default_factory=time.monotonic)
    _start_fraction: float | None = None

    def beat(self, **fields: Any) -> None:
        """Tell where training is; written at most every TICK, and when another epoch or phase begins."""
        begins = any(fields.get(name) != self.fields.get(name) for name in PLACE)
        self.fields = fields
        if begins or time.monotonic() - self._last >= TICK:
            self._write()

    def _write(self) -> None:
        with self._writing:
            self._last = time.monotonic()
            document = {"host": socket.gethostname(), "pid": os.getpid(), "time": events.now(), **self.fields}
            write_json(self.run.path / "heartbeat.json", document, durable=False)

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Inside, a heartbeat is written every ALIVE seconds where nothing calls `beat`: reading data, computing a
        teacher's answers or evaluating a large split may take minutes. A process that is paused writes none."""
        ended = threading.Event()

        def again() -> None:
            while not ended.wait(ALIVE):
                if time.monotonic() - self._last >= ALIVE:
                    with contextlib.suppress(OSError):  # a full disk is told by whoever writes results
                        self._write()

        thread = threading.Thread(target=again, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def stop(self) -> bool:
        return self.signalled or self.run.stop_requested()

    def seconds_left(self, fraction: float) -> float | None:
        """Seconds until the whole run ends, from how fast this worker has gone so far; None while that says little."""
        if self._start_fraction is None:
            self._start_fraction, self._started = fraction, time.monotonic()
        elapsed, gone = time.monotonic() - self._started, fraction - self._start_fraction
        return elapsed * (1 - fraction) / gone if elapsed > 5 and gone > 0 else None


def work(run: Run) -> int:
    """Train `run` until it ends, is stopped, or fails; returns the exit status (0, 1, or 2 for unusable input).

    Raises UserError if another worker trains it already.
    """
    pulse = Pulse(run)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(pulse, "signalled", True))
    # A worker that was started at a lower priority keeps it: only root may raise one.
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    try:
        held = run.lock().acquire(timeout=2)
    except Timeout:
        raise UserError("This run is training already.") from None
    with held:
        if run.stored()["state"] == "finished":  # while this one was starting
            return 0
        try:
            pulse.beat(phase=None)
            with pulse.going_on(), _turn(run, pulse):
                _train(run, pulse)
            return 0
        except _NoTurn:
            _end(run, "stopped", phase=None)
        except UserError as error:
            return _fail(run, str(error), 2)
        except ModuleNotFoundError as error:
            return _fail(run, f"Training needs {error.name}, which is not here: pip install 'bdistil[train]'.", 2)
        except OSError as error:
            return _fail(run, _sentence(error), 1)
        except Exception as error:
            _fail(run, f"Something went wrong in the program itself ({type(error).__name__}: {error}).", 1)
            raise
        return 0


class _NoTurn(Exception):
    """Stopped while waiting for another run to end."""


@contextlib.contextmanager
def _turn(run: Run, pulse: Pulse) -> Iterator[None]:
    """One training at a time: wait, as `queued`, until the others of this store have ended."""
    turn, patience = FileLock(home() / "training.lock"), 0.0
    while True:
        try:
            held = turn.acquire(timeout=patience)
            break
        except Timeout:
            if not patience:
                run.update(state="queued", error=None)
                run.record("queued")
            patience = 0.5
        if pulse.stop():
            raise _NoTurn
        pulse.beat(phase=None)
    with held:
        yield


def _train(run: Run, pulse: Pulse) -> None:
    import torch

    from bdistil.runs.jobs import PHASES, checkpoint_of
    from bdistil.runs.rounds import tidy
    from bdistil.training.loop import Stopped

    info = run.stored()
    threads = info["config"]["threads"] or max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(threads)
    # Some kernels have no deterministic form on a GPU; there a repetition is close, on a CPU it is exact.
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    started, before = time.monotonic(), info["seconds"]
    resumed = any(event["kind"] == "started" for event in run.events()[0])
    run.update(state="running", error=None, threads=threads, versions=versions())
    run.record("started", pid=os.getpid(), host=socket.gethostname(), threads=threads, versions=versions(),
               resumed=resumed)  # fmt: skip

    def seconds() -> float:
        return before + time.monotonic() - started

    tidy(run)
    try:
        PHASES[info["kind"]](run, pulse, seconds)
    except Stopped:
        run.update(seconds=seconds())
        place = {key: pulse.fields.get(key) for key in ("phase", "round", "epoch", "update")}
        _end(run, "stopped", **place)
        return
    run.update(seconds=seconds())
    _end(run, "finished", seconds=seconds())
    checkpoint_of(run).remove()  # last: a kill before it costs nothing


def versions() -> dict[str, str]:
    """What a bit-identical repetition needs to be the same."""
    names = ("bdistil", "torch", "numpy")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}


def _end(run: Run, state: str, **fields: Any) -> None:
    run.record(state, **fields)
    run.update(state=state, phase=None)
    (run.path / "stop").unlink(missing_ok=True)


def _fail(run: Run, sentence: str, status: int) -> int:
    """Say what happened, as far as the disk lets us; a run that was removed meanwhile is left alone."""
    for room in (False, True):
        with contextlib.suppress(OSError, UserError):
            if room:  # on a full disk the heartbeat gives its place to the last word
                (run.path / "heartbeat.json").unlink()
            run.update(state="failed", error=sentence, exit_status=status)
            run.record("failed", error=sentence)
            return status
    with contextlib.suppress(OSError):
        print(LAST_WORD + sentence, file=sys.stderr)  # worker.log is open even where nothing can be written any more
    return status


def _sentence(error: OSError) -> str:
    place = Path(error.filename or home())
    if place.name.startswith("."):  # a temporary file says nothing to anyone, its folder does
        place = place.parent
    if error.errno == errno.ENOSPC:
        return "The disk is full. Free some space, then resume; finished rounds are safe."
    if error.errno in (errno.EACCES, errno.EROFS):
        return f"{place} cannot be written. Give yourself the right to, then resume; finished rounds are safe."
    if error.errno == errno.ENOENT:
        return f"{place} is gone. If the run was not deleted on purpose, resume it."
    return f"A file could not be read or written ({error.strerror}). Mend that, then resume; finished rounds are safe."

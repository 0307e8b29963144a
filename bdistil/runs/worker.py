"""The process that trains: holds a run's lock, waits its turn, trains, and tells where it is.

Started by `runs.launch` as `bdistil resume RUN --worker`; whatever ends it (a stop, a signal, a kill, a failure) costs
at most the running epoch. Only the lock needs no torch, so it is taken before torch is imported.
"""

import contextlib
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from bdistil.errors import UserError
from bdistil.paths import home
from bdistil.records import RunFailed, RunFinished, RunQueued, RunStopped, WorkerStarted
from bdistil.runs.heartbeat import HeartbeatWriter
from bdistil.runs.lock import inherited, take
from bdistil.runs.store import FAILURE, Run
from bdistil.runs.versions import versions

NICENESS = 10


def work(run: Run, lock: int | None = None) -> int:
    """Train `run` until it ends, is stopped, or fails; returns the exit status (0, 1, or 2 for unusable input).

    lock: the descriptor of the run's lock, where whoever started this process has taken it. Raises UserError if another
    worker trains the run already.
    """
    heartbeat = HeartbeatWriter(run)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(heartbeat, "signalled", True))
    # A worker that was started at a lower priority keeps it: only root may raise one.
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    try:
        held = take(run.path / "lock") if lock is None else inherited(lock)
    except BlockingIOError:
        raise UserError("This run is training already.") from None
    with held:
        if run.stored().state == "finished":  # while this one was starting
            return 0
        try:
            heartbeat.write()
            with heartbeat.going_on(), _training_slot(run, heartbeat):
                _train(run, heartbeat)
            return 0
        except _NoSlot:
            _end(run, RunStopped)
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


class _NoSlot(Exception):
    """Stopped while waiting for another run to end."""


@contextlib.contextmanager
def _training_slot(run: Run, heartbeat: HeartbeatWriter) -> Iterator[None]:
    """One training at a time: wait, as `queued`, until the others of this store have ended."""
    slot, patience = FileLock(home() / "training.lock"), 0.0
    while True:
        try:
            held = slot.acquire(timeout=patience)
            break
        except Timeout:
            if not patience:
                run.update(state="queued", error=None)
                run.record(RunQueued)
            patience = 0.5
        if heartbeat.stop():
            raise _NoSlot
        heartbeat.write()
    with held:
        yield


def _train(run: Run, heartbeat: HeartbeatWriter) -> None:
    import torch

    from bdistil.runs.job import checkpoint_of
    from bdistil.runs.jobs import PHASES
    from bdistil.runs.rounds import remove_leftovers
    from bdistil.training.loop import Stopped

    info = run.stored()
    threads = info.config.threads or max(1, (os.cpu_count() or 2) - 1)
    torch.set_num_threads(threads)
    # Some kernels have no deterministic form on a GPU; there a repetition is close, on a CPU it is exact.
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    started, before = time.monotonic(), info.seconds
    resumed = any(isinstance(event, WorkerStarted) for event in run.events()[0])
    run.update(state="running", error=None, threads=threads, versions=versions())
    run.record(
        WorkerStarted,
        pid=os.getpid(),
        host=socket.gethostname(),
        threads=threads,
        versions=versions(),
        resumed=resumed,
    )

    def seconds() -> float:
        return before + time.monotonic() - started

    remove_leftovers(run)
    try:
        PHASES[info.kind](run, heartbeat, seconds)
    except Stopped:
        run.update(seconds=seconds())
        at = heartbeat.last
        place = {} if at is None else dict(phase=at.phase, round=at.round, epoch=at.epoch, update=at.update)
        _end(run, RunStopped, **place)
        return
    run.update(seconds=seconds())
    _end(run, RunFinished, seconds=seconds())
    checkpoint_of(run).remove()  # last: a kill before it costs nothing


def _end(run: Run, event: type[RunStopped] | type[RunFinished], **fields: str | int | float | None) -> None:
    run.record(event, **fields)
    run.update(state="stopped" if event is RunStopped else "finished", phase=None)
    (run.path / "stop").unlink(missing_ok=True)


def _fail(run: Run, sentence: str, status: int) -> int:
    """Say what happened, as far as the disk lets us; a run that was removed meanwhile is left alone."""
    for room in (False, True):
        with contextlib.suppress(OSError, UserError):
            if room:  # on a full disk the heartbeat makes room for the reason
                (run.path / "heartbeat.json").unlink()
            run.update(state="failed", error=sentence, exit_status=status)
            run.record(RunFailed, error=sentence)
            return status
    with contextlib.suppress(OSError):
        print(FAILURE + sentence, file=sys.stderr)  # worker.log is open even where nothing can be written any more
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
    return f"A file could not be read or written ({error.strerror}). Fix that, then resume; finished rounds are safe."

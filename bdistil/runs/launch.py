"""Starting a worker: a process of its own that outlives whoever started it."""

import os
import subprocess
import sys
import threading
import time
from typing import BinaryIO

from bdistil.errors import UserError
from bdistil.runs.heartbeat import heartbeat, write
from bdistil.runs.lock import READERS, take
from bdistil.runs.store import Run

# Waiting threads sleep: where others use the cores too, spinning ones would slow a training down by an order.
# The workspace setting is what CUDA's matrix products need to be deterministic.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
ENDING = 10.0  # seconds that a worker has to end after it has written its end; a busy machine takes its time


def start_worker(run: Run) -> int:
    """Start, or go on with, a run's training in a process of its own; returns the process id.

    Raises UserError if the run is a sample, is training already, has finished, or cannot be written.
    """
    if run.sample:
        raise UserError("This run ships with the product and cannot be trained further.")
    try:
        with _lock(run) as lock:
            return _start(run, lock)
    except OSError as error:
        raise UserError(f"The run in {run.path} cannot be written ({error.strerror}); fix that and resume.") from None


def _lock(run: Run) -> BinaryIO:
    """The run's lock, which makes every other start fail. A worker that has written its end gets the time to end."""
    began = time.monotonic()
    while True:
        state = run.stored().state
        if state == "finished":
            raise UserError("This run has finished; there is nothing to resume.")
        try:
            return take(run.path / "lock", patience=0.05)
        except BlockingIOError:
            if time.monotonic() - began > (ENDING if state in ("stopped", "failed") else READERS):
                raise UserError("This run is training already.") from None


def _start(run: Run, lock: BinaryIO) -> int:
    """Start the worker, which holds the lock from then on."""
    (run.path / "stop").unlink(missing_ok=True)
    run.update(state="running", phase=None, error=None)  # it says itself if it has to wait
    command = [sys.executable, "-P", "-m", "bdistil", "resume", str(run.path), "--worker"]
    with open(run.path / "worker.log", "ab") as log:
        process = subprocess.Popen(
            [*command, "--lock", str(lock.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock.fileno()],
            env={**os.environ, **ENVIRONMENT},
        )
    # Nobody waits for the worker, but a process that has ended stays a zombie until its parent has looked.
    threading.Thread(target=process.wait, daemon=True).start()
    write(run, heartbeat(process.pid))
    return process.pid

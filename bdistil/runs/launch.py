"""Starting a worker: a process of its own that outlives whoever started it."""

import contextlib
import os
import subprocess
import sys
import threading
import time

import psutil
from filelock import FileLock

from bdistil.errors import UserError
from bdistil.runs.heartbeat import heartbeat, write
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
        with FileLock(run.path / "starting", timeout=ENDING + 5):  # one start at a time: the second sees the first's
            return _start(run)
    except OSError as error:
        raise UserError(f"The run in {run.path} cannot be written ({error.strerror}); mend that and resume.") from None


def _start(run: Run) -> int:
    info = run.info()
    if info.state in ("stopped", "failed"):
        _wait_for_its_end(run)
    if run.is_alive():
        raise UserError("This run is training already.")
    if info.state == "finished":
        raise UserError("This run has finished; there is nothing to resume.")
    (run.path / "stop").unlink(missing_ok=True)
    run.update(state="running", phase=None, error=None)  # it says itself if it has to wait
    command = [sys.executable, "-P", "-m", "bdistil", "resume", str(run.path), "--worker"]
    with open(run.path / "worker.log", "ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **ENVIRONMENT},
        )
    _wait_for_its_command(process)
    # Nobody waits for the worker, but a process that has ended stays a zombie until its parent has looked.
    threading.Thread(target=process.wait, daemon=True).start()
    write(run, heartbeat(process.pid))
    return process.pid


def _wait_for_its_command(process: subprocess.Popen) -> None:
    """A process that has just replaced its parent's image has no command line yet; `Run.is_alive` knows it by that."""
    end = time.monotonic() + ENDING
    with contextlib.suppress(psutil.Error):
        while not psutil.Process(process.pid).cmdline() and time.monotonic() < end:
            time.sleep(0.01)


def _wait_for_its_end(run: Run) -> None:
    """Give a worker that has written its end the time to let go of the lock: its process ends a moment later."""
    end = time.monotonic() + ENDING
    while run.is_alive() and time.monotonic() < end:
        time.sleep(0.05)

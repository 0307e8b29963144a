"""Workers that start at once: forked from a process that has imported everything already, for tests of many starts.

    with Nursery() as nursery:
        nursery.start(run)                # a worker as `start_worker` starts it, without the seconds of its imports
        nursery.start(run, faults.text)   # the same, after these lines of Python have changed the engine

The nursery is a process of its own, of one thread, in which nothing has been computed yet.
"""

import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import psutil

from bdistil.runs import Run, launch
from tests.workers import until

MOTHER = """
import json, os, signal, sys
from pathlib import Path
import torch._dynamo, torch._inductor.config  # which the first training would import
import bdistil.runs.rounds, bdistil.runs.jobs, bdistil.runs.worker
from bdistil.data import load_dataset
from bdistil.runs import Run

load_dataset("digits")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children that have ended leave no zombies
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        continue
    status = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.environ.update(order["environment"])
        log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(log, stream)
        exec(order["faults"])
        status = bdistil.runs.worker.work(Run(Path(order["run"])))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
"""


class Nursery:
    """Where workers come from; a context manager."""

    def __enter__(self) -> "Nursery":
        self._mother = subprocess.Popen(
            [sys.executable, "-c", MOTHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **launch.ENVIRONMENT},
        )
        return self

    def __exit__(self, *_: Any) -> None:
        self._mother.stdin.close()
        self._mother.wait()
        self._mother.stdout.close()

    def start(self, run: Run, faults: str = "") -> int:
        """A worker on the run, once it holds the lock or has ended; `faults` is run in its process first."""

        def fork(command: list[str], env: dict[str, str], **_: Any) -> SimpleNamespace:
            ours = {name: value for name, value in env.items() if name.startswith("BDISTIL_")}
            order = {"run": str(run.path), "log": str(run.path / "worker.log"), "faults": faults, "environment": ours}
            print(json.dumps(order), file=self._mother.stdin, flush=True)
            return SimpleNamespace(pid=int(self._mother.stdout.readline()), wait=lambda: None)

        # The launcher's own names alone are exchanged: the rest of the process starts others as ever.
        starter = SimpleNamespace(Popen=fork, DEVNULL=subprocess.DEVNULL)
        with patch.object(launch, "subprocess", starter):
            pid = launch.start_worker(run)
        until(lambda: run.is_alive() or not psutil.pid_exists(pid))
        return pid

"""The heartbeat: where a worker is, rewritten while it trains, and whether it is asked to stop."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bdistil.atomic import write_json
from bdistil.records import Heartbeat
from bdistil.runs import events
from bdistil.runs.store import Run

if TYPE_CHECKING:
    from bdistil.training.loop import Position

INTERVAL = 0.4  # seconds between two: the dashboard looks once a second
ALIVE = 5.0  # seconds between two where training has nothing to report


def heartbeat(pid: int, **place: Any) -> Heartbeat:
    """The heartbeat of a process on this host, now; place: the other fields of `Heartbeat`."""
    return Heartbeat(host=socket.gethostname(), pid=pid, time=events.now(), **place)


def write(run: Run, beat: Heartbeat) -> None:
    """Replace a run's heartbeat. A crash may take it along."""
    write_json(run.path / "heartbeat.json", beat.document(), durable=False)


@dataclass
class HeartbeatWriter:
    """Writes a worker's heartbeat while training goes on, and knows whether to stop."""

    run: Run
    signalled: bool = False
    last: Heartbeat | None = None
    _written: float = 0.0
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _started: float = field(default_factory=time.monotonic)
    _start_fraction: float | None = None

    def write(self, **place: Any) -> None:
        """Say where training is; written once an interval at most, and when another epoch or phase begins."""
        beat, before = heartbeat(os.getpid(), **place), self.last
        self.last = beat
        if before is None or _place(beat) != _place(before) or time.monotonic() - self._written >= INTERVAL:
            self._write()

    def write_batch(
        self,
        position: "Position",
        epoch: int,
        epochs: int,
        batch: int,
        batches: int,
        before: float = 0.0,
        part: float = 1.0,
    ) -> None:
        """Say which batch a training is at, and when the run ends.

        before, part: of the run's whole work, the shares that were done when this training began and that are its own.
        """
        fraction = (epoch - 1 + batch / batches) / epochs
        self.write(
            phase=position.phase,
            round=position.round,
            attempt=position.attempt,
            epoch=epoch,
            epochs=epochs,
            batch=batch,
            batches=batches,
            fraction=fraction,
            seconds_left=self.seconds_left(before + part * fraction),
        )

    def _write(self) -> None:
        with self._writing:
            self._written = time.monotonic()
            place = self.last.model_dump(exclude={"host", "pid", "time"}) if self.last else {}
            write(self.run, heartbeat(os.getpid(), **place))

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Inside, a heartbeat is written every ALIVE seconds where nothing calls `write`: reading data, computing a
        teacher's answers or evaluating a large split may take minutes. A process that is paused writes none."""
        ended = threading.Event()

        def again() -> None:
            while not ended.wait(ALIVE):
                if time.monotonic() - self._written >= ALIVE:
                    with contextlib.suppress(OSError):  # a full disk is reported by whoever writes results
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
        """Seconds until the whole run ends, by this worker's speed so far; None while that is too early to say."""
        if self._start_fraction is None:
            self._start_fraction, self._started = fraction, time.monotonic()
        elapsed, gone = time.monotonic() - self._started, fraction - self._start_fraction
        return elapsed * (1 - fraction) / gone if elapsed > 5 and gone > 0 else None


def _place(beat: Heartbeat) -> tuple[Any, ...]:
    return beat.phase, beat.round, beat.attempt, beat.epoch, beat.update

"""The command line's view of a run in training, read from the run's directory as the dashboard does: a line for each
round that ends, and on a terminal a progress bar below them.
"""

import signal
import sys
import time
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bdistil.cli.output import say_aside
from bdistil.errors import printable
from bdistil.records import AnyEvent, Heartbeat, Notice, PolishFinished, RoundFinished
from bdistil.report.formats import duration
from bdistil.report.silence import quiet
from bdistil.report.text import describe_polish, describe_round
from bdistil.runs.store import Run, RunInfo

BAR = 20  # characters


def follow(run: Run, quiet: bool) -> RunInfo:
    """Start a worker and show its progress until it ends; returns run.json. Exits 130 where it was stopped, 1 or 2
    where it failed."""
    from bdistil.runs.launch import start_worker

    seen = run.events()[1]  # what an earlier worker did has been told
    start_worker(run)
    info = watch(run, quiet, seen)
    for event in run.events()[0]:
        if isinstance(event, Notice):
            say_aside(event.text)
    if info.state == "failed":
        say_aside(info.error)
        sys.exit(info.exit_status)
    if info.worker_gone:
        what = (run.failure() or "The worker ended without a word").rstrip(".")
        say_aside(f"{what}; go on with: bdistil resume {run.id}")
        sys.exit(1)
    if info.state != "finished":
        say_aside(f"Stopped; go on with: bdistil resume {run.id}")
        sys.exit(130)
    return info


def watch(run: Run, quiet: bool, seen: int = 0, poll: float = 0.3) -> RunInfo:
    """Show progress until the worker ends; Ctrl-C and SIGTERM ask it to stop. Returns run.json as it then is.

    quiet: nothing is shown. seen: bytes of the event file that have been told already.
    """
    previous = [signal.signal(number, lambda *_: run.request_stop()) for number in (signal.SIGINT, signal.SIGTERM)]
    columns = (TextColumn("{task.description}", markup=False), BarColumn(BAR), TimeElapsedColumn())
    rounds = getattr(run.stored().config, "rounds", 0)
    try:
        console = Console(stderr=True)
        if not quiet:
            say_aside(f"run {run.id}")
        with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
            task = progress.add_task("starting", total=1.0)
            alive = True
            while alive:
                alive = run.is_alive()  # asked first: what it wrote last is told as well
                events, seen = run.events(seen)
                if not quiet:
                    for line in _lines(events, rounds):
                        say_aside(line)
                beat = run.heartbeat()
                fraction = (beat and beat.fraction) or 0.0
                progress.update(task, completed=fraction, description=printable(_place(run, beat)))
                if alive:
                    time.sleep(poll)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), previous, strict=True):
            signal.signal(number, handler)
    return run.info()


def _lines(events: Iterable[AnyEvent], rounds: int) -> Iterator[str]:
    """A line for each round that has ended, and for the polish."""
    for event in events:
        if isinstance(event, RoundFinished):
            yield describe_round(event, rounds)
        elif isinstance(event, PolishFinished):
            yield describe_polish(event)


def _place(run: Run, beat: Heartbeat | None) -> str:
    """Where training is: `round 2, epoch 3 of 12, 4 min left`."""
    if beat is None:
        return "starting"
    if silent := quiet(beat):
        return silent
    if beat.update:
        return f"output layers, step {beat.update} of at most {beat.updates}"
    if beat.epochs:
        place = "polish, " if beat.phase == "polish" else f"round {beat.round}, " if beat.round else ""
        place += f"attempt {beat.attempt}, " if (beat.attempt or 1) > 1 else ""
        left = f", {duration(beat.seconds_left)} left" if beat.seconds_left else ""
        return f"{place}epoch {beat.epoch} of {beat.epochs}{left}"
    if beat.phase == "teacher":
        return "the teacher’s logits"
    stored = run.stored()
    if stored.state == "queued":
        return "waiting for another run to end"
    return "reading the data" if stored.phase in (None, "teacher") else "computing results"

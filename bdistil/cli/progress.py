"""The command line's view of a run in training: a progress bar fed from the run's directory, as the dashboard is."""

import signal
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bdistil.cli.output import say_aside
from bdistil.errors import printable
from bdistil.records import Heartbeat, Notice
from bdistil.report.silence import quiet
from bdistil.runs.store import Run, RunInfo


def follow(run: Run, quiet: bool) -> RunInfo:
    """Start a worker and show its progress until it ends; returns run.json. Exits 130 where it was stopped, 1 or 2
    where it failed."""
    from bdistil.runs.launch import start_worker

    start_worker(run)
    info = watch(run, quiet)
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


def watch(run: Run, quiet: bool, poll: float = 0.3) -> RunInfo:
    """Show progress until the worker ends; Ctrl-C and SIGTERM ask it to stop. Returns run.json as it then is."""
    previous = [signal.signal(number, lambda *_: run.request_stop()) for number in (signal.SIGINT, signal.SIGTERM)]
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    try:
        console = Console(stderr=True)
        with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
            name = printable(run.id)
            task = progress.add_task(name, total=1.0)
            while run.is_alive():
                beat = run.heartbeat()
                fraction = (beat and beat.fraction) or 0.0
                progress.update(task, completed=fraction, description=_describe(name, beat))
                time.sleep(poll)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), previous, strict=True):
            signal.signal(number, handler)
    return run.info()


def _describe(name: str, beat: Heartbeat | None) -> str:
    if beat is None:
        return name
    if silent := quiet(beat):
        return f"{name}: {silent}"
    if beat.update:
        return f"{name}: correcting output layers, step {beat.update} of at most {beat.updates}"
    if not beat.epochs:
        return name
    if beat.update:
        return f"{name}: correcting output layers, step {beat.update} of at most {beat.updates}"
    if not beat.epochs:
        return name
    place = f"round {beat.round}, " if beat.round else ""
    if (beat.attempt or 1) > 1:
        place += f"attempt {beat.attempt}, "
    if beat.phase == "polish":
        place = "polish, "
    return f"{name}: {place}epoch {beat.epoch} of {beat.epochs}"

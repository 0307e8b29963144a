"""Runs: `bdistil list` and `bdistil show`."""

from pathlib import Path
from typing import Any

from bdistil.cli.arguments import Json
from bdistil.cli.output import say, say_json


def list_(as_json: Json = False) -> None:
    """All runs, samples included."""
    from bdistil.report.documents import listing
    from bdistil.runs import list_runs

    summaries = list_runs()
    if as_json:
        say_json(listing(summaries))
        return
    for summary in summaries:
        say(f"{summary.id:44} {_described(summary)}")


def _described(summary: Any) -> str:
    """What a run is, where it stands, and whether its worker is silent; or why it cannot be read."""
    from bdistil.report.silence import quiet
    from bdistil.runs import Run

    info = summary.info
    if not info:
        return summary.error
    silent = quiet(Run(summary.path).heartbeat()) if info.state in ("queued", "running") else None
    return f"{info.state:9} {info.method or 'teacher':16} {info.title}" + (f", {silent}" if silent else "")


def show(run: str, as_json: Json = False) -> None:
    """One run: what it is; per prefix, what it reaches and costs; how its rounds went; per student, what it reads."""
    from bdistil.runs import open_run

    chosen = open_run(Path(run))
    if as_json:
        from bdistil.report.documents import report

        say_json(report(chosen))
        return
    from bdistil.report.text import describe_run

    say(*describe_run(chosen))

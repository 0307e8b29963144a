"""Runs as documents: what `bdistil show RUN --json` and `bdistil list --json` print. Fields are stable."""

from collections.abc import Sequence

from pydantic import JsonValue

from bdistil.errors import UserError
from bdistil.records import AttemptFinished, AttemptRecord, FinishedRound, Point
from bdistil.results.loading import FrontierPoint, load
from bdistil.runs.store import Run, RunSummary

SUMMARY = {
    "schema_",
    "run",
    "kind",
    "parent",
    "state",
    "phase",
    "error",
    "sample",
    "created",
    "title",
    "note",
    "dataset",
    "teacher",
    "method",
    "student",
    "mode",
    "config",
    "seconds",
    "threads",
    "versions",
    "scale",
    "teacher_name",
}


def report(run: Run) -> dict[str, JsonValue]:
    """The document of one run. Raises UserError if the run cannot be read."""
    info, rounds, unpolished = run.info(), run.rounds(), run.unpolished()
    points, earlier = _points(rounds), _points(unpolished) if unpolished is not None else None
    if points and info.dataset and info.dataset.people and points[0].persons is None:
        points, earlier = _over_persons(run, points, earlier)
    attempts = [event for event in run.events()[0] if isinstance(event, AttemptFinished)]
    return {
        **info.model_dump(mode="json", by_alias=True, include=SUMMARY),
        "frontier": [point.document() for point in points],
        "unpolished": None if earlier is None else [point.document() for point in earlier],
        "rounds": [finished.record.document() for finished in rounds],
        "attempts": [event.model_dump(mode="json", include=set(AttemptRecord.model_fields)) for event in attempts],
    }


def _points(rounds: Sequence[FinishedRound]) -> list[Point]:
    return [finished.point for finished in rounds]


def _over_persons(run: Run, points: list[Point], earlier: list[Point] | None) -> tuple[list[Point], list[Point] | None]:
    """The points of a run of an earlier version, which stored intervals over examples, with those over its persons."""
    try:
        results = load(run)
    except UserError:  # the points themselves can be read
        return points, earlier

    def restated(loaded: Sequence[FrontierPoint]) -> list[Point]:
        return [Point(**{name: getattr(point, name) for name in Point.model_fields}) for point in loaded]

    return restated(results.points), earlier and restated(results.unpolished or ())


def listing(summaries: list[RunSummary]) -> dict[str, JsonValue]:
    """The document of all runs; an unreadable run is listed with its error alone."""
    return {"schema": 1, "runs": [_line(summary) for summary in summaries]}


def _line(summary: RunSummary) -> dict[str, JsonValue]:
    if summary.info is None:
        return {"run": summary.id, "state": "unreadable", "sample": summary.sample, "error": summary.error}
    info = summary.info
    return {
        "run": summary.id,
        "kind": info.kind,
        "state": info.state,
        "sample": summary.sample,
        "title": info.title,
        "dataset": {
            "name": info.dataset.name if info.dataset else info.config.dataset,
            "modality": info.dataset.modality if info.dataset else None,
        },
        "student": info.student,
        "rounds": getattr(info.config, "rounds", None),
        "method": info.method,
    }

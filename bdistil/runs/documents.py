"""Runs as documents: what `bdistil show RUN --json` and `bdistil list --json` print. Fields are stable."""

from typing import Any

from bdistil.records import AttemptFinished, AttemptRecord
from bdistil.runs.store import Run, RunSummary

SUMMARY = {"schema_", "run", "kind", "parent", "state", "phase", "error", "sample", "created", "dataset", "teacher",
           "method", "student", "mode", "config", "seconds", "threads", "versions", "scale", "teacher_name"}  # fmt: skip


def report(run: Run) -> dict[str, Any]:
    """The document of one run. Raises UserError if the run cannot be read."""
    rounds, unpolished = run.rounds(), run.unpolished()
    attempts = [event for event in run.events()[0] if isinstance(event, AttemptFinished)]
    return {
        **run.info().model_dump(mode="json", by_alias=True, include=SUMMARY),
        "frontier": [finished.point.document() for finished in rounds],
        "unpolished": None if unpolished is None else [finished.point.document() for finished in unpolished],
        "rounds": [finished.record.document() for finished in rounds],
        "attempts": [event.model_dump(mode="json", include=set(AttemptRecord.model_fields)) for event in attempts],
    }


def listing(summaries: list[RunSummary]) -> dict[str, Any]:
    """The document of all runs; an unreadable run is listed with its error alone."""
    return {"schema": 1, "runs": [_line(summary) for summary in summaries]}


def _line(summary: RunSummary) -> dict[str, Any]:
    if summary.info is None:
        return {"run": summary.id, "state": "unreadable", "sample": summary.sample, "error": summary.error}
    info = summary.info
    return {
        "run": summary.id, "kind": info.kind, "state": info.state, "sample": summary.sample,
        "dataset": {
            "name": info.dataset.name if info.dataset else info.config.dataset,
            "modality": info.dataset.modality if info.dataset else None,
        },
        "student": info.student, "rounds": getattr(info.config, "rounds", None), "method": info.method,
    }  # fmt: skip

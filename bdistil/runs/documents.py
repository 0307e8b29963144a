"""A run as one document: what `bdistil show RUN --json` prints. Fields are stable; those of later versions are null."""

from typing import Any

from bdistil.runs.store import Run, RunSummary

FIELDS = ("schema", "run", "kind", "parent", "state", "phase", "error", "sample", "created", "dataset", "teacher",
          "method", "student", "mode", "config", "seconds", "threads", "versions", "scale")  # fmt: skip


def report(run: Run) -> dict[str, Any]:
    """The document of one run. Raises UserError if the run cannot be read."""
    info, rounds, unpolished = run.info(), run.rounds(), run.unpolished()
    return {
        **{field: info.get(field) for field in FIELDS},
        "teacher_name": info.get("teacher_name"),
        "frontier": [entry["point"] for entry in rounds],
        "unpolished": None if unpolished is None else [entry["point"] for entry in unpolished],
        "rounds": [entry["record"] for entry in rounds],
        "attempts": [_attempt(event) for event in run.events()[0] if event["kind"] == "attempt_finished"],
    }


def _attempt(event: dict[str, Any]) -> dict[str, Any]:
    """An attempt at a student without what makes it an event."""
    return {name: value for name, value in event.items() if name not in ("v", "time", "kind")}


def listing(summaries: list[RunSummary]) -> dict[str, Any]:
    """The document of `bdistil list --json`; an unreadable run is listed with its error alone."""
    return {"schema": 1, "runs": [_line(summary) for summary in summaries]}


def _line(summary: RunSummary) -> dict[str, Any]:
    if summary.info is None:
        return {"run": summary.id, "state": "unreadable", "sample": summary.sample, "error": summary.error}
    info = summary.info
    dataset = info["dataset"] or {"name": info["config"]["dataset"], "modality": None}
    return {
        "run": summary.id, "kind": info["kind"], "state": info["state"], "sample": summary.sample,
        "dataset": {"name": dataset["name"], "modality": dataset["modality"]}, "student": info["student"],
        "rounds": info["config"].get("rounds"), "method": info["method"],
    }  # fmt: skip

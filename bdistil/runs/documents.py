"""A run as one document: what `bdistil show RUN --json` prints. Fields are stable; those of later versions are null."""

from typing import Any

import pandas as pd

from bdistil.errors import UserError
from bdistil.results.loading import load
from bdistil.runs.store import Run, RunSummary

Row = dict[str, Any]
FIELDS = ("schema", "run", "kind", "parent", "state", "phase", "error", "sample", "created", "dataset", "teacher",
          "method", "student", "mode", "config", "seconds", "threads", "versions", "scale")  # fmt: skip


def report(run: Run) -> dict[str, Any]:
    """The document of one run. Raises UserError if the run cannot be read."""
    info, rounds, unpolished = run.info(), run.rounds(), run.unpolished()
    points = [{"persons": None, **entry["point"]} for entry in rounds]
    earlier = None if unpolished is None else [{"persons": None, **entry["point"]} for entry in unpolished]
    if rounds and (info.get("dataset") or {}).get("people") and "persons" not in rounds[0]["point"]:
        points, earlier = _over_persons(run, points, earlier)
    return {
        **{field: info.get(field) for field in FIELDS},
        "teacher_name": info.get("teacher_name"),
        "frontier": points,
        "unpolished": earlier,
        "rounds": [entry["record"] for entry in rounds],
        "attempts": [_attempt(event) for event in run.events()[0] if event["kind"] == "attempt_finished"],
    }


def _over_persons(run: Run, points: list[Row], earlier: list[Row] | None) -> tuple[list[Row], list[Row] | None]:
    """The rows of a run of an earlier version, which stored intervals over examples, with those over its persons."""
    try:
        results = load(run)
    except UserError:  # the rows themselves can be read
        return points, earlier

    def restated(rows: list[Row], table: pd.DataFrame) -> list[Row]:
        found = table[["accuracy_low", "accuracy_high", "persons"]].to_dict("records")
        return [row | interval for row, interval in zip(rows, found, strict=False)]

    return restated(points, results.points), earlier and restated(earlier, results.unpolished)


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

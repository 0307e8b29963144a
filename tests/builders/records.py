"""Records for tests that care about a few of their fields: the others are invented here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from bdistil.records import (
    AttemptFinished,
    EpochFinished,
    HeadCorrected,
    Heartbeat,
    Point,
    RoundRecord,
    RoundStarted,
    SplitScores,
)
from bdistil.results.certificate import ClassRound
from bdistil.results.loading import FrontierPoint
from bdistil.runs import RunInfo

TIME = datetime(2026, 1, 5, 14, 6, tzinfo=UTC)
# Of a small teacher of digits, as it is given to be saved.
CARD: dict[str, Any] = {
    "schema": 1,
    "name": "mine",
    "dataset": "digits",
    "architecture": "resnet-s",
    "classes": tuple("0123456789"),
    "input_shape": (1, 8, 8),
    "mean": (4.9,),
    "std": (6.0,),
    "macs": 1_000_000,
    "weights_sha256": "",
}
CANDIDATE = {"round": 1, "composition": "add", "student": "cnn-xs", "barrier": 0.3}
DEFAULTS: dict[type, dict[str, Any]] = {
    RoundStarted: CANDIDATE | {"epochs": 8},
    EpochFinished: {"phase": "rounds", "epoch": 1, "epochs": 8, "loss": 0.5, "seconds": 1.0, "total": 1.0},
    AttemptFinished: CANDIDATE | {"seconds": 10.0},
    HeadCorrected: {"round": 2},
}
_E = TypeVar("_E")


def event(of: type[_E], **fields: Any) -> _E:
    """An event of a type; of an attempt or a corrected head, only the edges may be given."""
    checked = _correction(fields) if of in (AttemptFinished, HeadCorrected) else {}
    kind = of.model_fields["kind"].annotation.__args__[0]
    return of(**{"kind": kind, "time": TIME} | DEFAULTS.get(of, {}) | checked | fields)


def round_record(**fields: Any) -> RoundRecord:
    """A round's record; of a class, or of as many as `edges` or `measured_by_class` has."""
    of = fields.get("edges") or fields.get("measured_by_class") or (0.0,)
    sides = {f"{side}_by_class": (value,) * len(of) for side, value in zip(SIDES, (0.4, 0.6, 0.8), strict=True)}
    values = {"round": 1, "composition": ("add",), "barrier": 0.3, "effective_examples": 500.0, "bound_eta": 1.0}
    values |= sides | _correction(fields) | fields
    return RoundRecord(**{side: values[f"{side}_by_class"][0] for side in SIDES} | values)


SIDES = ("measured", "bound", "trivial")


def _correction(fields: dict[str, Any]) -> dict[str, Any]:
    edges = fields.get("edges") or (0.0,) * len(fields.get("measured_by_class", (0.0,)))
    met = min(edges) > 0
    return {
        "condition_met": met,
        "edge_min": min(edges),
        "edges": edges,
        "relative_edges": edges,
        "edges_before": edges,
        "corrected": False,
        "kl_before": 0.1,
        "kl_after": 0.1,
    }


def class_round(name: str, place: int, round: int, measured: float, bound: float, trivial: float) -> ClassRound:
    """A class after a round; its edges and examples are none of the test's business."""
    return ClassRound(round, place, name, measured, bound, trivial, 0.0, 0.0, None, 500.0)


def compared_point(**fields: Any) -> FrontierPoint:
    """A point with its loss against the teacher."""
    lost = {name: fields.pop(name) for name in ("points_lost", "points_lost_low", "points_lost_high")}
    return FrontierPoint(**dict(point(**fields)), **lost)


def point(**fields: Any) -> Point:
    """A point of a frontier; by default that of the first student."""
    scores = SplitScores(accuracy=0.9, agreement=0.9)
    values = {
        "prefix": 1,
        "accuracy": 0.9,
        "accuracy_low": 0.88,
        "accuracy_high": 0.92,
        "agreement": 0.9,
        "train": scores,
        "validation": scores,
        "macs": 2_000_000,
        "macs_ratio": 0.08,
        "parameters": 58_000,
        "bytes": 232_000,
        "memory_bytes": 60_000,
        "overhead_macs": 0,
        "carry_bytes": 31_000,
    }
    return Point(**values | fields)


def heartbeat(**fields: Any) -> Heartbeat:
    return Heartbeat(**{"host": "here", "pid": 7, "time": TIME} | fields)


def run_info(**fields: Any) -> RunInfo:
    """The summary of a run of six rounds on digits, by default a finished one."""
    config = {
        "dataset": "digits",
        "teacher": "digits-resnet-s",
        "student": "cnn-xs",
        "rounds": 6,
        "epochs": 8,
        "method": "b-distil",
        "composition": "add",
        "head": "student",
        "loss": "ensemble",
        "batch_size": 128,
        "learning_rate": 0.01,
        "weight_decay": 0.0001,
        "shift": 1,
        "flip": False,
        "views": 2,
    }
    values = {
        "schema": 1,
        "run": "run",
        "kind": "distil",
        "state": "finished",
        "created": TIME,
        "title": "Digits",
        "method": "b-distil",
        "student": "cnn-xs",
        "config": config,
    }
    return RunInfo(**values | fields)

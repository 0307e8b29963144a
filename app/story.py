"""A run at one moment, folded from its events: what Distil shows live, at rest, and in a replay.

`story(info, events)` is the run as its files say it is; `story_so_far(info, events)` makes the summary and the
heartbeat of the moment as well, which is all that a replay needs. Pure functions of dictionaries: no Streamlit, no
files, no torch. Words are made of it by `narration` and
`happened`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Event = Mapping[str, Any]
ATTEMPT = ("round", "attempt", "composition", "rung", "student", "seed", "barrier", "edge_min", "edges", "edges_before",
           "certified", "kl_before", "kl_after", "accuracy_lost", "correction_seconds", "turned_down", "seconds",
           "outcome")  # fmt: skip


@dataclass
class Story:
    """A run at one moment.

    info, beat: summary and heartbeat as of that moment (beat None: nothing trains). events: those up to then.
    points, records: a row a finished round; a polish replaces them, and `unpolished` keeps the points as they were.
    attempts: a row each, the unfinished one with outcome `training`; `taken` where no attempt met the condition and
    this one was the best. heads: a row for each student whose head was looked at after the polish.
    """

    info: dict[str, Any]
    beat: Mapping[str, Any] | None = None
    events: Sequence[Event] = ()
    points: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    unpolished: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, Any]] = field(default_factory=list)
    told: int = 0

    @property
    def signature(self) -> tuple:
        """Changes when charts, tables or the log should be drawn again: a student's epoch is too little for that."""
        epochs = len(self.events) - self.told if self.info["kind"] == "teach" else 0
        return self.info["state"], self.info["phase"], self.told, epochs

    @property
    def fraction(self) -> float:
        """Finished share of the round in progress (of all of a teacher's training), in [0, 1]."""
        return min(max((self.beat or {}).get("fraction") or 0.0, 0.0), 1.0)


def story(info: Mapping[str, Any], events: Sequence[Event], beat: Mapping[str, Any] | None = None) -> Story:
    """The run with the summary `info` (run.json), all its events, and its heartbeat."""
    told = Story(dict(info), beat, events)
    for event in events:
        _fold(told, event)
    training = told.attempts[-1] if told.attempts else {}
    if beat and training.get("outcome") == "training" and training["round"] == beat.round:
        told.beat = {**beat, "composition": training["composition"]}
    return told


def story_so_far(info: Mapping[str, Any], events: Sequence[Event]) -> Story:
    """The run as it was after the given first events, whatever became of it later."""
    told = story({**info, "state": "queued", "phase": None, "error": None, "worker_gone": False}, events)
    for event in events:
        _relive(told, event)
    told.info |= {"rounds_done": len(told.points), "points": told.points}
    return told


def _fold(told: Story, event: Event) -> None:
    """Takes one event into the rows. A resumed run may tell an epoch or a round twice: the later one counts."""
    kind = event.kind
    if kind == "round_started":
        _put(told.attempts, {**_attempt(event), "outcome": "training"})
    elif kind == "attempt_finished":
        _put(told.attempts, _attempt(event))
    elif kind == "round_uncertified":
        for row in told.attempts:
            row["taken"] = row.get("taken") or (row["round"], row["attempt"]) == (event.round, event.attempt)
    elif kind == "head_corrected":
        told.heads = [row for row in told.heads if row["round"] < event.round] + [dict(event)]
    elif kind == "polish_finished":
        told.unpolished = told.unpolished or told.points
        told.records, told.points = ([row[name] for row in event.rounds] for name in ("record", "point"))
    elif kind == "round_finished":
        for row in told.attempts:
            if row["round"] == event.round and row["outcome"] == "training":
                row["outcome"] = "trained"  # a corrective round: its student is checked after the polish
        told.records = [row for row in told.records if row["round"] < event.round] + [event.record]
        told.points = [row for row in told.points if row["prefix"] < event.round] + [event.point]
    told.told += kind != "epoch"


def _attempt(event: Event) -> dict[str, Any]:
    """What an event tells of an attempt; runs of the first version know neither rungs nor corrections."""
    return {key: event[key] for key in ATTEMPT if key in event}


def _put(attempts: list[dict[str, Any]], row: dict[str, Any]) -> None:
    place = (row["round"], row["attempt"])
    attempts[:] = [old for old in attempts if (old["round"], old["attempt"]) != place] + [row]


def _relive(told: Story, event: Event) -> None:
    """Moves summary and heartbeat of the moment on by one event."""
    kind = event.kind
    if kind in ("queued", "stopped", "failed", "finished"):
        told.info.state, told.beat = kind, told.beat if kind == "stopped" else None
    elif kind == "started":
        told.info.state = "running"
    elif kind == "phase":
        told.info.phase = event.phase
        if event.phase == "polish":
            epochs = told.info.config.polish_epochs
            told.beat = {"phase": "polish", "round": None, "epoch": 1, "epochs": epochs, "fraction": 0.0}
    elif kind == "round_started":
        told.beat = {**_attempt(event), "epoch": 1, "epochs": event.epochs, "fraction": 0.0}
    elif kind == "polish_finished":
        told.beat = None
    elif kind == "round_finished":
        told.beat = {"round": event.round + 1, "fraction": 0.0}
    elif kind == "epoch":
        done, epochs = event.epoch, event.epochs
        told.beat = {**(told.beat or {}), "epoch": min(done + 1, epochs), "epochs": epochs, "fraction": done / epochs}

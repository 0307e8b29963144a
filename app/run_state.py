"""A run at one moment, folded from its events: what Distil shows live, at rest, and in a replay.

`run_state(info, events)` is the run as its files say it is; `state_so_far(info, events)` makes the summary and the
heartbeat of the moment as well, which is all that a replay needs. Pure functions of records: no Streamlit, no files, no
torch. `run_text` and `event_log` word it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bdistil.records import (
    AnyEvent,
    AttemptFinished,
    AttemptRecord,
    Candidate,
    EpochFinished,
    HeadCorrected,
    Heartbeat,
    PhaseBegan,
    Point,
    PolishFinished,
    RoundFinished,
    RoundRecord,
    RoundStarted,
    RoundUnmet,
    RunFailed,
    RunFinished,
    RunQueued,
    RunStopped,
    WorkerStarted,
)
from bdistil.runs import RunInfo

ENDS = {RunQueued: "queued", RunStopped: "stopped", RunFailed: "failed", RunFinished: "finished"}


@dataclass(frozen=True)
class Attempt:
    """An attempt at a student. record: what became of it, None while it trains. trained: whether its round has ended.

    kept_unmet: no attempt of the round met the condition, and this one came closest.
    """

    candidate: Candidate
    record: AttemptRecord | None = None
    trained: bool = False
    kept_unmet: bool = False

    @property
    def place(self) -> tuple[int, int]:
        return self.candidate.round, self.candidate.attempt

    @property
    def outcome(self) -> str:
        """`training`; `trained` where students are checked after the polish; else that of its record."""
        return self.record.outcome if self.record else "trained" if self.trained else "training"


@dataclass
class RunState:
    """A run at one moment.

    info, beat: summary and heartbeat as of that moment (beat None: nothing trains). composition: of the student in
    training. events: those up to then. points, records: one a finished round; a polish replaces them, and `unpolished`
    keeps the points as they were. heads: the students whose heads were checked after the polish. steps: events that
    change more than an epoch's loss.
    """

    info: RunInfo
    beat: Heartbeat | None = None
    events: Sequence[AnyEvent] = ()
    points: list[Point] = field(default_factory=list)
    records: list[RoundRecord] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    unpolished: list[Point] = field(default_factory=list)
    heads: list[HeadCorrected] = field(default_factory=list)
    steps: int = 0

    @property
    def signature(self) -> tuple[str, str | None, int, int]:
        """Changes when charts, tables or the log should be drawn again: a student's epoch is too little for that."""
        epochs = len(self.events) - self.steps if self.info.kind == "teach" else 0
        return self.info.state, self.info.phase, self.steps, epochs

    @property
    def fraction(self) -> float:
        """Finished share of the round in progress (of all of a teacher's training), in [0, 1]."""
        return (self.beat and self.beat.fraction) or 0.0

    @property
    def composition(self) -> str | None:
        """How the student in training reads those before it; None where nothing trains."""
        last = self.attempts[-1] if self.attempts else None
        if last and self.beat and last.outcome == "training" and last.candidate.round == self.beat.round:
            return last.candidate.composition
        return None


def run_state(info: RunInfo, events: Sequence[AnyEvent], beat: Heartbeat | None = None) -> RunState:
    """The run with the summary `info`, all its events, and its heartbeat."""
    state = RunState(info, beat, events)
    for event in events:
        _fold(state, event)
    return state


def state_so_far(info: RunInfo, events: Sequence[AnyEvent]) -> RunState:
    """The run as it was after the given first events, whatever became of it later."""
    begun = info.model_copy(update={"state": "queued", "phase": None, "error": None, "worker_gone": False})
    state = run_state(begun, events)
    for event in events:
        _relive(state, event)
    points = tuple(state.points)
    state.info = state.info.model_copy(update={"rounds_done": len(points), "points": points})
    return state


def _fold(state: RunState, event: AnyEvent) -> None:
    """Takes one event into the rows. A resumed run may record an epoch or a round twice: the later one counts."""
    match event:
        case RoundStarted():
            _put(state.attempts, Attempt(event))
        case AttemptFinished():
            _put(state.attempts, Attempt(event, event))
        case RoundUnmet():
            place = (event.round, event.attempt)
            state.attempts = [replace(row, kept_unmet=row.kept_unmet or row.place == place) for row in state.attempts]
        case HeadCorrected():
            state.heads = [row for row in state.heads if row.round < event.round] + [event]
        case PolishFinished():
            state.unpolished = state.unpolished or state.points
            state.records = [finished.record for finished in event.rounds]
            state.points = [finished.point for finished in event.rounds]
        case RoundFinished():
            state.attempts = [
                replace(row, trained=row.trained or row.candidate.round == event.round) for row in state.attempts
            ]
            state.records = [row for row in state.records if row.round < event.round] + [event.record]
            state.points = [row for row in state.points if row.prefix < event.round] + [event.point]
    state.steps += not isinstance(event, EpochFinished)


def _put(attempts: list[Attempt], row: Attempt) -> None:
    attempts[:] = [old for old in attempts if old.place != row.place] + [row]


def _relive(state: RunState, event: AnyEvent) -> None:
    """Moves summary and heartbeat of the moment on by one event."""
    begun = Heartbeat(host="", pid=0, time=event.time, fraction=0.0)
    match event:
        case RunQueued() | RunStopped() | RunFailed() | RunFinished():
            state.info = state.info.model_copy(update={"state": ENDS[type(event)]})
            state.beat = state.beat if isinstance(event, RunStopped) else None
        case WorkerStarted():
            state.info = state.info.model_copy(update={"state": "running"})
        case PhaseBegan():
            state.info = state.info.model_copy(update={"phase": event.phase})
            if event.phase == "polish":
                epochs = state.info.distil_config.polish_epochs
                state.beat = begun.model_copy(update={"phase": "polish", "epoch": 1, "epochs": epochs})
        case RoundStarted():
            place = {"round": event.round, "attempt": event.attempt, "epoch": 1, "epochs": event.epochs}
            state.beat = begun.model_copy(update=place)
        case PolishFinished():
            state.beat = None
        case RoundFinished():
            state.beat = begun.model_copy(update={"round": event.round + 1})
        case EpochFinished():
            done, epochs = event.epoch, event.epochs
            now = {"epoch": min(done + 1, epochs), "epochs": epochs, "fraction": done / epochs}
            state.beat = (state.beat or begun).model_copy(update=now)

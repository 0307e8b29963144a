"""The search for each student, as it happens and as it was: edges by class, losses, attempts, corrected heads.

A round trains a student, corrects its output layer so that it meets the weak learning condition, and else tries again
(FIND-WL; Algorithm 2). Each part draws one thing of a `RunState`.
"""

from collections.abc import Sequence

import streamlit as st
import theme
import ui
from run_state import Attempt, RunState

from bdistil.method_registry import polishes
from bdistil.records import AttemptRecord, Candidate, Correction, HeadCorrected, RoundRecord
from bdistil.report import figures, formats

LIVE = ("queued", "running")
UNMET = {"edge": "✕ edge", "kl": "✕ KL"}
HOW = "Above zero, the student corrects the ensemble on that class; crosses lie below."
HOLLOW = " Hollow: before its output layer was corrected."


def attempts(now: RunState) -> None:
    """Edges and losses side by side, then the attempts; the charts come with the first round."""
    if not now.attempts and not now.records:
        return
    if now.records:
        left, right = st.columns([3, 2], gap="large")
        with left:
            _edges(now)
        with right:
            _losses(now)
    else:
        st.header("How each round learned", anchor=False)
        ui.muted("The charts appear when round 1 ends.")
    if now.attempts:
        _attempts(now)
    if now.heads:
        _heads(now)


def _edges(now: RunState) -> None:
    st.header("Does each student correct the ones before it?", anchor=False)
    rows: list[RoundRecord | AttemptRecord] = [*now.records, *_missed(now)]
    corrected = any(figures.was_corrected(row) for row in rows)
    ui.muted(HOW + (HOLLOW if corrected else ""))
    classes = now.info.known_dataset.classes
    figure = figures.edges(rows, theme=theme.name(), rounds=now.info.distil_config.rounds, classes=classes)
    ui.chart(figure, "edges", f"Edge of each student by class, {len(now.records)} rounds")
    with st.expander("The edges as a table"):
        lines: list[tuple[str, ...]] = []
        for row in rows:
            if figures.was_corrected(row):
                lines.append((f"{row.round}, before", *_signed(row.edges_before)))
            lines.append((str(row.round), *_signed(row.edges)))
        ui.table(("Round", *classes), lines, numeric=range(1, 1 + len(classes)), label="Edges by round and class")


def _missed(now: RunState) -> list[AttemptRecord]:
    """The newest attempt of the round in progress that has failed, beside the records."""
    ended = [row.record for row in now.attempts if row.candidate.round == len(now.records) + 1 and row.record]
    return ended[-1:]


def _signed(edges: Sequence[float]) -> list[str]:
    return [formats.edge(edge) for edge in edges]


def _losses(now: RunState) -> None:
    st.header("How each round learned", anchor=False)
    ui.muted("The loss by epoch, a line a round.")
    figure = figures.losses(now.events, theme=theme.name(), rounds=now.info.distil_config.rounds)
    ui.chart(figure, "losses", "Distillation loss by epoch, a line a round")
    with st.expander("The losses as a table"):
        lines = figures.losses_record(now.events)
        longest = max((len(line.epochs) for line in lines), default=0)
        rows = [(line.name, *(formats.decimal(loss, 4) for loss in line.losses)) for line in lines]
        head = ("Round", *(f"Epoch {epoch}" for epoch in range(1, longest + 1)))
        ui.table(head, rows, numeric=range(1, longest + 1), label="Loss by round and epoch")


def _attempts(now: RunState) -> None:
    """A row an attempt. Joint rounds try once and check nothing: their rows are short."""
    st.header("Attempts", anchor=False)
    resting, label = now.info.state not in LIVE, f"Attempts of {now.info.method}"
    if polishes(now.info.method):
        ui.muted("Each round trains all students so far. The weak learning condition is checked after the polish.")
        short = [
            (row.candidate.round, _rung(row.candidate), f"{row.candidate.barrier:g}", _outcome(row, resting))
            for row in now.attempts
        ]
        ui.table(("Round", "Composition and student", "Barrier", "Outcome"), short, numeric=(2,), label=label)
        return
    if now.info.distil_config.meet_condition:
        ui.muted("An output layer is corrected for its own round, and so that the next one has something to correct.")
    head = ("Round", "Attempt", "Outcome", "Smallest edge", "Correction", "Composition and student", "Barrier", "Seed")
    rows = [
        (
            *row.place,
            _outcome(row, resting),
            _smallest(row.record),
            _correction(row.record),
            _rung(row.candidate),
            f"{row.candidate.barrier:g}",
            _seed(row.record),
        )
        for row in now.attempts
    ]
    ui.table(head, rows, numeric=(3, 6, 7), label=label)


def _seed(record: AttemptRecord | None) -> str:
    return "–" if record is None or record.seed is None else str(record.seed)


def _heads(now: RunState) -> None:
    st.header("Output layers after the polish", anchor=False)
    sentence = "The polish has moved all students: they are checked again and, where one misses, corrected together"
    whole = now.heads[0].correction_seconds * len(now.records)  # each has its share
    if whole:
        sentence += f", in {formats.seconds(whole)}. Student 1 has nothing to meet; its output layer moved with theirs"
    ui.muted(f"{sentence}.")
    head = ("Student", "Smallest edge", "Correction", "Outcome")
    rows = [(head.round, _smallest(head), _change(head) or "–", _head_outcome(head)) for head in now.heads]
    ui.table(head, rows, numeric=(1,), label=f"Output layers after the polish of {now.info.method}")


def _rung(candidate: Candidate) -> str:
    """The class of students that was tried: `concat-all, cnn-m`."""
    return f"{candidate.composition}, {candidate.student}"


def _smallest(record: AttemptRecord | HeadCorrected | None) -> str:
    """The smallest edge, before and after a correction: `−0.0120 → +0.0030`."""
    if record is None:
        return "–"
    after = formats.edge(min(record.edges))
    if not figures.was_corrected(record):
        return after
    arrow = f"{formats.NO_BREAK}→{formats.NO_BREAK}"
    return f"{formats.edge(min(record.edges_before))}{arrow}{after}"


def _correction(record: AttemptRecord | None) -> str:
    """What correcting the output layer changed: `KL +0.4 %, accuracy −0.02, 1.4 s`; a dash where none was tried."""
    if record is None:
        return "–"
    took = formats.seconds(record.correction_seconds) if record.correction_seconds else ""
    change = _change(record) or (took and "not taken")
    return ", ".join(filter(None, (change, took))) or "–"


def _change(record: Correction) -> str:
    """The same without the time; nothing where none was tried, or an older run does not tell."""
    tried = record.rejected or (record if record.outcome != "kept" or record.corrected else None)
    if tried is None:
        return ""
    if tried.kl_after is None:
        return tried.why
    change = f"KL {formats.kl_change(record.kl_before, tried.kl_after)}"
    lost = tried.accuracy_lost
    return change if lost is None else f"{change}, accuracy {formats.signed(-100 * lost, 2)}"


def _outcome(row: Attempt, resting: bool) -> str:
    if row.outcome == "training":
        return "interrupted" if resting else "training"
    if row.record is None:
        return row.outcome
    words = _record_outcome(row.record, row.candidate.round)
    return f"{words}, yet the best" if row.kept_unmet and row.outcome in UNMET else words


def _record_outcome(record: Correction, round: int) -> str:
    if record.outcome == "kept":
        return "✓ kept" if record.condition_met else "kept, a class is missed"
    if record.outcome == "corrected":
        return (
            "✓ corrected"
            if _missed_before(record, round)
            else "✓ condition met; adjusted so that the next student can improve on it"
        )
    return UNMET[record.outcome]


def _missed_before(record: Correction, round: int) -> bool:
    """Whether a class was missed before the correction; round 1 has none to miss."""
    return round > 1 and min(record.edges_before) <= 0


def _head_outcome(head: HeadCorrected) -> str:
    """Of a head after the polish: all are corrected together, those that miss no class as well."""
    return "✓ corrected" if head.corrected else _record_outcome(head, head.round)

"""The search for each student, as it happens and as it was: edges by class, losses, attempts, corrected heads.

A round trains a student, corrects its output layer so that it meets the weak learning condition, and else tries again
(FIND-WL; Algorithm 2). Each part draws one thing of a `Story`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
import theme
import ui
from story import Story

from bdistil.report import figures, formats

LIVE = ("queued", "running")
OUTCOMES = {"edge": "✕ edge", "kl": "✕ KL", "trained": "trained"}
HOW = "Above zero, the student corrects the ensemble on that class; crosses lie below."
HOLLOW = " Hollow: before its output layer was corrected."

Row = Mapping[str, Any]


def search(now: Story) -> None:
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


def _edges(now: Story) -> None:
    st.header("Does each student correct the ones before it?", anchor=False)
    rows = [*now.records, *_missed(now)]
    corrected = any(figures.was_corrected(row) for row in rows)
    ui.muted(HOW + (HOLLOW if corrected else ""))
    classes = now.info.dataset.classes
    figure = figures.edges(rows, theme=theme.name(), rounds=now.info.config.rounds, classes=classes)
    ui.chart(figure, "edges", f"Edge of each student by class, {len(now.records)} rounds")
    with st.expander("The edges as a table"):
        told = []
        for row in rows:
            if figures.was_corrected(row):
                told.append((f"{row['round']}, before", *_signed(row["edges_before"])))
            told.append((row["round"], *_signed(row["edges"])))
        ui.table(("Round", *classes), told, numeric=range(1, 1 + len(classes)), label="Edges by round and class")


def _missed(now: Story) -> list[Row]:
    """The newest attempt of the round in progress that has failed, in the form of a record."""
    ended = [row for row in now.attempts if row["round"] == len(now.records) + 1 and row.get("edges")]
    return ended[-1:]


def _signed(edges: Sequence[float]) -> list[str]:
    return [formats.edge(edge) for edge in edges]


def _losses(now: Story) -> None:
    st.header("How each round learned", anchor=False)
    ui.muted("The loss by epoch, a line a round.")
    figure = figures.losses(now.events, theme=theme.name(), rounds=now.info.config.rounds)
    ui.chart(figure, "losses", "Distillation loss by epoch, a line a round")
    with st.expander("The losses as a table"):
        lines = figures.losses_record(now.events)
        longest = max((len(line.epochs) for line in lines), default=0)
        rows = [(line.name, *(formats.decimal(loss, 4) for loss in line.losses)) for line in lines]
        head = ("Round", *(f"Epoch {epoch}" for epoch in range(1, longest + 1)))
        ui.table(head, rows, numeric=range(1, longest + 1), label="Loss by round and epoch")


def _attempts(now: Story) -> None:
    """A row an attempt. Corrective rounds try once and check nothing: their rows are short."""
    st.header("Attempts", anchor=False)
    resting, label = now.info.state not in LIVE, f"Attempts of {now.info.method}"
    if now.info.method == "b-distil+polish":
        ui.muted("A round trains all students so far, once. They are checked, and corrected, after the polish.")
        rows = [(row["round"], _rung(row), f"{row['barrier']:g}", _outcome(row, resting)) for row in now.attempts]
        ui.table(("Round", "Composition and student", "Barrier", "Outcome"), rows, numeric=(2,), label=label)
        return
    if now.info.config.certified:
        ui.muted("An output layer is corrected for its own round, and so that the next one has something to correct.")
    head = ("Round", "Attempt", "Outcome", "Smallest edge", "Correction", "Composition and student", "Barrier", "Seed")
    rows = [
        (row["round"], row["attempt"], _outcome(row, resting), _smallest(row), _correction(row), _rung(row),
         f"{row['barrier']:g}", row.get("seed", "–"))
        for row in now.attempts
    ]  # fmt: skip
    ui.table(head, rows, numeric=(3, 6, 7), label=label)


def _heads(now: Story) -> None:
    st.header("Output layers after the polish", anchor=False)
    told = "The polish has moved all students: they are checked again and, where one misses, corrected together"
    whole = now.heads[0]["correction_seconds"] * len(now.records)  # each is told its share
    if whole:
        told += f", in {formats.seconds(whole)}. Student 1 has nothing to meet; its output layer moved with theirs"
    ui.muted(f"{told}.")
    head = ("Student", "Smallest edge", "Correction", "Outcome")
    heads = [{"outcome": "corrected" if row["corrected"] else "kept", **row} for row in now.heads]
    rows = [(row["round"], _smallest(row), _change(row) or "–", _head_outcome(row)) for row in heads]
    ui.table(head, rows, numeric=(1,), label=f"Output layers after the polish of {now.info.method}")


def _rung(row: Row) -> str:
    """The class of students that was tried: `concat-all, cnn-m`."""
    return ", ".join(filter(None, (row["composition"], row.get("student"))))


def _smallest(row: Row) -> str:
    """The smallest edge, before and after a correction: `−0.0120 → +0.0030`."""
    if not row.get("edges"):
        return "–"
    after = formats.edge(min(row["edges"]))
    if not figures.was_corrected(row):
        return after
    arrow = f"{formats.NO_BREAK}→{formats.NO_BREAK}"
    return f"{formats.edge(min(row['edges_before']))}{arrow}{after}"


def _correction(row: Row) -> str:
    """What correcting the output layer changed: `KL +0.4 %, accuracy −0.02, 1.4 s`; a dash where none was tried."""
    if not row.get("edges"):
        return "–"
    took = formats.seconds(row["correction_seconds"]) if row["correction_seconds"] else ""
    change = _change(row) or (took and "not taken")
    return ", ".join(filter(None, (change, took))) or "–"


def _change(row: Row) -> str:
    """The same without the time; nothing where none was tried, or an older run does not tell."""
    tried = row.get("turned_down") or (row if row["outcome"] != "kept" else {})
    if "kl_after" not in tried:
        return tried.get("why", "")
    change = f"KL {formats.kl_change(row['kl_before'], tried['kl_after'])}"
    if "accuracy_lost" in tried:
        change += f", accuracy {formats.signed(-100 * tried['accuracy_lost'], 2)}"
    return change


def _outcome(row: Row, resting: bool) -> str:
    outcome = row["outcome"]
    if outcome == "training":
        return "interrupted" if resting else "training"
    if outcome == "kept":
        return "✓ kept" if row.get("certified", True) else "kept, a class is missed"
    if outcome == "corrected":
        return "✓ corrected" if _missed_before(row) else "✓ met, and prepared for the next"
    return OUTCOMES[outcome] + (", yet the best" if row.get("taken") else "")


def _missed_before(row: Row) -> bool:
    """Whether a class was missed before the correction; round 1 has none to miss."""
    return row["round"] > 1 and min(row["edges_before"]) <= 0


def _head_outcome(row: Row) -> str:
    """Of a head after the polish: all are corrected together, those that miss no class as well."""
    return "✓ corrected" if row["corrected"] else _outcome(row, resting=True)

"""The runs on Home: one's own, with filter and order where they are many, and the samples; renaming, notes, deleting.

What is being edited, and what was deleted since the page was opened, is forgotten when another page is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import cards
import streamlit as st
import theme
import ui

from bdistil.errors import UserError, printable
from bdistil.method_registry import DEFAULT_METHOD
from bdistil.records import MOST_NAME, MOST_NOTE
from bdistil.report import formats, palette
from bdistil.report.silence import silence
from bdistil.runs import (
    Run,
    RunInfo,
    RunSummary,
    delete_run,
    list_runs,
    note_run,
    open_run,
    rename_run,
    restore_run,
)
from bdistil.runs.manage import KEPT

MANY = 10  # own runs; above that they can be filtered and sorted
AT_ONCE = 30  # cards
EVERY = 5  # seconds between two looks while something trains


@dataclass
class _Open:
    """What Home remembers until another page is opened.

    edited: the run whose dialog is open. deleted: runs that can be brought back, with their titles. most: how many
    cards are shown.
    """

    edited: str | None = None
    deleted: list[tuple[str, str]] = field(default_factory=list)
    most: int = AT_ONCE


@dataclass
class _Search:
    """The words that runs are found by, and their order; kept over page switches."""

    words: str = ""
    order: str = next(iter(cards.ORDERS))


def _open() -> _Open:
    return st.session_state.setdefault(ui.HOME_ONLY, _Open())


def section(runs: list[RunSummary]) -> None:
    """Draws the runs, looks again while something trains, and opens the dialog of the run that is being edited."""
    alive = any(s.info and s.info.state in ("running", "queued") for s in runs)
    own = any(not s.sample for s in runs)
    st.header("Your runs" if own else "Runs", anchor=False)
    with st.container():  # its place is kept: what stands below is not drawn anew
        _deleted()
    if own:
        _own(EVERY if alive else None)
        st.header("Samples", anchor=False)
    samples = sorted((s for s in runs if s.sample), key=lambda s: not s.info or s.info.method != DEFAULT_METHOD)
    _grid([*samples, *([] if own else [None])])
    if (edited := _open().edited) is not None:
        _edit(edited)


def _own(every: float | None) -> None:
    """One's own runs: those that the filter finds, in the chosen order, the first ones as cards."""

    @st.fragment(run_every=every)
    def own() -> None:
        runs = list_runs(samples=False)
        found = _found(runs) if len(runs) > MANY else runs
        most = _open().most
        _grid(found[:most])
        if len(found) > most:
            with st.container(key="more-cards", horizontal=True, vertical_alignment="center"):
                ui.muted(f"{formats.count(most)} of {formats.count(len(found))} runs.")
                st.button(f"Show {AT_ONCE} more", on_click=_more)

    own()


def _more() -> None:
    _open().most += AT_ONCE


def _found(runs: list[RunSummary]) -> list[RunSummary]:
    """Draws filter and order; returns the runs that are found, in that order."""
    kept: _Search = st.session_state.setdefault("find", _Search())
    with st.container(key="find-runs", horizontal=True, vertical_alignment="bottom"):
        kept.words = st.text_input(
            "Find runs", kept.words, placeholder="name, note, data, method, state", key="find-words", live=True
        )
        orders = list(cards.ORDERS)
        kept.order = st.selectbox("Order", orders, orders.index(kept.order), key="find-order", width=220)
    found = cards.ORDERS[kept.order]([s for s in runs if cards.matches(s, kept.words)])
    if not found:
        ui.muted(f"None of your {formats.count(len(runs))} runs has all these words.")
    return found


def _grid(drawn: Sequence[RunSummary | None]) -> None:
    """Cards in rows of three; None is the card that invites to a first run."""
    for start in range(0, len(drawn), 3):
        for column, summary in zip(st.columns(3), drawn[start : start + 3], strict=False):
            with column:
                _first() if summary is None else _card(summary)


def _first() -> None:
    with st.container(border=True, key="card-first", height="stretch", vertical_alignment="distribute"):
        _text(cards.Card("Your first run", "not started", "", "Digits take about a minute."), "")
        if st.button("Distil digits", key="card-button-first"):
            ui.go("distil", dataset="digits")


def _card(summary: RunSummary) -> None:
    """The card of a run: what it is, the way to its page, and, where it is one's own, the way to change it."""
    name, info = summary.id, summary.info
    with st.container(border=True, key=f"card-{name}", height="stretch", vertical_alignment="distribute"):
        silent = silence(Run(summary.path).heartbeat()) if info and info.state in ("queued", "running") else None
        shown = cards.card(info, summary.error, name, silent, can_train=ui.has_torch())
        _text(shown, cards.sparkline(info, palette.THEMES[theme.name()]) if info else "")
        with st.container(key=f"card-buttons-{name}", horizontal=True):
            if shown.button and shown.page and st.button(shown.button, key=f"card-button-{name}"):
                ui.go(shown.page, run=name)
            if summary.sample:
                return
            if info and st.button("Edit", key=f"card-edit-{name}", type="tertiary"):
                _open().edited = name
                st.rerun()
            if not info and st.button("Delete", key=f"card-delete-{name}", type="tertiary"):
                _delete(Run(summary.path), name)


def _text(shown: cards.Card, line: str) -> None:
    note = f'<p class="remark">{escape(shown.note)}</p>' if shown.note else ""
    st.html(
        f'<div class="card"><h3>{escape(printable(shown.title))}</h3>'
        f'<p class="state">{escape(shown.state)}<br>{escape(shown.made)}</p>'
        f"{line or '<div class=spark></div>'}"
        f'<p class="sentence">{escape(printable(shown.sentence))}</p>{note}</div>'
    )


def _close() -> None:
    _open().edited = None


@st.dialog("Edit run", on_dismiss=_close)
def _edit(name: str) -> None:
    """Name and note of a run, and its deletion where that can be."""
    try:
        run = open_run(name)
        info = run.info()
    except UserError as error:
        ui.muted(str(error))
        return
    ui.muted(f"{cards.made(info)}. Folder {name}.")
    with st.form("edit", border=False):
        title = st.text_input("Name", info.title, max_chars=MOST_NAME)
        note = st.text_area("Note", info.note, max_chars=MOST_NOTE)
        with st.container(horizontal=True):
            save = st.form_submit_button("Save", type="primary")
            delete = not run.is_alive() and st.form_submit_button("Delete this run")
    if run.is_alive():
        ui.muted("It can be deleted when it is not training.")
    if save:
        _save(run, info, title, note)
    elif delete:
        _delete(run, info.title)


def _save(run: Run, info: RunInfo, title: str, note: str) -> None:
    """Writes what has changed, and closes the dialog."""
    try:
        if title != info.title:
            rename_run(run, title)
        if note != info.note:
            note_run(run, note)
    except UserError as error:
        ui.muted(str(error))
        return
    _close()
    st.rerun()


def _delete(run: Run, title: str) -> None:
    """Deletes a run, to be undone as long as the page is open."""
    try:
        delete_run(run)
    except UserError as error:
        ui.muted(str(error))
        return
    _open().deleted.append((run.id, title))
    _close()
    st.rerun()


def _deleted() -> None:
    """What was deleted since the page was opened, and its undoing, the last one first."""
    deleted = _open().deleted
    if not deleted:
        return
    name, title = deleted[-1]
    what = f"Deleted “{title}”."
    if len(deleted) > 1:
        what = f"Deleted {formats.count(len(deleted))} runs, the last one “{title}”."
    what += f" Later, bdistil restore {name} brings it back, for {KEPT.days} days."
    with st.container(key="deleted", border=True, horizontal=True, vertical_alignment="center"):
        st.html(f'<p role="status">{escape(printable(what))}</p>')
        if st.button("Undo"):
            try:
                restore_run(name)
            except UserError as error:
                ui.muted(str(error))
                return
            deleted.pop()
            st.rerun()

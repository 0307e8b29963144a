"""The sections of Explore below its instrument, and what it says of a run that is not finished.

Each draws one thing of loaded `Results` at a prefix; the numbers come from `bdistil.results`, charts from
`bdistil.report.figures`, tables and pictures from `bdistil.report.tables`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import run_text
import streamlit as st
import theme
import ui
from plotly.graph_objects import Figure

from bdistil import data
from bdistil.errors import UserError
from bdistil.records import DatasetRecord
from bdistil.report import figures, formats, series_drawing, tables
from bdistil.report.cost_axes import CostAxis
from bdistil.report.palette import ThemeName
from bdistil.results import Results
from bdistil.results.confusion import by_class as accuracy_by_class
from bdistil.results.confusion import confusion as confusion_of
from bdistil.results.disagreements import disagreements as disagreements_of
from bdistil.results.loading import FrontierPoint
from bdistil.results.scarce import largest_class, scarce_of
from bdistil.runs import Run, RunInfo
from bdistil.runs.previews import Examples, Series, may_be_of, previews, read

VIEWS = ("students", "teacher", "difference")
COLUMNS = (
    "Students",
    "Accuracy",
    "from",
    "to",
    "Points below the teacher",
    "Agreement",
    "Validation",
    "Fixed",
    "Broken",
    "MACs",
    "Share",
    "For reading",
    "Carried",
    "Parameters",
    "Model size",
)
_V = TypeVar("_V")


def state(run: Run, info: RunInfo) -> None:
    """Says of a run that is not finished how far it is, and leads to its page; nothing of a finished one."""
    if info.state in ("running", "queued"):
        _growing(run, len(info.points))
    elif info.state in ("stopped", "failed"):
        failed = info.state == "failed"
        with ui.notice(run_text.explore_note(info) or "", key="unfinished", bad=failed):
            if st.button("See why" if failed else "Resume", type="primary"):
                ui.go("distil", run=run.id)


def _growing(run: Run, points: int) -> None:
    """Looks every other second; draws the page again when a point has come or the run has come to rest."""

    @st.fragment(run_every=2)
    def note() -> None:
        try:
            info = run.info()
        except UserError:
            st.rerun()
        if len(info.points) != points or info.state not in ("running", "queued"):
            st.rerun()
        ui.muted(run_text.explore_note(info, _round(run)) or "")

    note()


def caveats(results: Results, prefix: int) -> None:
    """Below the headline: classes that no test example is of, and an accuracy below what a constant answer reaches."""
    absent = formats.scarce(replace(scarce_of(results, "test"), thin=()))
    below = formats.below_largest(results.points[prefix - 1].accuracy, *largest_class(results))
    if absent or below:
        ui.muted(" ".join([*([below] if below else []), *absent]))


def scarce(results: Results, split: str) -> None:
    """Names the classes of which a split has no example or few, below a figure by class that is about this split."""
    found = formats.scarce(scarce_of(results, split))
    if found:
        ui.muted(" ".join(found))


def _round(run: Run) -> int | None:
    """The round in training, None where nothing says so."""
    beat = run.heartbeat()
    return beat.round if beat else None


def frontier(results: Results, axis: CostAxis) -> None:
    """The chart to scale, constant while the thumb moves; a click on a point moves the thumb there."""
    st.header(f"Accuracy against cost, {results.run.method}", anchor=False)
    caption = f"{formats.intervals(results.people_counted)} Click a point to move the slider there."
    if results.unpolished is not None:
        caption += " Small and hollow: accuracy as each round ended, before all students were polished together."
    ui.muted(" ".join([caption, *formats.black_box(results.run.known_teacher), run_text.recipe(results.run)]))
    key = f"frontier-{results.run.run}-{axis.key}"
    run = results.run
    figure = _figure(
        str(run.run), run.created.isoformat(), len(results.points), run.state, axis.key, theme.name(), results
    )
    st.plotly_chart(
        figure,
        key=key,
        theme=None,
        config=ui.CHART,
        on_select=lambda: ui.clicked(key),
        selection_mode="points",
        alt=f"Accuracy on the test split against cost: {formats.students(len(results.points))}, the teacher as a line",
    )
    with st.expander("The numbers as a table"):
        _numbers(results)


@st.cache_resource(max_entries=16, show_spinner=False)
def _figure(run: str, created: str, points: int, state: str, cost: str, look: ThemeName, _results: Results) -> Figure:
    # run, created, points and state are the cache's key only.
    teacher = _results.run.known_teacher
    return figures.frontier(_results.points, teacher, cost=cost, theme=look, unpolished=_results.unpolished)


def _numbers(results: Results) -> None:
    method = results.run.method
    _table(results.points, f"The frontier of {method} as a table")
    if results.unpolished is not None:
        ui.muted("As each round ended, before the polish:")
        _table(results.unpolished, f"The frontier of {method} before its polish as a table")


def _table(points: Sequence[FrontierPoint], label: str) -> None:
    rows = [
        (
            str(point.prefix),
            formats.percent(point.accuracy, 2),
            formats.percent(point.accuracy_low),
            formats.percent(point.accuracy_high),
            formats.decimal(point.points_lost, 2),
            formats.percent(point.agreement),
            formats.percent(point.validation.accuracy),
            known(point.fixed, formats.count),
            known(point.broken, formats.count),
            formats.quantity(point.macs),
            known(point.macs_ratio, formats.share),
            formats.quantity(point.overhead_macs),
            formats.size(point.carry_bytes),
            formats.quantity(point.parameters),
            formats.size(point.bytes),
        )
        for point in points
    ]
    ui.table(COLUMNS, rows, numeric=range(1, len(COLUMNS)), label=label)


def known(value: _V | None, words: Callable[[_V], str]) -> str:
    """A value in words, a dash where it is unknown."""
    return "–" if value is None else words(value)


def confusion(results: Results, prefix: int) -> None:
    """Which classes are mixed up: the prefix, the teacher, or the difference."""
    st.header("Which classes it mixes up", anchor=False)
    names = {"students": formats.students(prefix)}
    view = st.segmented_control(
        "Whose answers",
        VIEWS,
        default="students",
        required=True,
        key="confusion",
        label_visibility="collapsed",
        format_func=lambda name: names.get(name, name),
    )
    st.html(tables.confusion_table(confusion_of(results, prefix), view))
    key = "Rows: true class. Columns: answer. Percent of the row."
    ui.muted(f"{key} Orange: worse than the teacher, blue: better." if view == "difference" else key)
    scarce(results, "test")


def by_class(results: Results, prefix: int) -> None:
    """Accuracy by class beside the teacher's, worst first."""
    st.header("Accuracy by class", anchor=False)
    st.html(tables.class_table(accuracy_by_class(results, prefix), prefix))
    scarce(results, "test")


def disagreements(results: Results, prefix: int) -> None:
    """The test examples on which the prefix and the teacher differ, drawn where they are at hand."""
    st.header(f"Where {formats.students(prefix)} and the teacher disagree", anchor=False)
    count, found = disagreements_of(results, prefix)
    caption = formats.disagreement(prefix, count, len(results.labels))
    read = results.points[prefix - 1].window_share
    if not found:
        ui.muted(caption)
        return
    shown = _previews(results.run.known_dataset)
    info = data.CATALOGUE.get(results.run.known_dataset.name)
    if shown is None or len(shown) != len(results.labels):
        if info and not info.preview:
            caption += f" This data’s licence does not permit shipping its {formats.examples(info.modality)}."
        ui.muted(caption)
        st.html(tables.probability_table(found, prefix))
        return
    if isinstance(shown, Series):
        caption += f" {series_drawing.caption(shown, read)}"
        caption += f" Recordings: {info.title}, {info.licence}." if info and shown.recordings else ""
    ui.muted(caption)
    st.html(tables.gallery(found, shown, prefix, theme.name(), read))


def _previews(dataset: DatasetRecord) -> Examples | None:
    """The examples of the test split of run.json's `dataset`, in its order, where they are at hand."""
    path = previews(dataset.name)
    if path is None or not may_be_of(path, dataset.test_checksum):
        return None
    return _read(str(path), path.stat().st_mtime)  # a first run brings them, so absence is not kept


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(path: str, _changed: float) -> Examples | None:
    return read(Path(path))

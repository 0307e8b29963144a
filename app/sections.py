"""The sections of Explore below its instrument, and what it says of a run that is not finished.

Each draws one thing of loaded `Results` at a prefix; the numbers come from `bdistil.results`, charts from
`bdistil.figures`, tables and pictures from `bdistil.markup`.
"""

from typing import Any
from zipfile import BadZipFile

import narration
import numpy as np
import streamlit as st
import theme
import ui
from pandas import DataFrame
from plotly.graph_objects import Figure

from bdistil import data, figures, markup, wording
from bdistil.errors import UserError
from bdistil.palette import ThemeName
from bdistil.paths import ASSETS, home
from bdistil.results import Results
from bdistil.results.confusion import by_class as accuracy_by_class
from bdistil.results.confusion import confusion as confusion_of
from bdistil.results.costs import CostAxis
from bdistil.results.disagreements import disagreements as disagreements_of
from bdistil.runs import Run

VIEWS = ("students", "teacher", "difference")


def state(run: Run, info: dict[str, Any]) -> None:
    """Says of a run that is not finished how far it is, and leads to its page; nothing of a finished one."""
    if info["state"] in ("running", "queued"):
        _growing(run, len(info["points"]))
    elif info["state"] in ("stopped", "failed"):
        failed = info["state"] == "failed"
        with ui.notice(narration.explore_note(info), key="unfinished", bad=failed):
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
        if len(info["points"]) != points or info["state"] not in ("running", "queued"):
            st.rerun()
        ui.muted(narration.explore_note(info, (run.heartbeat() or {}).get("round")))

    note()


def frontier(results: Results, axis: CostAxis) -> None:
    """The chart to scale, constant while the thumb moves; a click on a point moves the thumb there."""
    st.header(f"The frontier of {results.run['method']}, to scale", anchor=False)
    caption = "Whiskers are 95 % intervals on the test split. Click a point to move the slider there."
    if results.unpolished is not None:
        caption += " Small and hollow: each prefix as its round ended, before the polish."
    ui.muted(caption)
    key = f"frontier-{results.run['run']}-{axis.key}"
    run = results.run
    figure = _figure(run["run"], run["created"], len(results.points), run["state"], axis.key, theme.name(), results)
    st.plotly_chart(
        figure, key=key, theme=None, config=ui.CHART, on_select=lambda: ui.clicked(key), selection_mode="points",
        alt=f"Accuracy on the test split against cost: {wording.students(len(results.points))}, the teacher as a line",
    )  # fmt: skip
    with st.expander("The numbers as a table"):
        _numbers(results)


@st.cache_resource(max_entries=16, show_spinner=False)
def _figure(run: str, created: str, points: int, state: str, cost: str, look: ThemeName, _results: Results) -> Figure:
    # run, created, points and state are the cache's key only.
    teacher = _results.run["teacher"]
    return figures.frontier(_results.points, teacher, cost=cost, theme=look, unpolished=_results.unpolished)


def _numbers(results: Results) -> None:
    method = results.run["method"]
    _table(results.points, f"The frontier of {method} as a table")
    if results.unpolished is not None:
        ui.muted("As each round ended, before the polish:")
        _table(results.unpolished, f"The frontier of {method} before its polish as a table")


def _table(points: DataFrame, label: str) -> None:
    columns = {
        "Students": ("prefix", str),
        "Accuracy": ("accuracy", lambda value: wording.percent(value, 2)),
        "from": ("accuracy_low", wording.percent),
        "to": ("accuracy_high", wording.percent),
        "Points below the teacher": ("points_lost", lambda value: wording.decimal(value, 2)),
        "Agreement": ("agreement", wording.percent),
        "Validation": ("validation_accuracy", wording.percent),
        "Fixed": ("fixed", whole),
        "Broken": ("broken", whole),
        "MACs": ("macs", wording.quantity),
        "Share": ("macs_ratio", wording.share),
        "Parameters": ("parameters", wording.quantity),
        "Weights": ("bytes", wording.size),
    }
    rows = [[known(row.get(column), words) for column, words in columns.values()] for row in points.to_dict("records")]
    ui.table(list(columns), rows, numeric=range(1, len(columns)), label=label)


def known(value: Any, words: Any) -> str:
    """A value in words, a dash where it is unknown."""
    return "–" if wording.missing(value) else words(value)


def whole(value: float) -> str:
    return wording.count(int(value))


def confusion(results: Results, prefix: int) -> None:
    """Which classes are mixed up: the prefix, the teacher, or the difference."""
    st.header("Which classes it mixes up", anchor=False)
    names = {"students": wording.students(prefix)}
    view = st.segmented_control(
        "Whose answers", VIEWS, default="students", required=True, key="confusion", label_visibility="collapsed",
        format_func=lambda name: names.get(name, name),
    )  # fmt: skip
    st.html(markup.confusion_table(confusion_of(results, prefix), view))
    key = "Rows: true class. Columns: answer. Percent of the row."
    ui.muted(f"{key} Orange: worse than the teacher, blue: better." if view == "difference" else key)


def by_class(results: Results, prefix: int) -> None:
    """Accuracy by class beside the teacher's, worst first."""
    st.header("Accuracy by class", anchor=False)
    st.html(markup.class_table(accuracy_by_class(results, prefix), prefix))


def disagreements(results: Results, prefix: int) -> None:
    """The test examples on which the prefix and the teacher differ, as pictures where there are any."""
    st.header(f"Where {wording.students(prefix)} and the teacher disagree", anchor=False)
    count, examples = disagreements_of(results, prefix)
    ui.muted(wording.disagreement(prefix, count, len(results.labels)))
    if not examples:
        return
    dataset = results.run["dataset"]["name"]
    pictures = previews(dataset)
    if pictures is None or len(pictures[0]) != len(results.labels):
        if not (dataset in data.CATALOGUE and data.info(dataset).preview):
            ui.muted("This data’s licence does not permit shipping its pictures.")
        st.html(markup.probability_table(examples, prefix))
        return
    images, white = pictures
    st.html(markup.gallery(examples, images[[example.index for example in examples]], white, prefix))


def previews(dataset: str) -> tuple[np.ndarray, float] | None:
    """Pictures of a test split, (N, H, W) or (N, H, W, 3) uint8 in its order, and the value shown as white; or None."""
    paths = (folder / "previews" / f"{dataset}.npz" for folder in (home(), ASSETS))
    path = next((path for path in paths if path.is_file()), None)
    return _pictures(str(path)) if path else None  # their absence is not kept: a first run brings them


@st.cache_resource(max_entries=4, show_spinner=False)
def _pictures(path: str) -> tuple[np.ndarray, float] | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return stored["images"], float(stored["max"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None  # damaged: shown without pictures

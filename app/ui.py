"""What pages share: the one reader of the address, the run and cost-axis pickers, notices, tables, the style sheet.

The address (`?run=…&prefix=3&cost=macs`) is written by the operating-point component alone and read here, on full runs.
What is chosen outlives a page switch in `st.session_state["chosen"]`; widgets belong to their page.
"""

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

import streamlit as st
import theme
from cards import STATES, made
from fields import in_fields
from plotly.graph_objects import Figure
from streamlit.delta_generator import DeltaGenerator

from bdistil.errors import UserError, printable
from bdistil.report import formats
from bdistil.report.cost_axes import CostAxis
from bdistil.results import Results, load
from bdistil.runs import Run, RunInfo, list_runs, open_run

PAGES = {name: f"../pages/{name}.py" for name in ("home", "distil", "explore")}
STYLE = Path(__file__).with_name("style.css")
PICKER = "run-picker"
HOME_ONLY = "home-open"  # where `home_runs` keeps what is forgotten when another page is opened
MOST_NOTE = 40  # characters of a note in the picker
# A chart is looked at, or clicked: no tool bar, no zoom.
CHART = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}


@dataclass(frozen=True)
class Address:
    """What the address asks for; None where it says nothing usable."""

    run: str | None
    prefix: int | None
    cost: str | None
    dataset: str | None
    teacher: str | None


def address() -> Address:
    """Reads the address. Call it on full runs only: in a fragment it is as of the last full run."""
    asked = st.query_params
    run, prefix, cost, dataset, teacher = (
        asked.get(name) or None for name in ("run", "prefix", "cost", "dataset", "teacher")
    )
    return Address(run, int(prefix) if prefix and prefix.isdecimal() else None, cost, dataset, teacher)


def go(page: str, **asked: Any) -> None:
    """Opens another page at an address: `go("explore", run=ID, prefix=3)`. Parameters that are None are left out."""
    st.switch_page(PAGES[page], query_params={key: str(value) for key, value in asked.items() if value is not None})


def begin(page: str) -> None:
    """What every page starts with: the tab's title, the style sheet, a rerun whenever the theme changes.

    What is kept while Home is open only is forgotten elsewhere. Takes no space.
    """
    tab(page)
    if page != "Home":
        st.session_state.pop(HOME_ONLY, None)
    st.html(f"<style>{STYLE.read_text()} .stDialog {{ color-scheme: {theme.name()}; }}</style>")
    with st.container(key="theme"):
        theme.follow()


def tab(page: str, info: RunInfo | None = None) -> None:
    """The title of the browser's tab: the page, and the run and its state where it is of one."""
    parts = [page, info.title, STATES[info.state]] if info else [page, "B-DISTIL Explorer"]
    st.set_page_config(page_title=" · ".join(parts))


@contextmanager
def notice(what: str, advice: str = "", *, key: str, bad: bool = False) -> Iterator[None]:
    """The one pattern for trouble: what is, what to do, and a row for the buttons drawn inside the `with`.

    Options that the sentences name are named by their fields.
    """
    with st.container(key=f"notice-{key}", border=True):
        tone = "bad" if bad else "warning"
        st.html(
            f'<div class="notice" role="status"><span class="{tone}" aria-hidden="true">!</span>'
            f"<p><strong>{escape(printable(in_fields(what)))}</strong> {escape(printable(in_fields(advice)))}</p></div>"
        )
        with st.container(key=f"notice-buttons-{key}", horizontal=True):
            yield


def muted(sentence: str, lead: bool = False) -> None:
    """A caption in the muted colour, options named by their fields; `lead`: a paragraph, at most 62 characters wide."""
    st.html(f'<p class="muted{" lead" if lead else ""}">{escape(printable(in_fields(sentence)))}</p>')


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, numeric: Sequence[int] = (), label: str) -> None:
    """A plain table; `numeric` columns are set right. Cells are escaped: class names and titles are users' text."""

    def cell(tag: str, column: int, text: Any) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{' class=number' if column in numeric else ''}>{escape(printable(text))}</{tag}>"

    body = "".join("<tr>" + "".join(cell("td", i, text) for i, text in enumerate(row)) + "</tr>" for row in rows)
    top = "".join(cell("th", i, text) for i, text in enumerate(head))
    st.html(
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}"><table class="plain">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values, a row each."""
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    st.html(f'<table class="plain pairs"><tbody>{body}</tbody></table>')


def chart(figure: Figure, key: str, alt: str) -> None:
    """Draws a chart that is looked at only. Unchanged, it is left alone by reruns."""
    st.plotly_chart(figure, key=key, alt=alt, theme=None, config=CHART)


def has_torch() -> bool:
    """Whether training is possible here. Looks, and imports nothing."""
    return importlib.util.find_spec("torch") is not None


def results(run: Run) -> Results:
    """A run's results, read again only when a round has been added or the run has changed its name or state.

    Raises UserError if they cannot be read.
    """
    info = run.info()
    return _load(str(run.path), info.created.isoformat(), info.title, info.state, str(run.round_folders()[-1:]))


@st.cache_resource(max_entries=8, show_spinner=False)
def _load(path: str, created: str, title: str, state: str, newest_round: str) -> Results:
    # All but the path are the cache's key only.
    return load(open_run(Path(path)))


def middle(count: int) -> int:
    """The prefix that a frontier of `count` points opens with."""
    return (count + 1) // 2


def select(
    label: str,
    options: Mapping[str, str],
    key: str,
    default: str,
    *,
    place: DeltaGenerator | None = None,
    on_change: Callable[[], None] | None = None,
) -> str:
    """Draws a list of `options`, values by their labels, that outlives a change of labels; returns the chosen value.

    The browser knows a choice by its label. So where labels have changed it is told the choice anew; and where one is
    gone, Streamlit takes the default, which therefore is what was chosen last, or what `remember` was told.
    """
    state, values = st.session_state, list(options)
    last = str(state.get(f"last-{key}", default))
    last = last if last in options else default
    index = values.index(last)
    if key in state and state.get(f"labels-{key}") != options:
        state[key], index = state[key] if state[key] in options else last, 0  # set by state: no default beside it
    state[f"labels-{key}"] = dict(options)
    draw = (place or st).selectbox
    change: Callable[[], None] | Literal["rerun"] = on_change or "rerun"
    picked = draw(label, values, index, format_func=lambda value: options[value], key=key, on_change=change)
    remember(key, picked)
    return picked


def remember(key: str, value: str) -> None:
    """What the list `key` shows when it is drawn anew."""
    st.session_state[f"last-{key}"] = value


@dataclass
class View:
    """What the user looks at, kept over page switches.

    prefix: 0 until a page has chosen one. push: counts the moves of the slider by anything but its thumb. clicked: the
    prefix of the point that was clicked last. refused: why the run that the address asks for is not shown.
    not_resumed: why a run could not be resumed, until that is shown.
    """

    run: str | None = None
    prefix: int = 0
    cost: str = "macs"
    push: int = 0
    clicked: int = 0
    refused: str | None = None
    not_resumed: str | None = None


def chosen() -> View:
    """The view of this session."""
    return st.session_state.setdefault("chosen", View())


def run_picker(place: DeltaGenerator) -> Run:
    """Draws the picker of Explore and returns its run; explains, and ends the page, where there is none to show.

    On arrival the address decides, else what was looked at before, else the newest run with a point; later the picker.
    """
    runs = {run.id: info for run in list_runs() if (info := run.info) and info.kind == "distil"}
    view = chosen()
    if not runs:
        advice = "Distil digits: the first point appears within seconds."
        _end("There is nothing to explore yet.", advice, "Distil digits", "distil", dataset="digits")
    if PICKER not in st.session_state:
        _arrive(view, runs)
    elif st.session_state[PICKER] not in runs:
        _end("This run was deleted while it was open here.", "Nothing else is affected.", "See all runs", "home")
    labels = {name: run_label(info) for name, info in runs.items()}
    default = view.run if view.run in runs else next(iter(runs))
    name = view.run = select("Run", labels, PICKER, default, place=place, on_change=_switched)
    if view.refused:
        with notice(view.refused, f"This is {runs[name].title} instead.", key="instead"):
            pass
    if brief(runs[name].note) != runs[name].note:
        st.html(f'<p class="muted remark">{escape(runs[name].note)}</p>')
    return open_run(name)


def _arrive(view: View, runs: Mapping[str, RunInfo]) -> None:
    """Takes run, prefix and cost axis from the address, as far as they can be had."""
    asked = address()
    view.refused = None
    if asked.run and asked.run not in runs:
        view.refused = _refusal(asked.run)
    elif asked.run:
        view.run, view.prefix = asked.run, asked.prefix or 0
    if view.run not in runs:
        view.run, view.prefix = next((name for name, info in runs.items() if info.points), next(iter(runs))), 0
    view.cost = asked.cost or view.cost
    remember(PICKER, str(view.run))


def _refusal(name: str) -> str:
    """Why a run that the address asks for cannot be explored, as one sentence."""
    try:
        return f"{open_run(name).info().title} trains a teacher and has no frontier."
    except UserError as error:
        known = any(summary.id == name for summary in list_runs())
        return str(error) if known else f"There is no run called {name} here."


def _switched() -> None:
    view = chosen()
    view.prefix, view.refused = 0, None


def _end(what: str, advice: str, button: str, page: str, **asked: str) -> None:
    """Ends the page with a notice and its one button."""
    st.title("Explore a frontier", anchor=False)
    with notice(what, advice, key="end"):
        if st.button(button, type="primary"):
            go(page, **asked)
    st.stop()


def run_label(info: RunInfo) -> str:
    """A run in the picker: title, date, method and teacher, and how its note begins."""
    parts = [info.title, made(info), str(info.method)]
    if info.teacher and info.teacher.accuracy is not None:
        parts.append(f"teacher {formats.percent(info.teacher.accuracy)}")
    return ", ".join(parts) + (f" – {brief(info.note)}" if info.note else "")


def brief(note: str) -> str:
    """How a note begins, on one line."""
    line = " ".join(note.split())
    return line if len(line) <= MOST_NOTE else f"{line[: MOST_NOTE - 1].rstrip()}…"


def cost_picker(place: DeltaGenerator, axes: Sequence[CostAxis]) -> CostAxis:
    """Draws the picker of the cost axis and returns it; the address decides on arrival."""
    view, labels = chosen(), {axis.key: axis.label for axis in axes}
    if view.cost not in labels:
        view.cost = axes[0].key
    keys = list(labels)
    index = keys.index(view.cost)
    view.cost = place.selectbox("Cost axis", keys, index, format_func=lambda key: labels[key], key="cost-axis")
    return next(axis for axis in axes if axis.key == view.cost)


def clicked(chart: str) -> None:
    """Moves the slider to the point of the chart that was clicked."""
    move(chosen(), [int(point["customdata"]) for point in st.session_state[chart].selection.points])


def move(view: View, prefixes: Sequence[int]) -> None:
    """Takes a chart's selection into the view. An empty one is a second click on the same point: go there again."""
    if prefixes:
        view.clicked = prefixes[0]  # 0 is the teacher, who is no prefix
    if view.clicked:
        view.prefix, view.push = view.clicked, view.push + 1


def gone(name: str, error: str) -> None:
    """The page of a run that cannot be opened: deleted, unknown, unreadable, or newer."""
    here = any(summary.id == name for summary in list_runs())
    st.title("This run cannot be opened" if here else "This run is gone", anchor=False)
    advice = "" if here else "It may have been deleted. Nothing else is affected."
    with notice(error if here else f"There is no run called {name} here.", advice, key="gone"):
        if st.button("See all runs", type="primary"):
            go("home")
        if st.button("Distil another"):
            go("distil")

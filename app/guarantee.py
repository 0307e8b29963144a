"""The guarantee on Explore: the deviation under its bound, edges, and what weighed most for a student.

`weights` depends on the prefix and belongs beside the slider; `section` does not, and is a fragment of its own. The
numbers come from `bdistil.results.certificate`, its sentences from `bdistil.report.certificate_text`.
"""

from dataclasses import dataclass

import sections
import streamlit as st
import theme
import ui
from plotly.graph_objects import Figure

from bdistil.records import RoundRecord
from bdistil.report import certificate_figures, certificate_text, figures, formats, tables
from bdistil.report.palette import ThemeName
from bdistil.results import Results
from bdistil.results.certificate import ClassRound, Guarantee, bounds, by_round, guarantee, heaviest
from bdistil.runs import Run

MOST_PANELS = 12
MOST_EXAMPLES = 6
EDGES = {False: "Edges", True: "Relative edges"}


@dataclass(frozen=True, eq=False)
class _Certified:
    """A run's records and what follows from them; `rounds` is how many the run is meant to have.

    key: tells this state of the run from any other.
    """

    key: tuple[str, str, str, int]
    records: list[RoundRecord]
    classes: list[str]
    table: list[ClassRound]
    found: Guarantee
    examples: int
    rounds: int
    polished: bool

    def of(self, place: int) -> list[ClassRound]:
        """One class, a round each."""
        return [row for row in self.table if row.place == place]

    @property
    def last(self) -> list[ClassRound]:
        """Every class after the last round."""
        return self.table[-len(self.classes) :]


@st.cache_resource(max_entries=8, show_spinner=False)
def _certified(path: str, created: str, state: str, points: int, _run: Run, _results: Results) -> _Certified:
    # All but the run and its results are the cache's key only.
    info = _results.run
    records = [finished.record for finished in _run.rounds()[:points]]
    classes, examples = list(_results.classes), info.known_dataset.train
    scale = info.known_scale
    found = guarantee(records, classes, examples, scale.eta_B / scale.B)
    return _Certified(
        (path, created, state, points),
        records,
        classes,
        by_round(records, classes),
        found,
        examples,
        _results.rounds,
        _run.is_polished(),
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _figure(key: tuple, chart: str, choice: int, look: ThemeName, _shown: _Certified) -> Figure:
    """A chart of the section. choice: the place of the class, or whether edges are relative."""
    records, rounds = _shown.records, _shown.rounds
    if chart == "deviation":
        return certificate_figures.deviation(_shown.of(choice), theme=look, rounds=rounds)
    if chart == "eta":
        trivial = records[-1].trivial_by_class[choice]
        return certificate_figures.eta(bounds(records[-1], choice), trivial, theme=look)
    if chart == "edges":
        return figures.edges(records, theme=look, rounds=rounds, classes=_shown.classes, relative=bool(choice))
    return certificate_figures.effective(records, _shown.examples, theme=look, rounds=rounds)


def _chart(shown: _Certified, chart: str, choice: int, alt: str) -> None:
    ui.chart(_figure(shown.key, chart, choice, theme.name(), shown), f"guarantee-{chart}", alt)


def weights(run: Run, results: Results, prefix: int) -> None:
    """The answers on training examples that counted most for the prefix's last student."""
    st.header(f"What weighed most for student {prefix}", anchor=False)
    folders = run.round_folders()[prefix - 1 :]  # none where the run has been deleted meanwhile
    kept = heaviest(folders[0], results.classes, results.run.known_dataset.train) if folders else None
    if prefix > 1 and kept is None:
        ui.muted("This run kept no examples of what weighed most.")
        return
    ui.muted(certificate_text.heaviest(prefix))
    if kept:
        pairs, examples = kept
        st.html(tables.heavy_gallery(pairs, examples, theme.name(), MOST_EXAMPLES))


@st.fragment
def section(run: Run, results: Results) -> None:
    """What the certificate says, class by class, and what it is made of."""
    info = results.run
    shown = _certified(str(run.path), info.created.isoformat(), info.state, len(results.points), run, results)
    st.header(certificate_text.finding(shown.found), anchor=False)
    ui.muted(certificate_text.meaning(shown.examples, shown.polished))
    if len(shown.records) > 1:
        ui.muted(certificate_text.condition(shown.records))
    advice = certificate_text.tighter(shown.found)
    if advice:
        ui.muted(advice)
    _panels(shown)
    sections.scarce(results, "train")
    place = _one_class(shown, run.id)
    relative = _game(shown)
    with st.expander("The guarantee as a table"):
        _tables(shown, place, relative)


def _panels(shown: _Certified) -> None:
    """A panel a class; above twelve classes, those that deviate most after the last round."""
    largest = sorted(shown.last, key=lambda row: -row.measured)[:MOST_PANELS]
    rows = sorted(largest, key=lambda row: row.place)
    places = {row.place for row in rows}
    heights = (height for row in shown.table if row.place in places for height in (row.measured, row.trivial))
    top = 1.1 * max(*heights, *(row.bound for row in rows))
    pictures = [
        certificate_figures.panel(shown.of(row.place), top, theme=theme.name(), rounds=shown.rounds) for row in rows
    ]
    st.html(tables.panels(rows, pictures))
    chosen = f" The {MOST_PANELS} classes that deviate most." if len(shown.classes) > MOST_PANELS else ""
    ui.muted(certificate_text.panels(shown.rounds, len(shown.records), top) + chosen)


def _one_class(shown: _Certified, run: str) -> int:
    """The chosen class over the rounds, and its bound for each η; returns its place."""
    names = shown.classes
    place = st.selectbox(
        "Class",
        range(len(names)),
        shown.found.shown.place,
        format_func=lambda place: names[place],
        key=f"guarantee-class-{run}",
        width=320,
    )
    name = certificate_text.named(names[place])
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader(f"Deviation and bound of {name}", anchor=False)
        _chart(shown, "deviation", place, f"Largest deviation of {names[place]} under its bound, by round")
    with right:
        st.subheader(f"The bound of {name} for nine η", anchor=False)
        _chart(shown, "eta", place, f"Bound of {names[place]} after the last round, for nine values of η")
        if shown.records[-1].by_eta:
            ui.muted(certificate_text.eta(shown.records[-1].round))
    return place


def _game(shown: _Certified) -> bool:
    """What the bound is made of: edges by class, and how many examples carry the weight.

    Returns whether the relative edges are looked at.
    """
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Edges by class", anchor=False)
        relative = st.segmented_control(
            "Edges or relative edges",
            list(EDGES),
            default=False,
            required=True,
            key="guarantee-measure",
            label_visibility="collapsed",
            format_func=lambda relative: EDGES[relative],
        )
        _chart(shown, "edges", int(relative), f"{EDGES[relative]} by round and class")
        ui.muted(certificate_text.edges(relative))
    with right:
        st.subheader("How many examples carry the weight", anchor=False)
        _chart(shown, "effective", 0, "Effective number of weighted training examples by round")
        last = shown.records[-1]
        ui.muted(certificate_text.effective(last.round, last.effective_examples, shown.examples))
    return relative


def _tables(shown: _Certified, place: int, relative: bool) -> None:
    """The numbers of the section's charts."""
    name, last = shown.classes[place], shown.records[-1]
    ui.muted(f"After round {last.round}, by class:")
    head = ("Deviation", "Bound", "Trivial", "η", "Edge", "Relative edge")
    by_class = [(row.name, *_figures(row)) for row in shown.last]
    ui.table(("Class", *head), by_class, numeric=range(1, 7), label="The guarantee by class")
    nine = [bounds(last, each) for each in range(len(shown.classes))]
    if nine[0]:
        ui.muted(f"The bound after round {last.round} at each multiple of the theory’s η, by class:")
        etas = ("Class", *(certificate_figures.multiple(each.multiple) for each in nine[0]))
        by_eta = [
            (each, *(formats.decimal(at.bound, 3) for at in of)) for each, of in zip(shown.classes, nine, strict=True)
        ]
        ui.table(etas, by_eta, numeric=range(1, 10), label="The bound by class and η")
    ui.muted(f"{certificate_text.named(name)}, by round:")
    by_round = [(row.round, *_figures(row), formats.count(round(row.effective))) for row in shown.of(place)]
    ui.table(
        ("Round", *head, "Effective examples"), by_round, numeric=range(1, 8), label=f"The guarantee of {name} by round"
    )
    ui.muted(f"{EDGES[relative]}, by round and class:")
    column = "relative_edges" if relative else "edges"
    edges = [(record.round, *map(formats.edge, getattr(record, column))) for record in shown.records]
    numeric = range(1, 1 + len(shown.classes))
    ui.table(("Round", *shown.classes), edges, numeric=numeric, label=f"{EDGES[relative]} by round and class")


def _figures(row: ClassRound) -> list[str]:
    """One class after one round, in words; η as a multiple of the theory's."""
    return [
        *(formats.decimal(value, 3) for value in (row.measured, row.bound, row.trivial)),
        "–" if row.multiple is None else certificate_figures.multiple(row.multiple),
        *map(formats.edge, (row.edge, row.relative_edge)),
    ]

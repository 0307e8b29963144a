"""Explore: the frontier of one run, the slider on it, and what changes with the prefix: classes, disagreements.

`/explore?run=…&prefix=3&cost=macs` reproduces a view. The pickers stand outside; all the rest is one fragment, so that
a settled thumb or a click on the chart redraws only what depends on it.
"""

import composed
import early
import guarantee
import run_text
import sections
import streamlit as st
import ui
from operating_point import operating_point, payload

from bdistil.errors import UserError
from bdistil.report import cost_axes

ui.begin("Explore")
left, right = st.columns([2, 1])
run = ui.run_picker(left)
info = run.info()
ui.tab("Explore", info)
try:
    results = ui.results(run)
except UserError as error:
    st.title("This run cannot be explored", anchor=False)
    with ui.notice(str(error), key="results", bad=True):
        if st.button("See all runs"):
            ui.go("home")
    st.stop()
if not len(results.points):
    st.title(run_text.title(info, run.heartbeat()), anchor=False)
sections.state(run, info)
if not len(results.points):
    if info.state in ("running", "queued") and st.button("Watch it on Distil", type="primary"):
        ui.go("distil", run=run.id)
    st.stop()
axis = ui.cost_picker(right, cost_axes.available(results.points))
view = ui.chosen()
if not view.prefix:
    view.prefix = ui.middle(len(results.points)) if info.state == "finished" else len(results.points)


@st.fragment
def operating_view() -> None:
    """The instrument, the constant chart, and all that depends on the prefix."""
    data = payload(
        results.points,
        results.run.known_teacher,
        run=run.id,
        title=results.run.title,
        rounds=results.rounds,
        prefix=view.prefix,
        push=view.push,
        cost_axis=axis.key,
        heading_level=1,
    )
    prefix = view.prefix = operating_point(data, key="explore")
    sections.caveats(results, prefix)
    sections.frontier(results, axis)
    early.section(results)
    mixed, classes = st.columns(2, gap="large")
    with mixed:
        sections.confusion(results, prefix)
    with classes:
        sections.by_class(results, prefix)
    sections.disagreements(results, prefix)
    guarantee.weights(run, results, prefix)


operating_view()
guarantee.section(run, results)
composed.section(run, results)

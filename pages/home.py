"""Home: what this is, in three sentences and one instrument made from a real run; then the runs as cards."""

import home_runs
import streamlit as st
import ui
from operating_point import operating_point, payload

from bdistil.errors import UserError
from bdistil.method_registry import DEFAULT_METHOD
from bdistil.runs import RunSummary, list_runs, open_run

WHAT = (
    "B-DISTIL distils one large teacher model into small students, one boosting round at a time. After every round, "
    "the students so far are a model you can use: a little more accurate than before, and a little more costly."
)
DRAG = " Drag the slider: these are the figures of a real run."

ui.begin("Home")
runs = list_runs()
finished = [s for s in runs if s.info and s.info.kind == "distil" and s.info.state == "finished"]
# The polished sample with the largest test split, any sample else, and else one's own newest finished run.
samples = [s for s in finished if s.sample]
shown = max(
    samples,
    key=lambda s: (s.info.method == DEFAULT_METHOD, s.info.dataset.test),
    default=next(iter(finished), None),
)

st.title("Choose how much accuracy to buy, and what to pay for it", anchor=False)
ui.muted(WHAT + (DRAG if shown else ""), lead=True)


@st.fragment
def instrument(summary: RunSummary) -> None:
    """The operating point of the run shown; its prefix is taken along to Explore."""
    try:
        run = open_run(summary.path)
        results = ui.results(run)
    except UserError as error:
        with ui.notice(str(error), key="showpiece"):
            return
    data = payload(
        results.points,
        results.run.known_teacher,
        run=run.id,
        title=results.run.title,
        mode="compact",
        rounds=results.rounds,
        prefix=st.session_state.setdefault("home-prefix", ui.middle(len(results.points))),
    )
    prefix = st.session_state["home-prefix"] = operating_point(data, key="home")
    with st.container(key="home-buttons", horizontal=True):
        if st.button("Explore this run", type="primary"):
            ui.go("explore", run=run.id, prefix=prefix)
        if st.button("Distil a model of your own"):
            ui.go("distil")


if shown:
    instrument(shown)
else:
    with ui.notice(
        "The sample runs are missing from this installation.",
        "Distil digits to get a frontier in about a minute.",
        key="samples",
    ):
        if st.button("Distil digits", type="primary"):
            ui.go("distil", dataset="digits")

home_runs.section(runs)

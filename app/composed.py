"""The composed network of a run, on Explore: students, levels, connections, and the cost of each."""

import streamlit as st
import ui

from bdistil.report import architecture_drawing
from bdistil.results import Results
from bdistil.results.architecture import architecture
from bdistil.runs import Run


def section(run: Run, results: Results) -> None:
    """The network as a picture; nothing before the run has its ensemble."""
    parts = architecture(run.path, results.points)
    if not parts:
        return
    st.header("How the students are composed", anchor=False)
    ui.muted(architecture_drawing.caption(parts))
    st.html(architecture_drawing.table(parts))

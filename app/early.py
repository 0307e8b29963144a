"""Early prediction on Explore: what the prefixes of a run on segments reach before a series has ended."""

import streamlit as st
import ui

from bdistil import data
from bdistil.report import formats, tables
from bdistil.results import Results


def section(results: Results) -> None:
    """Accuracy after each part of the window; nothing where every prefix reads all of it, or one stands alone."""
    points = results.points
    if len(points) < 2 or points[0].window_share == 1:
        return
    st.header("Early prediction", anchor=False)
    ui.muted(formats.early([point.window_share for point in points], [point.accuracy for point in points]))
    st.html(tables.early_table(points, results.run.known_teacher.accuracy, _seconds(results)))
    name = formats.interval_name(results.people_counted[1] if results.people_counted else None)
    ui.muted(f"Points are those above or below all students at the end of the window. Interval: {name}.")


def _seconds(results: Results) -> float | None:
    """How long a series of the data set is; None where its steps have no rate, or where it is not known here."""
    info = data.CATALOGUE.get(results.run.known_dataset.name)
    return info.input_shape[-1] / info.rate_hz if info and info.rate_hz else None

"""The look of every chart, and what a chart says where there is nothing to draw yet.

A figure's colours and fonts are explicit: a Plotly template would add weight, Streamlit's theme pale axis text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import plotly.graph_objects as go

from bdistil.report.cost_axes import tick_text, ticks
from bdistil.report.palette import Theme

FONT = "Source Sans, Source Sans Pro, sans-serif"
HEIGHT = 400
_Place = TypeVar("_Place")
TITLE, DIGIT = 32, 7.5  # px: an axis's title with the space around it, a digit of a label


def hover(lines: Sequence[str]) -> str:
    """Lines of a label, the first in bold. Class names are users' text: no tag of theirs survives."""
    first, *rest = (line.replace("<", "&lt;") for line in lines)
    return "<br>".join([f"<b>{first}</b>", *rest])


def axes(figure: go.Figure, look: Theme, x_title: str, y_title: str) -> None:
    """The look of every chart: hairlines across, no box, nothing to zoom (a swipe over a chart scrolls the page).

    Streamlit hands a chart to Plotly twice, and a changed chart as a new one. Plotly does not draw the second time if
    it is told that no data have changed (`datarevision`), which it believes of plain lists without a template.
    """
    axis = {
        "fixedrange": True,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"color": look.text, "size": 14},
        "gridcolor": look.border,
        "linecolor": look.border,
    }
    title = {"font": {"color": look.text, "size": 14}, "standoff": 12}
    figure.layout.template = None
    figure.update_layout(
        datarevision=0,
        height=HEIGHT,
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        margin={"l": 8, "r": 24, "t": 16, "b": 56},
        paper_bgcolor=look.background,
        plot_bgcolor=look.background,
        font={"family": FONT, "size": 14, "color": look.text},
        hoverlabel={
            "bgcolor": look.surface,
            "bordercolor": look.control,
            "align": "left",
            "font": {"family": FONT, "size": 14, "color": look.text},
        },
        xaxis={**axis, "showgrid": False, "tickangle": 0, "title": {**title, "text": x_title}},
        yaxis={**axis, "showgrid": True, "title": {**title, "text": y_title}},
    )


def scale(axis: Any, limits: tuple[float, float], log: bool = False, whole: bool = False) -> None:
    """Fix an axis's range and give it our own ticks, and the y-axis room for them; `whole`: at whole numbers only.

    Plotly would find that room itself (automargin), but draws each chart three times as long for it.
    """
    values = ticks(*limits, log=log, most=12 if whole else 6)
    if whole:
        values = [value for value in values if value == round(value) >= 1]
    axis.update(
        type="log" if log else "linear",
        range=[math.log10(limit) for limit in limits] if log else list(limits),
        tickmode="array",
        tickvals=values,
        ticktext=tick_text(values),
    )
    if axis.plotly_name == "yaxis":
        axis.parent.margin.l = TITLE + DIGIT * max(map(len, axis.ticktext), default=0)


def spread(places: Mapping[_Place, float], gap: float) -> dict[_Place, float]:
    """The places, lowest first, each moved up until it is at least `gap` above the one below it."""
    spaced: dict[_Place, float] = {}
    floor = -math.inf
    for number in sorted(reversed(list(places)), key=lambda number: places[number]):  # of equals the last lies lowest
        spaced[number] = max(places[number], floor)
        floor = spaced[number] + gap
    return spaced


def empty(sentence: str, look: Theme) -> go.Figure:
    """A figure that says in a sentence why it is empty."""
    figure = go.Figure()
    axes(figure, look, "", "")
    figure.update_layout(xaxis_visible=False, yaxis_visible=False)
    return figure.add_annotation(
        text=sentence, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper", font={"color": look.muted, "size": 16}
    )

"""The guarantee's charts: the deviation under its bound, the effective number of examples, the bound over η.

Pure Plotly, in the look of chart.py, of what `results.certificate` gives; `panel` is a small picture of one class among
many. The deviation is the ensemble's: accent, round marks. The bound is grey with squares, the trivial one dotted.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

import plotly.graph_objects as go

from bdistil.records import RoundRecord
from bdistil.report import chart, formats, palette
from bdistil.report.palette import ThemeName
from bdistil.results.certificate import ClassRound, EtaBound

WIDTH, HEIGHT = 200, 96  # of a panel
SCALE = "on the training split (normalised scale)"
FRACTIONS = {0.25: "¼", 0.5: "½"}


def multiple(value: float) -> str:
    """A multiple of the theory's η: `¼`, `8`."""
    return FRACTIONS.get(value, f"{value:g}")


def deviation(rows: Sequence[ClassRound], *, theme: ThemeName, rounds: int) -> go.Figure:
    """One class over the rounds: its largest deviation, its bound, the trivial bound, each named at its end.

    rows: of `results.certificate.by_round`, of one class. rounds: how many the run is meant to have, so that the axis
    does not move.
    """
    look, figure = palette.THEMES[theme], go.Figure()
    hovers = [_hover(row) for row in rows]
    alone = len(rows) == 1
    trivial, bound, measured = _lines(rows)
    for values, name, colour, marker, line in (
        (trivial, "trivial", look.control, {"symbol": "line-ew-open", "size": 18, "line": {"width": 2}}, "dot"),
        (bound, "bound", look.muted, {"symbol": "square", "size": 7}, "solid"),
        (measured, "deviation", look.accent, {"symbol": "circle", "size": 9}, "solid"),
    ):
        figure.add_trace(
            go.Scatter(
                x=[row.round for row in rows],
                y=values,
                name=name,
                mode="lines+markers" if name != "trivial" or alone else "lines",
                marker={**marker, "color": colour},
                line={"color": colour, "width": 2.5, "dash": line},
                hovertext=hovers,
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    top = 1.06 * max(*trivial, *bound, *measured)
    ends = [("trivial", trivial[-1]), ("bound", bound[-1]), ("deviation", measured[-1])]
    heights = chart.spread(dict(enumerate(end for _, end in ends)), 0.07 * top)
    for place, height in heights.items():
        name = ends[place][0]
        figure.add_annotation(
            x=rows[-1].round,
            y=height,
            text=name,
            showarrow=False,
            xanchor="left",
            xshift=10,
            font_color=look.accent if name == "deviation" else look.text,
        )
    chart.axes(figure, look, "Round", f"Largest deviation {SCALE}")
    chart.scale(figure.layout.xaxis, (0.5, max(rounds, len(rows)) + 0.5), whole=True)
    chart.scale(figure.layout.yaxis, (0.0, top))
    return figure.update_layout(margin_r=84)


def _lines(rows: Sequence[ClassRound]) -> tuple[list[float], list[float], list[float]]:
    """The trivial bound, the bound and the deviation by round."""
    return [row.trivial for row in rows], [row.bound for row in rows], [row.measured for row in rows]


def _hover(row: ClassRound) -> str:
    at = "" if row.multiple is None else f", at {multiple(row.multiple)} times the theory’s η"
    return chart.hover(
        [
            row.name,
            f"round {row.round}",
            f"deviation {formats.decimal(row.measured, 3)}",
            f"bound {formats.decimal(row.bound, 3)}{at}",
            f"trivial {formats.decimal(row.trivial, 3)}",
        ]
    )


def panel(rows: Sequence[ClassRound], top: float, *, theme: ThemeName, rounds: int) -> str:
    """The same lines as a small picture without words, as an image's data address. top: the value at its upper edge."""
    look, drawn = palette.THEMES[theme], []
    xs = [8 + (WIDTH - 16) * (row.round - 1) / max(1, rounds - 1) for row in rows]
    trivial, bound, measured = _lines(rows)
    for values, colour, dash in (
        (trivial, look.control, ' stroke-dasharray="3 4"'),
        (bound, look.muted, ""),
        (measured, look.accent, ""),
    ):
        spots = [(x, HEIGHT - 6 - (HEIGHT - 12) * value / top) for x, value in zip(xs, values, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"{dash}/>')
        if values is measured or len(spots) == 1:
            drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in spots]
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<path d="M0 {HEIGHT - 6}H{WIDTH}" stroke="{look.control}"/>{"".join(drawn)}</svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()


def effective(records: Sequence[RoundRecord], examples: int, *, theme: ThemeName, rounds: int) -> go.Figure:
    """How many training examples carry the weight in each round: the least of any class, out of all `examples`."""
    look, figure = palette.THEMES[theme], go.Figure()
    figure.add_hline(examples, line={"color": look.control, "width": 2, "dash": "dot"})
    numbers = [record.round for record in records]
    values = [record.effective_examples for record in records]
    hovers = [
        chart.hover([f"round {number}", f"{formats.count(round(value))} of {formats.count(examples)} examples"])
        for number, value in zip(numbers, values, strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=numbers,
            y=values,
            mode="lines+markers",
            name="effective",
            line={"color": look.accent, "width": 2.5},
            marker={"color": look.accent, "size": 9},
            hovertext=hovers,
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    chart.axes(figure, look, "Round", "Effective number of training examples")
    chart.scale(figure.layout.xaxis, (0.5, max(rounds, *numbers) + 0.5), whole=True)
    chart.scale(figure.layout.yaxis, (min(1.0, *values), 1.6 * examples), log=True)
    return figure.add_annotation(
        x=0,
        xref="paper",
        y=math.log10(examples),
        text=f"all {formats.count(examples)}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        yshift=5,
        font_color=look.text,
    )


def eta(bounds: Sequence[EtaBound], trivial: float, *, theme: ThemeName) -> go.Figure:
    """The bound of one class for each η, the least one filled, beside the trivial bound.

    bounds: of `results.certificate.bounds`.
    """
    look = palette.THEMES[theme]
    if not bounds:
        return chart.empty("This run kept only the least of its nine bounds.", look)
    figure = go.Figure()
    figure.add_hline(trivial, line={"color": look.control, "width": 2, "dash": "dot"})
    multiples, values = [each.multiple for each in bounds], [each.bound for each in bounds]
    least = values.index(min(values))
    texts = [multiple(value) for value in multiples]
    hovers = [
        chart.hover([f"{text} times the theory’s η", f"bound {formats.decimal(bound, 3)}"])
        for text, bound in zip(texts, values, strict=True)
    ]
    marker = {
        "symbol": ["square" if place == least else "square-open" for place in range(len(values))],
        "size": [12 if place == least else 8 for place in range(len(values))],
        "color": look.muted,
        "line": {"width": 1.5},
    }
    figure.add_trace(
        go.Scatter(
            x=multiples,
            y=values,
            mode="lines+markers",
            name="bound",
            marker=marker,
            line={"color": look.muted, "width": 2},
            hovertext=hovers,
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    chart.axes(figure, look, "η, as a multiple of the theory’s", f"Bound {SCALE}")
    low, high = min(trivial, *values), max(trivial, *values)
    chart.scale(figure.layout.yaxis, (low / 1.3, high * 1.3), log=True)
    figure.update_xaxes(
        type="log",
        tickmode="array",
        tickvals=multiples,
        ticktext=texts,
        range=[math.log10(edge) for edge in (min(multiples) / 1.3, max(multiples) * 1.3)],
    )
    return figure.add_annotation(
        x=1,
        xref="paper",
        y=math.log10(trivial),
        text="trivial",
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        font_color=look.text,
    )

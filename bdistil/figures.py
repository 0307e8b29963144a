"""Charts: rows -> a small typed record -> a Plotly figure. No Streamlit, no torch, no files.

One public function a chart; each takes the theme's name; their common look is in chart.py, the guarantee's charts in
guarantee_figures.py. Records hold what is drawn, in the axes' units; the figure half
does no arithmetic. SVG traces only. Where there is nothing to draw yet, the figure says so in a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from bdistil import chart, palette, wording
from bdistil.palette import Theme, ThemeName
from bdistil.results.costs import AXES

MOST_WHISKERS = 12


@dataclass(frozen=True)
class FrontierRecord:
    """The frontier to scale: costs in the axis's units, accuracies in percent; `teacher_cost` is None where unknown."""

    prefixes: tuple[int, ...]
    costs: tuple[float, ...]
    accuracies: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    hovers: tuple[str, ...]
    teacher_accuracy: float
    teacher_cost: float | None
    teacher_hover: str
    title: str
    log: bool
    x_range: tuple[float, float]
    y_range: tuple[float, float]


def frontier_record(points: pd.DataFrame, teacher: Mapping[str, Any], cost: str) -> FrontierRecord | None:
    """What the frontier chart draws, or None where no prefix has a cost on this axis.

    points: the rows of `bdistil.results.frontier`. teacher: its card, accuracy in [0, 1], costs or None. cost: a key
    of `AXES`.
    """
    axis = AXES[cost]
    if points.empty or axis.column not in points or points[axis.column].isna().all():
        return None
    rows = points[points[axis.column].notna()].to_dict("records")
    costs = tuple(row[axis.column] / axis.unit for row in rows)
    lows, highs = (tuple(100 * row[name] for row in rows) for name in ("accuracy_low", "accuracy_high"))
    whole, accuracy = axis.of_teacher(teacher), 100 * teacher["accuracy"]
    teacher_cost = None if whole is None else whole / axis.unit
    reach = costs if teacher_cost is None else (*costs, teacher_cost)
    margin = 0.06 * (max(highs + (accuracy,)) - min(lows + (accuracy,)) or 1.0)
    spread = max(max(reach) / min(reach), 1.05) ** 0.06
    lines = [f"accuracy {wording.percent(teacher['accuracy'])}"] + ([] if whole is None else [axis.text(whole)])
    return FrontierRecord(
        prefixes=tuple(int(row["prefix"]) for row in rows),
        costs=costs,
        accuracies=tuple(100 * row["accuracy"] for row in rows),
        lows=lows,
        highs=highs,
        hovers=tuple(chart.hover(wording.hover(row)) for row in rows),
        teacher_accuracy=accuracy,
        teacher_cost=teacher_cost,
        teacher_hover=chart.hover(["the teacher", *lines]),
        title=axis.title,
        log=axis.log,
        x_range=(min(reach) / spread, max(reach) * spread) if axis.log else (0.0, max(reach) * 1.05),
        y_range=(min(lows + (accuracy,)) - margin, max(highs + (accuracy,)) + margin),
    )


def frontier(points: pd.DataFrame, teacher: Mapping[str, Any], *, cost: str, theme: ThemeName) -> go.Figure:
    """The frontier, to scale: numbered prefixes with 95 % intervals, the teacher as a dashed line and a hollow
    diamond.

    Arguments as of `frontier_record`. A click on a point selects it; its `customdata` is the prefix, the teacher's is
    0.
    """
    record, look = frontier_record(points, teacher, cost), palette.THEMES[theme]
    if record is None:
        return chart.empty("No student is finished yet: the first point appears when round 1 ends.", look)
    figure = go.Figure()
    if len(record.prefixes) > MOST_WHISKERS:
        figure.add_trace(_band(record, look))
    figure.add_trace(_prefixes(record, look))
    figure.add_hline(record.teacher_accuracy, line={"color": look.text, "width": 1.75, "dash": "dash"})
    if record.teacher_cost is None:
        figure.add_annotation(
            x=0, xref="paper", y=record.teacher_accuracy, text="teacher", showarrow=False, xanchor="left", yanchor="top"
        )
    else:
        figure.add_trace(_teacher(record, look))
    chart.axes(figure, look, record.title, "Accuracy on the test split (%)")
    chart.scale(figure.layout.xaxis, record.x_range, record.log)
    chart.scale(figure.layout.yaxis, record.y_range)
    return figure


def _numbers(counted: Sequence[int]) -> list[str]:
    """Labels of prefixes or rounds; of many only the first, every fifth and the last, so that they do not touch."""
    few = len(counted) <= MOST_WHISKERS
    return [str(n) if few or n in (counted[0], counted[-1]) or n % 5 == 0 else "" for n in counted]


def _prefixes(record: FrontierRecord, look: Theme) -> go.Scatter:
    whiskers = {
        "type": "data", "symmetric": False, "color": look.accent, "thickness": 1.5, "width": 5,
        "array": [high - value for high, value in zip(record.highs, record.accuracies, strict=True)],
        "arrayminus": [value - low for low, value in zip(record.lows, record.accuracies, strict=True)],
        "visible": len(record.prefixes) <= MOST_WHISKERS,
    }  # fmt: skip
    same = {"marker": {"opacity": 1}, "textfont": {"color": look.text}}
    return go.Scatter(
        x=record.costs, y=record.accuracies, error_y=whiskers, mode="lines+markers+text", name="ensemble",
        text=_numbers(record.prefixes), textposition="bottom right", textfont={"color": look.text},
        line={"color": look.accent, "width": 2.5}, marker={"color": look.accent, "size": 12, "opacity": 1,
        "line": {"color": look.background, "width": 1}}, selected=same, unselected=same, cliponaxis=False,
        customdata=list(record.prefixes), hovertext=record.hovers, hoverinfo="text",
    )  # fmt: skip


def _teacher(record: FrontierRecord, look: Theme) -> go.Scatter:
    same = {"marker": {"opacity": 1}, "textfont": {"color": look.text}}
    return go.Scatter(
        x=[record.teacher_cost], y=[record.teacher_accuracy], mode="markers+text", name="teacher", text=["teacher"],
        textposition="bottom left", textfont={"color": look.text}, selected=same, unselected=same, cliponaxis=False,
        marker={"symbol": "diamond", "size": 13, "color": look.background, "opacity": 1,
        "line": {"color": look.text, "width": 2}}, customdata=[0], hovertext=[record.teacher_hover], hoverinfo="text",
    )  # fmt: skip


def _band(record: FrontierRecord, look: Theme) -> go.Scatter:
    """The intervals of many prefixes, as one outline."""
    return go.Scatter(
        x=record.costs + record.costs[::-1], y=record.highs + record.lows[::-1], mode="lines", line={"width": 0},
        fill="toself", fillcolor=palette.translucent(look.accent, 0.14), hoverinfo="skip", name="95 % interval",
    )  # fmt: skip


@dataclass(frozen=True)
class EdgeMarks:
    """One group of marks of the edge chart: x = round, spread a little by class; y = the edge, on the normalised
    scale.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    hovers: tuple[str, ...]


def edges_record(
    records: Sequence[Mapping[str, Any]], classes: Sequence[str] = (), relative: bool = False
) -> tuple[EdgeMarks, EdgeMarks]:
    """(met, unmet): each round's edge by class at or above zero, and below.

    records: rows of a run's `rounds`. classes: their names; numbered where unknown. relative: each edge as a share of
    the largest that deviations of its size could have.
    """
    quantity, column = ("relative edge", "relative_edges") if relative else ("edge", "edges")
    groups: tuple[list, list] = ([], [])
    for record in records:
        edges = record[column]
        for index, edge in enumerate(edges):
            offset = 0.5 * (index / (len(edges) - 1) - 0.5) if len(edges) > 1 else 0.0
            name = classes[index] if index < len(classes) else f"class {index + 1}"
            lines = [name, f"round {record['round']}", f"{quantity} {wording.signed(edge, 4)}"]
            groups[edge < 0].append((record["round"] + offset, edge, chart.hover(lines)))
    return tuple(EdgeMarks(*(zip(*marks, strict=True) if marks else ((), (), ()))) for marks in groups)


def edges(
    records: Sequence[Mapping[str, Any]],
    *,
    theme: ThemeName,
    rounds: int | None = None,
    classes: Sequence[str] = (),
    relative: bool = False,
) -> go.Figure:
    """Does each student correct the ones before it? A dot per class at or above zero, a cross below.

    Arguments as of `edges_record`; rounds: how many the run is meant to have, so that the axis does not move.
    """
    look = palette.THEMES[theme]
    met, unmet = edges_record(records, classes, relative)
    if not records:
        return chart.empty("The first edges appear when round 1 ends.", look)
    figure = go.Figure()
    figure.add_hline(0, line={"color": look.text, "width": 1.5})
    for marks, symbol, colour, name in (
        (met, "circle", look.accent, "corrects"),
        (unmet, "x", look.bad, "does not correct"),
    ):
        marker = {"symbol": symbol, "color": colour, "size": 9}
        figure.add_trace(
            go.Scatter(
                x=marks.x, y=marks.y, mode="markers", marker=marker, name=name, hovertext=marks.hovers, hoverinfo="text"
            )
        )
    chart.axes(figure, look, "Round", f"{'Relative edge' if relative else 'Edge'}, one mark per class")
    last = max(rounds or 0, *(record["round"] for record in records))
    chart.scale(figure.layout.xaxis, (0.5, last + 0.5), whole=True)
    low, high = min((0.0, *met.y, *unmet.y)), max((0.0, *met.y, *unmet.y))
    margin = 0.08 * (high - low) or 0.01
    chart.scale(figure.layout.yaxis, (low - margin, high + margin))
    return figure


@dataclass(frozen=True)
class LossLine:
    """One round's loss by epoch; `label_at` is where its number stands, moved up from its end where they crowd."""

    round: int
    epochs: tuple[int, ...]
    losses: tuple[float, ...]
    label_at: float


def losses_record(events: Iterable[Mapping[str, Any]]) -> list[LossLine]:
    """One line a round, of its last attempt, from a run's `epoch` events (others are passed over)."""
    rounds: dict[int, tuple[int, dict[int, float]]] = {}
    for event in events:
        if event["kind"] != "epoch" or event.get("round") is None:
            continue
        attempt, line = rounds.get(event["round"], (0, {}))
        if event["attempt"] > attempt:
            attempt, line = event["attempt"], {}
        line[event["epoch"]] = event["loss"]  # an epoch repeated after an interruption counts once
        rounds[event["round"]] = attempt, line
    ends = {number: line[max(line)] for number, (_, line) in rounds.items()}
    gap = 0.05 * max((loss for _, line in rounds.values() for loss in line.values()), default=0.0)
    places = _spread(ends, gap)
    return [
        LossLine(number, tuple(sorted(line)), tuple(line[epoch] for epoch in sorted(line)), places[number])
        for number, (_, line) in sorted(rounds.items())
    ]


def _spread(places: Mapping[int, float], gap: float) -> dict[int, float]:
    """The places, lowest first, each moved up until it is at least `gap` above the one below it."""
    spread, floor = {}, -math.inf
    for number in sorted(places, key=lambda key: (places[key], -key)):
        spread[number] = max(places[number], floor)
        floor = spread[number] + gap
    return spread


def losses(events: Iterable[Mapping[str, Any]], *, theme: ThemeName, rounds: int | None = None) -> go.Figure:
    """The distillation loss by epoch, one line a round, numbered at its end. `events`: a run's events."""
    look, lines = palette.THEMES[theme], losses_record(events)
    if not lines:
        return chart.empty("The first loss appears when an epoch ends.", look)
    figure = go.Figure()
    colours = palette.students(max(rounds or 0, lines[-1].round), theme)
    for line in lines:
        colour = colours[line.round - 1]
        hovers = [
            chart.hover([f"round {line.round}", f"epoch {epoch}", f"loss {wording.decimal(loss, 4)}"])
            for epoch, loss in zip(line.epochs, line.losses, strict=True)
        ]
        figure.add_trace(
            go.Scatter(
                x=line.epochs, y=line.losses, mode="lines+markers", name=f"round {line.round}", cliponaxis=False,
                line={"color": colour, "width": 2}, marker={"color": colour, "size": 5},
                hovertext=hovers, hoverinfo="text",
            )
        )  # fmt: skip
    for line, number in zip(lines, _numbers([line.round for line in lines]), strict=True):
        figure.add_annotation(
            x=line.epochs[-1],
            y=line.label_at,
            text=number,
            showarrow=False,
            xanchor="left",
            xshift=6,
            font_color=look.text,
        )
    chart.axes(figure, look, "Epoch", "Loss, mean over the training split")
    longest = max(line.epochs[-1] for line in lines)
    chart.scale(figure.layout.xaxis, (0.5, max(longest, 2) + 0.5), whole=True)
    chart.scale(figure.layout.yaxis, (0.0, 1.06 * max(max(*line.losses, line.label_at) for line in lines) or 1.0))
    return figure


def learning(events: Iterable[Mapping[str, Any]], *, theme: ThemeName, epochs: int | None = None) -> go.Figure:
    """A teacher's training: accuracy on the validation split by epoch. epochs: how many it is meant to have."""
    look = palette.THEMES[theme]
    told = [
        e for e in events if e["kind"] == "epoch" and e["phase"] == "teacher" and "accuracy" in (e["validation"] or {})
    ]
    reached = {event["epoch"]: event["validation"]["accuracy"] for event in told}
    if not reached:
        return chart.empty("The first point appears when an epoch ends.", look)
    heights = [100 * accuracy for accuracy in reached.values()]
    figure = go.Figure(
        go.Scatter(
            x=list(reached), y=heights, mode="lines+markers", name="teacher", line={"color": look.text, "width": 2},
            marker={"symbol": "diamond", "size": 8, "color": look.background,
            "line": {"color": look.text, "width": 1.5}},
            hovertext=[chart.hover([f"epoch {e}", f"accuracy {wording.percent(a)}"]) for e, a in reached.items()],
            hoverinfo="text",
        )
    )  # fmt: skip
    chart.axes(figure, look, "Epoch", "Accuracy on the validation split (%)")
    chart.scale(figure.layout.xaxis, (0.5, max(epochs or 0, max(reached), 2) + 0.5), whole=True)
    margin = 0.08 * (max(heights) - min(heights)) or 1.0
    chart.scale(figure.layout.yaxis, (min(heights) - margin, max(heights) + margin))
    return figure

"""Charts: rows -> a small typed record -> a Plotly figure. No Streamlit, no torch, no files.

One public function a chart; each takes the theme's name; their common look is in chart.py, the certificate's charts in
certificate_figures.py. Records hold what is drawn, in the axes' units; the figure half does no arithmetic. SVG traces
only. Where there is nothing to draw yet, the figure says so in a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from bdistil.records import AnyEvent, AttemptRecord, EpochFinished, HeadCorrected, MeasuredTeacher, Point, RoundRecord
from bdistil.report import chart, formats, palette
from bdistil.report.cost_axes import AXES
from bdistil.report.palette import Theme, ThemeName

MOST_WHISKERS, MOST_NUMBERS = 12, 8  # prefixes with a whisker, and with a number, each
POLISH = math.inf  # after all rounds
Edges = RoundRecord | AttemptRecord | HeadCorrected


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
    unpolished: tuple[tuple[int, float, float, str], ...]  # prefix, cost, accuracy, hover


def frontier_record(
    points: Sequence[Point], teacher: MeasuredTeacher, cost: str, unpolished: Sequence[Point] | None = None
) -> FrontierRecord | None:
    """What the frontier chart draws, or None where no prefix has a cost on this axis.

    cost: a key of `AXES`. unpolished: points of the prefixes as each round ended, where a polish followed.
    """
    axis = AXES[cost]
    drawn = [point for point in points if axis.of_point(point) is not None]
    if not drawn:
        return None
    costs = tuple(axis.cost(point) / axis.unit for point in drawn)
    lows, highs = (
        tuple(100 * point.accuracy_low for point in drawn),
        tuple(100 * point.accuracy_high for point in drawn),
    )
    whole, accuracy = axis.of_teacher(teacher), 100 * teacher.accuracy
    teacher_cost = None if whole is None else whole / axis.unit
    earlier = [point for point in unpolished or () if axis.of_point(point) is not None]
    reach = (*costs, *(axis.cost(point) / axis.unit for point in earlier), *filter(None, [teacher_cost]))
    heights = (*lows, *highs, accuracy, *(100 * point.accuracy for point in earlier))
    margin = 0.06 * (max(heights) - min(heights) or 1.0)
    spread = max(max(reach) / min(reach), 1.05) ** 0.06
    lines = [f"accuracy {formats.percent(teacher.accuracy)}"] + ([] if whole is None else [axis.text(whole)])
    return FrontierRecord(
        prefixes=tuple(point.prefix for point in drawn),
        costs=costs,
        accuracies=tuple(100 * point.accuracy for point in drawn),
        lows=lows,
        highs=highs,
        hovers=tuple(chart.hover(formats.hover(point, axis.hover(point, teacher))) for point in drawn),
        teacher_accuracy=accuracy,
        teacher_cost=teacher_cost,
        teacher_hover=chart.hover(["the teacher", *lines]),
        title=axis.title,
        log=axis.log,
        x_range=(min(reach) / spread, max(reach) * spread) if axis.log else (0.0, max(reach) * 1.05),
        y_range=(min(heights) - margin, max(heights) + margin),
        unpolished=tuple(
            (
                point.prefix,
                axis.cost(point) / axis.unit,
                100 * point.accuracy,
                _as_it_ended(point, axis.hover(point, teacher)),
            )
            for point in earlier
        ),
    )


def _as_it_ended(point: Point, cost: str) -> str:
    first, *rest = formats.hover(point, cost)
    return chart.hover([f"{first}, as round {point.prefix} ended", *rest])


def frontier(
    points: Sequence[Point],
    teacher: MeasuredTeacher,
    *,
    cost: str,
    theme: ThemeName,
    unpolished: Sequence[Point] | None = None,
) -> go.Figure:
    """The frontier, to scale: numbered prefixes with 95 % intervals, the teacher as a dashed line and a hollow
    diamond; behind it, small and hollow, the prefixes before the polish.

    Arguments as of `frontier_record`. A click on a point selects it; its `customdata` is the prefix, the teacher's is
    0.
    """
    record, look = frontier_record(points, teacher, cost, unpolished), palette.THEMES[theme]
    if record is None:
        return chart.empty("No student is finished yet: the first point appears when round 1 ends.", look)
    figure = go.Figure()
    if len(record.prefixes) > MOST_WHISKERS:
        figure.add_trace(_band(record, look))
    if record.unpolished:
        figure.add_trace(_unpolished(record, look))
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
    # What Streamlit makes of a chart that can be clicked; it would be drawn again for it.
    return figure.update_layout(clickmode="event+select", dragmode="pan")


def _numbers(counted: Sequence[int]) -> list[str]:
    """Labels of prefixes or rounds; of many only the first, every fifth and the last, so that they do not touch."""
    few = len(counted) <= MOST_NUMBERS
    return [str(n) if few or n in (counted[0], counted[-1]) or n % 5 == 0 else "" for n in counted]


def _prefixes(record: FrontierRecord, look: Theme) -> go.Scatter:
    whiskers = {
        "type": "data",
        "symmetric": False,
        "color": look.accent,
        "thickness": 1.5,
        "width": 5,
        "array": [high - value for high, value in zip(record.highs, record.accuracies, strict=True)],
        "arrayminus": [value - low for low, value in zip(record.lows, record.accuracies, strict=True)],
        "visible": len(record.prefixes) <= MOST_WHISKERS,
    }
    same = {"marker": {"opacity": 1}, "textfont": {"color": look.text}}
    return go.Scatter(
        x=record.costs,
        y=record.accuracies,
        error_y=whiskers,
        mode="lines+markers+text",
        name="ensemble",
        text=_numbers(record.prefixes),
        textposition="bottom right",
        textfont={"color": look.text},
        line={"color": look.accent, "width": 2.5},
        marker={"color": look.accent, "size": 12, "opacity": 1, "line": {"color": look.background, "width": 1}},
        selected=same,
        unselected=same,
        cliponaxis=False,
        customdata=list(record.prefixes),
        hovertext=record.hovers,
        hoverinfo="text",
    )


def _unpolished(record: FrontierRecord, look: Theme) -> go.Scatter:
    """Thin, muted and hollow, named at its start, where nothing lies to its right."""
    prefixes, costs, accuracies, hovers = zip(*record.unpolished, strict=True)
    same = {"marker": {"opacity": 1}, "textfont": {"color": look.muted}}
    return go.Scatter(
        x=costs,
        y=accuracies,
        mode="lines+markers+text",
        name="as each round ended",
        textposition="middle right",
        text=["\u2002as each round ended" if number == prefixes[0] else "" for number in prefixes],
        textfont={"color": look.muted},
        line={"color": look.muted, "width": 1},
        marker={"symbol": "circle-open", "color": look.muted, "size": 7, "opacity": 1},
        selected=same,
        unselected=same,
        cliponaxis=False,
        customdata=list(prefixes),
        hovertext=hovers,
        hoverinfo="text",
    )


def _teacher(record: FrontierRecord, look: Theme) -> go.Scatter:
    same = {"marker": {"opacity": 1}, "textfont": {"color": look.text}}
    return go.Scatter(
        x=[record.teacher_cost],
        y=[record.teacher_accuracy],
        mode="markers+text",
        name="teacher",
        text=["teacher"],
        textposition="bottom left",
        textfont={"color": look.text},
        selected=same,
        unselected=same,
        cliponaxis=False,
        marker={
            "symbol": "diamond",
            "size": 13,
            "color": look.background,
            "opacity": 1,
            "line": {"color": look.text, "width": 2},
        },
        customdata=[0],
        hovertext=[record.teacher_hover],
        hoverinfo="text",
    )


def _band(record: FrontierRecord, look: Theme) -> go.Scatter:
    """The intervals of many prefixes, as one outline."""
    return go.Scatter(
        x=record.costs + record.costs[::-1],
        y=record.highs + record.lows[::-1],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=palette.translucent(look.accent, 0.14),
        hoverinfo="skip",
        name="interval",
    )


@dataclass(frozen=True)
class EdgeMarks:
    """One group of marks of the edge chart: x = round, spread a little by class; y = the edge, on the normalised
    scale.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    hovers: tuple[str, ...]


def edges_record(
    records: Sequence[Edges], classes: Sequence[str] = (), relative: bool = False
) -> tuple[EdgeMarks, EdgeMarks]:
    """(met, unmet): each round's edge by class at or above zero, and below.

    records: rows of a run's `rounds`. classes: their names; numbered where unknown. relative: each edge as a share of
    the largest that deviations of its size could have.
    """
    quantity, column = ("relative edge", "relative_edges") if relative else ("edge", "edges")
    marks = [mark for record in records for mark in _edge_marks(record, column, classes, quantity)]
    return _grouped([mark for mark in marks if mark[1] >= 0]), _grouped([mark for mark in marks if mark[1] < 0])


def corrections_record(records: Sequence[Edges], classes: Sequence[str] = ()) -> tuple[EdgeMarks, tuple[float, ...]]:
    """Where the edges of corrected rounds were before, and (of the same marks) where they are after the correction."""
    changed = [record for record in records if was_corrected(record)]
    before = [mark for record in changed for mark in _edge_marks(record, "edges_before", classes, "edge before")]
    return _grouped(before), tuple(edge for record in changed for edge in record.edges)


def was_corrected(record: Edges) -> bool:
    """Whether a round's or an attempt's edges are those after a correction of the student's output layer."""
    return any(abs(one - other) > 1e-7 for one, other in zip(record.edges_before, record.edges, strict=False))


def _edge_marks(record: Edges, column: str, classes: Sequence[str], quantity: str) -> list[tuple[float, float, str]]:
    """(x, y, hover) of each class in one round."""
    edges, marks = getattr(record, column), []
    for index, edge in enumerate(edges):
        offset = 0.5 * (index / (len(edges) - 1) - 0.5) if len(edges) > 1 else 0.0
        name = classes[index] if index < len(classes) else f"class {index + 1}"
        lines = [name, f"round {record.round}", f"{quantity} {formats.edge(edge)}"]
        marks.append((record.round + offset, edge, chart.hover(lines)))
    return marks


def _grouped(marks: Sequence[tuple[float, float, str]]) -> EdgeMarks:
    return EdgeMarks(*(zip(*marks, strict=True) if marks else ((), (), ())))


def edges(
    records: Sequence[Edges],
    *,
    theme: ThemeName,
    rounds: int | None = None,
    classes: Sequence[str] = (),
    relative: bool = False,
) -> go.Figure:
    """Does each student correct the ones before it? A dot per class at or above zero, a cross below; a hollow dot, and
    a line from it, where the edge was before the student's output layer was corrected.

    Arguments as of `edges_record`; rounds: how many the run is meant to have, so that the axis does not move.
    """
    look = palette.THEMES[theme]
    met, unmet = edges_record(records, classes, relative)
    before, after = corrections_record([] if relative else records, classes)
    if not records:
        return chart.empty("The first edges appear when round 1 ends.", look)
    figure = go.Figure()
    figure.add_hline(0, line={"color": look.text, "width": 1.5})
    if before.x:
        figure.add_traces(_corrections(before, after, look))
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
    last = max(rounds or 0, *(record.round for record in records))
    chart.scale(figure.layout.xaxis, (0.5, last + 0.5), whole=True)
    heights = (0.0, *met.y, *unmet.y, *before.y)
    low, high = min(heights), max(heights)
    margin = 0.08 * (high - low) or 0.01
    chart.scale(figure.layout.yaxis, (low - margin, high + margin))
    return figure


def _corrections(before: EdgeMarks, after: Sequence[float], look: Theme) -> list[go.Scatter]:
    """Hollow dots, and a hairline from each to the mark of its edge after the correction."""
    ends = zip(before.x, before.y, after, strict=True)
    spans = [(x, y) for place, start, end in ends for x, y in ((place, start), (place, end), (None, None))]
    x, y = zip(*spans, strict=True)
    marker = {"symbol": "circle-open", "color": look.muted, "size": 8, "line": {"width": 1.5}}
    line = {"color": look.control, "width": 1}
    return [
        go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", name="correction"),
        go.Scatter(
            x=before.x,
            y=before.y,
            mode="markers",
            marker=marker,
            name="before",
            hovertext=before.hovers,
            hoverinfo="text",
        ),
    ]


@dataclass(frozen=True)
class LossLine:
    """One round's loss by epoch (round None: the polish); of many rounds some have no `label`.

    label_at: where the label stands, moved up from the line's end where they crowd.
    """

    round: int | None
    epochs: tuple[int, ...]
    losses: tuple[float, ...]
    label: str
    label_at: float

    @property
    def name(self) -> str:
        return "polish" if self.round is None else str(self.round)


def losses_record(events: Iterable[AnyEvent]) -> list[LossLine]:
    """One line a round, of its last attempt, then the polish, from a run's `epoch` events (others are passed over)."""
    rounds: dict[float, tuple[int, dict[int, float]]] = {}
    for event in events:
        if not isinstance(event, EpochFinished) or (event.round is None and event.phase != "polish"):
            continue
        place = event.round or POLISH
        attempt, line = rounds.get(place, (0, {}))
        if (event.attempt or 0) > attempt:
            attempt, line = event.attempt or 0, {}
        line[event.epoch] = event.loss  # an epoch repeated after an interruption counts once
        rounds[place] = attempt, line
    ends = {number: line[max(line)] for number, (_, line) in rounds.items()}
    gap = 0.05 * max((loss for _, line in rounds.values() for loss in line.values()), default=0.0)
    numbered = sorted(int(place) for place in ends if place != POLISH)
    labels = dict(zip(numbered, _numbers(numbered), strict=True)) if numbered else {}
    labelled: dict[float, float] = {place: ends[place] for place, label in labels.items() if label}
    places = ends | chart.spread(labelled, gap)
    return [
        LossLine(
            None if place == POLISH else int(place),
            tuple(sorted(line)),
            tuple(line[epoch] for epoch in sorted(line)),
            "polish" if place == POLISH else labels[int(place)],
            places[place],
        )
        for place, (_, line) in sorted(rounds.items())
    ]


def losses(events: Iterable[AnyEvent], *, theme: ThemeName, rounds: int | None = None) -> go.Figure:
    """The distillation loss by epoch, one line a round, numbered at its end, and the polish as a dotted one.

    `events`: a run's events.
    """
    look, lines = palette.THEMES[theme], losses_record(events)
    if not lines:
        return chart.empty("The first loss appears when an epoch ends.", look)
    figure = go.Figure()
    colours = palette.students(max(rounds or 0, *(line.round or 0 for line in lines), 1), theme)
    for line in lines:
        colour = colours[line.round - 1] if line.round else look.accent
        name = f"round {line.round}" if line.round else "polish"
        hovers = [
            chart.hover([name, f"epoch {epoch}", f"loss {formats.decimal(loss, 4)}"])
            for epoch, loss in zip(line.epochs, line.losses, strict=True)
        ]
        figure.add_trace(
            go.Scatter(
                x=line.epochs,
                y=line.losses,
                mode="lines+markers",
                name=name,
                cliponaxis=False,
                line={"color": colour, "width": 2, "dash": "solid" if line.round else "dot"},
                marker={"color": colour, "size": 5},
                hovertext=hovers,
                hoverinfo="text",
            )
        )
        beside = {"xanchor": "left", "xshift": 6} if line.round else {"xanchor": "right", "yanchor": "bottom"}
        figure.add_annotation(
            x=line.epochs[-1],
            y=line.label_at,
            text=line.label,
            showarrow=False,
            font_color=look.text,
            **beside,
        )
    chart.axes(figure, look, "Epoch", "Loss, mean over the training split")
    longest = max(line.epochs[-1] for line in lines)
    chart.scale(figure.layout.xaxis, (0.5, max(longest, 2) + 0.5), whole=True)
    chart.scale(figure.layout.yaxis, (0.0, 1.06 * max(max(*line.losses, line.label_at) for line in lines) or 1.0))
    return figure


def learning(events: Iterable[AnyEvent], *, theme: ThemeName, epochs: int | None = None) -> go.Figure:
    """A teacher's training: accuracy on the validation split by epoch. epochs: how many it is meant to have."""
    look = palette.THEMES[theme]
    reached = {
        event.epoch: event.validation["accuracy"]
        for event in events
        if isinstance(event, EpochFinished) and event.phase == "teacher" and event.validation
    }
    if not reached:
        return chart.empty("The first point appears when an epoch ends.", look)
    heights = [100 * accuracy for accuracy in reached.values()]
    figure = go.Figure(
        go.Scatter(
            x=list(reached),
            y=heights,
            mode="lines+markers",
            name="teacher",
            line={"color": look.text, "width": 2},
            marker={
                "symbol": "diamond",
                "size": 8,
                "color": look.background,
                "line": {"color": look.text, "width": 1.5},
            },
            hovertext=[chart.hover([f"epoch {e}", f"accuracy {formats.percent(a)}"]) for e, a in reached.items()],
            hoverinfo="text",
        )
    )
    chart.axes(figure, look, "Epoch", "Accuracy on the validation split (%)")
    chart.scale(figure.layout.xaxis, (0.5, max(epochs or 0, max(reached), 2) + 0.5), whole=True)
    margin = 0.08 * (max(heights) - min(heights)) or 1.0
    chart.scale(figure.layout.yaxis, (min(heights) - margin, max(heights) + margin))
    return figure

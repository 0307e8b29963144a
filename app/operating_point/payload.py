"""What the slider shows, as JSON: every text of every prefix is formatted here, the browser only picks.

`payload` is pure: points and a teacher in, one `Payload` out. How it is drawn is in instrument.css and instrument.js;
who holds the chosen prefix is in `__init__`. Every text of a cost (sentence, figures, ticks, bar, the thumb's words)
follows the cost axis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bdistil.records import MeasuredTeacher, Point
from bdistil.report import formats, palette
from bdistil.report.cost_axes import AXES, MACS, CostAxis, tick_text
from bdistil.results.loading import FrontierPoint


@dataclass(frozen=True)
class Figure:
    """A number apart from its unit, so that they can be set in two sizes, and what is said beside it."""

    value: str
    unit: str
    aside: str


@dataclass(frozen=True)
class PrefixTexts:
    """One prefix: where it lies (accuracy and its interval, share of the teacher's cost), and each of its texts."""

    prefix: int
    accuracy: float
    low: float
    high: float
    share: float | None
    cost: str
    difference: str
    sentence: str
    value_text: str
    figures: list[Figure]
    spent: str
    bar: str


@dataclass(frozen=True)
class TeacherTexts:
    accuracy: float
    text: str
    cost: str


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Scale:
    """The accuracy axis, from `low` to `high`, shares."""

    low: float
    high: float
    ticks: list[Tick]


@dataclass(frozen=True)
class Address:
    """What the address of the page says of the run and the cost axis."""

    run: str
    cost: str


@dataclass(frozen=True)
class Progress:
    """The round in training, and how much of it has been trained, in [0, 1]."""

    round: int
    fraction: float


@dataclass(frozen=True)
class Payload:
    """Everything the instrument draws. ramp: a light and a dark colour for each round. y: None without a point."""

    run: str
    label: str
    mode: str
    rounds: int
    prefix: int
    push: int
    heading_level: int
    address: Address | None
    labels: list[str]
    points: list[PrefixTexts]
    teacher: TeacherTexts
    y: Scale | None
    ramp: list[list[str]]
    progress: Progress | None
    note: str

    def document(self) -> dict[str, object]:
        """As JSON's own types, for the browser."""
        return asdict(self)


def payload(
    points: Sequence[Point],
    teacher: MeasuredTeacher,
    *,
    run: str,
    title: str,
    mode: str = "full",
    rounds: int,
    prefix: int,
    push: int = 0,
    cost_axis: str = "macs",
    progress: Progress | None = None,
    heading_level: int = 2,
) -> Payload:
    """Everything the instrument draws.

    points: the frontier, one point per finished prefix in order; those fresh from training have no paired interval.
    mode: "full" (Explore), "compact" (Home, leaves the address alone) or "live" (Distil, no cost bar).
    rounds: ticks drawn; those without a point are dotted. prefix: where the thumb goes on mount, on another run and
    when `push` changes; clamped to the finished ones, 0 without any. cost_axis: a key of `AXES`.
    """
    compared = [_compared(point, teacher) for point in points]
    axis = AXES[cost_axis]
    ramp = zip(palette.students(rounds, "light"), palette.students(rounds, "dark"), strict=True)
    return Payload(
        run=run,
        label=f"Operating point on the frontier of {title}",
        mode=mode,
        rounds=rounds,
        prefix=min(max(prefix, 1), len(compared)),
        push=push,
        heading_level=heading_level,
        address=None if mode == "compact" else Address(run, cost_axis),
        labels=_labels(compared, teacher, axis),
        points=[
            _texts(point, before, compared[0], teacher, rounds, axis, full=mode == "full")
            for point, before in zip(compared, [None, *compared], strict=False)
        ],
        teacher=TeacherTexts(
            accuracy=teacher.accuracy,
            text=f"teacher {formats.percent(teacher.accuracy)}",
            cost="" if axis.of_teacher(teacher) is None else f"the teacher: {_whole(axis, teacher)}",
        ),
        y=scale(compared, teacher.accuracy) if compared else None,
        ramp=[list(pair) for pair in ramp],
        progress=progress,
        note=_note(compared, rounds),
    )


def scale(points: Sequence[Point], teacher_accuracy: float) -> Scale:
    """The accuracy axis: it holds all intervals and the teacher."""
    low = 100 * min(point.accuracy_low for point in points)
    high = 100 * max(teacher_accuracy, *(point.accuracy_high for point in points))
    # A step of 1, 2 or 5 times a power of ten that leaves about four lines: the plot is small.
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= (high - low) / 4)
    values = [step * count for count in range(math.floor(low / step), math.floor(high / step) + 1)]
    texts = [f"{text}{formats.NO_BREAK}%" for text in tick_text(values)]
    marks = [Tick(value / 100, text) for value, text in zip(values, texts, strict=True)]
    return Scale(values[0] / 100, high / 100, marks)


def _compared(point: Point, teacher: MeasuredTeacher) -> FrontierPoint:
    """A point with its loss against the teacher: one fresh from training has no paired interval yet."""
    if isinstance(point, FrontierPoint):
        return point
    lost = 100 * (teacher.accuracy - point.accuracy)
    return FrontierPoint(**dict(point), points_lost=lost, points_lost_low=lost, points_lost_high=lost)


def _note(points: Sequence[Point], rounds: int) -> str:
    if len(points) == 1 < rounds:
        return "There is one student so far; the slider opens with the second."
    if points and points[0].window_share < 1:
        return "Below the number of students: how much of the window they have read."
    return ""


def _texts(
    point: FrontierPoint,
    before: Point | None,
    first: Point,
    teacher: MeasuredTeacher,
    rounds: int,
    axis: CostAxis,
    full: bool,
) -> PrefixTexts:
    """One prefix: where it lies, and each text that depends on it."""
    spent = axis.text(axis.cost(point))
    return PrefixTexts(
        prefix=point.prefix,
        accuracy=point.accuracy,
        low=point.accuracy_low,
        high=point.accuracy_high,
        share=axis.share(point, teacher),
        cost=_tick(point, axis, early=first.window_share < 1),
        difference=formats.points(-point.points_lost),
        sentence=sentence(point, teacher, rounds, axis),
        value_text=value_text(point, teacher, rounds, axis),
        figures=_figures(point, before, teacher, axis, full),
        spent=spent,
        bar="" if axis.of_teacher(teacher) is None else f"{spent}; the teacher: {_whole(axis, teacher)}",
    )


def _tick(point: Point, axis: CostAxis, early: bool) -> str:
    """Below a prefix: what it costs or, where prefixes answer before a series has ended, how much of it they read."""
    return formats.percent(point.window_share, 0) if early else axis.tick(axis.cost(point))


def sentence(point: FrontierPoint, teacher: MeasuredTeacher, rounds: int, axis: CostAxis = MACS) -> str:
    """The finding: `3 of 6 students reach 93.3 %, 1.0 points below the teacher, for 12 % of its cost.`"""
    return formats.finding(
        point.prefix,
        rounds,
        point.accuracy,
        teacher.accuracy,
        price=axis.price(point, teacher, "its"),
        apart=not point.points_lost_low <= 0 <= point.points_lost_high,
        heard=point.window_share,
        persons=point.persons if point.points_lost_low < point.points_lost_high else None,
    )


def value_text(point: Point, teacher: MeasuredTeacher, rounds: int, axis: CostAxis = MACS) -> str:
    """The thumb in words: `3 of 6 students, accuracy 93.3 percent, 12 percent of the teacher’s cost`."""
    price = axis.price(point, teacher, "the teacher’s")
    heard = f" after {formats.window(point.window_share)}" if point.window_share < 1 else ""
    text = f"{point.prefix} of {rounds} students{heard}, accuracy {formats.percent(point.accuracy)}, {price}"
    return text.replace(f"{formats.NO_BREAK}%", " percent")


def _labels(points: Sequence[Point], teacher: MeasuredTeacher, axis: CostAxis) -> list[str]:
    shared = bool(points) and axis.share(points[0], teacher) is not None
    alone = "Cost of one prediction" if axis.whole == "cost" else axis.whole.capitalize()
    cost = f"Share of the teacher’s {axis.whole}" if shared else alone
    last = "Last student cost" if axis.whole == "cost" else f"Last student’s {axis.whole}"
    return ["Accuracy", cost, "Against the teacher", "Agrees with the teacher", "Last student brought", last]


def _figures(
    point: FrontierPoint, before: Point | None, teacher: MeasuredTeacher, axis: CostAxis, full: bool
) -> list[Figure]:
    """The two large and four small figures, in the order of `_labels`; the full instrument says more below them."""
    share = axis.share(point, teacher)
    counted = MACS if axis.relative else axis  # a share of a share would say nothing
    whole = counted.of_teacher(teacher)
    if share is None or whole is None:
        cost = _figure(axis.text(axis.cost(point)))
    else:
        cost = _figure(formats.share(share), f"{counted.tick(counted.cost(point))} of {counted.text(whole)}")
    step = axis.cost(point) - (axis.cost(before) if before else 0)
    # The first student has none before it: what it brought is its accuracy.
    gain = formats.points(100 * (point.accuracy - before.accuracy)) if before else formats.percent(point.accuracy)
    low, high = point.points_lost_low, point.points_lost_high
    name = formats.interval_name(point.persons)
    doubt = f"{name} {formats.decimal(-high)} to {formats.decimal(-low)}"
    return [
        _figure(formats.percent(point.accuracy), f"{name} {formats.interval(point.accuracy_low, point.accuracy_high)}"),
        cost,
        _figure(formats.points(-point.points_lost), doubt if full and low < high else ""),
        _figure(formats.percent(point.agreement)),
        _figure(gain, _repairs(point) if full else ""),
        _figure(axis.tick(step), "of the teacher’s MACs") if axis.relative else _figure(axis.text(step)),
    ]


def _figure(text: str, aside: str = "") -> Figure:
    value, unit = text, ""
    if found := re.fullmatch(r"(.+?)[ \u00a0]([^ \u00a0\d]{2,}|%)", text):
        value, unit = found.groups()
    return Figure(value, unit, aside)


def _repairs(point: Point) -> str:
    if point.fixed is None or point.broken is None:
        return ""
    return f"fixed {formats.count(point.fixed)}, broke {formats.count(point.broken)}"


def _whole(axis: CostAxis, teacher: MeasuredTeacher) -> str:
    """The teacher's own cost in words; a share of itself would say nothing."""
    counted = MACS if axis.relative else axis
    whole = counted.of_teacher(teacher)
    return "" if whole is None else counted.text(whole)

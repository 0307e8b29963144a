"""What the slider shows, as JSON: every text of every prefix is formatted here, the browser only picks.

`payload` is pure: frontier rows and a teacher's card in, one dictionary out. How it is drawn is in instrument.css and
instrument.js; who holds the chosen prefix is in `__init__`. Every text of a cost (sentence, figures, ticks, bar, the
thumb's words) follows the cost axis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bdistil.report import formats, palette
from bdistil.report.cost_axes import AXES, CostAxis, tick_text

Row = Mapping[str, Any]


def payload(
    points: pd.DataFrame | Sequence[Row],
    teacher: Row,
    *,
    run: str,
    title: str,
    mode: str = "full",
    rounds: int,
    prefix: int,
    push: int = 0,
    cost_axis: str = "macs",
    progress: Row | None = None,
    heading_level: int = 2,
) -> dict[str, Any]:
    """Everything the instrument draws, ready for JSON.

    points: the frontier, one row per finished prefix in order (columns of `bdistil.results.frontier`; those of the
    paired interval may be absent). teacher: a card with `accuracy` in [0, 1] and `macs`, `parameters`, `bytes` or None.
    mode: "full" (Explore), "compact" (Home, leaves the address alone) or "live" (Distil, no cost bar).
    rounds: ticks drawn; those without a point are dotted. prefix: where the thumb goes on mount, on another run and
    when `push` changes; clamped to the finished ones, 0 without any. cost_axis: a key of `costs.AXES`.
    progress: {"round": …, "fraction": in [0, 1]} of the round in training.
    """
    rows = [_complete(row, teacher) for row in _records(points)]
    axis = AXES[cost_axis]
    ramp = zip(palette.students(rounds, "light"), palette.students(rounds, "dark"), strict=True)
    return {
        "run": run,
        "label": f"Operating point on the frontier of {title}",
        "mode": mode,
        "rounds": rounds,
        "prefix": min(max(prefix, 1), len(rows)),
        "push": push,
        "heading_level": heading_level,
        "address": None if mode == "compact" else {"run": run, "cost": cost_axis},
        "labels": _labels(rows, teacher, axis),
        "points": [
            _point(row, before, rows[0], teacher, rounds, axis, full=mode == "full")
            for row, before in zip(rows, [None, *rows], strict=False)
        ],
        "teacher": {
            "accuracy": float(teacher["accuracy"]),
            "text": f"teacher {formats.percent(teacher['accuracy'])}",
            "cost": "" if formats.missing(axis.of_teacher(teacher)) else f"the teacher: {_whole(axis, teacher)}",
        },
        "y": scale(rows, teacher["accuracy"]) if rows else None,
        "ramp": [list(pair) for pair in ramp],
        "progress": dict(progress) if progress else None,
        "note": _note(rows, rounds),
    }


def scale(rows: Sequence[Row], teacher_accuracy: float) -> dict[str, Any]:
    """Accuracy axis, {"low", "high", "ticks": [{"at", "text"}]}: holds all intervals and the teacher."""
    low = 100 * min(row["accuracy_low"] for row in rows)
    high = 100 * max(teacher_accuracy, *(row["accuracy_high"] for row in rows))
    # A step of 1, 2 or 5 times a power of ten that leaves about four lines: the plot is small.
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= (high - low) / 4)
    values = [step * count for count in range(math.floor(low / step), math.floor(high / step) + 1)]
    texts = [f"{text}{formats.NO_BREAK}%" for text in tick_text(values)]
    marks = [{"at": value / 100, "text": text} for value, text in zip(values, texts, strict=True)]
    return {"low": values[0] / 100, "high": high / 100, "ticks": marks}


def _records(points: pd.DataFrame | Sequence[Row]) -> list[Row]:
    return points.to_dict("records") if isinstance(points, pd.DataFrame) else list(points)


def _complete(row: Row, teacher: Row) -> dict[str, Any]:
    """A row with its loss against the teacher: a row fresh from training has no paired interval yet."""
    lost = 100 * (teacher["accuracy"] - row["accuracy"])
    return {"points_lost": lost, "points_lost_low": lost, "points_lost_high": lost, "window_share": 1.0, **row}


def _note(rows: Sequence[Row], rounds: int) -> str:
    if len(rows) == 1 < rounds:
        return "There is one student so far; the slider opens with the second."
    if rows and rows[0]["window_share"] < 1:
        return "Below the number of students: how much of the window they have read."
    return ""


def _point(
    row: Row, before: Row | None, first: Row, teacher: Row, rounds: int, axis: CostAxis, full: bool
) -> dict[str, Any]:
    """One prefix: where it lies, and each text that depends on it."""
    spent = axis.text(row[axis.column])
    return {
        "prefix": int(row["prefix"]),
        "accuracy": float(row["accuracy"]),
        "low": float(row["accuracy_low"]),
        "high": float(row["accuracy_high"]),
        "share": axis.share(row, teacher),
        "cost": _tick(row, axis, early=first["window_share"] < 1),
        "difference": formats.points(-row["points_lost"]),
        "sentence": sentence(row, teacher, rounds, axis),
        "value_text": value_text(row, teacher, rounds, axis),
        "figures": _figures(row, before, teacher, axis, full),
        "spent": spent,
        "bar": "" if axis.of_teacher(teacher) is None else f"{spent}; the teacher: {_whole(axis, teacher)}",
    }


def _tick(row: Row, axis: CostAxis, early: bool) -> str:
    """Below a prefix: what it costs or, where prefixes answer before a series has ended, how much of it they read."""
    if early:
        return formats.percent(row["window_share"], 0)
    return axis.tick(row[axis.column])


def sentence(row: Row, teacher: Row, rounds: int, axis: CostAxis = AXES["macs"]) -> str:
    """The finding: `3 of 6 students reach 93.3 %, 1.0 points below the teacher, for 12 % of its cost.`"""
    paired = row["points_lost_low"], row["points_lost_high"]
    return formats.finding(
        int(row["prefix"]),
        rounds,
        row["accuracy"],
        teacher["accuracy"],
        price=axis.price(row, teacher, "its"),
        apart=not paired[0] <= 0 <= paired[1],
        heard=row["window_share"],
        persons=_persons(row) if paired[0] < paired[1] else None,
    )


def value_text(row: Row, teacher: Row, rounds: int, axis: CostAxis = AXES["macs"]) -> str:
    """The thumb in words: `3 of 6 students, accuracy 93.3 percent, 12 percent of the teacher’s cost`."""
    price = axis.price(row, teacher, "the teacher’s")
    heard = f" after {formats.window(row['window_share'])}" if row["window_share"] < 1 else ""
    text = f"{int(row['prefix'])} of {rounds} students{heard}, accuracy {formats.percent(row['accuracy'])}, {price}"
    return text.replace(f"{formats.NO_BREAK}%", " percent")


def _labels(rows: Sequence[Row], teacher: Row, axis: CostAxis) -> list[str]:
    shared = bool(rows) and axis.share(rows[0], teacher) is not None
    alone = "Cost of one prediction" if axis.whole == "cost" else axis.whole.capitalize()
    cost = f"Share of the teacher’s {axis.whole}" if shared else alone
    last = "Last student cost" if axis.whole == "cost" else f"Last student’s {axis.whole}"
    return ["Accuracy", cost, "Against the teacher", "Agrees with the teacher", "Last student brought", last]


def _figures(row: Row, before: Row | None, teacher: Row, axis: CostAxis, full: bool) -> list[dict[str, str]]:
    """The two large and four small figures, in the order of `_labels`; the full instrument says more below them."""
    share = axis.share(row, teacher)
    if share is None:
        cost = _figure(axis.text(row[axis.column]))
    else:
        counted = AXES["macs"] if axis.relative else axis  # a share of a share would say nothing
        spent = f"{counted.tick(row[counted.column])} of {counted.text(counted.of_teacher(teacher))}"
        cost = _figure(formats.share(share), spent)
    step = row[axis.column] - (before[axis.column] if before else 0)
    # The first student has none before it: what it brought is its accuracy.
    gain = formats.points(100 * (row["accuracy"] - before["accuracy"])) if before else formats.percent(row["accuracy"])
    paired = row["points_lost_low"], row["points_lost_high"]
    name = formats.interval_name(_persons(row))
    doubt = f"{name} {formats.decimal(-paired[1])} to {formats.decimal(-paired[0])}"
    return [
        _figure(
            formats.percent(row["accuracy"]),
            f"{name} {formats.interval(row['accuracy_low'], row['accuracy_high'])}",
        ),
        cost,
        _figure(formats.points(-row["points_lost"]), doubt if full and paired[0] < paired[1] else ""),
        _figure(formats.percent(row["agreement"])),
        _figure(gain, _repairs(row) if full else ""),
        _figure(axis.tick(step), "of the teacher’s MACs") if axis.relative else _figure(axis.text(step)),
    ]


def _persons(row: Row) -> int | None:
    """How many persons the row's intervals are over; rows of earlier versions do not say."""
    return None if formats.missing(row.get("persons")) else int(row["persons"])


def _figure(text: str, aside: str = "") -> dict[str, str]:
    """A number apart from its unit, so that they can be set in two sizes."""
    value, unit = re.fullmatch(r"(.+?)(?:[ \u00a0]([^ \u00a0\d]{2,}|%))?", text).groups()
    return {"value": value, "unit": unit or "", "aside": aside}


def _repairs(row: Row) -> str:
    if formats.missing(row.get("fixed")):
        return ""
    return f"fixed {formats.count(int(row['fixed']))}, broke {formats.count(int(row['broken']))}"


def _whole(axis: CostAxis, teacher: Row) -> str:
    """The teacher's own cost in words; a share of itself would say nothing."""
    return AXES["macs"].text(teacher["macs"]) if axis.relative else axis.text(axis.of_teacher(teacher))

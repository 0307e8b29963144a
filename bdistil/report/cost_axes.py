"""The cost axes of the frontier, each declared once: cost, unit, label, scale and ticks.

A chart's x is a cost in the axis's units. MACs, parameters and bytes span orders of magnitude and are drawn on a
logarithm; a share of the teacher is drawn from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bdistil.records import Point, TeacherRecord
from bdistil.report import formats


@dataclass(frozen=True)
class CostAxis:
    """key: in addresses and pickers' values. of_point, of_teacher: the cost of a prefix and of the teacher, in one
    unit; None where it is unknown.

    unit: what one step of the axis is, in that unit. text: a cost in words. whole: what a share is of, after "the
    teacher’s". tick: a cost below a tick. share: a prefix's cost as a share of the teacher's, where points state it.
    relative: costs are shares of the teacher's already.
    """

    key: str
    label: str
    of_point: Callable[[Point], float | None]
    of_teacher: Callable[[TeacherRecord], float | None]
    title: str
    unit: float
    log: bool
    text: Callable[[float], str]
    whole: str
    tick: Callable[[float], str] = formats.quantity
    stated: bool = False
    relative: bool = False

    def cost(self, point: Point) -> float:
        """The cost of a prefix on an axis that is `available`. Raises ValueError where it is unknown."""
        cost = self.of_point(point)
        if cost is None:
            raise ValueError(f"prefix {point.prefix} has no {self.label}")
        return cost

    def share(self, point: Point, teacher: TeacherRecord) -> float | None:
        """A prefix's cost as a share of the teacher's, None where either is unknown."""
        if self.stated:
            return point.macs_ratio
        whole = self.of_teacher(teacher)
        return self.cost(point) / whole if whole else None

    def price(self, point: Point, teacher: TeacherRecord, whose: str) -> str:
        """`12 % of its cost`, the teacher being `whose`; `5.2 M MACs` beside a teacher of unknown cost."""
        share = self.share(point, teacher)
        return self.text(self.cost(point)) if share is None else f"{formats.share(share)} of {whose} {self.whole}"

    def hover(self, point: Point, teacher: TeacherRecord) -> str:
        """`5.2 M MACs, 12 % of the teacher`; without the share beside a teacher of unknown cost."""
        share = None if self.relative else self.share(point, teacher)
        text = self.text(self.cost(point))
        return text if share is None else f"{text}, {formats.share(share)} of the teacher"


MACS = CostAxis(
    "macs",
    "MACs",
    lambda point: point.macs,
    lambda teacher: teacher.macs,
    "Cost of one prediction (million MACs)",
    1e6,
    True,
    lambda value: f"{formats.macs(value)} MACs",
    whole="cost",
    stated=True,
)
AXES: dict[str, CostAxis] = {
    axis.key: axis
    for axis in (
        MACS,
        CostAxis(
            "parameters",
            "Parameters",
            lambda point: point.parameters,
            lambda teacher: teacher.parameters,
            "Parameters (thousands)",
            1e3,
            True,
            lambda value: f"{formats.quantity(value)} parameters",
            whole="parameters",
        ),
        CostAxis(
            "bytes",
            "Model size (kB)",
            lambda point: point.bytes,
            lambda teacher: teacher.bytes,
            "Model size (kB)",
            1e3,
            True,
            formats.size,
            whole="model size",
            tick=formats.size,
        ),
        CostAxis(
            "share",
            "Share of the teacher",
            lambda point: point.macs_ratio,
            lambda teacher: None if teacher.macs is None else 1.0,
            "Share of the teacher’s MACs (%)",
            0.01,
            False,
            lambda ratio: f"{formats.share(ratio)} of the teacher",
            whole="cost",
            tick=formats.share,
            stated=True,
            relative=True,
        ),
    )
}


def available(points: Sequence[Point]) -> list[CostAxis]:
    """The axes on which the cost of every point is known: a black-box teacher leaves no share."""
    return [axis for axis in AXES.values() if all(axis.of_point(point) is not None for point in points)]


def ticks(low: float, high: float, log: bool = False, most: int = 6) -> list[float]:
    """Round positions within [low, high]: 1, 2 and 5 times powers of ten on a logarithm, else equal steps of such a
    size.

    Equal steps are as fine as `most` of them allow. A logarithm over a narrow range falls back on them, over a wide
    one (more than ten ticks) on powers of ten.
    """
    if log:
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for mantissas in ((1, 2, 5), (1,)):
            found = [m * 10.0**e for e in exponents for m in mantissas if low <= m * 10.0**e <= high]
            if len(found) <= 10:
                break
        if len(found) >= 3:
            return found
    rough = (high - low) / most or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def tick_text(values: list[float]) -> list[str]:
    """Ticks as plain numbers, with as many decimals as the finest step between them asks for."""
    steps = [abs(b - a) for a, b in zip(values, values[1:], strict=False)] or [abs(v) for v in values] or [1.0]
    if len(values) > 2 and max(steps) > 1.5 * min(steps):  # a logarithm: each tick is short by itself
        return [_plain(value) for value in values]
    decimals = max(0, -math.floor(math.log10(min(steps) or 1.0) + 1e-9))
    return [formats.decimal(value, decimals) for value in values]


def _plain(value: float) -> str:
    return formats.count(round(value)) if value >= 1 else formats.decimal(value, -math.floor(math.log10(value) + 1e-9))

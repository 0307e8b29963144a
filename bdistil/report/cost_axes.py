"""The cost axes of the frontier, each declared once: column, unit, label, scale and ticks.

A chart's x is `column / unit`. MACs, parameters and bytes span orders of magnitude and are drawn on a logarithm; a
share of the teacher is drawn from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bdistil.report import formats


@dataclass(frozen=True)
class CostAxis:
    """key: in addresses and pickers' values. column: of the frontier's rows and, unless `relative`, of the teacher's
    card.

    unit: what one step of the axis is, in the column's unit. text: a value of the column in words. whole: what a share
    is of, after "the teacher’s". tick: a value below a tick. relative: the column is a share of the teacher's `of`.
    """

    key: str
    label: str
    column: str
    title: str
    unit: float
    log: bool
    text: Callable[[float], str]
    whole: str
    tick: Callable[[float], str] = formats.quantity
    of: str | None = None

    @property
    def relative(self) -> bool:
        return self.of is not None

    def of_teacher(self, teacher: Mapping[str, Any]) -> float | None:
        """The teacher's own cost in the column's unit, None where it is unknown."""
        value = teacher.get(self.of or self.column)
        if formats.missing(value):
            return None
        return 1.0 if self.relative else float(value)

    def share(self, row: Mapping[str, Any], teacher: Mapping[str, Any]) -> float | None:
        """A prefix's cost as a share of the teacher's, None where either is unknown.

        A frontier's row states its share of the MACs itself.
        """
        column = "macs_ratio" if self.column == "macs" else self.column
        if column == "macs_ratio":
            return None if formats.missing(row["macs_ratio"]) else float(row["macs_ratio"])
        whole = self.of_teacher(teacher)
        return float(row[column] / whole) if whole else None

    def price(self, row: Mapping[str, Any], teacher: Mapping[str, Any], whose: str) -> str:
        """`12 % of its cost`, the teacher being `whose`; `5.2 M MACs` beside a teacher of unknown cost."""
        share = self.share(row, teacher)
        return self.text(row[self.column]) if share is None else f"{formats.share(share)} of {whose} {self.whole}"

    def hover(self, row: Mapping[str, Any], teacher: Mapping[str, Any]) -> str:
        """`5.2 M MACs, 12 % of the teacher`; without the share beside a teacher of unknown cost."""
        share = None if self.relative else self.share(row, teacher)
        text = self.text(row[self.column])
        return text if share is None else f"{text}, {formats.share(share)} of the teacher"


AXES: dict[str, CostAxis] = {
    axis.key: axis
    for axis in (
        CostAxis(
            "macs",
            "MACs",
            "macs",
            "Cost of one prediction (million MACs)",
            1e6,
            True,
            lambda value: f"{formats.macs(value)} MACs",
            whole="cost",
        ),
        CostAxis(
            "parameters",
            "Parameters",
            "parameters",
            "Parameters (thousands)",
            1e3,
            True,
            lambda value: f"{formats.quantity(value)} parameters",
            whole="parameters",
        ),
        CostAxis(
            "bytes",
            "Model size (kB)",
            "bytes",
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
            "macs_ratio",
            "Share of the teacher’s MACs (%)",
            0.01,
            False,
            lambda ratio: f"{formats.share(ratio)} of the teacher",
            whole="cost",
            tick=formats.share,
            of="macs",
        ),
    )
}


def available(points: Any) -> list[CostAxis]:
    """The axes whose column is known for every row of a frontier's data frame: a black-box teacher leaves no share."""
    return [axis for axis in AXES.values() if axis.column in points and points[axis.column].notna().all()]


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

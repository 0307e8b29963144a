"""The design's colours, light and dark, in one table, and what is computed from them.

Roles, not hues: the teacher is text, the ensemble is the accent, nothing that isn't ours is blue.
`tests/test_palette.py` computes every contrast: 4.5:1 for text, 3:1 for marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True)
class Theme:
    """One theme's colours as `#RRGGBB`.

    `border` and `surface` are never the only sign of anything. `students`: the first student to the last, to be
    interpolated. `worse`, `better`: the ends of a difference, laid on the surface in the steps of `HEAT`.
    """

    background: str
    surface: str
    text: str
    muted: str
    border: str
    control: str
    accent: str
    accent_soft: str
    on_accent: str
    good: str
    good_soft: str
    bad: str
    bad_soft: str
    warning: str
    warning_soft: str
    students: tuple[str, ...]
    worse: str
    better: str


THEMES: dict[str, Theme] = {
    "light": Theme(
        background="#FFFFFF",
        surface="#F5F6F8",
        text="#16191D",
        muted="#565C66",
        border="#DDE0E5",
        control="#7B828D",
        accent="#2B4ACB",
        accent_soft="#EBEFFC",
        on_accent="#FFFFFF",
        good="#0B6E57",
        good_soft="#E6F5F0",
        bad="#A8331A",
        bad_soft="#FDEDE8",
        warning="#7A5200",
        warning_soft="#FFF4DC",
        students=("#6F8BE8", "#5670DD", "#3F58CC", "#2F43AE", "#22318A", "#161F62"),
        worse="#B0480A",
        better="#2B4ACB",
    ),
    "dark": Theme(
        background="#121418",
        surface="#1B1E24",
        text="#ECEEF2",
        muted="#A4ABB6",
        border="#30353E",
        control="#717985",
        accent="#94A9FF",
        accent_soft="#1F2746",
        on_accent="#10131A",
        good="#5CC9AC",
        good_soft="#12302A",
        bad="#FF9A80",
        bad_soft="#3A1E17",
        warning="#F0C066",
        warning_soft="#332913",
        students=("#5A6FD0", "#7086E6", "#8A9EF5", "#A5B5FA", "#C1CCFC", "#DFE5FE"),
        worse="#F0924A",
        better="#94A9FF",
    ),
}

# How much colour is laid on the surface in each step of a heat map; its text turns to the background colour on the
# last.
HEAT = (0.0, 0.12, 0.26, 0.50, 1.0)


def mix(under: str, over: str, amount: float) -> str:
    """`over` laid on `under`, `amount` in [0, 1], as `#RRGGBB`."""
    pairs = zip(_channels(under), _channels(over), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * amount):02X}" for a, b in pairs)


def heat(theme: Theme, colour: str) -> list[str]:
    """The five cell colours of a heat map, from nothing to all of `colour`."""
    return [mix(theme.surface, colour, amount) for amount in HEAT]


def students(count: int, theme: ThemeName) -> list[str]:
    """`count` colours for students 1 … count, interpolated along the theme's ramp; a single one takes its first."""
    stops, colours = THEMES[theme].students, []
    for number in range(count):
        place = number * (len(stops) - 1) / max(1, count - 1)
        left = min(int(place), len(stops) - 2)
        colours.append(mix(stops[left], stops[left + 1], place - left))
    return colours


def translucent(colour: str, alpha: float) -> str:
    """`rgba(…)` for charts."""
    return "rgba({},{},{},{})".format(*_channels(colour), alpha)


def contrast(one: str, other: str) -> float:
    """The WCAG 2 contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [
        (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in (v / 255 for v in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""A run as a card: title, state in words, sparkline, one sentence, one button. Pure functions of run summaries.

The sparkline is an image with a data address: `st.html` drops inline svg.
"""

import base64
from dataclasses import dataclass
from html import escape

import narration

from bdistil.report.palette import Theme
from bdistil.runs import RunInfo

WIDTH, HEIGHT = 300, 72
STATES = {"queued": "waiting", "running": "training", "stopped": "stopped", "failed": "failed", "finished": "finished"}
BUTTONS = {"queued": "Watch", "running": "Watch", "stopped": "Resume", "failed": "See why", "finished": "Explore"}


@dataclass(frozen=True)
class Card:
    """What a card says, and the page its button leads to: `explore` or `distil`; no button where that is None."""

    title: str
    state: str
    sentence: str
    button: str | None = None
    page: str | None = None


def card(info: RunInfo | None, error: str | None, name: str, silent: str | None = None) -> Card:
    """The card of the run called `name`: of its summary (run.json), or of the sentence that says why there is none.

    silent: what is said instead where its worker gives no sign of life.
    """
    if info is None:
        return Card(name, "cannot be opened", error or "")
    state = info.state
    words = STATES[state]
    if info.sample:
        words = f"sample, {words}"
    if state == "running" and info.kind == "distil":
        total = info.config.rounds
        place = f"round {min(info.rounds_done + 1, total)} of {total}"
        words = f"{words}, {'polish' if narration.polishing(info) else place}"
    if info.kind == "distil":
        words = f"{info.method}, {words}"
    explorable = state == "finished" and info.kind == "distil"
    button = BUTTONS[state] if state != "finished" or explorable else "See its training"
    return Card(info.title, words, silent or narration.card(info), button, "explore" if explorable else "distil")


def sparkline(info: RunInfo, theme: Theme) -> str:
    """An image tag: accuracy by prefix under the teacher's dashed line; empty before a first point."""
    points, teacher = info.points, info.teacher and info.teacher.accuracy
    if not points or teacher is None:
        return ""
    heights = [point.accuracy for point in points]
    low, high = min(*heights, teacher), max(*heights, teacher)
    total = max(info.config.rounds, 2)

    def place(prefix: int, accuracy: float) -> tuple[float, float]:
        x = 10 + (WIDTH - 20) * (prefix - 1) / (total - 1)
        return x, 12 + (HEIGHT - 24) * (high - accuracy) / ((high - low) or 1)

    spots = [place(point.prefix, point.accuracy) for point in points]
    alt = escape(f"Accuracy by number of students, {len(points)} so far, and the teacher’s as a dashed line")
    drawing = base64.b64encode(_drawing(spots, place(1, teacher)[1], theme).encode()).decode()
    return f'<img class="spark" alt="{alt}" src="data:image/svg+xml;base64,{drawing}">'


def _drawing(spots: list[tuple[float, float]], level: float, theme: Theme) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>' for x, y in spots)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<path d="M0 {level:.1f}H{WIDTH}" stroke="{theme.text}" stroke-width="1.75" stroke-dasharray="8 5"/>'
        f'<polyline points="{path}" fill="none" stroke="{theme.accent}" stroke-width="2.5"/>'
        f'<g fill="{theme.accent}">{dots}</g></svg>'
    )

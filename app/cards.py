"""A run as a card: title, state in words, date, sparkline, one sentence, note, one button; and which of many runs a
list shows, in which order. Pure functions of run summaries.

The sparkline is an image with a data address: `st.html` drops inline svg.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import run_text

from bdistil.report.palette import Theme
from bdistil.runs import RunInfo, RunSummary

WIDTH, HEIGHT = 300, 72
STATES = {"queued": "waiting", "running": "training", "stopped": "stopped", "failed": "failed", "finished": "finished"}
BUTTONS = {"queued": "Watch", "running": "Watch", "stopped": "Resume", "failed": "See why", "finished": "Explore"}
SEE = "See its training"


@dataclass(frozen=True)
class Card:
    """What a card says; its button, None where there is none; and the page that leads to, `explore` or `distil`."""

    title: str
    state: str
    made: str
    sentence: str
    note: str = ""
    button: str | None = None
    page: str = "distil"


def card(info: RunInfo | None, error: str | None, name: str, silent: str | None = None, can_train: bool = True) -> Card:
    """The card of the run called `name`: of its summary (run.json), or of the sentence that says why there is none.

    silent: what is said instead where its worker gives no sign of life. can_train: whether runs can be resumed here.
    """
    if info is None:
        return Card(name, "cannot be opened", "", error or "")
    button = BUTTONS[info.state]
    if info.state == "finished" and info.kind != "distil" or info.state == "stopped" and not can_train:
        button = SEE
    page = "explore" if (info.state, info.kind) == ("finished", "distil") else "distil"
    return Card(info.title, words(info), made(info), silent or run_text.card(info), info.note, button, page)


def words(info: RunInfo) -> str:
    """What a run is and where it stands: `b-distil, training, round 3 of 6`."""
    state, said = info.state, STATES[info.state]
    if state == "running" and info.kind == "distil":
        total = info.distil_config.rounds
        place = f"round {min(info.rounds_done + 1, total)} of {total}"
        said = f"{said}, {'polish' if run_text.polishing(info) else place}"
    return f"{info.method}, {said}" if info.kind == "distil" else f"teacher, {said}"


def made(info: RunInfo) -> str:
    """When a run was created, by this machine's clock: `5 Jan 2026, 15:04`, of a sample with that word before it."""
    try:
        moment = info.created.astimezone()
    except (OverflowError, ValueError, OSError):  # at the ends of what a date can be
        moment = info.created
    return f"{'sample, ' if info.sample else ''}{moment.day} {moment:%b %Y, %H:%M}"


def matches(summary: RunSummary, asked: str) -> bool:
    """Whether all words that are asked for stand in what is known of a run."""
    info = summary.info
    known = [summary.id, summary.error or "cannot be opened"]
    if info:
        student = f"{info.student or ''} {info.dataset.name if info.dataset else ''} {info.config.dataset}"
        known = [summary.id, info.title, info.note, words(info), made(info), student]
    text = " ".join(known).casefold()
    return all(word in text for word in asked.casefold().split())


def _by_name(runs: list[RunSummary]) -> list[RunSummary]:
    return sorted(runs, key=lambda run: (run.info.title if run.info else run.id).casefold())


def _by_accuracy(runs: list[RunSummary]) -> list[RunSummary]:
    return sorted(runs, key=lambda run: -max((p.accuracy for p in run.info.points), default=0) if run.info else 1)


def _by_state(runs: list[RunSummary]) -> list[RunSummary]:
    order = list(STATES)
    return sorted(runs, key=lambda run: order.index(run.info.state) if run.info else len(order))


# Of runs that come newest first; those that are alike stay so.
ORDERS: dict[str, Callable[[list[RunSummary]], list[RunSummary]]] = {
    "Newest first": list,
    "Oldest first": lambda runs: runs[::-1],
    "By name": _by_name,
    "Most accurate first": _by_accuracy,
    "Unfinished first": _by_state,
}


def sparkline(info: RunInfo, theme: Theme) -> str:
    """An image tag: accuracy by prefix under the teacher's dashed line; empty before a first point."""
    points, teacher = info.points, info.teacher.accuracy if info.teacher else None
    if not points or teacher is None:
        return ""
    heights = [point.accuracy for point in points]
    low, high = min(*heights, teacher), max(*heights, teacher)
    total = max(info.distil_config.rounds, 2)

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

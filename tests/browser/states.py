"""Every page in every state: the runs behind it, its address, and how one knows that it is there.

`furnish(home)` makes the runs, invented and in milliseconds; each `State` is a page of a dashboard on that home. The
tests of accessibility and the photographer (`shoot.py`) go through all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from playwright.sync_api import BrowserContext, Page, expect

from bdistil.runs import Run, note_run
from tests.browser.chromium import PATIENCE, settle
from tests.builders import build_previews, build_run, fail_attempt, hold

POLISHED = "b-distil+polish"


@dataclass(frozen=True)
class State:
    """A page in one state. heading: its h1, or how it begins. writes: what is then written into fields, by label, a
    field after the other. opens: expanders to open once it is there. presses: buttons to press then, the first of each
    label.
    """

    name: str
    address: str
    heading: str
    opens: tuple[str, ...] = ()
    writes: tuple[tuple[str, str], ...] = ()
    presses: tuple[str, ...] = ()


STATES = (
    State("home", "", "Choose how much accuracy"),
    State("home-edit", "", "Choose how much accuracy", presses=("Edit",)),
    State("explore-finished", "explore?run=fashion&prefix=3", "3 of 6 students reach"),
    State("explore-details", "explore?run=fashion&prefix=5&cost=parameters", "5 of 6", ("The numbers as a table",)),
    State("explore-guarantee", "explore?run=fashion&prefix=4", "4 of 6", ("The guarantee as a table",)),
    State("explore-two-classes", "explore?run=two-classes&prefix=3", "3 of 6"),
    State("explore-old-run", "explore?run=old&prefix=3", "3 of 6"),
    State("explore-black-box", "explore?run=black-box&prefix=2", "2 of 4"),
    State("explore-24-students", "explore?run=long&prefix=12", "12 of 24"),
    State("explore-one-student", "explore?run=one&prefix=1", "One student reaches"),
    State("explore-running", "explore?run=running&prefix=2", "2 of 6"),
    State("explore-first-round", "explore?run=first-round", "Round 1 of 6 is training"),
    State("explore-stopped", "explore?run=stopped&prefix=1", "One student reaches"),
    State("explore-failed", "explore?run=failed&prefix=2", "2 of 6"),
    State("explore-polished", "explore?run=polished&prefix=4", "4 of 6", ("The numbers as a table",)),
    State("explore-polishing", "explore?run=polishing&prefix=6", "All 6 students"),
    State("explore-damaged-logits", "explore?run=damaged-logits", ""),
    State("explore-wrong-address", "explore?run=nowhere", ""),
    State("series-speech", "explore?run=speech&prefix=2", "2 of 4"),
    State("series-sensors", "explore?run=sensors&prefix=3", "3 of 4"),
    State("series-many-channels", "explore?run=many-channels&prefix=2", "All 2 students"),
    State(
        "series-distil", "distil?dataset=watch", "Distil a teacher", ("More: composition, objective, training, seed",)
    ),
    State("series-running", "distil?run=speech-running", "Round 3 of 4 is training"),
    State("distil-setup", "distil", "Distil a teacher into students"),
    State(
        "distil-details",
        "distil",
        "Distil a teacher into students",
        ("More: composition, objective, training, seed", "Train a teacher of your own"),
    ),
    State("distil-own", "distil?dataset=own", "Distil a teacher into students"),
    State(
        "distil-own-table",
        "distil?dataset=own",
        "Distil a teacher into students",
        (),
        (
            ("Path of your data", "walks.csv"),
            ("Column of series", "walk"),
            ("Column of labels", "activity"),
            ("Column of persons", "person"),
            ("Steps of a window", "10"),
        ),
    ),
    State(
        "distil-own-clock",
        "distil?dataset=own",
        "Distil a teacher into students",
        (),
        (
            ("Path of your data", "clock.csv"),
            ("Column of series", "walk"),
            ("Column of labels", "activity"),
            ("Steps of a window", "10"),
        ),
    ),
    State(
        "distil-own-missing",
        "distil?dataset=own",
        "Distil a teacher into students",
        (),
        (("Path of your data", "nowhere/recordings"),),
    ),
    State("distil-queued", "distil?run=queued", "Waiting for its turn"),
    State("distil-first-round", "distil?run=first-round", "Round 1 of 6 is training"),
    State("distil-running", "distil?run=running", "Round 3 of 6 is training"),
    State("distil-searching", "distil?run=searching", "Round 3 of 6 is training"),
    State("distil-polishing", "distil?run=polishing", "Six students are polished together"),
    State("distil-polish-stopped", "distil?run=polish-stopped", "Stopped in the polish"),
    State("distil-stopped", "distil?run=stopped", "Stopped in round 3 of 6"),
    State("distil-worker-gone", "distil?run=worker-gone", "Stopped in round 3 of 6"),
    State("distil-failed", "distil?run=failed", "Round 3 of 6 failed", ("The worker’s last lines",)),
    State(
        "distil-finished",
        "distil?run=fashion",
        "Six students are ready",
        ("The edges as a table", "The losses as a table"),
    ),
    State("distil-searched", "distil?run=searched", "Six students are ready", ("The edges as a table", "Add rounds")),
    State(
        "distil-polished",
        "distil?run=polished",
        "Six students are ready",
        ("The edges as a table", "The losses as a table"),
    ),
    State("distil-deleted", "distil?run=nowhere", "This run is gone"),
    State("distil-unreadable", "distil?run=corrupt", "This run cannot be opened"),
    State("distil-newer", "distil?run=newer", "This run cannot be opened"),
    State("teacher-running", "distil?run=teacher-running", "The teacher is training"),
    State("teacher-stopped", "distil?run=teacher-stopped", "Stopped in epoch 5 of 8"),
    State("teacher-finished", "distil?run=teacher-finished", "The teacher is ready"),
)


@contextmanager
def furnish(home: Path) -> Iterator[None]:
    """Fill a home with a run for each state; inside, those that should train are alive."""
    runs = home / "runs"
    now = datetime.now(UTC)
    build_run(runs / "fashion", dataset="fashion-mnist", examples=2000)
    build_run(runs / "long", rounds=24)
    note_run(Run(runs / "long"), "As many students as the form offers.\nSlow, but the frontier is smooth.")
    build_run(runs / "black-box", rounds=4, black_box=True, train=False)
    build_run(runs / "one", rounds=1)
    build_run(runs / "two-classes", classes=("healthy", "damaged bearing"))
    build_run(runs / "old", old=True)
    build_run(runs / "polished", dataset="fashion-mnist", examples=2000, method=POLISHED)
    build_run(runs / "polish-stopped", state="stopped", done=6, method=POLISHED)
    build_run(runs / "searched", search={2: ["edge", "corrected"], 4: ["kl", "edge"], 5: ["corrected"]})
    for folder in (runs / "searched" / "rounds").iterdir():  # students of some kind, so that it can be extended
        for name in ("student.json", "student.safetensors"):
            (folder / name).touch()
    build_run(runs / "stopped", state="stopped")
    build_run(runs / "failed", state="failed")
    build_run(runs / "worker-gone", state="running")
    build_run(runs / "corrupt", damage="corrupt")
    build_run(runs / "newer", damage="newer")
    build_run(runs / "damaged-logits", damage="logits")
    build_run(runs / "teacher-stopped", kind="teach", state="stopped")
    build_run(runs / "teacher-finished", kind="teach", dataset="fashion-mnist")
    build_run(runs / "speech", dataset="free-spoken-digits", rounds=4, mode="segments", method=POLISHED)
    build_run(runs / "sensors", dataset="watch", rounds=4, mode="segments")
    build_run(runs / "many-channels", dataset="dsa-19", rounds=2)
    rows = [(f"walk {n}", ("walks", "runs")[n % 2], n // 3, n * t % 7) for n in range(40) for t in range(20)]
    pd.DataFrame(rows, columns=["walk", "activity", "person", "ax"]).to_csv(home / "walks.csv", index=False)
    clock = [(f"walk {n}", ("walks", "runs")[n % 2], t / 25, n * t % 7) for n in range(40) for t in range(20)]
    pd.DataFrame(clock, columns=["walk", "activity", "clock", "ax"]).to_csv(home / "clock.csv", index=False, sep=";")
    build_previews(home, "fashion-mnist", examples=2000)
    build_previews(home, "free-spoken-digits", recorded=400)
    build_previews(home, "watch")
    build_previews(home, "dsa-19")
    with ExitStack() as alive:
        for name, options in {
            "running": {"state": "running"},
            "searching": {"state": "running"},
            "polishing": {"state": "running", "done": 6, "method": POLISHED},
            "speech-running": {"state": "running", "dataset": "free-spoken-digits", "rounds": 4, "mode": "segments"},
            "first-round": {"state": "running", "done": 0},
            "queued": {"state": "queued"},
            "teacher-running": {"kind": "teach", "state": "running"},
        }.items():
            alive.enter_context(hold(build_run(runs / name, created=now, **options)))
        fail_attempt(runs / "searching")
        fail_attempt(runs / "searching", "kl", rung=1, composition="concat")
        yield
    shutil.rmtree(runs)


def visit(context: BrowserContext, server: str, state: State) -> Page:
    """A new page of the context in that state, drawn to its end."""
    page = context.new_page()
    page.goto(f"{server}/{state.address}", timeout=PATIENCE)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_be_visible(timeout=PATIENCE)
    expect(heading).to_contain_text(state.heading, timeout=PATIENCE)
    settle(page)
    for label, text in state.writes:
        field = page.get_by_label(label, exact=True)
        expect(field).to_be_visible(timeout=PATIENCE)
        field.fill(text)
        field.press("Enter")
        settle(page)
    expect(page.get_by_text("Reading …")).to_have_count(0, timeout=PATIENCE)
    for name in state.opens:
        page.locator("summary", has_text=name).click(timeout=PATIENCE)
    for name in state.presses:
        page.get_by_role("button", name=name, exact=True).first.click(timeout=PATIENCE)
    settle(page)
    return page

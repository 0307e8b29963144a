"""How soon digits can be used: from the click on *Start distilling*, with the recipe's defaults, to the points.

Drives the dashboard in Chromium on an empty home; the teacher is the shipped one. Timed is what a user sees: the first
student on the slider, the last one, and the page's "… are ready". Each repetition is a run of its own, with its own
worker process, which starts Python and imports PyTorch within the time.

    python benchmarks/digits.py
"""

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright
from table import publish

from bdistil.config import DistilConfig
from bdistil.teachers import card_for
from tests.browser import chromium

ROOT = Path(__file__).resolve().parents[1]
REPETITIONS = 3
FIRST, LAST = 15.0, 60.0  # seconds, at most
PATIENCE = 300_000  # ms
# So many students are on the slider.
ARRIVED = """wanted => [document, ...[...document.querySelectorAll("*")].map(node => node.shadowRoot)].some(
    root => Number(root?.querySelector(".instrument .thumb")?.max) >= wanted)"""


def distil(browser: Browser, server: str, rounds: int) -> tuple[float, float, float]:
    """Seconds from the click to the first point, the last point, and the end of the run."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{server}/distil")
    start = page.get_by_role("button", name="Start distilling")
    expect(start).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("after about")).to_be_visible(timeout=PATIENCE)  # the estimate no longer takes the cores
    began = time.perf_counter()
    start.click()
    seconds = []
    for wanted in (1, rounds):  # rounds may end faster than the page looks
        page.wait_for_function(ARRIVED, arg=wanted, timeout=PATIENCE)
        seconds.append(time.perf_counter() - began)
    expect(page.get_by_role("button", name="Open in Explore")).to_be_visible(timeout=PATIENCE)
    seconds.append(time.perf_counter() - began)
    page.close()
    return seconds[0], seconds[1], seconds[2]


def main() -> None:
    config = DistilConfig.create("digits", teacher=card_for(None, "digits").name)
    with (
        tempfile.TemporaryDirectory() as home,
        chromium.serve(ROOT / "app" / "main.py", BDISTIL_HOME=home) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=chromium.ARGUMENTS)
        runs = [distil(browser, server, config.rounds) for _ in range(REPETITIONS)]
        browser.close()
    names = ("first point", f"last of {config.rounds} points", "the run's end")
    columns = list(zip(*runs, strict=True))
    what = f"digits, {config.rounds} rounds of {config.student}, from the click to"
    publish(
        "digits",
        (what, "median (s)", "slowest (s)", "at most"),
        [
            (name, f"{statistics.median(times):.1f}", f"{max(times):.1f}", limit)
            for name, times, limit in zip(names, columns, (FIRST, LAST, "–"), strict=True)
        ],
        packages=("torch", "streamlit"),
    )
    assert max(columns[0]) <= FIRST, f"the first point took {max(columns[0]):.1f} s"
    assert max(columns[1]) <= LAST, f"the last point took {max(columns[1]):.1f} s"


if __name__ == "__main__":
    main()

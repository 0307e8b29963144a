"""How long each page takes to open in Chromium with a finished run, first cold, then from page to page.

The run is of the shipped one's size (Fashion-MNIST: 10,000 test examples, six students, pictures), its figures
invented. First visit: a browser that has never seen the server, from asking for the address to a page that is drawn to
its end (script done, fonts and charts there), of a server that has just started, and of one that runs. From page to
page: from the click on the navigation to the same. Settling: on Explore, from the last movement of the slider (an arrow
key) until all the rest of the page shows the new prefix.

    python benchmarks/pages.py
"""

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from table import publish

from tests.browser import chromium
from tests.builders import build_previews, build_run

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "Home": ("", "Choose how much accuracy"),
    "Distil": ("distil", "Distil a teacher"),
    "Distil, a run": ("distil?run=finished", "Six students are ready"),
    "Explore": ("explore?run=finished&prefix=3", "3 of 6 students"),
}
REPETITIONS = 5
COLD, WARM, SETTLED = 3.0, 1.0, 0.5  # seconds, at most
STEPS = 20
# As a user sees it: the heading is the page's, the script has ended, nothing is a skeleton or a chart without lines.
DRAWN = """heading => {
    const app = document.querySelector(".stApp");
    const roots = [...document.querySelectorAll("*")].map(node => node.shadowRoot).filter(Boolean);
    const headings = [document, ...roots].flatMap(root => [...root.querySelectorAll("h1")]);
    return app?.dataset.testScriptState === "notRunning" && document.fonts.status === "loaded"
        && headings.some(each => each.textContent.startsWith(heading))
        && !document.querySelector("[data-testid=stSkeleton]") && !document.querySelector("[data-stale=true]")
        && [...document.querySelectorAll(".stPlotlyChart")].every(chart => chart.querySelector(".main-svg"));
}"""


def drawn(page: Page, heading: str) -> None:
    page.wait_for_function(DRAWN, arg=heading, timeout=120_000)


def visits(browser: Browser, home: str, address: str, heading: str) -> tuple[float, float]:
    """Seconds of a first visit to a server that has just started, and of a new browser's to the same one later."""
    seconds = []
    with chromium.serve(ROOT / "app" / "main.py", BDISTIL_HOME=home) as server:
        for _ in range(2):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{server}/{address}", wait_until="commit")
            drawn(page, heading)
            seconds.append(time.perf_counter() - began)
            context.close()
    return seconds[0], seconds[1]


def switches(browser: Browser, home: str) -> dict[str, list[float]]:
    """Seconds from a click on the navigation to the page it names, all three in turn."""
    headings = {"Explore": "3 of 6 students", "Distil": PAGES["Distil"][1], "Home": PAGES["Home"][1]}
    seconds: dict[str, list[float]] = {name: [] for name in headings}
    with chromium.serve(ROOT / "app" / "main.py", BDISTIL_HOME=home) as server:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(server)
        drawn(page, headings["Home"])
        for _ in range(REPETITIONS + 1):
            for name, heading in headings.items():
                link = page.get_by_role("link", name=name, exact=True)
                began = time.perf_counter()
                link.click()
                drawn(page, heading)
                seconds[name].append(time.perf_counter() - began)
        page.close()
    return {name: times[1:] for name, times in seconds.items()}  # the first lap loads what a cold visit loads


def settling(browser: Browser, home: str) -> list[float]:
    """Seconds from a key press on the slider of Explore until the sections below show its prefix."""
    with chromium.serve(ROOT / "app" / "main.py", BDISTIL_HOME=home) as server:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{server}/explore?run=finished&prefix=3")
        drawn(page, "3 of 6 students")
        page.locator(".instrument .thumb").focus()
        seconds = []
        for step in range(STEPS):
            key, prefix = ("ArrowRight", 4) if step % 2 == 0 else ("ArrowLeft", 3)
            began = time.perf_counter()
            page.keyboard.press(key)
            page.get_by_role("heading", name=f"Where {prefix} students and the teacher disagree").wait_for()
            drawn(page, f"{prefix} of 6 students")
            seconds.append(time.perf_counter() - began)
        page.close()
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        build_run(Path(home) / "runs" / "finished", dataset="fashion-mnist", examples=10_000)
        build_previews(Path(home), "fashion-mnist", examples=10_000)
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=chromium.ARGUMENTS)
        first = {name: [visits(browser, home, *place) for _ in range(REPETITIONS)] for name, place in PAGES.items()}
        later = switches(browser, home)
        settled = settling(browser, home)
        browser.close()
    columns = [
        ([cold for cold, _ in first[name]], [warm for _, warm in first[name]], later.get(name, [])) for name in PAGES
    ]
    publish(
        "pages",
        ("seconds, median and slowest", "server just started", "", "server running", "", "page to page", ""),
        [
            (name, *(f"{how(times):.2f}" if times else "–" for times in three for how in (statistics.median, max)))
            for name, three in zip(PAGES, columns, strict=True)
        ]
        + [("Explore, the slider settles", *"––––", f"{statistics.median(settled):.2f}", f"{max(settled):.2f}")],
        packages=("streamlit", "plotly"),
    )
    for name, (_, opened, switched) in zip(PAGES, columns, strict=True):
        assert statistics.median(opened) <= COLD, f"{name} took {statistics.median(opened):.2f} s on a first visit"
        if switched:
            assert statistics.median(switched) <= WARM, f"{name} took {statistics.median(switched):.2f} s"
    assert statistics.median(settled) <= SETTLED, f"the page settled after {statistics.median(settled):.2f} s"


if __name__ == "__main__":
    main()

"""Photographs every page in every state, light and dark, 1280 and 390 px wide, into a folder: look at them.

    python -m tests.browser.shoot [FOLDER] [NAME ...]     NAME: only states whose name begins so

The figures of the states are invented (tests/builders); "sample-…" are the pages of the shipped runs.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from bdistil.runs import list_runs
from tests.browser import chromium
from tests.browser.states import STATES, State, furnish, visit

WIDTHS = {1280: 900, 390: 844}
FIRST_VISIT = State("home-first-visit", "", "Choose how much accuracy")


def samples() -> list[State]:
    """The shipped runs in Explore and in Distil."""
    names = [summary.id for summary in list_runs() if summary.sample and summary.info]
    return [
        State(f"sample-{page}-{name}", f"{page}?run={name}", "") for name in names for page in ("explore", "distil")
    ]


def shoot(states: list[State], home: Path, folder: Path) -> None:
    """Photographs the states of a dashboard on `home`."""
    with (
        chromium.serve(chromium.ROOT / "app" / "main.py", folder=home, BDISTIL_HOME=str(home)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=chromium.ARGUMENTS)
        for theme in ("light", "dark"):
            context = browser.new_context(color_scheme=theme, reduced_motion="reduce")
            for state in states:
                page = visit(context, server, state)
                for width, height in WIDTHS.items():
                    chromium.resize(page, width, height)
                    # The page scrolls inside its main part: make the window as high as that, so that all of it is seen.
                    full = page.evaluate("document.querySelector('.stMain').scrollHeight")
                    chromium.resize(page, width, max(height, full))
                    page.screenshot(path=folder / f"{state.name}-{theme}-{width}.png")
                page.close()
                print(state.name, theme, flush=True)
            context.close()
        browser.close()


def main(folder: str = "screenshots", *names: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    wanted = names or ("",)
    chosen = [state for state in STATES if state.name.startswith(wanted)]
    quiet = [state for state in [FIRST_VISIT, *samples()] if state.name.startswith(wanted)]
    with tempfile.TemporaryDirectory() as home:
        if quiet:
            shoot(quiet, Path(home), Path(folder))
        if chosen:
            with furnish(Path(home)):
                shoot(chosen, Path(home), Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Photographs the slider on the shipped Fashion-MNIST sample, light and dark, for the README.

    python -m docs.pictures

Writes docs/slider-light.png and docs/slider-dark.png. Needs Chromium (tests/browser/chromium.py says which).
"""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser import chromium
from tests.browser.states import State, visit

FOLDER = Path(__file__).parent
SLIDER = State("slider", "explore?run=fashion-mnist&prefix=3", "3 of 6 students reach")
WIDTH, MARGIN, PIXELS = 1100, 10, 1.5  # of the window and around the slider, in CSS pixels; image pixels in each


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        chromium.serve(chromium.ROOT / "app" / "main.py", BDISTIL_HOME=home) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=chromium.ARGUMENTS)
        for theme in ("light", "dark"):
            context = browser.new_context(
                color_scheme=theme,
                reduced_motion="reduce",
                viewport={"width": WIDTH, "height": 900},
                device_scale_factor=PIXELS,
            )
            page = visit(context, server, SLIDER)
            box = page.locator(".instrument").bounding_box()
            around = {"x": box["x"] - MARGIN, "y": box["y"] - MARGIN}
            size = {"width": box["width"] + 2 * MARGIN, "height": box["height"] + 2 * MARGIN}
            page.screenshot(path=FOLDER / f"slider-{theme}.png", clip=around | size)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.absent import absent
from tests.browser import chromium


@pytest.fixture(scope="session")
def browser() -> Browser:
    path = chromium.executable()
    if path is None:
        absent("There is no Chromium: put one on the PATH, or say where in BDISTIL_CHROMIUM.")
    expect.set_options(timeout=chromium.PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield browser
        browser.close()

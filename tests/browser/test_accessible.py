"""Every page in every state: nothing serious for axe-core in either theme, no sideways scroll at 390 px, no error."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser import chromium
from tests.browser.states import STATES, furnish, visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("furnished")
    with (
        furnish(home),
        chromium.serve(chromium.ROOT / "app" / "main.py", folder=home, BDISTIL_HOME=str(home)) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def context(browser):
    """Keeps what scripts of any of its pages threw in `errors`."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    context.errors = []
    context.on("weberror", lambda error: context.errors.append(str(error.error)))
    yield context
    context.close()


def darken(page):
    """Switches to the dark theme as the system does, and waits until charts have followed."""
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("getComputedStyle(document.querySelector('.stApp')).colorScheme === 'dark'")
    chromium.settle(page)


def troubles(page):
    """What axe-core calls serious or critical: rule, and where.

    It looks again before it complains: what a page tells by itself (an estimate, progress) may come while axe-core
    reads it, and fades in.
    """
    for _ in range(3):
        found = [
            (rule["id"], rule["help"], node["html"][:300], node.get("failureSummary", "")[:300])
            for rule in Axe().run(page).response["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
        if not found:
            break
        chromium.settle(page)
    return found


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_nothing_serious_for_axe_and_no_sideways_scroll(context, server, state):
    page = visit(context, server, state)
    try:
        assert page.locator(".stException").count() == 0
        assert troubles(page) == []
        darken(page)
        assert troubles(page) == []
        chromium.resize(page, 390, 844)  # the narrow layout is the same in both themes
        scroll, width = page.evaluate("[document.querySelector('.stMain').scrollWidth, innerWidth]")
        assert scroll <= width, "scrolls sideways at 390 px"
        assert troubles(page) == []
    finally:
        page.close()
    assert context.errors == []

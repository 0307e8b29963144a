"""The true path in Chromium: distil digits, watch the students arrive, choose an operating point, come back to it."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from bdistil.runs import Run
from tests.browser import chromium
from tests.browser.chromium import PATIENCE, settle
from tests.builders import build_run, hold

pytestmark = pytest.mark.browser
MAIN = chromium.ROOT / "app" / "main.py"
TRAINING = 300_000  # ms; seconds on a machine that does nothing else
# Writes down what a page shows, title and slider's end, whenever that has changed: a round that a test is too slow to
# meet has been seen all the same.
DIARY = """
    window.diary = [];
    setInterval(() => {
        const roots = [document, ...[...document.querySelectorAll("*")].map(node => node.shadowRoot).filter(Boolean)];
        const find = selector => roots.map(root => root.querySelector(selector)).find(Boolean);
        const shown = [find("h1")?.textContent, find(".instrument:not([hidden]) .thumb")?.max].join(": ");
        if (window.diary.at(-1) !== shown) window.diary.push(shown);
    }, 50);
"""


@pytest.fixture
def home(tmp_path):
    """A home without runs or teachers of one's own: what ships is there. What still trains in the end is stopped."""
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    for run in folder.glob("runs/*"):
        Run(run).request_stop()


@pytest.fixture
def serve(home, tmp_path):
    """A dashboard on that home, started from a folder that has nothing to do with it."""
    return lambda: chromium.serve(MAIN, folder=tmp_path, BDISTIL_HOME=str(home))


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    context.add_init_script(DIARY)
    yield context
    context.close()


def start(page, server, rounds, epochs):
    """Starts a short run through the form."""
    page.goto(f"{server}/distil")
    slider = page.get_by_role("slider", name="Rounds")
    slider.press("Home")
    for _ in range(rounds - 1):
        slider.press("ArrowRight")
    page.locator("summary", has_text="More: composition").click()
    page.get_by_label("Epochs a round", exact=True).fill(str(epochs))
    page.get_by_label("Epochs a round", exact=True).press("Enter")
    expect(page.get_by_text(f"--rounds {rounds}")).to_contain_text(f"--epochs {epochs}")
    page.get_by_role("button", name="Start distilling").click()
    expect(page).to_have_url(re.compile(r"run="))


def title(page):
    return page.get_by_role("heading", level=1)


def stop(page):
    """Clicks our Stop; Streamlit's header shows one of its own while a script takes long."""
    page.locator(".st-key-stop").get_by_role("button", name="Stop").click()


def thumb(page):
    return page.get_by_role("slider", name="Students in the ensemble")


def figures(page):
    return page.locator(".instrument dl").all_inner_texts()


def drag_to(page, prefix):
    """Pulls the thumb to the tick of that prefix with the mouse."""
    settle(page)
    box = thumb(page).bounding_box()
    value, last = int(thumb(page).input_value()), int(thumb(page).get_attribute("max"))
    y = box["y"] + box["height"] / 2
    places = [box["x"] + 14 + (at - 1) / (last - 1) * (box["width"] - 28) for at in (value, prefix)]
    page.mouse.move(places[0], y)
    page.mouse.down()
    page.mouse.move(places[1], y, steps=8)
    page.mouse.up()


def test_from_the_form_to_an_operating_point_and_back(context, serve):
    with serve() as server:
        page, other = context.new_page(), context.new_page()
        start(page, server, rounds=3, epochs=24)  # rounds long enough to be seen on a fast machine
        other.goto(page.url)  # a second tab on the same run

        for tab in (page, other):
            expect(title(tab)).to_have_text("Three students are ready", timeout=TRAINING)
            expect(thumb(tab)).to_have_attribute("max", "3")
        diary = page.evaluate("window.diary")  # each student was shown while the next one was in training
        assert {"Round 2 of 3 is training: 1", "Round 3 of 3 is training: 2"} <= set(diary), diary

        page.get_by_role("button", name="Open in Explore").click()
        expect(title(page)).to_contain_text("2 of 3 students reach")
        expect(page.get_by_role("heading", name="Where 2 students and the teacher disagree")).to_be_visible()
        before = figures(page)
        drag_to(page, 1)
        expect(title(page)).to_contain_text("One student reaches")
        assert figures(page) != before
        expect(page.get_by_role("heading", name="Where 1 student and the teacher disagree")).to_be_visible()

        settle(page)
        marks = page.locator(".stPlotlyChart").first.locator(".points path.point")
        mark = marks.nth(marks.count() - 2)  # of the last prefix: the teacher's is drawn after it
        mark.scroll_into_view_if_needed()
        settle(page)
        box = mark.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(title(page)).to_contain_text("All 3 students reach")
        expect(thumb(page)).to_have_value("3")
        expect(page).to_have_url(re.compile(r"explore\?run=.+&.*prefix=3"))

        sentence, told = title(page).inner_text(), figures(page)
        page.reload()
        expect(title(page)).to_have_text(sentence)
        assert figures(page) == told
        expect(page.get_by_role("heading", name="Where 3 students and the teacher disagree")).to_be_visible()

        colleague = context.new_page()
        colleague.goto(page.url)
        expect(title(colleague)).to_have_text(sentence)


def test_a_training_outlives_tab_and_server_and_is_stopped_and_resumed(context, serve):
    with serve() as server:
        page = context.new_page()
        start(page, server, rounds=2, epochs=1000)  # never ends by itself while this test lasts
        expect(title(page)).to_have_text("Round 1 of 2 is training", timeout=TRAINING)
        page.reload()
        expect(title(page)).to_have_text("Round 1 of 2 is training")
        query = page.url.partition("?")[2]
        page.close()
    with serve() as server:
        page = context.new_page()
        page.goto(f"{server}/distil?{query}")
        expect(title(page)).to_have_text("Round 1 of 2 is training")
        stop(page)
        expect(title(page)).to_have_text("Stopped in round 1 of 2", timeout=TRAINING)
        expect(page.get_by_text("Resuming repeats epoch")).to_be_visible()
        page.get_by_role("button", name="Resume").click()
        expect(title(page)).to_have_text("Round 1 of 2 is training", timeout=TRAINING)
        expect(page.get_by_text("Training goes on where it stopped.").first).to_be_visible()
        stop(page)
        expect(title(page)).to_have_text("Stopped in round 1 of 2", timeout=TRAINING)


def test_the_journey_by_keyboard_from_home(context, serve, home):
    build_run(home / "runs" / "fashion", dataset="fashion-mnist", title="Clothes")
    with serve() as server:
        page = context.new_page()
        page.goto(server)
        card = page.locator(".st-key-card-fashion")
        expect(card.get_by_role("heading", name="Clothes")).to_be_visible()
        card.get_by_role("button", name="Explore").press("Enter")
        expect(title(page)).to_contain_text("3 of 6 students reach")
        thumb(page).press("End")
        expect(title(page)).to_contain_text("All 6 students reach")
        expect(page.get_by_role("heading", name="Where 6 students and the teacher disagree")).to_be_visible()
        expect(page).to_have_url(re.compile("prefix=6"))
        page.get_by_role("link", name="Home").press("Enter")
        expect(title(page)).to_contain_text("Choose how much accuracy")
        page.go_back()
        expect(title(page)).to_contain_text("All 6 students reach")


def test_a_run_deleted_while_it_is_watched(context, serve, home):
    path = build_run(home / "runs" / "doomed", state="running")
    with serve() as server, hold(path):
        page = context.new_page()
        page.goto(f"{server}/distil?run=doomed")
        expect(title(page)).to_have_text("Round 3 of 6 is training")
        shutil.rmtree(path)
        expect(title(page)).to_have_text("This run is gone")
        expect(page.get_by_role("button", name="See all runs")).to_be_visible()


def test_a_run_is_renamed_deleted_and_brought_back_by_keyboard(context, serve, home):
    """The dialog stays open while the cards look again every few seconds, because something trains."""
    build_run(home / "runs" / "mine", title="Clothes")
    with serve() as server, hold(build_run(home / "runs" / "other", state="running")):
        page = context.new_page()
        page.goto(server)
        expect(page).to_have_title("Home · B-DISTIL Explorer")
        page.locator(".st-key-card-mine").get_by_role("button", name="Edit").press("Enter")
        name = page.get_by_role("dialog").get_by_label("Name")
        expect(name).to_have_value("Clothes")
        name.fill("Narrow")
        page.wait_for_timeout(6000)
        expect(name).to_have_value("Narrow")
        name.press("Enter")
        expect(page.locator(".st-key-card-mine").get_by_role("heading", name="Narrow")).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        settle(page)
        page.locator(".st-key-card-mine").get_by_role("button", name="Edit").press("Enter")
        page.get_by_role("button", name="Delete this run").press("Enter")
        expect(page.get_by_text("Deleted “Narrow”. Later, bdistil restore mine brings it back")).to_be_visible()
        expect(page.locator(".st-key-card-mine")).to_have_count(0)
        page.get_by_role("button", name="Undo").press("Enter")
        expect(page.locator(".st-key-card-mine")).to_be_visible()
        page.locator(".st-key-card-mine").get_by_role("button", name="Explore").press("Enter")
        expect(page).to_have_title("Explore · Narrow · finished")

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser import chromium

pytestmark = pytest.mark.browser
PAGE = Path(__file__).with_name("operating_point_page.py")
THUMB = ".instrument .thumb"


@pytest.fixture(scope="module")
def address():
    with chromium.serve(PAGE) as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """visit("mode=live", width=390, scheme="dark") -> a page that has drawn its instrument."""
    contexts = []

    def visit(asked="", width=1280, height=900, **context):
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))
        page = contexts[-1].new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.goto(f"{address}/?{asked}", timeout=90_000)
        expect(page.get_by_text("settled")).to_be_visible(timeout=30_000)
        state = "attached" if "done=0" in asked else "visible"
        page.locator(".instrument").wait_for(state=state)
        page.wait_for_function("document.fonts.status === 'loaded'")
        return page

    yield visit
    for context in contexts:
        troubles = [trouble for page in context.pages for trouble in page.troubles]
        context.close()
        assert troubles == []


def centre(page, selector):
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def thumb_x(page):
    """Where the browser draws the thumb: its centre stays half a thumb inside the range's ends."""
    return page.locator(THUMB).evaluate(
        """input => {
            const box = input.getBoundingClientRect();
            const share = input.max > input.min ? (input.value - input.min) / (input.max - input.min) : 0;
            return box.left + 14 + share * (box.width - 28);
        }"""
    )


def address_of(page):
    return page.evaluate("Object.fromEntries(new URL(location.href).searchParams)")


def history_length(page):
    return page.evaluate("history.length")


@pytest.mark.parametrize("rounds", [1, 2, 6, 24])
def test_the_thumb_stands_under_its_marker(visit, rounds):
    page = visit(f"rounds={rounds}&prefix=1")
    for width in (320, 390, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        for prefix in {1, (rounds + 1) // 2, rounds} if rounds > 1 else ():
            page.locator(THUMB).fill(str(prefix))
            assert centre(page, ".chosen.marker")[0] == pytest.approx(thumb_x(page), abs=0.75)
        assert centre(page, ".chosen.marker")[0] == pytest.approx(thumb_x(page), abs=0.75)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


def test_figures_follow_at_once_and_the_server_hears_when_the_thumb_rests(visit):
    page = visit("slow=0.3")
    page.locator(THUMB).press("ArrowRight")
    assert page.locator("h1").inner_text().startswith("4 of 6 students reach 93.6")
    assert "for 16" in page.locator("h1").inner_text()
    assert page.locator(".instrument .big .value").first.inner_text().startswith("93.6")
    assert page.get_by_text("settled 3").is_visible()
    expect(page.get_by_text("settled 4, run 2")).to_be_visible()


def test_keyboard(visit):
    page = visit("rounds=24&prefix=12")
    thumb = page.locator(THUMB)
    expected = {"ArrowLeft": "11", "ArrowUp": "12", "PageUp": "14", "PageDown": "12", "Home": "1", "End": "24"}
    for key, value in expected.items():
        thumb.press(key)
        assert thumb.input_value() == value, key


def test_a_burst_is_told_once(visit):
    page = visit("rounds=24&prefix=1")
    page.locator(THUMB).evaluate(
        """input => {
            for (let step = 0; step < 12; step++) {
                input.stepUp();
                input.dispatchEvent(new Event("input", { bubbles: true }));
                input.dispatchEvent(new Event("change", { bubbles: true }));
            }
        }"""
    )
    expect(page.get_by_text("settled 13, run 2")).to_be_visible()


def test_an_echo_never_moves_the_thumb_back(visit):
    page = visit("rounds=24&prefix=1&slow=0.4")
    page.locator(THUMB).evaluate(
        """input => {
            window.seen = [];
            const watch = () => {
                window.seen.push(input.valueAsNumber);
                requestAnimationFrame(watch);
            };
            watch();
        }"""
    )
    for _ in range(12):
        page.locator(THUMB).press("ArrowRight", delay=20)
    expect(page.get_by_text("settled 13")).to_be_visible()
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen) and seen[-1] == 13


def test_a_drag_survives_a_rerun_of_the_page(visit):
    page = visit("slow=0.3")
    y = centre(page, THUMB)[1]
    ticks = [centre(page, f".tick:nth-of-type({index}) .number")[0] for index in (3, 5, 2)]
    page.mouse.move(ticks[0], y)
    page.mouse.down()
    page.mouse.move(ticks[1], y, steps=4)
    expect(page.get_by_text("settled 5")).to_be_visible()  # held still: told, and the page ran again under the hand
    page.mouse.move(ticks[2], y, steps=4)
    assert page.locator(THUMB).input_value() == "2"
    page.mouse.up()
    expect(page.get_by_text("settled 2")).to_be_visible()
    assert page.locator(THUMB).input_value() == "2"


def test_focus_survives_reruns(visit):
    page = visit()
    page.locator(THUMB).press("ArrowRight")
    expect(page.get_by_text("settled 4")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("settled 5")).to_be_visible()


def test_a_click_on_a_tick_moves_and_focuses(visit):
    page = visit()
    page.mouse.click(*centre(page, ".tick:nth-of-type(6) .number"))
    expect(page.get_by_text("settled 6")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("settled 5")).to_be_visible()


def test_a_push_moves_the_thumb_and_a_mere_rerun_does_not(visit):
    page = visit()
    page.locator(THUMB).press("Home")
    expect(page.get_by_text("settled 1")).to_be_visible()
    page.get_by_role("button", name="Again").click()
    expect(page.get_by_text("settled 1, run 3")).to_be_visible()
    assert page.locator(THUMB).input_value() == "1"
    page.get_by_role("button", name="Push to 5").click()
    expect(page.get_by_text("settled 5, run 4")).to_be_visible()
    assert page.locator(THUMB).input_value() == "5"
    assert address_of(page)["prefix"] == "5"
    page.locator(THUMB).press("ArrowRight")
    expect(page.get_by_text("settled 6")).to_be_visible()


def test_nothing_is_told_on_mount_or_without_a_change(visit):
    page = visit()
    page.locator(THUMB).evaluate(
        """input => {
            for (const prefix of [4, 3]) {
                input.value = prefix;
                input.dispatchEvent(new Event("input", { bubbles: true }));
                input.dispatchEvent(new Event("change", { bubbles: true }));
            }
        }"""
    )
    page.wait_for_timeout(500)
    assert page.get_by_text("settled 3, run 1").is_visible()


def test_the_address_is_replaced_and_reproduces_the_view(visit):
    page = visit("cost=parameters&other=kept")
    before = history_length(page)
    page.locator(THUMB).press("End")
    expect(page.get_by_text("settled 6")).to_be_visible()
    assert address_of(page) == {"cost": "parameters", "other": "kept", "run": "sample", "prefix": "6"}
    assert history_length(page) == before
    page.reload()
    expect(page.get_by_text("settled 6")).to_be_visible(timeout=30_000)
    expect(page.locator(THUMB)).to_have_value("6")


def test_compact_leaves_the_address_alone(visit):
    page = visit("mode=compact")
    page.locator(THUMB).press("End")
    expect(page.get_by_text("settled 6")).to_be_visible()
    assert address_of(page) == {"mode": "compact"}


def test_new_points_never_move_the_thumb(visit):
    page = visit("mode=live&done=2&progress=3&prefix=1")
    assert page.locator(".instrument .column").count() == 1
    assert [each.text_content() for each in page.locator(".tick .price").all()][2] == "training"
    page.get_by_role("button", name="One more point").click()
    expect(page.locator(".instrument circle.marker:not(.chosen)")).to_have_count(3)
    assert page.locator(THUMB).input_value() == "1"
    assert page.locator(THUMB).get_attribute("max") == "3"
    assert page.locator(".instrument .column").count() == 0
    assert centre(page, ".chosen.marker")[0] == pytest.approx(thumb_x(page), abs=0.75)


def test_one_point_is_disabled_and_none_is_hidden(visit):
    page = visit("mode=live&done=0&progress=1")
    assert not page.locator(".instrument").is_visible()
    page.get_by_role("button", name="One more point").click()
    expect(page.locator(".instrument")).to_be_visible()
    assert page.locator(THUMB).is_disabled()
    assert page.get_by_text("the slider opens with the second").is_visible()
    page.get_by_role("button", name="One more point").click()
    expect(page.locator(THUMB)).to_be_enabled()


def test_nothing_below_jumps_while_dragging(visit):
    page = visit("mode=full", 390)
    heights = set()
    for prefix in range(1, 7):
        page.locator(THUMB).fill(str(prefix))
        heights.add(page.locator(".instrument").bounding_box()["height"])
    assert len(heights) == 1


def test_names_and_roles(visit):
    page = visit()
    group = page.get_by_role("group", name="Operating point on the frontier of <b>Sample</b>, 6 students")
    slider = group.get_by_role("slider", name="Students in the ensemble")
    spoken = "3 of 6 students, accuracy 93.3 percent, 12 percent of the teacher’s cost"
    assert slider.get_attribute("aria-valuetext") == spoken
    assert group.get_by_role("heading", level=1).count() == 1
    assert group.get_by_role("img").count() == 1
    assert page.locator(".instrument b").count() == 0, "a title came in as markup"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("asked", ["mode=full", "mode=live&done=2&progress=3&prefix=2", "mode=compact&rounds=24"])
def test_axe_finds_nothing(visit, scheme, asked):
    page = visit(asked, color_scheme=scheme)
    found = Axe().run(page, context=".stMain").response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_forced_colours_keep_thumb_track_and_bar(visit):
    page = visit(forced_colors="active")
    colours = page.locator(".instrument").evaluate(
        """box => [".track", ".track.filled", ".bar .block"].map(name => {
            const style = getComputedStyle(box.querySelector(name));
            return name.startsWith(".bar") ? style.backgroundColor : style.stroke;
        }).concat(getComputedStyle(document.body).backgroundColor)"""
    )
    *marks, background = colours
    assert background not in marks


def test_a_theme_change_needs_no_rerun(visit):
    page = visit(color_scheme="light")
    stroke = "box => getComputedStyle(box.querySelector('.curve')).stroke"
    assert page.locator(".instrument").evaluate(stroke) == "rgb(43, 74, 203)"
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    assert page.locator(".instrument").evaluate(stroke) == "rgb(148, 169, 255)"
    assert page.get_by_text("settled 3, run 1").is_visible()

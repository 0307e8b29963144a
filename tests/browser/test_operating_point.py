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
        contexts[-1].set_default_timeout(chromium.PATIENCE)
        page = contexts[-1].new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.goto(f"{address}/?{asked}", timeout=chromium.PATIENCE)
        expect(page.get_by_text("settled")).to_be_visible()
        state = "attached" if "done=0" in asked else "visible"
        page.locator(".instrument").wait_for(state=state)
        chromium.settle(page)
        return page

    yield visit
    for context in contexts:
        troubles = [trouble for page in context.pages for trouble in page.troubles]
        context.close()
        assert troubles == []


def centre(page, selector):
    page.locator(selector).wait_for()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def expect_aligned(page):
    """Waits until the thumb, as the browser draws it (its centre half a thumb inside the ends), is under its marker."""
    page.wait_for_function(
        """instrument => {
            const input = instrument.querySelector(".thumb");
            const box = input.getBoundingClientRect();
            const share = input.max > input.min ? (input.value - input.min) / (input.max - input.min) : 0;
            const marker = instrument.querySelector(".chosen.marker").getBoundingClientRect();
            return Math.abs(box.left + 14 + share * (box.width - 28) - marker.left - marker.width / 2) < 0.75;
        }""",
        arg=page.locator(".instrument").element_handle(),
    )


def expect_address(page, asked):
    """Waits until these are the address's parameters."""
    page.wait_for_function(
        """asked => {
            const found = [...new URL(location.href).searchParams].sort();
            return JSON.stringify(found) === JSON.stringify(Object.entries(asked).sort());
        }""",
        arg=asked,
    )


def history_length(page):
    return page.evaluate("history.length")


@pytest.mark.parametrize("rounds", [1, 2, 6, 24])
def test_the_thumb_stands_under_its_marker(visit, rounds):
    page = visit(f"rounds={rounds}&prefix=1")
    for width in (320, 390, 1280, 1920):
        chromium.resize(page, width)
        expect_aligned(page)
        for prefix in {1, (rounds + 1) // 2, rounds} if rounds > 1 else ():
            page.locator(THUMB).fill(str(prefix))
            expect_aligned(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


def test_figures_follow_at_once_and_the_server_hears_when_the_thumb_rests(visit):
    page = visit()
    sentence, accuracy, below = page.locator(".instrument").evaluate(
        """instrument => {  // in one task: nothing that the server says can come between
            const thumb = instrument.querySelector(".thumb");
            thumb.stepUp();
            thumb.dispatchEvent(new Event("input", { bubbles: true }));
            const [sentence, accuracy] = ["h1", ".big .value"].map(name => instrument.querySelector(name).textContent);
            return [sentence, accuracy, document.querySelector(".stMain").textContent];
        }"""
    )
    assert sentence.startswith("4 of 6 students reach 93.6") and "for 16" in sentence
    assert accuracy.startswith("93.6") and "settled 3, run 1" in below
    expect(page.get_by_text("settled 4, run 2")).to_be_visible()


def test_keyboard(visit):
    page = visit("rounds=24&prefix=12")
    thumb = page.locator(THUMB)
    expected = {"ArrowLeft": "11", "ArrowUp": "12", "PageUp": "14", "PageDown": "12", "Home": "1", "End": "24"}
    for key, value in expected.items():
        thumb.press(key)
        expect(thumb, key).to_have_value(value)


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
    page.wait_for_function("window.seen.at(-1) === 13")
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen)


def test_a_drag_survives_a_rerun_of_the_page(visit):
    page = visit("slow=0.3")
    y = centre(page, THUMB)[1]
    ticks = [centre(page, f".tick:nth-of-type({index}) .number")[0] for index in (3, 5, 2)]
    page.mouse.move(ticks[0], y)
    page.mouse.down()
    page.mouse.move(ticks[1], y, steps=4)
    expect(page.get_by_text("settled 5")).to_be_visible()  # held still: told, and the page ran again under the hand
    page.mouse.move(ticks[2], y, steps=4)
    expect(page.locator(THUMB)).to_have_value("2")
    page.mouse.up()
    expect(page.get_by_text("settled 2")).to_be_visible()
    expect(page.locator(THUMB)).to_have_value("2")


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
    chromium.settle(page)
    assert page.locator(THUMB).input_value() == "1"
    page.get_by_role("button", name="Push to 5").click()
    expect(page.get_by_text("settled 5, run 4")).to_be_visible()
    expect(page.locator(THUMB)).to_have_value("5")
    expect_address(page, {"run": "sample", "cost": "macs", "prefix": "5"})
    page.locator(THUMB).press("ArrowRight")
    expect(page.get_by_text("settled 6")).to_be_visible()


def test_nothing_is_told_on_mount_or_without_a_change(visit):
    page = visit()
    page.locator(THUMB).evaluate(
        """async input => {
            for (const prefix of [4, 3]) {
                input.value = prefix;
                input.dispatchEvent(new Event("input", { bubbles: true }));
                input.dispatchEvent(new Event("change", { bubbles: true }));
            }
            await new Promise(later => setTimeout(later, 500));  // the instrument's own timers end before this one
        }"""
    )
    page.locator(THUMB).press("ArrowRight")
    expect(page.get_by_text("settled 4, run 2")).to_be_visible()  # the first that the server heard


def test_the_address_is_replaced_and_reproduces_the_view(visit):
    page = visit("cost=parameters&other=kept")
    before = history_length(page)
    page.locator(THUMB).press("End")
    expect(page.get_by_text("settled 6")).to_be_visible()
    expect_address(page, {"cost": "parameters", "other": "kept", "run": "sample", "prefix": "6"})
    assert history_length(page) == before
    page.reload()
    expect(page.get_by_text("settled 6, run 1")).to_be_visible()
    expect(page.locator(THUMB)).to_have_value("6")


def test_compact_leaves_the_address_alone(visit):
    page = visit("mode=compact")
    page.locator(THUMB).press("End")
    expect(page.get_by_text("settled 6")).to_be_visible()
    expect_address(page, {"mode": "compact"})


def test_new_points_never_move_the_thumb(visit):
    page = visit("mode=live&done=2&progress=3&prefix=1")
    assert page.locator(".instrument .column").count() == 1
    assert [each.text_content() for each in page.locator(".tick .price").all()][2] == "training"
    page.get_by_role("button", name="One more point").click()
    expect(page.locator(".instrument circle.marker:not(.chosen)")).to_have_count(3)
    assert page.locator(THUMB).input_value() == "1"
    assert page.locator(THUMB).get_attribute("max") == "3"
    assert page.locator(".instrument .column").count() == 0
    expect_aligned(page)


def test_one_point_is_disabled_and_none_is_hidden(visit):
    page = visit("mode=live&done=0&progress=1")
    assert not page.locator(".instrument").is_visible()
    page.get_by_role("button", name="One more point").click()
    expect(page.locator(".instrument")).to_be_visible()
    expect(page.locator(THUMB)).to_be_disabled()
    expect(page.get_by_text("the slider opens with the second")).to_be_visible()
    page.get_by_role("button", name="One more point").click()
    expect(page.locator(THUMB)).to_be_enabled()


def test_nothing_below_jumps_while_dragging(visit):
    page = visit("mode=full", 390)
    heights = set()
    for prefix in range(1, 7):
        page.locator(THUMB).fill(str(prefix))
        expect(page.get_by_text(f"settled {prefix}")).to_be_visible()
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
    handle = page.locator(".instrument").element_handle()
    page.wait_for_function(f"box => ({stroke})(box) === 'rgb(148, 169, 255)'", arg=handle)
    assert page.get_by_text("settled 3, run 1").is_visible()


@pytest.mark.parametrize("axis", ["macs", "parameters", "bytes", "share"])
def test_headline_big_figure_and_bar_say_the_same_share(visit, axis):
    page = visit(f"cost={axis}")
    share = page.locator(".instrument .big .value").nth(1).inner_text()
    assert f"for {share} of its" in page.locator(".instrument .headline").inner_text()
    drawn = page.locator(".instrument .bar").evaluate(
        """bar => [...bar.querySelectorAll(".block:not([hidden])")]
            .reduce((sum, block) => sum + parseFloat(block.style.width), 0)"""
    )
    assert f"{drawn:.0f}" == share.split("\u00a0")[0]

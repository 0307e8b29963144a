"""The guarantee on Explore, in every state of a run: its headline, charts, pictures and tables."""

import json

import pytest

from tests.app.conftest import charts, written
from tests.builders import build_run, hold


def titles(page):
    """The vertical axes of the page's charts."""
    return [json.loads(spec)["layout"]["yaxis"]["title"]["text"] for spec in charts(page)]


def shown_class(page):
    return next(box for box in page.selectbox if box.key.startswith("guarantee-class"))


@pytest.fixture
def fashion(runs):
    return build_run(runs / "fashion", dataset="fashion-mnist")


def test_the_finding_is_the_headline_and_the_charts_name_quantity_and_split(open_page, fashion):
    page = open_page("explore", run="fashion")
    assert page.header[-2].value.startswith("Every class has a guarantee from round ")
    assert titles(page)[1:] == [
        "Largest deviation on the training split (normalised scale)",
        "Bound on the training split (normalised scale)",
        "Edge, one mark per class",
        "Effective number of training examples",
    ]
    html = written(page)
    assert html.count("data:image/svg+xml") == 10 and html.count("✓ guarantee") == 10
    for label in ("by class", "of Shirt by round"):
        assert f'aria-label="The guarantee {label}"' in html
    assert all(chart.proto.alt for chart in page.get("plotly_chart"))


def test_another_class_is_picked(open_page, fashion):
    page = open_page("explore", run="fashion")
    shown_class(page).set_value(0).run()
    assert page.subheader[0].value == "Deviation and bound of T-shirt"
    records = [json.loads(file.read_text())["record"] for file in sorted(fashion.glob("rounds/*/round.json"))]
    drawn = {trace["name"]: trace["y"] for trace in json.loads(charts(page)[1])["data"]}
    for name, column in (("deviation", "measured"), ("bound", "bound"), ("trivial", "trivial")):
        expected = [record[f"{column}_by_class"][0] for record in records]
        assert drawn[name] == pytest.approx(expected)


def test_relative_edges(open_page, fashion):
    page = open_page("explore", run="fashion")
    page.session_state["guarantee-measure"] = True
    page.run()
    assert "Relative edge, one mark per class" in titles(page)
    assert "Relative edges, by round and class:" in written(page)


def test_the_charts_stay_while_the_slider_moves_and_the_pictures_follow(open_page, fashion):
    page = open_page("explore", run="fashion", prefix=2)
    before, html = charts(page), written(page)
    assert page.header[4].value == "What weighed most for student 2" and html.count('alt="Training example') == 6
    page.session_state["chosen"].prefix = 5
    page.run()
    assert page.header[4].value == "What weighed most for student 5"
    assert charts(page) == before and written(page) != html


def test_round_one_begins_with_equal_weights(open_page, fashion):
    html = written(open_page("explore", run="fashion", prefix=1))
    assert "Round 1 begins with equal weights" in html and "Training example" not in html


def test_one_round_says_that_its_bound_is_vacuous(open_page, runs):
    build_run(runs / "one", rounds=1)
    page = open_page("explore", run="one")
    assert page.header[-2].value.startswith("No useful guarantee yet: the theory allows a largest error of ")
    html = written(page)
    assert html.count("✕ no guarantee") == 10 and "rounds like these" in html


def test_a_running_run_shows_the_rounds_so_far(open_page, runs):
    with hold(build_run(runs / "run", state="running")):
        page = open_page("explore", run="run")
    assert "guarantee" in page.header[-1].value and "rounds 1 to 6 (2 done)" in written(page)


def test_a_polished_run_is_judged_by_its_final_students(open_page, runs):
    path = build_run(runs / "run", method="b-distil+polish", rounds=4)
    page = open_page("explore", run="run", prefix=4)
    assert "All values are for the students after polishing." in written(page)
    final = json.loads((path / "polish" / "04" / "round.json").read_text())["record"]
    assert f"uses {round(final['effective_examples'])} of 600 training examples" in written(page)


def test_an_old_run_shows_what_it_kept(open_page, runs):
    build_run(runs / "old", old=True)
    page = open_page("explore", run="old")
    html = written(page)
    assert "This run kept no examples of what weighed most." in html
    assert "This run kept only the least of its nine bounds." in charts(page)[2]
    assert "The bound by class and η" not in html


def test_above_twelve_classes_those_that_deviate_most(open_page, runs):
    build_run(runs / "many", classes=tuple(f"class-{number}" for number in range(15)), rounds=3)
    page = open_page("explore", run="many")
    html = written(page)
    assert html.count("data:image/svg+xml") == 12 and "The 12 classes that deviate most." in html
    assert len(shown_class(page).options) == 15


def test_class_names_are_escaped(open_page, runs):
    build_run(runs / "odd", classes=("<script>", "b"), rounds=3)
    html = written(open_page("explore", run="odd"))
    assert "<h3>&lt;script&gt;</h3>" in html and "<script>" not in html


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_pictures_leave_the_rest(open_page, fashion, damage):
    file = fashion / "rounds" / "03" / "heaviest.npz"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:300])
    else:
        file.unlink()
    page = open_page("explore", run="fashion", prefix=3)
    assert "This run kept no examples of what weighed most." in written(page) and len(charts(page)) == 5

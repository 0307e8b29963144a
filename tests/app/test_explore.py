import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
from operating_point.payload import payload

from bdistil.report import formats
from bdistil.results.loading import load
from bdistil.runs import note_run, open_run, rename_run
from bdistil.runs.previews import origin
from tests.app.conftest import button, charts, written
from tests.builders import add_round, build_previews, build_run, hold, relabel


@pytest.fixture
def fashion(runs):
    return build_run(runs / "fashion", dataset="fashion-mnist", title="Fashion")


def prefix(page):
    return page.session_state["chosen"].prefix


def test_finished_run_shows_all_sections(open_page, fashion):
    page = open_page("explore", run="fashion")
    assert [header.value for header in page.header] == [
        "Accuracy against cost, b-distil",
        "Which classes it mixes up",
        "Accuracy by class",
        "Where 3 students and the teacher disagree",
        "What weighed most for student 3",
        page.header[5].value,
        "How the students are composed",
    ]
    assert page.header[5].value.startswith(
        ("No useful guarantee yet", "There is a guarantee", "Every class has a guarantee")
    )
    figure = json.loads(charts(page)[0])
    assert figure["layout"]["xaxis"]["title"]["text"] == "Cost of one prediction (million MACs)"
    assert "The frontier of b-distil as a table" in written(page)


def test_absent_and_thin_classes_are_named_wherever_a_figure_by_class_stands(open_page, runs):
    path = build_run(runs / "scarce")
    relabel(path, lambda labels: np.where(labels == 9, 8, np.where((labels == 7) & (np.arange(400) > 80), 6, labels)))
    info = json.loads((path / "run.json").read_text())
    info["dataset"]["counts"] = {"train": [3, 0] + [40] * 8, "validation": [20] * 10, "test": [40] * 10}
    (path / "run.json").write_text(json.dumps(info))
    html = written(open_page("explore", run="scarce"))
    absent, thin = "No test examples of 1 of 10 classes: 9.", "Fewer than 10 test examples of 1 of 10 classes: 7."
    assert html.count(absent) == 3 and html.count(f"{absent} {thin}") == html.count(thin) == 2
    assert html.index(absent) < html.index(thin)  # below the headline first
    in_training = ("No train examples of 1 of 10 classes: 1.", "Fewer than 10 train examples of 1 of 10 classes: 0.")
    assert html.count(" ".join(in_training)) == 1
    assert "below always answering" not in html


def test_an_accuracy_below_always_answering_the_largest_class_is_said(open_page, runs):
    relabel(build_run(runs / "large", rounds=3), lambda labels: labels * 0 + 4)
    assert "% is below always answering 4: 100\u00a0%." in written(open_page("explore", run="large", prefix=2))


def test_a_polished_run_shows_what_the_rounds_left_behind_its_frontier(open_page, runs):
    build_run(runs / "polished", method="b-distil+polish", rounds=3)
    build_run(runs / "plain", rounds=3)
    page = open_page("explore", run="polished")
    assert page.header[0].value == "Accuracy against cost, b-distil+polish"
    names = [trace["name"] for trace in json.loads(charts(page)[0])["data"]]
    assert names[:2] == ["as each round ended", "ensemble"]
    html = written(page)
    assert "The frontier of b-distil+polish before its polish as a table" in html
    assert "Small and hollow: accuracy as each round ended, before all students were polished together." in html
    assert sorted(label.split(", ")[3] for label in page.selectbox(key="run-picker").options) == [
        "b-distil",
        "b-distil+polish",
    ]
    page.selectbox(key="run-picker").set_value("plain").run()
    assert "as each round ended" not in charts(page)[0] and "before its polish" not in written(page)


def test_the_final_students_replace_those_of_the_rounds_when_the_polish_ends(open_page, runs):
    path = build_run(runs / "run", method="b-distil+polish", state="running", done=3, rounds=3)
    with hold(path):
        page = open_page("explore", run="run")
        assert "The three students are polished together; these points are as the rounds left them." in written(page)
        assert "as each round ended" not in charts(page)[0]
    shutil.rmtree(path)
    build_run(path, method="b-distil+polish", rounds=3)
    page.run()
    assert "as each round ended" in charts(page)[0]


def test_address_reproduces_the_view(open_page, fashion, runs):
    build_run(runs / "other", rounds=4)
    page = open_page("explore", run="fashion", prefix=5, cost="parameters")
    assert page.selectbox(key="run-picker").value == "fashion"
    assert page.selectbox(key="cost-axis").value == "parameters"
    assert prefix(page) == 5
    assert page.header[3].value == "Where 5 students and the teacher disagree"


@pytest.mark.parametrize(("asked", "shown"), [("99", 6), ("0", 3), ("-2", 3), ("five", 3), ("²", 3)])
def test_unusable_prefix_is_clamped_or_left_out(open_page, fashion, asked, shown):
    assert prefix(open_page("explore", run="fashion", prefix=asked)) == shown


def test_unknown_cost_axis_falls_back_to_macs(open_page, fashion):
    assert open_page("explore", run="fashion", cost="gold").selectbox(key="cost-axis").value == "macs"


def test_wrong_address_is_said_until_another_run_is_picked(open_page, fashion, runs):
    build_run(runs / "other", rounds=4, title="Other")
    page = open_page("explore", run="<i>nowhere</i>")
    assert "There is no run called &lt;i&gt;nowhere&lt;/i&gt; here." in written(page)
    page.run()
    assert "There is no run called" in written(page)
    page.selectbox(key="run-picker").set_value("fashion").run()
    assert "There is no run called" not in written(page)


@pytest.mark.parametrize(
    ("damage", "sentence"), [("corrupt", "its run.json is incomplete"), ("newer", "newer version")]
)
def test_unreadable_run_at_the_address(open_page, fashion, runs, damage, sentence):
    build_run(runs / "bad", damage=damage)
    page = open_page("explore", run="bad")
    assert sentence in written(page) and "This is Fashion instead." in written(page)


def test_teacher_training_at_the_address_has_no_frontier(open_page, fashion, runs):
    build_run(runs / "teacher", kind="teach", title="A teacher")
    assert "A teacher trains a teacher and has no frontier." in written(open_page("explore", run="teacher"))


def test_the_picker_tells_runs_of_one_title_apart_by_name_date_and_note(open_page, runs):
    build_run(runs / "old", rounds=3, created=datetime(2026, 1, 5, 12, tzinfo=UTC))
    build_run(runs / "new", rounds=3, created=datetime(2026, 2, 6, 12, tzinfo=UTC))
    note_run(open_run("old"), "Temperature 4,\nhalf the width; keep it for the talk in May.")
    rename_run(open_run("new"), "Second <try>")
    page = open_page("explore", run="new")
    old, new = sorted(page.selectbox(key="run-picker").options)
    assert old.startswith("Digits, 5 Jan 2026, ") and new.startswith("Second <try>, 6 Feb 2026, ")
    assert old.endswith("teacher 96.2\u00a0% – Temperature 4, half the width; keep it…")
    assert new.endswith("b-distil, teacher 96.2\u00a0%")
    assert "Temperature 4,\nhalf" not in written(page)
    page.selectbox(key="run-picker").set_value("old").run()
    assert "Temperature 4,\nhalf the width; keep it" in written(page)  # whole, where the list shortens it


def test_a_name_given_meanwhile_is_shown_at_once(open_page, runs):
    build_run(runs / "run", rounds=3)
    page = open_page("explore", run="run")
    rename_run(open_run("run"), "Mine")
    page.run()
    assert page.selectbox(key="run-picker").options[0].startswith("Mine, ")
    assert "Operating point on the frontier of Mine" in "".join(str(b.proto) for b in page.get("bidi_component"))


def test_the_run_stays_picked_when_it_finishes(open_page, runs):
    path = build_run(runs / "a", state="running", dataset="fashion-mnist")
    build_run(runs / "b")
    with hold(path):
        page = open_page("explore", run="a")
        info = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**info, "state": "finished", "title": "Done"}))
    page.run()
    picker = page.selectbox(key="run-picker")
    assert picker.value == "a" and picker.options[picker.index].startswith("Done, 5 Jan 2026, ")


def test_another_run_starts_at_its_own_middle(open_page, fashion, runs):
    build_run(runs / "long", rounds=9)
    page = open_page("explore", run="fashion", prefix=6)
    page.selectbox(key="run-picker").set_value("long").run()
    assert prefix(page) == 5


def test_click_on_the_chart_moves_the_slider_and_a_second_click_too(open_page, fashion):
    page = open_page("explore", run="fashion", prefix=2)
    push = page.session_state["chosen"].push

    def click(points):
        page.session_state["frontier-fashion-macs"] = {"selection": {"points": points}}
        import ui

        view = page.session_state["chosen"]
        ui.move(view, [point["customdata"] for point in points])

    click([{"customdata": 4}])
    page.run()
    assert prefix(page) == 4 and page.session_state["chosen"].push == push + 1
    assert page.header[3].value == "Where 4 students and the teacher disagree"
    page.session_state["chosen"].prefix = 1
    click([])
    page.run()
    assert prefix(page) == 4 and page.session_state["chosen"].push == push + 2


def test_click_on_the_teacher_moves_nothing(fashion):
    import ui

    view = ui.View(prefix=2, push=7)
    ui.move(view, [0])
    assert (view.prefix, view.push) == (2, 7)


def test_large_chart_is_constant_while_the_slider_moves(open_page, fashion):
    page = open_page("explore", run="fashion", prefix=2)
    before = charts(page)[0]
    page.session_state["chosen"].prefix = 5
    page.run()
    assert page.header[3].value.startswith("Where 5") and charts(page)[0] == before


def test_confusion_views(open_page, fashion):
    page = open_page("explore", run="fashion")
    control = page.get("button_group")[0]
    assert "Confusion of the students" in written(page)
    control.set_value("difference").run()
    assert "Confusion, difference to the teacher" in written(page)
    page.session_state["chosen"].prefix = 5  # the first view's name changes, the view stays
    page.run()
    assert "Confusion, difference to the teacher" in written(page)
    assert "Orange: worse than the teacher, blue: better." in written(page)


def test_disagreements_are_pictures_with_their_strip(open_page, fashion, own_home):
    build_previews(own_home, "fashion-mnist")
    page = open_page("explore", run="fashion")
    html = written(page)
    assert html.count('class="strip"') == 6 and html.count('alt="Test example') == 6


def test_disagreements_without_pictures_are_a_table(open_page, fashion):
    html = written(open_page("explore", run="fashion"))
    assert "Answers and probabilities" in html and 'alt="Test example' not in html


def test_previews_of_another_split_are_not_shown(open_page, fashion, own_home):
    build_previews(own_home, "fashion-mnist", examples=10)
    assert 'alt="Test example' not in written(open_page("explore", run="fashion"))


def test_previews_of_other_examples_are_not_shown_however_many_they_are(open_page, fashion, own_home):
    path = build_previews(own_home, "fashion-mnist")
    info = json.loads((fashion / "run.json").read_text())
    info["dataset"]["test_checksum"] = "1" * 64
    (fashion / "run.json").write_text(json.dumps(info))
    for checksum, drawn in (("1", True), ("0", False)):
        with np.load(path) as stored:
            arrays = dict(stored) | origin(checksum * 64)
        np.savez(path, **arrays)
        assert ('alt="Test example' in written(open_page("explore", run="fashion"))) == drawn


@pytest.mark.parametrize("known", [True, False])
def test_a_teacher_whose_split_is_not_known_says_so_where_its_accuracy_stands(open_page, fashion, known):
    info = json.loads((fashion / "run.json").read_text())
    info["teacher"]["split_known"] = known
    (fashion / "run.json").write_text(json.dumps(info))
    said = "The teacher was trained on a split that is not known" in written(open_page("explore", run="fashion"))
    assert said != known


def test_a_run_has_one_difference_to_the_teacher(fashion):
    """Of a run that took the teacher's accuracy from its card, where it was that on another test split."""
    info = json.loads((fashion / "run.json").read_text())
    info["teacher"]["accuracy"] = 0.5
    (fashion / "run.json").write_text(json.dumps(info))
    results = load(open_run("fashion"))
    point, teacher = results.points[0], results.run.known_teacher
    first = payload(results.points, teacher, run="fashion", title="", rounds=6, prefix=1).points[0]
    distance = formats.decimal(point.points_lost)
    lost = 100 * (teacher.accuracy - point.accuracy)
    assert lost > 0 and point.points_lost == pytest.approx(lost)
    assert first.difference.startswith(f"{formats.MINUS}{distance}")
    assert f"{distance} points below the teacher" in first.sentence


def test_students_like_the_teacher_disagree_nowhere(open_page, fashion):
    with np.load(fashion / "targets.npz") as stored:
        targets = dict(stored)
    c = json.loads((fashion / "run.json").read_text())["scale"]["c"]
    np.savez(fashion / "rounds" / "01" / "logits.npz", test=targets["teacher_test"] / c)
    page = open_page("explore", run="fashion", prefix=1)
    assert "1 student answers like the teacher on every test example." in written(page)


def test_class_names_are_escaped(open_page, runs):
    names = ("<script>", *"abcdefghi")
    build_run(runs / "odd", classes=names)
    html = written(open_page("explore", run="odd"))
    assert "&lt;script&gt;" in html and "<script>" not in html


def test_black_box_teacher_has_no_axis_of_shares(open_page, runs):
    build_run(runs / "box", black_box=True)
    page = open_page("explore", run="box", cost="share")
    assert page.selectbox(key="cost-axis").value == "macs"
    assert "Share of the teacher" not in page.selectbox(key="cost-axis").options


def test_what_a_black_box_states_is_shown_as_stated(open_page, runs):
    path = build_run(runs / "box")
    info = json.loads((path / "run.json").read_text())
    info["teacher"] |= {"kind": "logits", "macs_stated": True, "approximate_views": True}
    (path / "run.json").write_text(json.dumps(info))
    page = written(open_page("explore", run="box"))
    assert "What the teacher costs is as stated with it, not counted." in page
    assert "with the answers to the originals, an approximation." in page


def test_nothing_to_explore(open_page, went):
    page = open_page("explore")
    assert "There is nothing to explore yet." in written(page)
    button(page, "Distil digits").click().run()
    assert went == [("distil", {"dataset": "digits"})]


def test_running_run_grows_while_it_is_open(open_page, runs):
    path = build_run(runs / "run", state="running")
    with hold(path):
        page = open_page("explore", run="run")
        assert "Round 3 of 6 is training; a new point will appear here." in written(page)
        assert prefix(page) == 2
        add_round(path)
        page.run()
    assert len(json.loads(charts(page)[0])["data"][0]["x"]) == 3
    assert prefix(page) == 2, "a new point never moves the thumb"


def test_first_round_in_training(open_page, runs, went):
    with hold(build_run(runs / "run", state="running", done=0)):
        page = open_page("explore", run="run")
        assert page.title[0].value == "Round 1 of 6 is training" and not charts(page)
        button(page, "Watch it on Distil").click().run()
    assert went == [("distil", {"run": "run"})]


@pytest.mark.parametrize(
    ("state", "sentence", "label"),
    [
        ("stopped", "Stopped after 2 of 6 students; these two are complete.", "Resume"),
        ("failed", "The disk is full: round 3 could not be written.", "See why"),
    ],
)
def test_interrupted_runs(open_page, runs, went, state, sentence, label):
    build_run(runs / "run", state=state)
    page = open_page("explore", run="run")
    assert sentence in written(page) and len(page.header) == 6
    button(page, label).click().run()
    assert went == [("distil", {"run": "run"})]


def test_single_student(open_page, runs):
    build_run(runs / "one", rounds=1)
    assert prefix(open_page("explore", run="one")) == 1


def test_damaged_results_are_a_notice(open_page, runs):
    build_run(runs / "bad", damage="logits")
    page = open_page("explore", run="bad")
    assert page.title[0].value == "This run cannot be explored" and "cannot be read" in written(page)


def test_run_deleted_while_it_is_open(open_page, fashion, runs, went):
    build_run(runs / "other")
    page = open_page("explore", run="fashion")
    shutil.rmtree(fashion)
    page.run()
    assert "This run was deleted while it was open here." in written(page)
    button(page, "See all runs").click().run()
    assert went == [("home", {})]

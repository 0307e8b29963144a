from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from bdistil.runs import delete_run, note_run, open_run, restore_run
from tests.app.conftest import ROOT, button, written
from tests.builders import build_run, hold

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_first_visit_without_samples_leads_to_distil(open_page, went):
    page = open_page("home")
    assert "The sample runs are missing from this installation." in written(page)
    assert "Digits take about a minute." in written(page)
    button(page, "Distil digits").click().run()
    assert went == [("distil", {"dataset": "digits"})]


def test_sample_is_the_showpiece_and_its_prefix_is_taken_along(open_page, runs, samples, went):
    build_run(samples / "digits-sample", rounds=5, examples=300)  # the larger test split is shown
    build_run(samples / "fashion-sample", dataset="fashion-mnist", rounds=6)
    build_run(runs / "own", rounds=9)
    page = open_page("home")
    assert "b-distil, finished<br>sample, 5 Jan 2026, " in written(page)
    page.session_state["home-prefix"] = 5
    button(page.run(), "Explore this run").click().run()
    assert went == [("explore", {"run": "fashion-sample", "prefix": 5})]


@pytest.mark.parametrize(
    ("options", "words", "label"),
    [
        ({}, ("finished", "the teacher: "), "Explore"),
        ({"state": "stopped"}, ("Stopped after two of six students: ",), "Resume"),
        ({"state": "stopped", "done": 0}, ("Stopped before the first student was ready.",), "Resume"),
        (
            {"state": "stopped", "done": 6, "method": "b-distil+polish"},
            ("Stopped in the polish of its six students: ",),
            "Resume",
        ),
        ({"state": "failed"}, ("The disk is full: round 3 could not be written.",), "See why"),
        ({"state": "running"}, ("stopped", "Stopped after two of six students: "), "Resume"),
        ({"kind": "teach"}, ("is ready to be distilled.",), "See its training"),
        ({"black_box": True}, ("1.8\u00a0M MACs",), "Explore"),
        ({"rounds": 1}, ("One student: ",), "Explore"),
    ],
)
def test_card_of_a_run_at_rest(open_page, runs, options, words, label):
    build_run(runs / "one", title="<b>Mine</b>", **options)
    page = open_page("home")
    assert all(word in written(page) for word in words)
    assert button(page, label).key == "card-button-one"
    assert "&lt;b&gt;Mine" in written(page) and "<b>Mine" not in written(page)


@pytest.mark.parametrize("state", ["finished", "running", "failed"])
def test_titles_and_errors_show_what_does_not_print_as_escapes(open_page, runs, state):
    hostile = "one\x1b[31m\u202e\ntwo"
    build_run(runs / "one", state=state, title=hostile, error=hostile if state == "failed" else None)
    for name in ("home", "explore", "distil"):
        page = open_page(name, run="one")
        shown = written(page) + "".join(each.value for each in page.title)
        shown += "".join(str(block.proto) for block in page.get("bidi_component"))
        assert not {*shown} & {"\x1b", "\u202e"} and hostile not in shown
        assert name != "home" or r"one\x1b[31m\u202e\ntwo" in shown


def test_cards_of_living_runs(open_page, runs, went):
    with (
        hold(build_run(runs / "running", state="running")),
        hold(build_run(runs / "queued", state="queued")),
        hold(build_run(runs / "teacher", kind="teach", state="running")),
    ):
        page = open_page("home")
        assert "training, round 3 of 6" in written(page)
        assert "Two students so far: " in written(page)
        assert "Waiting: another run is training." in written(page)
        assert "A teacher is training" in written(page)
        next(each for each in page.button if each.key == "card-button-running").click().run()
    assert went == [("distil", {"run": "running"})]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [("corrupt", "its run.json is incomplete. The others are not affected."), ("newer", "Written by a newer version")],
)
def test_unreadable_run_says_so_and_hides_no_other(open_page, runs, damage, sentence):
    build_run(runs / "good", title="Good one")
    build_run(runs / "bad", damage=damage)
    page = open_page("home")
    assert sentence in written(page) and "Good one" in written(page)
    assert "card-button-bad" not in [each.key for each in page.button]


def test_damaged_results_of_the_showpiece_are_a_notice(open_page, runs):
    build_run(runs / "bad", damage="logits")
    assert "cannot be read" in written(open_page("home"))


# Many runs


def many(runs, count, **options):
    for number in range(count):
        build_run(runs / f"r{number}", rounds=1, state="queued", created=NOW + timedelta(minutes=number), **options)


def shown(page):
    """The runs whose cards are drawn, in order."""
    return [
        each.key.removeprefix("card-button-") for each in page.button if (each.key or "").startswith("card-button-")
    ]


def test_own_runs_come_newest_first_and_before_the_samples(open_page, runs, samples):
    build_run(samples / "sample", created=NOW + timedelta(days=9))
    many(runs, 3)
    page = open_page("home")
    assert shown(page) == ["r2", "r1", "r0", "sample"]
    assert [header.value for header in page.header] == ["Your runs", "Samples"]
    assert [field.label for field in page.text_input] == []


def test_more_runs_than_fit_are_shown_on_request(open_page, runs):
    many(runs, 65)
    page = open_page("home")
    assert shown(page) == [f"r{number}" for number in range(64, 34, -1)] and "30 of 65 runs." in written(page)
    button(page, "Show 30 more").click().run()
    assert len(shown(page)) == 60 and "60 of 65 runs." in written(page)
    button(page, "Show 30 more").click().run()
    assert len(shown(page)) == 65 and "Show 30 more" not in [each.label for each in page.button]


def test_above_ten_runs_are_found_by_their_words_and_sorted(open_page, runs):
    many(runs, 10)
    assert not open_page("home").text_input
    build_run(runs / "other", title="Zebra", state="stopped", created=NOW - timedelta(days=1))
    note_run(open_run("r3"), "For the talk.")
    page = open_page("home")
    page.text_input(key="find-words").set_value("TALK digits").run()
    assert shown(page) == ["r3"]
    page.text_input(key="find-words").set_value("talk zebra").run()
    assert shown(page) == [] and "None of your 11 runs has all these words." in written(page)
    page.text_input(key="find-words").set_value("").run()
    page.selectbox(key="find-order").set_value("Oldest first").run()
    assert shown(page)[:2] == ["other", "r0"]
    page.selectbox(key="find-order").set_value("By name").run()
    assert shown(page)[0] == "r9" and shown(page)[-1] == "other"


# Names, notes, deleting


def test_a_run_is_renamed_and_gets_a_note(open_page, runs):
    build_run(runs / "one", title="Digits")
    page = open_page("home")
    page.button(key="card-edit-one").click().run()
    assert "Folder one." in written(page)
    page.text_input[0].set_value("<b>Mine</b>")
    page.text_area[0].set_value("First line\n<i>second</i>")
    button(page, "Save").click().run()
    assert not page.text_input and "&lt;b&gt;Mine&lt;/b&gt;" in written(page)
    assert "First line\n&lt;i&gt;second&lt;/i&gt;" in written(page)
    assert (open_run("one").info().title, open_run("one").info().note) == ("<b>Mine</b>", "First line\n<i>second</i>")


def test_what_does_not_print_is_not_changed_by_saving(open_page, runs):
    build_run(runs / "one", title="one\x1b")
    page = open_page("home")
    page.button(key="card-edit-one").click().run()
    button(page, "Save").click().run()
    assert not (runs / "one" / "label.json").exists()


def test_a_run_is_deleted_and_brought_back_until_the_page_is_left(runs):
    for name in ("one", "two"):
        build_run(runs / name, title=f"<b>{name}</b>")
    app = AppTest.from_file(str(ROOT / "app" / "shell.py"), default_timeout=60).run()
    for name in ("one", "two"):
        app.button(key=f"card-edit-{name}").click().run()
        button(app, "Delete this run").click().run()
    assert not app.exception and "Deleted 2 runs, the last one “&lt;b&gt;two&lt;/b&gt;”." in written(app)
    assert "Later, bdistil restore two brings it back, for 7 days." in written(app)
    assert list(runs.iterdir()) == [] and "Digits take about a minute." in written(app)
    button(app, "Undo").click().run()
    assert [path.name for path in runs.iterdir()] == ["two"] and shown(app)[0] == "two"
    assert "Deleted “&lt;b&gt;one&lt;/b&gt;”." in written(app)
    app.switch_page("../pages/distil.py").run()
    app.switch_page("../pages/home.py").run()
    assert "Deleted" not in written(app) and "Undo" not in [each.label for each in app.button]
    assert restore_run("one").rounds()


def test_an_undo_that_cannot_be_says_why(open_page, runs):
    build_run(runs / "one")
    page = open_page("home")
    page.button(key="card-edit-one").click().run()
    button(page, "Delete this run").click().run()
    build_run(runs / "one")
    button(page, "Undo").click().run()
    assert "There is a run called one already" in written(page)


def test_a_run_that_is_gone_meanwhile_is_not_edited(open_page, runs):
    build_run(runs / "one")
    page = open_page("home")
    page.button(key="card-edit-one").click().run()
    delete_run(open_run("one"))
    button(page, "Save").click().run()
    assert "There is no run called one" in written(page)


def test_only_what_can_be_done_with_a_run_is_offered(open_page, runs, samples, monkeypatch):
    """A sample is not changed, an unreadable run is only deleted, one in training is not deleted."""
    build_run(samples / "sample")
    build_run(runs / "bad", damage="corrupt")
    build_run(runs / "stopped", state="stopped")
    with hold(build_run(runs / "running", state="running")):
        page = open_page("home")
        offered = {each.key for each in page.button if (each.key or "").startswith("card-")}
        assert offered == {
            *("card-button-sample", "card-delete-bad", "card-button-stopped", "card-edit-stopped"),
            *("card-button-running", "card-edit-running"),
        }
        page.button(key="card-edit-running").click().run()
        assert "Save" in [each.label for each in page.button]
        assert "Delete this run" not in [each.label for each in page.button]
        assert "It can be deleted when it is not training." in written(page)
    page = open_page("home")
    page.button(key="card-delete-bad").click().run()
    assert "Deleted “bad”." in written(page) and not (runs / "bad").exists()
    assert page.button(key="card-button-stopped").label == "Resume"
    monkeypatch.setattr("ui.has_torch", lambda: False)
    assert open_page("home").button(key="card-button-stopped").label == "See its training"


# The browser's tab


def test_the_tab_says_page_run_and_state(open_page, runs, monkeypatch):
    titles = []
    monkeypatch.setattr("streamlit.set_page_config", lambda page_title: titles.append(page_title))
    build_run(runs / "done", title="Digits, 6 students")
    build_run(runs / "bad", damage="corrupt")
    with hold(build_run(runs / "now", state="running", title="Clothes\x07")):
        for name, asked, title in (
            ("home", None, "Home · B-DISTIL Explorer"),
            ("distil", None, "Distil · B-DISTIL Explorer"),
            ("distil", "done", "Distil · Digits, 6 students · finished"),
            ("distil", "now", r"Distil · Clothes\x07 · training"),
            ("distil", "bad", "Distil · B-DISTIL Explorer"),
            ("explore", "done", "Explore · Digits, 6 students · finished"),
            ("explore", "now", r"Explore · Clothes\x07 · training"),
        ):
            open_page(name, **({"run": asked} if asked else {}))
            assert titles[-1] == title

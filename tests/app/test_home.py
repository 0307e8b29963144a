from datetime import UTC, datetime, timedelta

import pytest

from tests.app.conftest import button, written
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
    assert "sample, finished" in written(page)
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


def test_many_runs_are_shortened_to_the_newest(open_page, runs):
    for number in range(33):
        build_run(runs / f"r{number}", rounds=1, state="queued", created=NOW + timedelta(minutes=number))
    page = open_page("home")
    keys = [each.key for each in page.button]
    assert "The newest 30 of 33 runs" in written(page)
    assert "card-button-r32" in keys and "card-button-r2" not in keys

"""Naming, noting, deleting and restoring runs: one place for the name, and nothing lost."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from bdistil.errors import UserError
from bdistil.runs import Run, delete_run, empty_trash, list_runs, manage, note_run, open_run, rename_run, restore_run
from tests.builders import build_run, hold


@pytest.fixture
def runs(own_home):
    """The folder of runs, with one finished run in it."""
    build_run(own_home / "runs" / "good", title="Digits")
    return own_home / "runs"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ids() -> list[str]:
    return [summary.id for summary in list_runs(samples=False)]


# Name and note


def test_a_name_is_shown_instead_of_the_title_and_run_json_stays_the_worker_s(runs):
    run, before = open_run("good"), contents(runs / "good")
    rename_run(run, "  My  first\nrun ")
    note_run(run, "Narrow students.\r\nSecond line.\n")
    assert (run.info().title, run.info().note) == ("My first run", "Narrow students.\nSecond line.")
    assert list_runs(samples=False)[0].info == run.info() and run.id == "good"
    after = contents(runs / "good")
    assert json.loads(after.pop("label.json")) == {"name": "My first run", "note": "Narrow students.\nSecond line."}
    assert after == before
    run.update(seconds=3.0)
    assert run.stored().title == "Digits" and run.info().title == "My first run"


def test_an_empty_name_gives_the_title_back_and_leaves_the_note(runs):
    run = open_run("good")
    note_run(run, "Kept.")
    rename_run(run, "Mine")
    rename_run(run, " ")
    assert (run.info().title, run.info().note) == ("Digits", "Kept.")
    note_run(run, "")
    assert run.info().note == ""


def test_what_does_not_print_is_shown_as_escapes(runs):
    run = open_run("good")
    rename_run(run, "one\x1b[31m\u202e<b>\udce9")
    note_run(run, "two\x07\nthree\u202e")
    assert run.info().title == r"one\x1b[31m\u202e<b>?"
    assert run.info().note == "two\\x07\nthree\\u202e"


@pytest.mark.parametrize(("change", "most", "what"), [(rename_run, 100, "name"), (note_run, 2000, "note")])
def test_a_text_that_is_too_long_is_refused_with_its_limit(runs, change, most, what):
    change(open_run("good"), "ä" * most)
    with pytest.raises(UserError, match=f"A run's {what} has at most {most} characters; this one has {most + 1}."):
        change(open_run("good"), "ä" * (most + 1))
    assert "ä" * most in (open_run("good").info().title, open_run("good").info().note)


@pytest.mark.parametrize(
    "label", [b"", b"[]", b'{"name": 5}', b'{"name": ""}', b'{"note": null}', b'{"name": "' + b"x" * 101 + b'"}']
)
def test_a_damaged_label_takes_no_run_down(runs, label):
    (runs / "good" / "label.json").write_bytes(label)
    assert (open_run("good").info().title, open_run("good").info().note) == ("Digits", "")
    rename_run(open_run("good"), "Mine")
    assert open_run("good").info().title == "Mine"


def test_a_label_that_is_a_pipe_is_not_waited_for(runs):
    os.mkfifo(runs / "good" / "label.json")
    assert open_run("good").info().title == "Digits"


def test_a_run_that_is_gone_takes_no_name(runs):
    run = open_run("good")
    delete_run(run)
    with pytest.raises(UserError, match="There is no run called good; it may have been deleted"):
        rename_run(run, "Mine")
    assert not run.path.exists()


# Deleting and restoring


def test_a_deleted_run_is_gone_and_comes_back_whole(runs):
    run, before = open_run("good"), contents(runs / "good")
    delete_run(run)
    assert ids() == [] and list(runs.iterdir()) == [] and not run.is_alive()
    with pytest.raises(UserError, match="There is no run called good; it may have been deleted"):
        run.info()
    assert restore_run("good") == run
    assert contents(run.path) == before and ids() == ["good"]
    assert list(manage.trash().iterdir()) == []
    with pytest.raises(UserError, match="^There is no run called good in the trash.$"):
        restore_run("good")


def test_a_run_that_is_training_is_not_deleted(runs):
    run = open_run("good")
    with hold(run.path), pytest.raises(UserError, match="This run is training; stop it first"):
        delete_run(run)
    assert run.rounds()


@pytest.mark.parametrize("damage", ["corrupt", "newer", "empty", "pipe"])
def test_a_run_that_cannot_be_read_is_deleted_and_restored(runs, damage):
    path = runs / "bad"
    if damage in ("corrupt", "newer"):
        build_run(path, damage=damage)
    else:
        path.mkdir()
    if damage == "pipe":
        os.mkfifo(path / "run.json")
    delete_run(Run(path))
    assert ids() == ["good"]
    restore_run("bad")
    assert sorted(ids()) == ["bad", "good"]


def test_the_run_that_was_deleted_last_is_restored_and_replaces_none(runs):
    delete_run(open_run("good"))
    build_run(runs / "good", title="Second")
    delete_run(open_run("good"))
    build_run(runs / "good", title="Third")
    with pytest.raises(UserError, match="There is a run called good already"):
        restore_run("good")
    assert open_run("good").info().title == "Third"
    delete_run(open_run("good"))
    for title in "Third", "Second", "Digits":
        assert restore_run("good").info().title == title
        open_run("good").path.rename(runs.parent / title)


@pytest.mark.parametrize("name", ["", ".", "..", "../runs/good", "goood", "x" * 5000, "a\0b"])
def test_nothing_but_a_deleted_run_is_restored(runs, name):
    delete_run(open_run("good"))
    with pytest.raises(UserError, match="There is no run called") as error:
        restore_run(name)
    assert ("Did you mean good?" in str(error.value)) == (name == "goood")
    assert list(runs.iterdir()) == []


def test_a_run_elsewhere_is_not_deleted(runs, tmp_path):
    path = build_run(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="lies outside the folder of runs"):
        delete_run(open_run(path))
    assert path.is_dir()


def test_a_link_to_a_run_is_moved_and_not_what_it_points_to(runs, tmp_path):
    elsewhere = build_run(tmp_path / "elsewhere")
    (runs / "linked").symlink_to(elsewhere)
    delete_run(open_run("linked"))
    assert elsewhere.is_dir() and ids() == ["good"]
    assert restore_run("linked").info().title == open_run(elsewhere).info().title


def test_the_trash_is_emptied_of_what_is_older_than_seven_days(runs, monkeypatch):
    delete_run(open_run("good"))
    empty_trash(timedelta(days=7))
    assert restore_run("good").rounds()

    delete_run(open_run("good"))
    (place,) = manage.trash().iterdir()
    old = place.with_name("20200101T000000.000000")
    place.rename(old)
    delete_run(Run(build_run(runs / "next")))
    assert not old.exists() and restore_run("next").rounds()
    with pytest.raises(UserError, match="There is no run called good in the trash"):
        restore_run("good")

    delete_run(open_run("next"))
    empty_trash()
    assert list(manage.trash().iterdir()) == []


def test_what_cannot_be_written_changes_nothing(runs, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    run, before = open_run("good"), contents(runs / "good")
    monkeypatch.setattr(manage, "write_json", full)
    monkeypatch.setattr(manage.os, "rename", full)
    for change in (delete_run, lambda run: rename_run(run, "Mine"), lambda run: note_run(run, "Mine")):
        with pytest.raises(UserError, match=r"cannot be written \(No space left on device\); nothing was changed"):
            change(run)
    assert contents(run.path) == before

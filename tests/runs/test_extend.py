"""Adding rounds: the longer run begins with the parent's, which nothing changes; what cannot be is one sentence."""

import json
import os
from pathlib import Path

import pytest

from bdistil.errors import UserError
from bdistil.runs import Run, delete_run, list_runs
from bdistil.runs.extend import extend_run, refusal
from bdistil.runs.launch import start_worker
from tests.builders import build_run
from tests.workers import distil_config, finished, made, started


@pytest.fixture
def runs(own_home):
    return own_home / "runs"


def plain(path, **options):
    """A finished plain run with its students' weights (any bytes will do)."""
    run = Run(build_run(path, **({"rounds": 3} | options)))
    for folder in run.round_folders():
        (folder / "student.safetensors").write_bytes(b"weights of " + folder.name.encode())
        (folder / "student.json").write_text("{}")
    return run


def contents(run):
    """Every file of a run, by its path within."""
    return {str(file.relative_to(run.path)): file.read_bytes() for file in run.path.rglob("*") if file.is_file()}


def rounds_of(run):
    return {name: content for name, content in contents(run).items() if name.startswith("rounds")}


def change_config(run, **changes):
    info = json.loads((run.path / "run.json").read_text())
    info["config"] |= changes
    (run.path / "run.json").write_text(json.dumps(info))


def test_the_longer_run_begins_with_the_rounds_of_its_parent(runs):
    parent = plain(runs / "short", dataset="fashion-mnist")
    before = contents(parent)
    longer = extend_run(parent, 2)
    info, old = longer.stored(), parent.info()
    assert (info.parent, info.title, info.state) == ("short", "Fashion-MNIST, 3 + 2 students", "queued")
    assert (info.config.rounds, info.config.planned_rounds) == (5, 3)
    assert (info.method, info.config.composition) == ("b-distil", "add")
    for known in ("dataset", "teacher", "scale", "rounds_done", "points"):
        assert getattr(info, known) == getattr(old, known)
    assert rounds_of(longer) == rounds_of(parent) and len(longer.rounds()) == 3
    assert (longer.path / "targets.npz").read_bytes() == (parent.path / "targets.npz").read_bytes()
    assert contents(parent) == before


def test_what_happened_in_the_parent_s_rounds_is_kept_and_nothing_of_its_end(runs):
    parent = plain(runs / "short")
    happened = extend_run(parent, 1).events()[0]
    kinds = [event.kind for event in happened]
    assert kinds.count("round_finished") == 3 and kinds[-1] == "created" and happened[-1].parent == "short"
    assert happened[-1].rounds_done == 3
    assert not {"started", "finished", "phase", "stopped"} & set(kinds)
    told = [event for event in parent.events()[0] if event.kind == "round_finished"]
    assert [event for event in happened if event.kind == "round_finished"] == told


def test_an_extended_run_is_extended_again_with_the_first_horizon(runs):
    parent = plain(runs / "short")
    change_config(parent, planned_rounds=2)
    assert extend_run(parent, 1).stored().config.planned_rounds == 2


def test_the_parent_may_go_and_the_longer_run_stays_whole(runs):
    parent = plain(runs / "short")
    longer = extend_run(parent, 1)
    before = contents(longer)
    delete_run(parent)
    assert contents(longer) == before


def test_files_are_copied_where_there_can_be_no_links(runs, monkeypatch):
    def refuse(source, target):
        raise OSError(18, "Invalid cross-device link")

    parent = plain(runs / "short")
    monkeypatch.setattr(os, "link", refuse)
    assert rounds_of(extend_run(parent, 1)) == rounds_of(parent)


def test_a_disk_that_is_full_leaves_nothing(runs, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    parent = plain(runs / "short")
    monkeypatch.setattr(os, "link", full)
    with pytest.raises(UserError, match="No space left on device"):
        extend_run(parent, 1)
    assert [path.name for path in runs.iterdir()] == ["short"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "teach"}, "trains a teacher"),
        ({"state": "stopped"}, "has not finished. Resume it first"),
        ({"state": "failed"}, "has not finished"),
        ({"train": False}, "keeps no students or training answers"),
        ({"damage": "logits"}, "keeps no students or training answers"),
        ({"rounds": 64}, "has 64 students, as many as there can be"),
    ],
)
def test_what_cannot_be_extended_says_why(runs, options, sentence):
    parent = plain(runs / "short", **options)
    assert sentence in refusal(parent)
    with pytest.raises(UserError, match=sentence):
        extend_run(parent, 1)
    assert [summary.id for summary in list_runs(samples=False)] == ["short"]


def test_a_run_without_its_students_weights_says_so(runs):
    parent = plain(runs / "short")
    (parent.path / "rounds" / "02" / "student.safetensors").unlink()
    assert "keeps no students" in refusal(parent)


def test_a_polished_run_is_finished_for_good(runs):
    parent = plain(runs / "short")
    change_config(parent, method="b-distil+polish")
    assert "polished together" in refusal(parent)


@pytest.mark.parametrize("rounds", [0, -1, 62, "five", "2.5", ""])
def test_a_number_of_rounds_that_cannot_be_is_one_sentence(runs, rounds):
    with pytest.raises(UserError, match=f"from 1 to 61; got “{rounds}”"):
        extend_run(plain(runs / "short"), rounds)


def with_budgets(path):
    """A finished plain run of three rounds with budgets."""
    parent = plain(path)
    change_config(parent, budgets="20k,40k,60k")
    return parent


def test_budgets_are_extended_by_budgets(runs):
    config = extend_run(with_budgets(runs / "short"), budgets="120k,200k").stored().config
    assert (config.budgets, config.rounds, config.planned_rounds) == ("20k,40k,60k,120k,200k", 5, 3)


@pytest.mark.parametrize(
    "added", [dict(), dict(rounds=1), dict(rounds=1, budgets="120k"), dict(budgets=""), dict(rounds=0)]
)
def test_a_run_with_budgets_takes_no_rounds(runs, added):
    parent = with_budgets(runs / "short")
    with pytest.raises(UserError, match="leave out `rounds`, and give `budgets` above 60k"):
        extend_run(parent, **added)


@pytest.mark.parametrize("budgets", ["60k", "5%", "100k,90k", "more"])
def test_further_budgets_rise_above_those_that_there_are(runs, budgets):
    with pytest.raises(UserError, match="`budgets` must be rising limits"):
        extend_run(with_budgets(runs / "short"), budgets=budgets)


@pytest.mark.parametrize("added", [dict(budgets="120k"), dict(rounds=1, budgets="120k"), dict(budgets="")])
def test_a_run_without_budgets_takes_none(runs, added):
    with pytest.raises(UserError, match="have no budgets: leave out `budgets`"):
        extend_run(plain(runs / "short"), **added)


def test_threads_may_differ_from_the_parent_s(runs):
    config = extend_run(plain(runs / "short"), 2, threads=3).stored().config
    assert (config.rounds, config.threads) == (5, 3)


def test_a_parent_anywhere_is_extended_into_the_home(runs, tmp_path):
    parent = plain(Path(tmp_path / "elsewhere" / "short"))
    assert extend_run(parent, 1).path.parent == runs


def test_rounds_that_are_added_are_those_that_an_uninterrupted_run_would_have_trained(own_home):
    """Real workers: two rounds and one more, against three at once with the same η; bit for bit."""
    small = dict(epochs=2, batch_size=64)
    parent = finished(started(distil_config(rounds=2, **small)))
    longer = extend_run(parent, 1)
    start_worker(longer)
    whole = finished(started(distil_config(rounds=3, planned_rounds=2, **small)))
    assert made(finished(longer)) == made(whole)
    assert [entry.record.edges for entry in longer.rounds()] == [entry.record.edges for entry in whole.rounds()]
    assert longer.info().scale == whole.info().scale


def test_a_student_that_is_added_is_within_its_budget(own_home):
    """Real workers: two rounds with budgets and one more; the students that there are stay as they are."""
    parent = finished(started(distil_config(budgets="20k,60k", rounds=2, epochs=1, batch_size=64)))
    longer = extend_run(parent, budgets="120k")
    start_worker(longer)
    macs = [point.macs for point in finished(longer).info().points]
    assert macs[:2] == [point.macs for point in parent.info().points]
    assert 90_000 < macs[2] <= 120_000
    assert [entry.point.budget for entry in longer.rounds()] == [20_000, 60_000, 120_000]

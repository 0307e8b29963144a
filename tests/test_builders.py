"""The invented runs are runs: what training writes and these builders write is read by the same code."""

import pytest

from bdistil import runs
from bdistil.errors import UserError
from bdistil.records import AttemptFinished
from bdistil.results import load
from tests.builders import add_round, build_run, hold


@pytest.mark.parametrize("kind", ["distil", "teach"])
@pytest.mark.parametrize("state", ["queued", "running", "stopped", "failed", "finished"])
def test_every_state_is_read_by_the_store(tmp_path, state, kind):
    run = runs.open_run(build_run(tmp_path / "r", state=state, kind=kind))
    with hold(run.path):
        assert run.info().state == state
    events, _ = run.events()
    assert events[0].kind == "created"
    assert (events[-1].kind == state) == (state != "running")


def test_a_running_run_whose_lock_is_free_is_stopped(tmp_path):
    assert runs.open_run(build_run(tmp_path / "r", state="running")).state() == "stopped"


@pytest.mark.parametrize("damage", ["corrupt", "newer"])
def test_damaged_runs_are_refused_by_the_store(tmp_path, damage):
    with pytest.raises(UserError):
        runs.open_run(build_run(tmp_path / "r", damage=damage))


def test_every_round_meets_the_condition_unless_the_search_is_told_to_fail(tmp_path):
    long = runs.open_run(build_run(tmp_path / "long", rounds=24))
    assert all(entry.record.condition_met for entry in long.rounds())
    run = runs.open_run(build_run(tmp_path / "r", search={3: ["corrected"], 4: ["edge", "corrected"], 5: ["edge"]}))
    records = [entry.record for entry in run.rounds()]
    assert [record.condition_met for record in records] == [True, True, True, True, False, True]
    assert [record.corrected for record in records] == [False, False, True, True, False, False]
    assert min(records[2].edges_before) < 0 < min(records[2].edges)
    tried = [(e.round, e.outcome) for e in run.events()[0] if isinstance(e, AttemptFinished)]
    assert tried == [
        (1, "kept"),
        (2, "kept"),
        (3, "corrected"),
        (4, "edge"),
        (4, "corrected"),
        (5, "edge"),
        (6, "kept"),
    ]


def test_a_polished_run_keeps_its_prefixes_and_ends_with_whole_rounds(tmp_path):
    path = build_run(tmp_path / "r", method="b-distil+polish", rounds=3)
    for number in ("01", "02", "03"):
        assert (path / "rounds" / number / "prefix.npz").exists() and (path / "polish" / number / "logits.npz").exists()
        assert (path / "polish" / number / "heaviest.npz").exists() == (number != "01")
        assert not (path / "rounds" / number / "logits.npz").exists()
    polishing = build_run(tmp_path / "s", method="b-distil+polish", rounds=3, done=3, state="stopped")
    assert not (polishing / "polish").exists()
    kinds = [event.kind for event in runs.open_run(path).events()[0]]
    assert kinds.count("head_corrected") == 2 and kinds[-3:] == ["polish_finished", "phase", "finished"]


def test_an_old_run_lacks_what_came_later(tmp_path):
    path = build_run(tmp_path / "r", old=True)
    assert not list(path.glob("rounds/*/heaviest.npz"))
    assert runs.open_run(path).rounds()[1].record.by_eta is None


def test_a_round_can_arrive_while_a_page_watches(tmp_path):
    path = build_run(tmp_path / "r", state="running", done=1)
    add_round(path)
    assert len(load(path).points) == 2

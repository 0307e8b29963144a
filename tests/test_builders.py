"""The invented runs are runs: what training writes and these builders write is read by the same code."""

import pytest

from bdistil import runs
from bdistil.errors import UserError
from bdistil.results import load
from tests.builders import add_round, build_run, hold


@pytest.mark.parametrize("kind", ["distil", "teach"])
@pytest.mark.parametrize("state", ["queued", "running", "stopped", "failed", "finished"])
def test_every_state_is_read_by_the_store(tmp_path, state, kind):
    run = runs.open_run(build_run(tmp_path / "r", state=state, kind=kind))
    with hold(run.path):
        assert run.info()["state"] == state
    events, _ = run.events()
    assert events[0]["kind"] == "created"
    assert (events[-1]["kind"] == state) == (state != "running")


def test_a_running_run_whose_lock_is_free_is_stopped(tmp_path):
    assert runs.open_run(build_run(tmp_path / "r", state="running")).state() == "stopped"


@pytest.mark.parametrize("damage", ["corrupt", "newer"])
def test_damaged_runs_are_refused_by_the_store(tmp_path, damage):
    with pytest.raises(UserError):
        runs.open_run(build_run(tmp_path / "r", damage=damage))


def test_a_round_can_arrive_while_a_page_watches(tmp_path):
    path = build_run(tmp_path / "r", state="running", done=1)
    add_round(path)
    assert len(load(path).points) == 2

"""Runs survive anything: real workers, killed, stopped, crowded out or out of disk, make what they would have made."""

import contextlib
import json
import os
import shutil
import signal
import time

import pytest

from bdistil.errors import UserError
from bdistil.report.silence import quiet
from bdistil.runs import Run, create_run, delete_run, list_runs, open_run
from bdistil.runs.heartbeat import HeartbeatWriter
from bdistil.runs.launch import start_worker
from bdistil.teachers import card
from tests.builders import build_run
from tests.workers import (
    distil_config,
    ensemble_files,
    finished,
    made,
    send,
    started,
    teach_config,
    timeless,
    told,
    until,
)


@pytest.fixture
def uninterrupted(trained) -> Run:
    """The run that `distil_config` describes, which nothing has interrupted."""
    return Run(list_runs(samples=False)[-1].path)


def test_killed_inside_a_round_and_between_rounds_a_run_comes_out_the_same(uninterrupted):
    """kill -9 twice, and a line of the event file torn by it: same weights, same logits, at most an epoch redone."""
    run = started(distil_config())
    until(lambda: told(run, "epoch", round=1, epoch=2))  # by then the first one is in the checkpoint
    send(run, signal.SIGKILL)
    assert run.info().state == "stopped" and run.info().worker_gone
    assert json.loads((run.path / "run.json").read_text())["state"] == "running"  # it had no time to say more
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"v":1,"time":"2026-')

    start_worker(run)
    until(lambda: told(run, "round_finished", round=2))
    send(run, signal.SIGKILL)
    start_worker(run)
    finished(run)

    assert made(run) == made(uninterrupted)
    assert ensemble_files(run) == ensemble_files(uninterrupted)
    assert len(told(run, "epoch")) <= 3 * 4 + 2
    assert [event.round for event in told(run, "round_finished")] == [1, 2, 3]
    assert [event.resumed for event in told(run, "started")] == [False, True, True]
    assert [timeless(entry) for entry in run.rounds()] == [timeless(entry) for entry in uninterrupted.rounds()]


def test_asked_to_stop_by_file_and_by_signal_a_run_comes_out_the_same(uninterrupted):
    run = started(distil_config())
    until(lambda: told(run, "epoch", round=1, epoch=2))
    run.request_stop()
    until(lambda: not run.is_alive())
    info = run.info()
    assert (info.state, info.worker_gone, run.stop_requested()) == ("stopped", False, False)
    (stopped,) = told(run, "stopped")
    assert stopped.phase == "rounds" and stopped.round == 1

    start_worker(run)
    until(lambda: told(run, "epoch", round=2, epoch=1))
    send(run, signal.SIGTERM)
    assert run.state() == "stopped" and len(told(run, "stopped")) == 2

    start_worker(run)
    finished(run)
    assert made(run) == made(uninterrupted)
    assert len(told(run, "epoch")) <= 3 * 4 + 2
    assert not (run.path / "checkpoint.safetensors").exists()


def test_a_teacher_killed_inside_its_training_comes_out_the_same(own_home):
    whole, killed = finished(started(teach_config())), started(teach_config())
    until(lambda: told(killed, "epoch", epoch=2))
    send(killed, signal.SIGKILL)
    start_worker(killed)
    finished(killed)
    names = [run.info().teacher_name for run in (whole, killed)]
    assert len(set(names)) == 2  # the finished one keeps its name and is not overwritten
    assert card(names[0]).weights_sha256 == card(names[1]).weights_sha256
    assert len(told(killed, "epoch")) <= 3 + 1


def test_a_second_run_waits_its_turn_and_survives_the_deletion_of_the_first(trained):
    first = started(distil_config(rounds=8, epochs=1000, seed=1))
    until(lambda: told(first, "started"))
    with pytest.raises(UserError, match="^This run is training already\\.$"):
        start_worker(first)
    with pytest.raises(UserError, match="stop it first"):
        delete_run(first)

    second = started(distil_config(rounds=1, epochs=1, seed=2))
    until(lambda: told(second, "queued"))
    assert second.state() == "queued" and first.state() == "running"
    second.request_stop()
    until(lambda: not second.is_alive())
    assert second.state() == "stopped" and not told(second, "started")

    start_worker(second)
    until(lambda: len(told(second, "queued")) == 2)
    pid = first.heartbeat().pid
    shutil.rmtree(first.path.rename(first.path.with_name("gone")))  # at once: its worker goes on writing there
    finished(second)
    assert not first.is_alive() and pid != second.heartbeat().pid
    assert first.id not in [summary.id for summary in list_runs()]
    with pytest.raises(UserError, match="There is no run called"):
        open_run(first.id)


def test_a_round_that_was_finished_but_not_told_is_told_on_resume(uninterrupted):
    """As if killed between the renaming of rounds/02 and the event that tells of it."""
    run = create_run(distil_config())
    for name in ("rounds/01", "rounds/02"):
        shutil.copytree(uninterrupted.path / name, run.path / name)
    lines = (uninterrupted.path / "events.jsonl").read_text().splitlines(keepends=True)
    second = next(i for i, line in enumerate(lines) if '"kind":"round_finished","round":2' in line)
    (run.path / "events.jsonl").write_text("".join(lines[:second]))
    begun = dict(uninterrupted.stored()) | {"run": run.id, "state": "running", "phase": "rounds", "rounds_done": 1}
    run.update(**begun)
    start_worker(run)
    finished(run)
    assert [event.round for event in told(run, "round_finished")] == [1, 2, 3]
    assert run.info().rounds_done == 3 and len(run.info().points) == 3
    assert made(run) == made(uninterrupted)


def test_a_run_that_cannot_be_trained_says_why(trained):
    """A teacher that is gone, a configuration of another version: failed with one sentence, no traceback."""
    run = create_run(distil_config(teacher="nobody"))
    start_worker(run)
    until(lambda: not run.is_alive())
    assert run.info().state == "failed" and run.info().exit_status == 2
    assert run.info().error.startswith("There is no teacher called nobody.")
    assert run.log_tail() == []


def test_a_paused_worker_is_named_wherever_its_run_is_shown(bdistil, own_home, monkeypatch):
    """SIGSTOP: it holds its run and says nothing; when it goes on, so does the run."""
    run = create_run(distil_config(rounds=1))
    pid = start_worker(run)
    try:
        until(lambda: told(run, "epoch"))
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr("bdistil.report.silence.SILENT", 2.0)
        until(lambda: quiet(run.heartbeat()))
        monkeypatch.setattr("bdistil.report.silence.SILENT", 1.0)
        assert run.state() == "running"
        assert ", no sign of life for " in bdistil("list")[1]
        shown = bdistil("show", run.id)[1]
        assert "No sign of life for " in shown and f"end process {pid} and resume" in shown
        monkeypatch.setattr("bdistil.report.silence.SILENT", 30.0)
        assert "sign of life" not in bdistil("list")[1] + bdistil("show", run.id)[1]
        os.kill(pid, signal.SIGCONT)
        finished(run)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert "sign of life" not in bdistil("list")[1]


def test_a_worker_beats_while_it_has_nothing_to_tell(tmp_path, monkeypatch):
    """As it reads data or evaluates, nothing calls `beat`; what it last told stays."""
    monkeypatch.setattr("bdistil.runs.heartbeat.ALIVE", 0.05)
    run = Run(build_run(tmp_path / "run", state="running"))
    writer = HeartbeatWriter(run)
    writer.write(epoch=3)
    first = run.heartbeat()
    with writer.going_on():
        later = until(lambda: (beat := run.heartbeat()).time > first.time and beat)
        assert later.model_copy(update={"time": first.time}) == first and later.epoch == 3
    before = run.heartbeat()
    time.sleep(0.3)
    assert run.heartbeat() == before
    with writer.going_on():  # a folder that was removed is none of its business
        shutil.rmtree(run.path)
        time.sleep(0.2)
    assert not run.path.exists()

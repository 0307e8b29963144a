"""One of each fault, in the worst places: real workers on tiny runs end up with what an uninterrupted one makes.

A fault is a few lines of Python that change the engine in the worker's process, so that a kill falls where it is meant
to: between two writes, or in the middle of one. Other kills wait for what the run's events say.
"""

import os
import re
import shutil
import signal

import psutil
import pytest

from app import run_text
from bdistil.errors import UserError
from bdistil.runs import Run, create_run, list_runs, open_run
from bdistil.teachers import cards
from tests.nursery import Nursery
from tests.workers import (
    HOPELESS,
    distil_config,
    everything,
    finished,
    polished_config,
    send,
    teach_config,
    told,
    until,
)

POLISHED = polished_config(rounds=3, epochs=2, polish_epochs=3, views=1, batch_size=128)
SEARCH = distil_config(rounds=2, epochs=2, views=1, batch_size=128, composition="concat", retries=1)
DISK = "The disk is full. Free some space, then resume; finished rounds are safe."


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="module")
def whole(nursery, tmp_path_factory):
    """A home with a polished run and one with a search, which nothing has interrupted, and which nothing may touch."""
    home = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BDISTIL_HOME", str(home))
        runs = {}
        for name, config, faults in (("polished", POLISHED, ""), ("search", SEARCH, HOPELESS)):
            runs[name] = create_run(config)
            nursery.start(runs[name], faults)
            finished(runs[name])
    before = [contents(run) for run in runs.values()]
    yield {"home": home} | runs
    assert [contents(run) for run in runs.values()] == before


@pytest.fixture(autouse=True)
def home(whole, own_home, monkeypatch):
    monkeypatch.setenv("BDISTIL_HOME", str(whole["home"]))


def contents(run: Run) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def at(place: str, action: str, call: int = 1, after: bool = False, where: str = "True") -> str:
    """A fault: `action` is done before (or after) the call of this number, of those `where` holds, of `module:name`."""
    module, name = place.split(":")
    return f"""
import errno, importlib, os, shutil, signal
*path, last = "{name}".split(".")
owner = importlib.import_module("{module}")
for part in path:
    owner = getattr(owner, part)
inner, calls = getattr(owner, last), [0]

def faulty(*arguments, **named):
    counts = {where}
    calls[0] += counts
    now = counts and calls[0] == {call}
    if now and not {after}:
        {action}
    result = inner(*arguments, **named)
    if now and {after}:
        {action}
    return result

setattr(owner, last, faulty)
"""


def killed(place: str, call: int = 1, after: bool = False, where: str = "True") -> str:
    return at(place, "os.kill(os.getpid(), signal.SIGKILL)", call, after, where)


# What a polished run is killed in, one after the other, and the title of the page then.
KILLS = {
    "asking the teacher": (killed("bdistil.teachers.logits:TeacherLogits._answer", 2), "Stopped in round 1 of 3"),
    "an epoch told but not saved": (killed("bdistil.training.loop:Checkpoint.save", 2), "Stopped in round 1 of 3"),
    "a checkpoint half written": (
        killed("bdistil.atomic:os.replace", where="'checkpoint' in str(arguments[1])"),
        "Stopped in round 1 of 3",
    ),
    "a round half written": (killed("bdistil.runs.rounds:_write_round", after=True), "Stopped in round 1 of 3"),
    "a corrective round there, its predecessor not removed": (
        killed("bdistil.runs.rounds:shutil.rmtree", where="arguments[0].name == 'ensemble'"),
        "Stopped in round 2 of 3",
    ),
    "a corrective round": (killed("bdistil.method.joint:_validation", 2), "Stopped in round 3 of 3"),
    "a round there but not told": (
        killed("bdistil.runs.methods.joint:save_corrective_round", after=True),
        "Stopped in round 3 of 3",
    ),
    "the polish": (killed("bdistil.method.joint:_validation", 2), "Stopped in the polish"),
    "a head corrected": (killed("bdistil.runs.methods.joint:_record_correction", after=True), "Stopped in the polish"),
    "the polish half written": (killed("bdistil.runs.rounds:_write_student", 2), "Stopped in the polish"),
    "the polish there but not told": (
        killed("bdistil.runs.methods.joint:save_polish", after=True),
        "Stopped in the polish",
    ),
    "the report": (killed("bdistil.ensemble:ProgressiveEnsemble.save"), "Stopped just before its end"),
    "its last word": (killed("bdistil.runs.worker:_end"), "Stopped just before its end"),
}


def test_killed_everywhere_a_polished_run_comes_out_the_same(whole, nursery):
    shutil.rmtree(whole["home"] / "cache")  # the teacher is asked again
    run = create_run(POLISHED)
    for name, (fault, title) in KILLS.items():
        nursery.start(run, fault)
        until(lambda: not run.is_alive())
        info = run.info()
        assert info.state == "stopped" and info.worker_gone, (name, run.log_tail())
        assert run_text.title(info, run.heartbeat()) == title, name
        what, advice = run_text.stopped_notice(info, run.heartbeat())
        assert what == "The worker ended without a word." and "gives the same ensemble" in advice
        if name == "the polish":
            # The heartbeat is written twice a second at most: it may not have told of the second epoch yet, or of any.
            resuming = "Resuming (repeats epoch [12] of the polish|goes on where it stopped)"
            assert re.match(f"Rounds 1 to 3 are usable as they stood. {resuming}", advice)
        if name == "the report":
            assert advice.startswith("Three students are finished and usable. Resuming works out the last figures")
    nursery.start(run)
    finished(run)
    assert everything(run) == everything(whole["polished"])
    assert len(told(run, "epoch")) <= len(told(whole["polished"], "epoch")) + 2  # two were told, but not saved yet
    assert [event.round for event in told(run, "round_finished")] == [1, 2, 3]
    assert len(told(run, "polish_finished")) == 1
    assert len(told(run, "started")) == len(KILLS) + 1
    assert files(run) == files(whole["polished"])  # nothing half-written is left


def files(run: Run) -> set[str]:
    """Names of what a run's directory holds, but for what depends on who looked when."""
    names = {str(path.relative_to(run.path)) for path in run.path.rglob("*")}
    return {name for name in names if not name.startswith(".heartbeat.")}


def test_killed_in_its_search_a_run_comes_out_the_same_without_training_an_attempt_again(whole, nursery):
    """Between a rejected attempt’s folder and its event, and inside a later attempt."""
    run = create_run(SEARCH)
    nursery.start(run, HOPELESS + killed("bdistil.runs.methods.frozen:save_attempt", after=True))
    until(lambda: not run.is_alive())
    assert run.state() == "stopped" and not told(run, "attempt_finished", round=2)
    assert (run.path / "attempts" / "02" / "01").is_dir()
    nursery.start(run, HOPELESS)
    until(lambda: told(run, "epoch", round=2, attempt=3, epoch=1))
    send(run, signal.SIGKILL)
    assert run_text.title(run.info(), run.heartbeat()) == "Stopped in round 2 of 2"
    assert (run.path / "attempts" / "02" / "02").is_dir()
    nursery.start(run, HOPELESS)
    finished(run)
    assert everything(run) == everything(whole["search"])
    tried = [event.outcome for event in told(whole["search"], "attempt_finished", round=2)]
    assert [event.outcome for event in told(run, "attempt_finished", round=2)] == tried and len(tried) > 3
    assert len(told(run, "epoch")) <= len(told(whole["search"], "epoch")) + 1
    assert files(run) == files(whole["search"])


def test_a_teacher_killed_before_its_name_is_noted_is_saved_once(nursery):
    run = create_run(teach_config(epochs=2))
    nursery.start(run, killed("bdistil.training.teacher:save_teacher", after=True))
    until(lambda: not run.is_alive())
    assert run_text.title(run.info(), run.heartbeat()) == "Stopped in epoch 2 of 2"
    (saved,) = (card for card in cards("digits") if card.run == run.id)
    nursery.start(run)
    finished(run)
    assert run.info().teacher_name == saved.name == told(run, "teacher_finished")[0].teacher
    assert [card for card in cards("digits") if card.run == run.id] == [saved]
    assert len(told(run, "epoch")) == 2


def test_a_signal_in_the_polish_and_between_its_corrections_stops_it(whole, nursery):
    run = create_run(POLISHED)
    nursery.start(run)
    until(lambda: told(run, "epoch", phase="polish", epoch=1))
    send(run, signal.SIGTERM)
    stopped = told(run, "stopped")
    assert [event.phase for event in stopped] == ["polish"] and not run.info().worker_gone
    assert run_text.title(run.info(), run.heartbeat()) == "Stopped in the polish"
    assert not (run.path / "polish").exists() and len(run.rounds()) == 3

    nursery.start(run, at("bdistil.runs.methods.joint:_record_correction", "os.kill(os.getpid(), signal.SIGTERM)"))
    until(lambda: not run.is_alive())
    assert run.state() == "stopped" and len(told(run, "stopped")) == 2 and len(told(run, "head_corrected")) == 1
    nursery.start(run)
    finished(run)
    assert everything(run) == everything(whole["polished"])
    assert len(told(run, "epoch")) <= len(told(whole["polished"], "epoch")) + 1


def refused(number: str, told: str) -> str:
    """A fault: once an event holds these words, no file is written; on a full disk one is where the heartbeat was."""
    return f"""
import errno, os
from pathlib import Path
import bdistil.atomic as files
make, refusing = files.tempfile.mkstemp, [False]

def refuse(*arguments, dir, **named):
    told = Path(dir) / "events.jsonl"
    refusing[0] |= told.exists() and {told!r}.encode() in told.read_bytes()
    if refusing[0] and (errno.{number} != errno.ENOSPC or (Path(dir) / "heartbeat.json").exists()):
        raise OSError(errno.{number}, os.strerror(errno.{number}), str(Path(dir) / ".x"))
    return make(*arguments, dir=dir, **named)

files.tempfile.mkstemp = refuse
"""


def test_a_disk_that_fills_up_in_the_polish_is_told_and_costs_an_epoch(whole, nursery):
    run = create_run(POLISHED)
    nursery.start(run, refused("ENOSPC", '"phase":"polish"'))
    until(lambda: not run.is_alive())
    info = run.info()
    assert (info.state, info.error, info.exit_status) == ("failed", DISK, 1)
    assert run_text.title(info, run.heartbeat()) == "The polish failed"
    assert run_text.failed_notice(info) == (
        "The disk is full.",
        "Free some space, then resume; finished rounds are safe.",
    )
    full = at("bdistil.runs.rounds:new_folder", "raise OSError(errno.ENOSPC, 'No space left on device')")
    nursery.start(run, full)  # and again where the polished students are written
    until(lambda: not run.is_alive())
    assert run.state() == "failed" and run.info().error == DISK and not run.is_polished()
    nursery.start(run)
    finished(run)
    assert everything(run) == everything(whole["polished"])
    assert len(told(run, "epoch")) <= len(told(whole["polished"], "epoch")) + 1


def test_a_directory_that_may_no_longer_be_written_is_told_in_the_workers_last_lines(whole, nursery):
    run = create_run(POLISHED)
    nursery.start(run, refused("EACCES", '"round":2,"attempt":1,"composition"'))
    until(lambda: not run.is_alive())
    info = run.info()
    assert info.state == "stopped" and info.worker_gone and len(run.rounds()) == 1
    assert run_text.title(info, run.heartbeat()) == "Stopped in round 2 of 3"
    advice = "Give yourself the right to, then resume; finished rounds are safe."
    assert run.failure() == f"{run.path} cannot be written. {advice}"
    what, then = run_text.stopped_notice(info, run.heartbeat(), run.failure())
    assert what == f"{run.path} cannot be written."
    assert then.startswith(f"{advice} One student is finished and usable. Resuming ")
    nursery.start(run)
    finished(run)
    assert everything(run) == everything(whole["polished"])


JUMPING = """
import time
from datetime import UTC, datetime, timedelta
import bdistil.runs.events as events
clock, jumps = time.time, [0]

def jump():
    jumps[0] += 1
    return 3600 * (-1) ** (jumps[0] // 3)

time.time = lambda: clock() + jump()
events.now = lambda: datetime.now(UTC) + timedelta(seconds=jump())
"""


def test_a_clock_that_jumps_by_hours_changes_nothing_but_times(whole, nursery):
    run = create_run(POLISHED)
    nursery.start(run, JUMPING)
    until(lambda: told(run, "epoch", phase="polish", epoch=1))
    assert run.state() == "running"
    assert run_text.title(run.info(), run.heartbeat()) == "Three students are polished together"
    assert 0 <= (run.heartbeat().seconds_left or 0) < 3600
    run.request_stop()
    until(lambda: not run.is_alive())
    assert run.state() == "stopped" and told(run, "stopped")[0].phase == "polish"
    nursery.start(run, JUMPING)
    finished(run)
    times = [event.time for event in run.events()[0]]
    assert times != sorted(times)  # it did jump
    assert everything(run) == everything(whole["polished"])
    assert 0 < run.info().seconds < 3600
    assert all(0 <= event.seconds < 3600 for event in told(run, "epoch"))
    assert run.id in [summary.id for summary in list_runs(samples=False)]


@pytest.mark.parametrize("moment", ["polish", "round"])
def test_a_run_that_is_removed_while_it_trains_stays_removed_and_hurts_no_other(whole, nursery, moment):
    run = create_run(POLISHED)
    gone = whole["home"] / f"removed-{moment}"
    if moment == "polish":
        pid = nursery.start(run)
        until(lambda: told(run, "epoch", phase="polish", epoch=1))
        os.replace(run.path, gone)
    else:  # at the last moment before a round is written
        fault = at(
            "bdistil.runs.methods.joint:save_corrective_round", f"os.replace(arguments[0].run.path, {str(gone)!r})"
        )
        pid = nursery.start(run, fault)
    until(lambda: not psutil.pid_exists(pid))
    assert not run.path.exists()
    assert "is gone" in Run(gone).log_tail()[-1] or "There is no run" in Run(gone).log_tail()[-1]
    assert run.id not in [summary.id for summary in list_runs()]
    with pytest.raises(UserError, match=f"^There is no run called {run.id}"):
        open_run(run.id)
    assert whole["polished"].state() == "finished"

"""Starting a worker is refused with a sentence where there is nothing to start."""

import threading

import pytest

from bdistil.errors import UserError
from bdistil.runs import Run, launch, open_run, store
from bdistil.runs.lock import take
from tests.builders import build_run, hold


class Started(Exception):
    """A process would have been started."""


@pytest.fixture(autouse=True)
def no_process(monkeypatch):
    def refuse(command, **_):
        raise Started(*command)

    monkeypatch.setattr(launch.subprocess, "Popen", refuse)


@pytest.mark.parametrize("state", ["stopped", "failed", "queued", "running"])
def test_an_interrupted_run_waits_for_its_worker_from_the_start(own_home, state):
    run = Run(build_run(own_home / "runs" / "mine", state=state))
    run.request_stop()
    with pytest.raises(Started) as started:
        launch.start_worker(run)
    *command, lock = started.value.args
    assert command[-4:] == ["resume", str(run.path), "--worker", "--lock"] and lock.isdigit()
    assert run.stored().state == "running" and run.stored().error is None
    assert not run.stop_requested()


def test_a_run_in_training_is_not_started_twice(own_home, monkeypatch):
    run = Run(build_run(own_home / "runs" / "mine", state="running"))
    run.request_stop()
    monkeypatch.setattr(launch, "READERS", 0.1)
    with hold(run.path), pytest.raises(UserError, match=r"^This run is training already\.$"):
        launch.start_worker(run)
    assert run.stop_requested()  # a refused start takes no wish back


def test_a_worker_that_has_just_stopped_is_waited_for(own_home):
    run = Run(build_run(own_home / "runs" / "mine", state="stopped"))
    letting_go = threading.Timer(0.3, take(run.path / "lock").close)
    letting_go.start()
    with pytest.raises(Started):
        launch.start_worker(run)
    letting_go.join()


def test_a_finished_run_is_not_started(own_home):
    run = Run(build_run(own_home / "runs" / "mine"))
    with pytest.raises(UserError, match="This run has finished; there is nothing to resume"):
        launch.start_worker(run)
    assert run.state() == "finished"


def test_a_sample_is_not_started(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ASSETS", tmp_path)
    build_run(tmp_path / "runs" / "sample", state="stopped")
    with pytest.raises(UserError, match="ships with the product"):
        launch.start_worker(open_run("sample"))


def test_a_run_that_cannot_be_written_is_a_sentence(own_home, monkeypatch):
    run = Run(build_run(own_home / "runs" / "mine", state="stopped"))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_json", full)
    with pytest.raises(UserError, match="cannot be written .No space left on device."):
        launch.start_worker(run)

"""The run store: every directory is told as what it is, and none, however broken, hides another."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bdistil.config import DistilConfig, TeachConfig
from bdistil.errors import UserError
from bdistil.records import RunCreated
from bdistil.runs import create_run, delete_run, list_runs, note_run, open_run, rename_run, store
from bdistil.runs.heartbeat import heartbeat
from bdistil.runs.heartbeat import write as write_heartbeat
from bdistil.runs.lock import take
from tests.builders import build_run, hold


@pytest.fixture
def runs(own_home):
    """The folder of runs, with one readable run in it."""
    build_run(own_home / "runs" / "good")
    return own_home / "runs"


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """Assets with one finished sample."""
    monkeypatch.setattr(store, "ASSETS", tmp_path / "assets")
    build_run(tmp_path / "assets" / "runs" / "sample", train=False)
    return tmp_path / "assets" / "runs"


def config(**given):
    return DistilConfig.create("digits", teacher="digits-resnet-s", **given)


def sentences():
    return {summary.id: summary.error for summary in list_runs(samples=False)}


# Unreadable runs


def rewrite(**fields):
    def change(path):
        info = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**info, **fields}))

    return change


def drop(name):
    def change(path):
        info = json.loads((path / "run.json").read_text())
        del info[name]
        (path / "run.json").write_text(json.dumps(info))

    return change


def write(content):
    return lambda path: (path / "run.json").write_bytes(content)


def directory(path):
    (path / "run.json").unlink()
    (path / "run.json").mkdir()


DAMAGE = {
    "cut": lambda path: os.truncate(path / "run.json", 100),
    "empty": write(b""),
    "no JSON": write(b"\x00\xff\xfe"),
    "a list": write(b"[1, 2]"),
    "deep": write(b"[" * 100_000),
    "missing": lambda path: (path / "run.json").unlink(),
    "a directory": directory,
    "no state": drop("state"),
    "no title": drop("title"),
    "unknown state": rewrite(state="dancing"),
    "config of text": rewrite(config="digits"),
    "config without a data set": rewrite(config={}),
    "created as a number": rewrite(created=5),
    "schema of text": rewrite(schema="1"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_run_is_listed_with_a_sentence_and_hides_no_other(runs, damage):
    damage(build_run(runs / "bad"))
    found = sentences()
    assert found["good"] is None
    assert found["bad"].startswith("This run cannot be read: its run.json ")
    assert found["bad"].endswith("The others are not affected.")
    with pytest.raises(UserError) as error:
        open_run("bad")
    assert str(error.value) == found["bad"]


def test_a_newer_run_says_to_update(runs):
    build_run(runs / "newer", damage="newer")
    write(b'{"schema": 7, "all": "else is new"}')(build_run(runs / "newest"))
    assert sentences() == {
        "good": None,
        **dict.fromkeys(["newer", "newest"], "Written by a newer version; update to open it."),
    }


def test_a_half_written_run_an_empty_folder_and_loose_files(runs):
    (runs / "empty").mkdir()
    (runs / ".hidden").mkdir()
    (runs / "notes.txt").write_text("mine")
    assert sentences() == {
        "good": None,
        "empty": "This run cannot be read: its run.json is missing. The others are not affected.",
    }


def test_a_torn_event_is_not_read_and_a_damaged_one_is_a_sentence(runs):
    path = build_run(runs / "torn", damage="torn")
    run = open_run("torn")
    whole, _ = run.events()
    assert whole[-1].kind == "finished"
    run.record(RunCreated)
    assert len(run.events()[0]) == len(whole) + 1
    content = (path / "events.jsonl").read_bytes()
    (path / "events.jsonl").write_bytes(content[:300] + b"\x00" + content[301:])
    with pytest.raises(UserError, match="event file is damaged"):
        run.events()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"record": {}}'])
def test_a_damaged_round_is_a_sentence(runs, content):
    (runs / "good" / "rounds" / "02" / "round.json").write_bytes(content)
    with pytest.raises(UserError, match="its round 2 is damaged"):
        open_run("good").rounds()


def test_folders_that_are_no_rounds_do_not_count(runs):
    (runs / "good" / "rounds" / ".07.x1y2").mkdir()
    (runs / "good" / "rounds" / "notes").mkdir()
    assert [entry.point.prefix for entry in open_run("good").rounds()] == [1, 2, 3, 4, 5, 6]


# Creating


def test_a_new_run_is_queued_without_a_worker(own_home):
    run = create_run(config(rounds=3))
    info = run.stored()
    assert (info.state, info.kind, info.run, info.schema_) == ("queued", "distil", run.id, 1)
    assert info.config == config(rounds=3)
    assert run.id.startswith("digits-cnn-xs-") and run.path.parent == own_home / "runs"
    assert [event.kind for event in run.events()[0]] == ["created"]
    assert run.state() == "stopped" and run.info().worker_gone  # nobody waits for its turn
    teacher = create_run(TeachConfig.create("digits")).stored()
    assert (teacher.kind, teacher.student, teacher.method) == ("teach", None, None)


def test_runs_created_at_once_are_runs_of_their_own(own_home):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda seed: create_run(config(seed=seed)), range(24)))
    assert len({run.id for run in made}) == 24
    assert [run.stored().config.seed for run in made] == list(range(24))
    assert all(run.stored().run == run.id for run in made)
    assert sorted(path.name for path in (own_home / "runs").iterdir()) == sorted(run.id for run in made)


def test_a_run_that_cannot_be_written_leaves_nothing(own_home, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_json", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        create_run(config())
    assert list((own_home / "runs").iterdir()) == []


def test_a_home_that_cannot_be_written_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BDISTIL_HOME", str(tmp_path / "file" / "home"))
    assert list_runs(samples=False) == []
    with pytest.raises(UserError, match="Set BDISTIL_HOME to one that can; nothing was lost"):
        create_run(config())


# State


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_run_is_training_if_a_worker_holds_its_lock_whatever_its_file_says(runs, state):
    run = open_run(build_run(runs / "claims", state=state))
    assert run.info().state == "stopped" and run.info().worker_gone and not run.is_alive()
    with hold(run.path):
        assert run.is_alive() and run.state() == state and not run.info().worker_gone
    assert run.state() == "stopped"
    assert run.stored().state == state  # reading changes nothing


def test_any_number_of_readers_ask_at_once_without_seeing_each_other(runs):
    run = open_run(build_run(runs / "left", state="running"))
    with hold(run.path):
        pass
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: run.is_alive(), range(2000)))


def test_a_reader_leaves_no_trace(runs):
    run = open_run(build_run(runs / "queued", state="queued"))
    before = sorted(run.path.rglob("*"))
    run.info(), run.rounds(), run.events(), run.log_tail(), run.heartbeat()
    assert sorted(run.path.rglob("*")) == before


def test_a_worker_counts_from_its_start_and_no_other_process_does(runs):
    """The lock that was taken for a process is held until it ends, whatever the heartbeat says."""
    run = open_run(build_run(runs / "starting", state="queued"))
    write_heartbeat(run, heartbeat(os.getpid()))
    assert not run.is_alive()
    with take(run.path / "lock") as lock:
        sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
        process = subprocess.Popen(sleep, pass_fds=[lock.fileno()])
    assert run.is_alive()
    with pytest.raises(BlockingIOError):
        take(run.path / "lock", patience=0.1)
    process.kill()
    process.wait()
    assert not run.is_alive()
    take(run.path / "lock").close()


@pytest.mark.parametrize("beat", ["", "[]", "null", '{"pid": 1}'])
def test_a_strange_heartbeat_means_nothing(runs, beat):
    run = open_run(build_run(runs / "strange", state="running"))
    (run.path / "heartbeat.json").write_text(beat)
    assert run.heartbeat() is None and run.state() == "stopped"


@pytest.mark.parametrize("pid", ['"x"', "-3", "1e30", str(10**30)])
def test_a_heartbeat_of_no_process_means_nothing(runs, pid):
    run = open_run(build_run(runs / "strange", state="running"))
    whole = heartbeat(0).model_dump_json()
    assert '"pid":0,' in whole
    (run.path / "heartbeat.json").write_text(whole.replace('"pid":0,', f'"pid":{pid},'))
    assert run.state() == "stopped"


# Finding


def test_an_unknown_id_suggests_the_nearest(runs):
    with pytest.raises(UserError, match=r"^There is no run called goood\. Did you mean good\?$"):
        open_run("goood")


@pytest.mark.parametrize("name", ["", ".", "..", "../runs/good", "x" * 5000, "a\0b", "good/rounds"])
def test_odd_names_are_unknown_or_a_path(runs, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="There is no run called"):
        open_run(name)


def test_a_run_opens_by_its_directory(tmp_path):
    path = build_run(tmp_path / "elsewhere")
    assert open_run(path).path == path and open_run(path).id == "elsewhere"


def test_a_name_opens_no_directory_elsewhere(tmp_path, runs):
    """A page's address names runs: it must not open whatever lies on the server's disk."""
    for name in (str(build_run(tmp_path / "elsewhere")), "../../elsewhere", ".."):
        with pytest.raises(UserError, match="There is no run called"):
            open_run(name)


def test_runs_come_newest_first_then_the_samples(samples, own_home):
    from datetime import UTC, datetime

    for day in (5, 7, 6):
        build_run(own_home / "runs" / f"day-{day}", created=datetime(2026, 1, day, tzinfo=UTC))
    (own_home / "runs" / "empty").mkdir()
    assert [summary.id for summary in list_runs()] == ["day-7", "day-6", "day-5", "empty", "sample"]
    assert [summary.sample for summary in list_runs()] == [False] * 4 + [True]


def test_a_sample_is_read_in_place_and_never_written(samples):
    run = open_run("sample")
    before = {path: path.stat().st_mtime_ns for path in samples.rglob("*")}
    assert run.sample and run.state() == "finished" and len(run.rounds()) == 6 and not run.is_alive()
    for change in (delete_run, lambda run: rename_run(run, "Mine"), lambda run: note_run(run, "Mine")):
        with pytest.raises(UserError, match="ships with the product"):
            change(run)
    assert {path: path.stat().st_mtime_ns for path in samples.rglob("*")} == before


def test_ones_own_run_comes_before_a_sample_of_its_name(samples, own_home):
    build_run(own_home / "runs" / "sample")
    assert not open_run("sample").sample

"""The event file survives crashes: what was written whole is read, what was torn never gets in the way."""

import json
from concurrent.futures import ProcessPoolExecutor

import pytest

from bdistil.records import EpochFinished, RunCreated, RunQueued
from bdistil.runs import events

TORN = b'{"v":1,"time":"2026-01-05T14:06:00.000+00:00","kind":"ep'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def created():
    return RunCreated(time=events.now(), kind="created")


def queued():
    return RunQueued(time=events.now(), kind="queued")


def epoch(number=1, **fields):
    given = dict(phase="rounds", round=1, epoch=number, epochs=60, loss=0.5, seconds=1.0, total=1.0) | fields
    return EpochFinished(time=events.now(), kind="epoch", **given)


def kinds(found):
    return [event.kind for event in found]


def test_events_come_back_in_order_with_what_they_said(path):
    events.append(path, created())
    event = epoch(round=2, validation={"accuracy": 0.5})
    events.append(path, event)
    found, _ = events.read(path)
    assert kinds(found) == ["created", "epoch"]
    assert found[1] == event and found[1].v == 1 and found[1].validation == {"accuracy": 0.5}


def test_a_reader_goes_on_from_its_offset(path):
    assert events.read(path) == ([], 0)
    events.append(path, created())
    _, offset = events.read(path)
    assert events.read(path, offset) == ([], offset)
    events.append(path, epoch(1))
    events.append(path, epoch(2))
    found, end = events.read(path, offset)
    assert [event.epoch for event in found] == [1, 2] and end == path.stat().st_size


@pytest.mark.parametrize("length", [1, 20, len(TORN)])
def test_a_torn_last_line_is_not_read_and_the_next_writer_cuts_it(path, length):
    events.append(path, created())
    whole = path.stat().st_size
    with open(path, "ab") as file:
        file.write(TORN[:length])
    found, offset = events.read(path)
    assert kinds(found) == ["created"] and offset == whole
    events.append(path, queued())
    assert kinds(events.read(path)[0]) == ["created", "queued"]
    assert kinds(events.read(path, offset)[0]) == ["queued"]
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_a_file_that_is_one_torn_line_starts_anew(path):
    path.write_bytes(TORN)
    assert events.read(path) == ([], 0)
    events.append(path, created())
    assert kinds(events.read(path)[0]) == ["created"]


@pytest.mark.parametrize("at", range(0, len(TORN) + 1, 7))
def test_whatever_byte_the_file_ends_at_no_whole_event_is_lost(path, at):
    events.append(path, created())
    events.append(path, queued())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - at])
    expected = ["created", "queued"] if at == 0 else ["created"]
    assert kinds(events.read(path)[0]) == expected


def test_a_damaged_line_in_the_middle_is_an_error(path):
    events.append(path, created())
    with open(path, "ab") as file:
        file.write(TORN + b"\n")
    events.append(path, queued())
    with pytest.raises(ValueError, match="Invalid JSON"):
        events.read(path)


def test_numbers_that_json_cannot_say_never_reach_the_file(path):
    with pytest.raises(ValueError, match="finite number"):
        events.append(path, epoch(loss=float("nan")))
    assert not path.exists()


def test_events_of_many_processes_are_all_there_and_whole(path):
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_append_fifty, [path] * 4, range(4)))
    found, _ = events.read(path)
    assert sorted((event.round, event.epoch) for event in found) == [(w + 1, n) for w in range(4) for n in range(50)]


def _append_fifty(path, writer):
    for number in range(50):
        events.append(path, epoch(number, round=writer + 1))

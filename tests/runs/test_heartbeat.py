"""When the run will have ended: by the speed of this worker, once there is enough to tell it by."""

from types import SimpleNamespace

import pytest

from bdistil.runs import Run, heartbeat
from bdistil.runs.heartbeat import HeartbeatWriter
from bdistil.training.loop import Position
from tests.builders import build_run


@pytest.fixture
def clock(monkeypatch):
    """The seconds that the writer's clock shows, to be moved on."""
    shown = SimpleNamespace(now=100.0)
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: shown.now)
    return shown


@pytest.fixture
def writer(clock, tmp_path):
    return HeartbeatWriter(Run(build_run(tmp_path / "r", state="running")))


def test_a_worker_that_has_done_a_fifth_in_ten_seconds_takes_thirty_more_for_the_rest(clock, writer):
    """It began where another had stopped: what that one had done says nothing of this one's speed."""
    assert writer.seconds_left(0.2) is None
    clock.now += 4
    assert writer.seconds_left(0.3) is None, "too early to say"
    clock.now += 6
    assert writer.seconds_left(0.4) == pytest.approx(10 * 0.6 / 0.2)
    clock.now += 5
    assert writer.seconds_left(0.2) is None, "nothing done yet"


def test_a_batch_is_told_with_its_share_of_the_training_and_of_the_run(clock, writer):
    position = Position("rounds", 2, 1)
    for epoch, batch in ((1, 1), (3, 2)):  # an eighth of the training, then ten sixteenths
        writer.write_batch(position, epoch, 4, batch, 4, before=0.5, part=0.25)
        clock.now += 10
    told = writer.last
    assert (told.phase, told.round, told.attempt, told.epoch, told.batch) == ("rounds", 2, 1, 3, 2)
    assert told.fraction == pytest.approx((2 + 2 / 4) / 4)
    began, now = 0.5 + 0.25 / 16, 0.5 + 0.25 * 10 / 16
    assert told.seconds_left == pytest.approx(10 * (1 - now) / (now - began))

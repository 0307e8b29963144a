"""What a run would cost: counted on the students it would build, timed on real steps of both methods."""

import os
from types import SimpleNamespace

import psutil
import pytest

from bdistil.config import DistilConfig, TeachConfig
from bdistil.data.catalogue import info
from bdistil.report.estimate_text import describe, describe_teach
from bdistil.runs import estimate as estimating
from bdistil.runs.estimate import busy, estimate, estimate_teaching
from bdistil.training.loop import batch_count

STEPS = batch_count(info("digits").train, 64)


def config(method, **given):
    return DistilConfig.create("digits", teacher="digits-resnet-s", method=method, threads=1, **given)


@pytest.fixture
def timed(monkeypatch):
    """A step of round t takes t seconds, the teacher 100; returns the rounds that were timed."""
    rounds = []

    def seconds(config, info, round, budgets):
        rounds.append(round)
        return float(round)

    monkeypatch.setattr(estimating, "_seconds_per_step", seconds)
    monkeypatch.setattr(estimating, "_teacher_seconds", lambda ask, info, config: 100.0)
    return rounds


def test_frozen_rounds_take_their_epochs_each(timed):
    expected = estimate(config("b-distil", rounds=4, epochs=3, meet_condition=False))
    assert expected.seconds == pytest.approx(100 + STEPS * 3 * (1 + 2 + 3 + 4))
    assert expected.first_model_seconds == pytest.approx(100 + STEPS * 3) and timed == [1, 4]


def test_a_polish_trains_all_students_to_the_end(timed):
    given = dict(rounds=4, epochs=3, meet_condition=False)
    polished = estimate(config("b-distil+polish", polish_epochs=5, **given))
    assert polished.seconds == pytest.approx(100 + STEPS * (3 * (1 + 2 + 3 + 4) + 5 * 4))
    assert polished.disk_bytes > estimate(config("b-distil", **given)).disk_bytes


def test_correcting_heads_takes_time_and_memory(timed):
    plain, corrected = (estimate(config("b-distil", rounds=4, epochs=3, meet_condition=c)) for c in (False, True))
    assert corrected.seconds > plain.seconds and corrected.memory_bytes > plain.memory_bytes


def test_an_extension_pays_for_its_own_rounds_only(timed):
    expected = estimate(config("b-distil", rounds=4, epochs=3, meet_condition=False), done=2)
    assert expected.seconds == pytest.approx(100 + STEPS * 3 * (3 + 4))
    assert expected.first_model_seconds == pytest.approx(100 + STEPS * 3 * 3) and timed == [3, 4]


def test_one_round_is_timed_once(timed):
    assert estimate(config("b-distil", rounds=1, meet_condition=False)).seconds > 100 and timed == [1]


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_costs_are_those_of_the_students_that_would_be_built(timed, method):
    two, four = (estimate(config(method, rounds=rounds)) for rounds in (2, 4))
    assert 1.3 < four.macs / two.macs < 2.6 and four.parameters > two.parameters
    prices = {row.student: row.macs for row in four.students}
    assert prices["cnn-xs"] < prices["cnn-s"] < prices["cnn-m"]
    assert 2 * prices["cnn-xs"] < four.macs < 6 * prices["cnn-xs"]


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
@pytest.mark.parametrize("round", [1, 3])
def test_a_step_of_either_method_is_really_taken(method, round):
    assert estimating._seconds_per_step(config(method, rounds=3, batch_size=8), info("digits"), round, ()) > 0


def test_each_students_cost_and_size_are_told(timed):
    plain, grown = (estimate(config("b-distil+polish", rounds=3, growth=growth)) for growth in (1.0, 1.2))
    assert plain.sizes is None and len(plain.macs_of) == 3 and sum(plain.macs_of) == plain.macs
    assert len(grown.sizes) == 3 and grown.sizes[0] == (8, 16, 16, 16) and sum(grown.macs_of) == grown.macs
    assert any(line.startswith("students of 8-16-16-16, 0-") for line in describe(grown))
    assert not any(line.startswith("students of") for line in describe(plain))


def test_text_and_outputs_of_every_round_are_on_the_disk(timed):
    expected = estimate(config("b-distil", rounds=4, epochs=10, meet_condition=False))
    data_info = info("digits")
    logits = (data_info.train + data_info.validation + data_info.test) * 10 * 4
    texts = 4 * 10 * estimating.RECORD_BYTES + 40 * estimating.EPOCH_BYTES
    assert expected.disk_bytes == 5 * logits + 2 * expected.bytes + texts


def test_memory_is_this_process_and_what_the_data_takes(timed, monkeypatch):
    monkeypatch.setattr(estimating, "peak_bytes", lambda: 800_000_000)
    few, many = (estimate(config("b-distil", rounds=2, views=views, meet_condition=False)) for views in (1, 64))
    view, logits = info("digits").train * 64, 4 * 1797 * 10
    assert 800_000_000 < few.memory_bytes < 810_000_000
    assert many.memory_bytes - few.memory_bytes == 63 * (view + 3 * logits)


def test_the_peak_is_what_this_process_has_held():
    before, block = estimating.peak_bytes(), b"x" * (psutil.Process().memory_info().rss // 2)
    assert estimating.peak_bytes() >= max(before, psutil.Process().memory_info().rss * 0.9) and len(block) > 1e7


def test_before_a_teacher_is_there_the_figures_are_with_the_one_that_would_be_trained(timed, monkeypatch):
    monkeypatch.setattr(estimating, "_teaching_step", lambda config, known, batch: 0.01)
    given = dict(method="b-distil", rounds=2, meet_condition=False, threads=1)
    planned = estimate(DistilConfig.create("digits", teacher="", **given))
    trained = estimate(DistilConfig.create("digits", teacher="digits-resnet-s", **given))
    assert planned.untrained.config.architecture == "resnet-s" and trained.untrained is None
    assert (planned.macs_ratio, planned.seconds) == (pytest.approx(trained.macs_ratio), trained.seconds)
    lines = [line.replace("\u00a0", " ") for line in describe(planned)]
    seconds = planned.untrained.seconds
    assert lines[0].startswith("There is no teacher for this data yet. Training one first takes about ") and seconds > 1
    assert lines[1:3] == [
        "  bdistil teach --dataset digits",
        "What follows is with this teacher, resnet-s, and without its training.",
    ]
    assert max(map(len, lines[:6])) <= 80


def test_a_teachers_epochs_and_its_evaluations_take_time(monkeypatch):
    """A step of a batch takes a second on whole pictures and half of one on crops."""
    monkeypatch.setattr(estimating, "_teaching_step", lambda config, data_info, batch: 0.5 if config.crop else 1.0)
    monkeypatch.setattr(estimating, "peak_bytes", lambda: 500_000_000)
    data_info = info("digits")
    plain = TeachConfig.create("digits", epochs=10, batch_size=64, threads=1)
    assert plain.crop == 0
    evaluated = (10 * data_info.validation + data_info.test) / 64 / 3
    expected = estimate_teaching(plain)
    assert expected.seconds == pytest.approx(10 * data_info.train / 64 + evaluated)
    assert expected.memory_bytes == 500_000_000 + 64 * 1797
    cropped = estimate_teaching(plain.model_copy(update={"crop": 6}))
    assert cropped.seconds == pytest.approx(10 * data_info.train / 64 * (0.64 * 0.5 + 0.36) + evaluated)
    assert [line.replace("\u00a0", " ") for line in describe_teach(expected)][:2] == [
        "resnet-s: 1.8 M MACs, 177 k parameters",
        "10 epochs, about 3 min, 0.5 GB of memory",
    ]


def test_of_a_large_teacher_fewer_examples_are_timed(monkeypatch):
    batches = []

    def step(config, known, batch):
        batches.append(batch)
        return float(batch)

    monkeypatch.setattr(estimating, "_teaching_step", step)
    monkeypatch.setattr(estimating, "TIMED_MACS", 10 * 1_795_712)
    held = iter([1_000_000_000, 1_005_000_000])
    monkeypatch.setattr(estimating, "peak_bytes", lambda: next(held))
    expected = estimate_teaching(TeachConfig.create("digits", epochs=1, batch_size=64, threads=1))
    assert batches == [10, 20] and expected.seconds > info("digits").train
    assert expected.memory_bytes == 1_000_000_000 + 5_000_000 * 54 // 10 + 64 * 1797


def test_a_step_of_a_teacher_is_really_taken():
    taught = TeachConfig.create("digits", epochs=1, threads=1)
    assert 0 < estimating._teaching_step(taught, info("digits"), 8) < 60


def test_a_busy_machine_is_told(timed, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(estimating.Load, "others", lambda self: 1.62)
    busy = estimate(config("b-distil", rounds=1, meet_condition=False))
    sentence = "The machine is busy (other programs use 1.6 of 2 cores): the time may be shorter once it is idle."
    assert busy.busy == sentence and [*describe(busy)][-1] == sentence
    monkeypatch.setattr(estimating.Load, "others", lambda self: 0.3)
    idle = estimate(config("b-distil", rounds=1, meet_condition=False))
    assert idle.busy is None and [*describe(idle)][-1].endswith("on disk")


def test_the_load_is_that_of_other_programs_alone(monkeypatch):
    used, own, now = iter([(100.0, 10.0, 5.0), (104.0, 12.0, 6.0)]), iter([20.0, 22.0]), iter([50.0, 54.0])
    monkeypatch.setattr(
        psutil, "cpu_times", lambda: SimpleNamespace(**dict(zip(("user", "system", "nice"), next(used), strict=True)))
    )
    clock = SimpleNamespace(monotonic=lambda: next(now), process_time=lambda: next(own))
    monkeypatch.setattr(estimating, "time", clock)
    assert estimating.Load().others() == pytest.approx((4 + 2 + 1 - 2) / 4)


def test_a_machine_is_busy_once_others_use_a_quarter_of_it():
    assert busy(0.4, 2) is None and busy(3.9, 16) is None
    assert "(other programs use 0.5 of 2 cores)" in busy(0.5, 2)
    assert "(other programs use 2.0 of 2 cores)" in busy(2.04, 2)
    assert "(other programs use the only core)" in busy(0.9, 1)

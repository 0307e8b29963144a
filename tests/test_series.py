"""Series end to end, on Japanese Vowels with the shipped teacher: both presets, segments, interruptions, arrays."""

import signal

import numpy as np
import pytest
import torch

from bdistil import BDistil, cost
from bdistil.config import DistilConfig, TeachConfig
from bdistil.data import load_dataset
from bdistil.data.catalogue import info
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.method_registry import METHODS
from bdistil.paths import home
from bdistil.runs import create_run, estimate
from bdistil.runs.extend import refusal
from bdistil.runs.launch import start_worker
from bdistil.runs.rounds import read_arrays
from bdistil.teachers.cards import card_for
from bdistil.training.teacher import teach
from tests.tasks import one_thread  # noqa: F401
from tests.workers import everything, finished, send, started, told, until

NAME = "japanese-vowels"


def config(method, **given):
    """Two short rounds of the recipe, with dropout, which draws random numbers in training."""
    short = dict(rounds=2, epochs=3, polish_epochs=3, views=2, dropout=0.3, threads=1)
    return DistilConfig.create(NAME, teacher=card_for(None, NAME).name, method=method, **(short | given))


@pytest.mark.parametrize(("method", "cell"), [*((method, "own") for method in METHODS), ("b-distil+polish", "shared")])
def test_a_run_of_either_preset_killed_in_its_second_round_comes_out_the_same(own_home, method, cell):
    whole, killed = finished(started(config(method, cell=cell))), started(config(method, cell=cell))
    until(lambda: told(killed, "epoch", round=2, epoch=1))
    send(killed, signal.SIGKILL)
    start_worker(killed)
    finished(killed)
    assert everything(killed) == everything(whole)

    summary = whole.info()
    assert summary.mode == "segments" and summary.dataset.modality == "speech"
    assert all(entry.record.condition_met for entry in whole.rounds())
    last = whole.rounds()[-1]
    assert last.point.accuracy > 0.6 and last.point.macs_ratio < 0.25
    assert last.record.composition == ("carry-state-pool",)
    # Pages get series: of the test split once a data set, and of what weighed most in a round.
    previews = read_arrays(home() / "previews" / f"{NAME}.npz")
    assert previews["series"].shape == (370, 12, 29) and previews["series"].dtype == np.float16
    assert read_arrays(whole.round_folders()[-1] / "heaviest.npz")["series"].shape == (12, 12, 29)
    if method == "b-distil":
        assert "a segment each: nothing is left" in refusal(whole)

    ensemble, data = ProgressiveEnsemble.load(whole.path / "ensemble"), load_dataset(NAME)
    first, second = ensemble.students
    assert (second.cell is first.cell) == (cell == "shared")
    added = second.head.weight.numel() + second.head.bias.numel() if cell == "shared" else cost.parameters(second)
    assert last.point.parameters == cost.parameters(first) + added
    assert (first.first, first.end, second.first, second.end) == (0, 14, 14, 29) and second.dropout == 0.3
    early = data.x_test.copy()
    early[:, :, 14:] = 0  # a first prefix is an answer before the second half has been heard
    assert torch.equal(ensemble(early)[0], ensemble(data.x_test)[0])
    assert not torch.equal(ensemble(early)[1], ensemble(data.x_test)[1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["full", "segments"])
def test_a_price_is_counted_on_the_students_that_would_be_built(monkeypatch, method, mode):
    monkeypatch.setattr(estimate, "STEPS", 2)
    expected = estimate.estimate(config(method, mode=mode, rounds=4))
    steps = 29 if mode == "segments" else 4 * 29
    recurrence = steps * 3 * 8 * (12 + 8)
    assert recurrence < expected.macs < recurrence + 4 * 4 * 16 * 9 + 1
    # Of the names, those that can read each other as this run's students do.
    assert [row.student for row in expected.students] == ["gru-xs", "gru-s", "gru-m"]
    assert expected.seconds > 0 and expected.macs_ratio < 0.25


def test_a_teacher_of_series_learns_from_changed_copies_and_its_recipe_names_its_optimizer():
    data = load_dataset(NAME)
    short = TeachConfig.create(NAME, epochs=3, threads=1)
    model, accuracy = teach(short, data)
    again, same = teach(short, data)
    assert short.optimizer == "adamw" and accuracy == same > 0.5
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    plain, _ = teach(short.model_copy(update={"optimizer": "sgd"}), data)
    assert not torch.equal(plain.head.weight, model.head.weight)


def arrays():
    """Utterances (N, time, channels), as people have them, and the shipped teacher's logits."""
    from bdistil.teachers.logits import TeacherLogits

    data = load_dataset(NAME)
    return data, data.x_train.transpose(0, 2, 1), TeacherLogits(card_for(None, NAME))(data.x_train)


@pytest.mark.parametrize("method", METHODS)
def test_arrays_of_series_are_distilled_as_people_have_them(own_home, method):
    data, x, logits = arrays()
    cell = "shared" if method == "b-distil+polish" else None
    model = BDistil(student="gru-xs", rounds=2, epochs=8, polish_epochs=8, batch_size=16, method=method, cell=cell)
    model.fit(x, data.y_train, teacher_logits=logits)
    test = data.x_test.transpose(0, 2, 1)
    staged = list(model.staged_decision_function(test))
    assert [answers.shape for answers in staged] == [(370, 9)] * 2
    assert (model.predict(test) == data.y_test).mean() > 0.6
    assert model.records_[1].condition_met and (model.edges_[1] > 0).all()
    assert torch.equal(model.ensemble_(data.x_test)[1], torch.from_numpy(staged[1]))  # itself it takes time last
    first, second = model.ensemble_.students
    assert second.first == 14 and (second.cell is first.cell) == (cell == "shared")
    whole = BDistil(student="gru-xs", rounds=1, epochs=1, polish_epochs=0, mode="full").fit(x, teacher_logits=logits)
    assert whole.ensemble_.students[0].end == 29


@pytest.mark.parametrize(
    ("given", "change", "sentence"),
    [
        ({}, lambda x: x[:, :, :, None], "give .N, time, channels., or .N, time. for one channel"),
        ({}, lambda x: np.where(np.arange(len(x))[:, None, None] == 7, np.nan, x), "Series 7 holds NaN or infinity"),
        ({"rounds": 30}, lambda x: x, "A series of 29 steps has no 30 segments"),
        ({"composition": "add"}, lambda x: x, "gru-xs has no composition add"),
    ],
)
def test_series_that_cannot_be_are_one_sentence(given, change, sentence):
    x = np.zeros((8, 29, 12), np.float32)
    with pytest.raises(UserError, match=sentence):
        BDistil(**({"student": "gru-xs", "rounds": 2} | given)).fit(change(x), teacher_logits=np.eye(8, 9))


def test_a_run_is_named_after_what_it_reads():
    run = create_run(config("b-distil"))
    assert run.info().mode == "segments" and run.info().title == f"{info(NAME).title}, 2 students"

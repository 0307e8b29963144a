"""What the student of a frozen round is trained on: losses and barriers of the right examples, on the right prefix."""

import numpy as np
import pytest
import torch

from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.ladder import Rung
from bdistil.method.objective import Barrier, DistillationLoss
from bdistil.method.student_training import (
    answers,
    new_student,
    passes,
    train_student,
    validation,
)
from bdistil.training.loop import Position
from tests.spies import Batches
from tests.tasks import digits_task, one_thread  # noqa: F401
from tests.workers import distil_config

CONFIG = distil_config(rounds=3, epochs=1, batch_size=48, clean_epochs=0)
THIRD, RUNG = Position("rounds", 3, 1), Rung(0, "add")


@pytest.fixture(scope="module")
def little() -> DistillationData:
    return digits_task(150)


@pytest.fixture(scope="module")
def two(little):
    """An ensemble of two fresh students."""
    ensemble = little.ensemble()
    for round in (1, 2):
        ensemble.append(new_student(Distillation(CONFIG, little, ensemble), Position("rounds", round, 1), RUNG))
    return ensemble


@pytest.fixture
def batches(monkeypatch):
    return Batches(monkeypatch)


def trained(little, two, signed, config=CONFIG):
    return train_student(Distillation(config, little, two), signed, THIRD, RUNG, 0.3)


def test_the_barrier_sees_the_answers_and_weights_of_the_examples_left_as_they_are(little, two, batches, monkeypatch):
    seen, penalty = [], Barrier.penalty

    def spy(self, f, g_hat, weights, examples):
        seen.append((batches.last, f.detach(), g_hat, weights, examples))
        return penalty(self, f, g_hat, weights, examples)

    monkeypatch.setattr(Barrier, "penalty", spy)
    signed = np.random.default_rng(0).normal(size=little.g_hat.shape)  # told apart by example and class
    trained(little, two, signed)
    assert len(seen) == 4  # the last batch has what is left
    for batch, f, g_hat, weights, examples in seen:
        assert 0 < len(batch.clean) < len(batch.chosen)
        rows = batch.chosen[batch.clean]
        np.testing.assert_allclose(weights, signed[rows], rtol=1e-6)
        np.testing.assert_allclose(g_hat, little.g_hat[rows], atol=1e-6)
        assert f.shape == g_hat.shape and examples == 150


def test_the_loss_sees_the_mean_of_the_students_before(little, two, batches, monkeypatch):
    seen, loss = [], DistillationLoss.__call__

    def spy(self, f, g_hat, **options):
        seen.append((batches.last, g_hat, options))
        return loss(self, f, g_hat, **options)

    monkeypatch.setattr(DistillationLoss, "__call__", spy)
    trained(little, two, np.zeros_like(little.g_hat))
    for batch, g_hat, options in seen:
        *_, prefix = two.staged_normalised(batch.x)
        torch.testing.assert_close(little.c * options["previous"], prefix)
        assert g_hat is batch.target and options["labels"] is batch.labels and options["round"] == 3


def test_the_barrier_is_added_to_the_loss(little, two, monkeypatch):
    losses = []
    for value in (0.0, 100.0):
        monkeypatch.setattr(Barrier, "penalty", lambda self, f, *_, value=value: 0 * f.sum() + value)
        losses.append(trained(little, two, np.zeros_like(little.g_hat))[1].loss)
    assert losses[1] - losses[0] == pytest.approx(100, rel=1e-4)


def test_validation_is_of_the_prefix_that_the_student_completes(little, two):
    student = new_student(Distillation(CONFIG, little, two), THIRD, RUNG).eval()
    whole = little.ensemble()
    for each in (*two.students, student):
        whole.append(each)
    logits = whole(little.dataset.x_validation)[-1].numpy()
    told = validation(Distillation(CONFIG, little, two), student)
    assert told["accuracy"] == (logits.argmax(1) == little.dataset.y_validation).mean()
    expected = little.divergence(logits / little.c, "validation", CONFIG.temperature)
    assert told["kl"] == pytest.approx(expected, rel=1e-4)


def test_answers_are_those_of_the_appended_student_and_features_what_its_head_reads(little, two):
    student = new_student(Distillation(CONFIG, little, two), THIRD, RUNG).eval()
    whole = little.ensemble()
    for each in (*two.students, student):
        whole.append(each)
    *_, last = whole.student_outputs(little.dataset.x_test)
    np.testing.assert_allclose(answers(two, student, little.dataset.x_test), last, atol=1e-5)
    ((total, f, features),) = passes(two, student, little.dataset.x_test)
    assert features.shape == (len(f), student.head.in_features)
    np.testing.assert_allclose(total + f, sum(whole.student_outputs(little.dataset.x_test)), atol=1e-5)


def test_every_position_draws_weights_of_its_own_and_always_the_same(little, two):
    places = [Position("rounds", 3, 1), Position("rounds", 3, 2)]
    first, second, again = (
        new_student(Distillation(CONFIG, little, two), place, RUNG).weights() for place in (*places, places[0])
    )
    assert first == again != second
    other = CONFIG.model_copy(update={"seed": 1})
    assert new_student(Distillation(other, little, two), places[0], RUNG).weights() != first

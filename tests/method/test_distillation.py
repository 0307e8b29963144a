"""Batches: every example in some view, with the teacher's answer to that view, and known places of those left as is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdistil.method.distillation import DistillationData
from bdistil.scale import centred
from tests.tasks import digits_task, one_thread  # noqa: F401


@pytest.fixture(scope="module")
def little() -> DistillationData:
    """150 digits in two views."""
    return digits_task(150)


def batches(task: DistillationData, views: int, size: int = 32):
    return list(task.batches(np.random.default_rng(0), size, views, task.ensemble()))


def test_a_batch_has_the_teachers_answers_to_the_views_that_it_has(little):
    assert not np.array_equal(little.view_logits[0], little.view_logits[1])
    ensemble, chosen, moved = little.ensemble(), [], 0
    for batch in batches(little, views=2):
        view = np.ones(len(batch.chosen), int)
        view[batch.clean] = 0
        assert torch.equal(batch.x, ensemble.normalise(little.views[view, batch.chosen]))
        expected = centred(little.view_logits[view, batch.chosen]) / little.c
        np.testing.assert_allclose(batch.target.numpy(), expected, atol=1e-6)
        assert np.array_equal(batch.labels.numpy(), little.dataset.y_train[batch.chosen])
        chosen += batch.chosen.tolist()
        moved += view.sum()
    assert sorted(chosen) == list(range(150)) and chosen != sorted(chosen)
    assert 50 < moved < 100


def test_of_one_view_all_examples_are_as_they_are(little):
    for batch in batches(little, views=1):
        assert np.array_equal(batch.clean, np.arange(len(batch.chosen)))
        assert torch.equal(batch.x, little.ensemble().normalise(little.dataset.x_train[batch.chosen]))


def test_the_scale_is_the_train_splits_and_the_divergence_on_the_teachers():
    task = digits_task(150)
    task = replace(
        task, teacher=replace(task.teacher, validation=3 * task.teacher.validation)
    )  # of larger logits than any on the train split
    assert task.c == np.abs(centred(task.teacher.train)).max()
    assert np.abs(task.g_hat).max() == 1
    prefix = np.roll(task.g_hat, 1, axis=1)
    ours, theirs = task.c * prefix, task.teacher.train.astype(np.float64)
    log_p, log_q = (x - np.log(np.exp(x).sum(1, keepdims=True)) for x in (theirs / 2, ours / 2))
    expected = 4 * (np.exp(log_p) * (log_p - log_q)).sum(1).mean()
    assert task.divergence(prefix, "train", 2.0) == pytest.approx(expected, rel=1e-6)
    assert task.divergence(task.g_hat, "train", 2.0) == pytest.approx(0, abs=1e-9)

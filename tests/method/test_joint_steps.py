"""The parts of corrective rounds and of the polish: barrier, weights of the losses, rates, and how a correction is
judged."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bdistil.ensemble import step
from bdistil.method import joint
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.joint import ROUNDS_END, corrective_round, evaluate_all, polish
from bdistil.method.objective import Barrier, DistillationLoss
from bdistil.training import loop
from tests.spies import Batches
from tests.tasks import digits_task, one_thread  # noqa: F401
from tests.workers import polished_config

SHORT = dict(rounds=3, epochs=1, polish_epochs=1, batch_size=48)


@pytest.fixture(scope="module")
def little() -> DistillationData:
    return digits_task(150)


def rounds(config, task, count):
    """An ensemble after corrective rounds, and f_1 … f_t on the training inputs as the last has left them."""
    ensemble, previous, outputs = task.ensemble(), None, None
    for _ in range(count):
        outputs = corrective_round(Distillation(config, task, ensemble), previous).outputs.train
        previous = outputs.mean(axis=0)
    return ensemble, outputs


@pytest.mark.parametrize(("composition", "head"), [("add", "student"), ("concat-all", "prefix")])
def test_the_barrier_is_of_the_newest_student_under_the_weights_of_those_before(little, monkeypatch, composition, head):
    config = polished_config(composition=composition, head=head, **SHORT)
    ensemble, outputs = rounds(config, little, 2)
    certificate = Certificate(little.g_hat, 3)
    for f in outputs:
        certificate.update(f)
    batches, seen, penalty = Batches(monkeypatch), [], Barrier.penalty

    def spy(self, f, g_hat, weights, examples):
        batch = batches.last
        rows, total, carry = batch.chosen[batch.clean], torch.zeros(len(batch.chosen), 10), {}
        with torch.no_grad():  # the last of the students' own answers, by the step that everything else takes
            for t, student in enumerate(ensemble.students, start=1):
                answer, carry = step(student, t, batch.x, carry, total, little.c)
                total = total + answer
        torch.testing.assert_close(f.detach(), answer[batch.clean], atol=1e-5, rtol=1e-4)
        np.testing.assert_allclose(weights, certificate.signed_weights()[rows], rtol=1e-4, atol=1e-9)
        np.testing.assert_allclose(g_hat, little.g_hat[rows], atol=1e-6)
        heads = [student.head.weight for student in ensemble.students]
        gradients = torch.autograd.grad(f.square().sum(), heads, retain_graph=True, allow_unused=True)
        seen.append([gradient is not None for gradient in gradients])
        return penalty(self, f, g_hat, weights, examples)

    monkeypatch.setattr(Barrier, "penalty", spy)
    corrective_round(Distillation(config, little, ensemble), outputs.mean(axis=0))
    # Of heads that give prefixes, the barrier moves the newest one alone.
    assert seen == [[head == "student"] * 2 + [True]] * 4


def test_losses_count_by_their_shares_and_the_barrier_by_that_of_the_newest(little, monkeypatch):
    config, losses = polished_config(**SHORT), {}
    for barrier in (0.0, 60.0):
        of_prefix = itertools.cycle([3.0, 5.0])
        ensemble = little.ensemble()
        first = corrective_round(Distillation(config, little, ensemble), None)
        with monkeypatch.context() as patch:
            patch.setattr(DistillationLoss, "compare", lambda self, f, *_, each=of_prefix: 0 * f.sum() + next(each))
            patch.setattr(Barrier, "penalty", lambda self, f, *_, value=barrier: 0 * f.sum() + value)
            second = corrective_round(Distillation(config, little, ensemble), first.outputs.train[0])
        losses[barrier] = second.records[-1].loss
    shares = np.array([2, 1]) / 3
    assert losses[0.0] == pytest.approx(shares @ [3, 5])
    assert losses[60.0] - losses[0.0] == pytest.approx(60 * shares[1] / 2)


def test_corrective_rounds_end_at_half_the_rate_and_the_polish_at_none(little, monkeypatch):
    config, rates = polished_config(**SHORT | {"rounds": 1, "epochs": 3, "polish_epochs": 3}), []
    set_rate = loop.set_rate
    monkeypatch.setattr(loop, "set_rate", lambda optimizer, rate: (rates.append(rate), set_rate(optimizer, rate)))
    ensemble, _ = rounds(config, little, 1)
    of_round = len(rates)
    polish(Distillation(config, little, ensemble))
    assert max(rates) <= config.learning_rate
    assert ROUNDS_END < rates[of_round - 1] / config.learning_rate < 1.2 * ROUNDS_END
    assert rates[-1] / config.learning_rate < 0.1


def test_validation_is_of_the_last_prefix(little):
    config = polished_config(**SHORT)
    ensemble, _ = rounds(config, little, 2)
    told = joint._validation(config, little, ensemble)
    logits = ensemble(little.dataset.x_validation)
    expected = [little.divergence(each.numpy() / little.c, "validation", config.temperature) for each in logits]
    assert told["kl"] == pytest.approx(expected[-1], rel=1e-4) and told["kl"] != pytest.approx(expected[0], rel=1e-2)


def test_what_weighed_most_is_told_from_before_each_round(little):
    config = polished_config(**SHORT)
    ensemble, outputs = rounds(config, little, 2)
    snapshot, certificate = evaluate_all(Distillation(config, little, ensemble)), Certificate(little.g_hat, 3)
    for f, told in zip(outputs, snapshot.heaviest, strict=True):
        for name, values in certificate.heaviest().items():
            assert np.array_equal(told[name], values), name
        certificate.update(f)


@pytest.fixture(scope="module")
def before(little):
    """A snapshot of two students, of which every validation example is answered right by both prefixes."""
    config = polished_config(**SHORT | {"rounds": 2})
    ensemble, _ = rounds(config, little, 2)
    snapshot = evaluate_all(Distillation(config, little, ensemble))
    sure = np.eye(10, dtype=np.float32)[little.dataset.y_validation]
    records = [record.model_copy(update={"condition_met": True, "kl_after": 0.1}) for record in snapshot.records]
    return config, replace(
        snapshot, outputs=replace(snapshot.outputs, validation=np.stack([sure, sure])), records=records
    )


def after(before, second, met=(True, True), kl=0.2):
    """The same with another second student on the validation split, and other records."""
    config, snapshot = before
    first = snapshot.outputs.validation[0]
    records = [
        record.model_copy(update={"condition_met": each, "kl_after": kl})
        for record, each in zip(snapshot.records, met, strict=True)
    ]
    outputs = replace(snapshot.outputs, validation=np.stack([first, second(first).astype(np.float32)]))
    return replace(snapshot, outputs=outputs, records=records)


@pytest.mark.parametrize(
    ("second", "met", "kl", "outcome", "lost"),
    [
        (lambda f: f, (True, True), 0.2, "corrected", 0.0),
        (lambda f: f, (True, False), 0.2, "edge", 0.0),
        (lambda f: -2 * f, (True, True), 0.2, "kl", 1.0),  # too costly for the second prefix alone
        (lambda f: -2 * f, (True, True), 0.1, "corrected", 1.0),  # where KL does not rise, accuracy may
        (lambda f: -0.5 * f, (True, True), 0.2, "corrected", 0.0),  # the student is wrong, its prefix right
    ],
)
def test_a_correction_is_judged_by_its_prefixes(little, before, second, met, kl, outcome, lost):
    config, snapshot = before
    judged, found = joint._judged(config, little, snapshot, after(before, second, met, kl))
    assert found == outcome
    assert [record.outcome for record in judged.records] == [outcome] * 2
    assert [record.accuracy_lost for record in judged.records] == pytest.approx([0.0, lost])
    assert [record.kl_before for record in judged.records] == [0.1, 0.1] and judged.records[0].kl_after == kl


def test_the_time_of_a_correction_is_shared_out(little, monkeypatch):
    config = polished_config(**SHORT | {"rounds": 2, "polish_epochs": 0})
    ensemble, _ = rounds(config, little, 2)
    ticks = iter(range(0, 1000, 10))
    monkeypatch.setattr(joint, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    final = polish(Distillation(config, little, ensemble))
    assert [record.correction_seconds for record in final.records] == [5.0, 5.0]
    assert [record.seconds for record in final.records] == [5.0, 5.0]

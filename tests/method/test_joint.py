"""Corrective rounds and the polish: one training moves all students, prefixes grow better, heads are corrected last."""

import numpy as np
import pytest
import torch

from bdistil.data.dataset import SPLITS
from bdistil.ensemble import bound
from bdistil.method import correction, joint
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.frozen import distil
from bdistil.method.joint import (
    POLISH,
    corrective_round,
    distil_together,
    evaluate_all,
    head_inputs,
    polish,
    prefix_weights,
)
from bdistil.records import RejectedCorrection
from bdistil.training.loop import Callbacks, Checkpoint, Stopped
from tests.tasks import digits_task, one_thread  # noqa: F401
from tests.workers import polished_config


@pytest.fixture(scope="module")
def task():
    return digits_task()


@pytest.fixture(scope="module")
def little():
    return digits_task(150)


def rounds(config, task, **options):
    """The ensemble after all corrective rounds, and how each one left it."""
    ensemble, previous, standings = task.ensemble(), None, []
    for _ in range(config.rounds):
        standings.append(corrective_round(Distillation(config, task, ensemble, **options), previous))
        previous = standings[-1].outputs.train.mean(axis=0)
    return ensemble, standings


def weights(ensemble):
    return [student.weights() for student in ensemble.students]


def test_prefixes_come_closer_and_the_polish_makes_every_one_better(task):
    config = polished_config(epochs=3, polish_epochs=6, batch_size=64)
    ensemble, standings = rounds(config, task)
    unpolished = [s.records[-1].kl_after for s in standings]
    assert unpolished[2] < unpolished[1] < unpolished[0]
    told = []
    final = polish(Distillation(config, task, ensemble), corrected=lambda record: told.append((record.round, record)))
    polished = [record.kl_after for record in final.records]
    assert all(after < before for after, before in zip(polished, unpolished, strict=True))
    assert max(polished[1:]) < polished[0]
    accuracy = [(p.argmax(1).numpy() == task.dataset.y_test).mean() for p in ensemble(task.dataset.x_test)]
    assert accuracy[0] > 0.9 and accuracy[-1] > 0.95
    # Every round has its record, in order, on the final students, and says what was corrected.
    assert [round for round, _ in told] == [2, 3]
    for (_, reported), record in zip(told, final.records[1:], strict=True):
        assert record.condition_met and min(record.edges) > 0 and record == reported
        assert record.corrected and min(record.edges_before) <= 0 and record.outcome == "corrected"
    for record in final.records:
        assert all(m <= b for m, b in zip(record.measured_by_class, record.bound_by_class, strict=True))


@pytest.mark.parametrize(("method", "clean"), [("b-distil", 0), ("b-distil", 2), ("b-distil+polish", 1)])
def test_the_last_epochs_see_the_inputs_as_they_are(little, monkeypatch, method, clean):
    seen, batches = [], DistillationData.batches
    monkeypatch.setattr(
        DistillationData,
        "batches",
        lambda self, generator, size, views, ensemble: (
            seen.append(views),
            batches(self, generator, size, views, ensemble),
        )[1],
    )
    config = polished_config(rounds=1, epochs=3, polish_epochs=3, clean_epochs=clean, method=method)
    ensemble, whole = little.ensemble(), len(little.views)
    if config.polished:
        corrective_round(Distillation(config, little, ensemble), None)
        polish(Distillation(config, little, ensemble))
    else:
        list(distil(Distillation(config, little, ensemble)))
    assert whole > 1 and seen == [whole] * (len(seen) - clean) + [1] * clean
    assert len(seen) == (6 if config.polished else 3)


def test_all_students_of_a_round_are_trained(little):
    config = polished_config(rounds=2, epochs=1)
    ensemble = little.ensemble()
    standing = corrective_round(Distillation(config, little, ensemble), None)
    before = weights(ensemble)[0]
    corrective_round(Distillation(config, little, ensemble), standing.outputs.train[0])
    assert weights(ensemble)[0] != before


@pytest.mark.parametrize(
    ("composition", "head"),
    [
        ("concat-all", "prefix"),
        ("concat-all", "student"),
        ("add", "student"),
        ("add", "prefix"),
        ("alone", "student"),
        ("concat", "prefix"),
    ],
)
def test_every_composition_and_head_runs_and_tells_the_truth(little, composition, head):
    config = polished_config(rounds=2, epochs=1, polish_epochs=1, composition=composition, head=head)
    ensemble, _ = rounds(config, little)
    final = polish(Distillation(config, little, ensemble))
    certificate = Certificate(little.g_hat, 2)
    for f, record in zip(final.outputs.train, final.records, strict=True):
        assert dict(certificate.update(f)).items() <= dict(record).items()
    counts = np.arange(1, 3)[:, None, None]
    prefixes = little.c * final.outputs.test.cumsum(axis=0) / counts
    with torch.no_grad():
        np.testing.assert_allclose(ensemble(little.dataset.x_test), prefixes, atol=1e-3)


@pytest.mark.parametrize("place", [("rounds", 2, 2), ("polish", None, 2)])
def test_interrupted_inside_a_round_or_the_polish_it_gives_the_same(little, tmp_path, place):
    config = polished_config(rounds=2, epochs=2, polish_epochs=3)
    whole, _ = rounds(config, little)
    expected = polish(Distillation(config, little, whole))

    beats = []
    callbacks = Callbacks(
        batch=lambda position, epoch, *_: beats.append((position.phase, position.round, epoch)),
        stop=lambda: place in beats,
    )
    options = dict(checkpoint=Checkpoint(tmp_path / "checkpoint.safetensors"))
    ensemble, previous = little.ensemble(), None
    with pytest.raises(Stopped):
        for _ in range(2):
            before, so_far = ensemble.state_dict(), len(ensemble)
            before = {name: tensor.clone() for name, tensor in before.items()}
            standing = corrective_round(
                Distillation(config, little, ensemble, callbacks=callbacks, **options), previous
            )
            previous = standing.outputs.train.mean(axis=0)
        before, so_far = {n: t.clone() for n, t in ensemble.state_dict().items()}, len(ensemble)
        polish(Distillation(config, little, ensemble, callbacks=callbacks, **options))

    # As after a kill: the students of the last finished round, and the checkpoint.
    resumed = little.ensemble()
    for student in ensemble.students[:so_far]:
        resumed.append(student)
    resumed.load_state_dict(before)
    if place[0] == "rounds":
        corrective_round(Distillation(config, little, resumed, **options), previous)
    final = polish(Distillation(config, little, resumed, **options))
    assert weights(resumed) == weights(whole)
    for split in SPLITS:
        assert np.array_equal(final.outputs[split], expected.outputs[split])


def test_without_certificate_heads_stay_as_they_were_trained(little):
    config = polished_config(rounds=2, epochs=1, polish_epochs=1, meet_condition=False)
    ensemble, _ = rounds(config, little)
    final = polish(Distillation(config, little, ensemble))
    assert not any(record.corrected for record in final.records)
    assert final.records[1].edges_before == final.records[1].edges


def test_no_epochs_of_polish_only_correct_heads(little):
    config = polished_config(rounds=2, epochs=3, polish_epochs=0)
    ensemble, _ = rounds(config, little)
    before = evaluate_all(Distillation(config, little, ensemble))
    final = polish(Distillation(config, little, ensemble))
    features = [part for part in ensemble.state_dict() if "head" not in part]
    assert features and not np.array_equal(final.outputs.test[1], before.outputs.test[1])
    assert final.records[1].condition_met and final.records[1].corrected


@pytest.fixture(scope="module")
def trained(little):
    """Students after two corrective rounds, their task and their configuration."""
    config = polished_config(rounds=2, epochs=2, polish_epochs=0)
    return little, config, rounds(config, little)[0]


def test_the_heads_inputs_are_views_of_the_last_ones_where_they_are_nested(trained):
    task, _, ensemble = trained
    first, second = head_inputs(ensemble, task.dataset.x_train)
    assert first.shape[1] < second.shape[1] and first.data_ptr() == second.data_ptr()
    with torch.no_grad():
        raw = ensemble.students[1].head(second)
        *_, last = ensemble.staged(task.dataset.x_train)
        torch.testing.assert_close(ensemble.c * bound(raw, ensemble.c), last, atol=1e-4, rtol=1e-4)


def test_interrupted_in_the_correction_it_gives_the_same_and_trains_nothing_again(trained, tmp_path):
    task, config, ensemble = trained
    config = config.model_copy(update={"polish_epochs": 1})
    before = {name: tensor.clone() for name, tensor in ensemble.state_dict().items()}
    expected = polish(Distillation(config, task, ensemble))
    whole = weights(ensemble)
    assert expected.records[1].corrected

    beats, updates = [], []
    told = dict(
        batch=lambda position, *_: beats.append(position),
        correction=lambda position, update, of: updates.append(update),
    )
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    ensemble.load_state_dict(before)
    with pytest.raises(Stopped):
        polish(Distillation(config, task, ensemble, checkpoint, Callbacks(**told, stop=lambda: 2 in updates)))
    first, reached = len(beats), len(updates)
    ensemble.load_state_dict(before)
    final = polish(Distillation(config, task, ensemble, checkpoint, Callbacks(**told)))
    assert weights(ensemble) == whole and len(beats) == first > 0 and updates[reached] == 2
    for split in SPLITS:
        assert np.array_equal(final.outputs[split], expected.outputs[split])
    ensemble.load_state_dict(before)


def test_a_correction_that_is_not_found_or_too_dear_is_not_taken(trained, monkeypatch):
    task, config, ensemble = trained
    before = {name: tensor.clone() for name, tensor in ensemble.state_dict().items()}
    expected = evaluate_all(Distillation(config, task, ensemble))
    assert not expected.records[1].condition_met
    monkeypatch.setattr(correction, "MOST_KL", 0.0)
    dear = polish(Distillation(config.model_copy(update={"max_accuracy_drop": -1.0}), task, ensemble))
    monkeypatch.setattr(joint, "correct_heads", lambda *args, **options: None)
    unfound = polish(Distillation(config, task, ensemble))
    for standing, outcome in ((dear, "kl"), (unfound, "edge")):
        assert [record.outcome for record in standing.records] == ["kept", outcome]
        record = standing.records[1]
        assert not record.condition_met and not record.corrected and record.correction_seconds > 0
        assert record.edges == record.edges_before and record.kl_after == record.kl_before
        assert np.array_equal(standing.outputs.test, expected.outputs.test)
    tried, none = dear.records[1].rejected, unfound.records[1].rejected
    assert tried.why == "kl" and tried.edge_min > 0 and tried.kl_after != dear.records[1].kl_before
    assert none == RejectedCorrection(why="none found")
    assert all(tensor.equal(before[name]) for name, tensor in ensemble.state_dict().items())


def test_in_memory_it_is_the_same_training(little):
    config = polished_config(rounds=2, epochs=1, polish_epochs=1)
    ensemble = little.ensemble()
    assert len(distil_together(Distillation(config, little, ensemble))) == 2
    other, _ = rounds(config, little)
    polish(Distillation(config, little, other))
    assert weights(ensemble) == weights(other)


def test_the_weights_of_the_prefixes_sum_to_one_and_favour_the_first():
    assert prefix_weights(1) == [1.0]
    assert prefix_weights(4) == pytest.approx([0.4, 0.2, 0.2, 0.2])


def test_the_polish_draws_from_a_place_of_its_own():
    assert POLISH.seed(0) != POLISH.seed(1)

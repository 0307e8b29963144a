"""FIND-WL searches as it says: attempts, barriers, rungs, corrections taken and taken back, in any interruption."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bdistil.config import DistilConfig
from bdistil.errors import UserError
from bdistil.method import correction, student_training
from bdistil.method.certificate import Certificate
from bdistil.method.correction import correct
from bdistil.method.distillation import Distillation
from bdistil.method.frozen import distil
from bdistil.method.ladder import ladder
from bdistil.method.search import SearchCallbacks, find_weak_learner
from bdistil.records import Correction
from bdistil.students import build_student
from bdistil.training.loop import Position
from tests.tasks import digits_task, one_thread  # noqa: F401
from tests.workers import distil_config

SHORT = dict(rounds=2, epochs=1, batch_size=48)


@pytest.fixture(scope="module")
def little():
    return digits_task(150)


@pytest.fixture(scope="module")
def after_round_one(little):
    """The ensemble and the certificate after a first round."""
    ensemble = little.ensemble()
    (done,) = distil(Distillation(distil_config(**SHORT | {"rounds": 1}), little, ensemble))
    certificate = Certificate(little.g_hat, 2)
    certificate.update(done.outputs.train)
    return ensemble, certificate


def whole_search(config, little, after_round_one, tried=()):
    """A whole search, with what it told."""
    (ensemble, certificate), told = after_round_one, []
    callbacks = SearchCallbacks(
        starts=lambda fields: told.append(("starts", fields)),
        tried=lambda round, attempt: told.append(("tried", attempt.record)),
    )
    kept, attempts = find_weak_learner(Distillation(config, little, ensemble), certificate, tried, callbacks)
    return kept, attempts, told


def test_a_student_that_misses_the_condition_is_corrected(little, after_round_one):
    kept, attempts, told = whole_search(distil_config(**SHORT), little, after_round_one)
    record = kept.record
    assert len(attempts) == 1 and record.outcome == "corrected" and record.corrected and record.condition_met
    assert min(record.edges_before) <= 0 < record.edge_min == min(record.edges)
    assert record.kl_after <= correction.MOST_KL * record.kl_before
    assert record.kl_after != record.kl_before and record.correction_seconds > 0
    # What is told is what the student answers.
    f = student_training.answers(after_round_one[0], kept.student, little.dataset.x_train)
    assert after_round_one[1].candidate(f).edges == record.edges
    assert [kind for kind, _ in told] == ["starts", "tried"]
    assert told[0][1].barrier == 0.3 and told[0][1].attempt == 1 and told[0][1].rung == 0


def test_where_no_condition_is_to_be_met_a_student_is_trained_once_and_kept(little, after_round_one):
    kept, attempts, _ = whole_search(distil_config(meet_condition=False, **SHORT), little, after_round_one)
    assert len(attempts) == 1 and kept.record.outcome == "kept" and not kept.record.condition_met
    assert kept.record.edges == kept.record.edges_before


def test_correction_changes_the_head_alone(little, after_round_one):
    plain, _, _ = whole_search(distil_config(meet_condition=False, **SHORT), little, after_round_one)
    corrected, _, _ = whole_search(distil_config(**SHORT), little, after_round_one)
    before, after = plain.student.state_dict(), corrected.student.state_dict()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed == {"head.weight", "head.bias"}


@pytest.fixture
def hopeless(monkeypatch):
    """No correction helps."""
    monkeypatch.setattr(correction, "correct_heads", lambda *problem, **options: None)


def test_without_success_it_climbs_the_whole_ladder_and_keeps_the_best(little, after_round_one, hopeless):
    config = distil_config(composition="concat", retries=1, **SHORT)
    kept, attempts, told = whole_search(config, little, after_round_one)
    starts = [fields for kind, fields in told if kind == "starts"]
    assert [(s.rung, s.composition, s.student, round(s.barrier, 2)) for s in starts] == [
        (0, "concat", "cnn-xs", 0.3),
        (0, "concat", "cnn-xs", 0.9),
        (1, "concat-all", "cnn-xs", 0.3),
        (1, "concat-all", "cnn-xs", 0.9),
        (2, "concat-all", "cnn-xs × 1.5", 0.3),
        (2, "concat-all", "cnn-xs × 1.5", 0.9),
    ]
    assert [s.attempt for s in starts] == [1, 2, 3, 4, 5, 6]
    assert len({a.record.seed for a in attempts}) == 6
    assert all(a.record.outcome == "edge" and not a.record.condition_met for a in attempts)
    smallest = [min(a.record.edges_before) for a in attempts]
    assert kept is attempts[int(np.argmax(smallest))]
    widths = [a.student.spec["widths"] for a in attempts]
    assert sum(widths[4]) > sum(widths[2])


def test_the_round_of_a_search_without_success_says_so_and_goes_on(little, hopeless):
    config = distil_config(retries=0, **SHORT)
    first, second = distil(Distillation(config, little, little.ensemble()))
    assert first.record.condition_met and not second.record.condition_met
    assert second.record.attempts == len(ladder(config, 2)) and not second.record.corrected
    assert 1 <= second.record.attempt <= second.record.attempts
    assert second.record.kl_after == second.record.kl_before


def test_a_rounds_seconds_are_those_of_all_its_attempts(little, hopeless):
    tried = []
    callbacks = SearchCallbacks(tried=lambda round, attempt: tried.append((round, attempt.record.seconds)))
    config = distil_config(composition="concat-all", retries=0, **SHORT)
    rounds = list(distil(Distillation.new(config, little), callbacks=callbacks))
    assert [round for round, _ in tried] == [1, 2, 2]
    assert [r.record.seconds for r in rounds] == [tried[0][1], tried[1][1] + tried[2][1]]


def test_an_attempts_seconds_are_those_of_its_training_and_of_its_correction(little, after_round_one, monkeypatch):
    ticks = iter([0.0, 1000.0])
    monkeypatch.setattr(correction, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    kept, _, _ = whole_search(distil_config(**SHORT), little, after_round_one)
    assert kept.record.correction_seconds == 1000 and 1000 < kept.record.seconds < 2000


def test_attempts_from_before_an_interruption_are_of_the_round_that_they_were_of(little, hopeless):
    config = distil_config(composition="concat-all", retries=0, **SHORT | {"rounds": 3})
    ensemble, tried, starts = little.ensemble(), [], []
    whole = list(
        distil(
            Distillation(config, little, ensemble),
            callbacks=SearchCallbacks(tried=lambda round, attempt: tried.append((round, attempt))),
        )
    )
    resumed = little.ensemble()
    resumed.append(whole[0].student)
    before = [attempt for round, attempt in tried if round == 2][:1]
    callbacks = SearchCallbacks(starts=lambda candidate: starts.append((candidate.round, candidate.attempt)))
    rest = list(distil(Distillation(config, little, resumed), [whole[0].outputs.train], before, callbacks))
    assert starts == [(2, 2), (3, 1), (3, 2)]
    assert [r.student.weights() for r in rest] == [r.student.weights() for r in whole[1:]]


def test_of_a_correction_taken_back_a_round_records_nothing_but_that(little, monkeypatch):
    monkeypatch.setattr(correction, "MOST_KL", 0.0)
    config = distil_config(composition="concat-all", retries=0, **SHORT).model_copy(update={"max_accuracy_drop": -1.0})
    records = {}
    callbacks = SearchCallbacks(
        tried=lambda round, attempt: records.update({(round, attempt.record.attempt): attempt.record})
    )
    *_, second = (done.record for done in distil(Distillation.new(config, little), callbacks=callbacks))
    tried = records[2, second.attempt]
    assert second.outcome == tried.outcome == "kl" and tried.kl_after != tried.kl_before
    assert second.kl_after == second.kl_before == tried.kl_before and second.edges == second.edges_before


def test_an_interrupted_search_goes_on_where_it_was(little, after_round_one, hopeless):
    config = distil_config(retries=1, **SHORT)
    whole, attempts, _ = whole_search(config, little, after_round_one)
    resumed, again, told = whole_search(config, little, after_round_one, attempts[:3])
    assert again[:3] == attempts[:3] and len(told) == 2 * (len(attempts) - 3)
    assert resumed.student.weights() == whole.student.weights()


def test_a_correction_that_costs_too_much_is_taken_back(little, after_round_one, monkeypatch):
    ensemble, certificate = after_round_one
    config = distil_config(**SHORT)
    trained, _, _ = whole_search(distil_config(meet_condition=False, **SHORT), little, after_round_one)
    head = trained.student.head.weight.clone()
    monkeypatch.setattr(correction, "MOST_KL", 0.0)
    strict = config.model_copy(update={"max_accuracy_drop": -1.0})
    f, told = correct(Distillation(strict, little, ensemble), certificate, trained.student, Position("rounds", 2, 1))
    assert told.outcome == "kl" and not told.corrected and told.condition_met
    prefix = (certificate.summed() + f) / 2
    assert told.kl_before == pytest.approx(little.divergence(prefix, "train", config.temperature), rel=1e-6)
    assert trained.student.head.weight.equal(head)
    assert np.array_equal(f, student_training.answers(ensemble, trained.student, little.dataset.x_train))


@pytest.mark.parametrize(("planned", "heads"), [(2, 1), (3, 2), (9, 2)])
def test_a_correction_looks_ahead_at_the_next_round_if_there_is_one(
    little, after_round_one, monkeypatch, planned, heads
):
    asked = []
    monkeypatch.setattr(correction, "correct_heads", lambda problem, *heads, **_: asked.append((problem, *heads)))
    ensemble, first = after_round_one
    certificate = Certificate(little.g_hat, planned)
    certificate.update(first.summed())
    trained, _, _ = whole_search(distil_config(meet_condition=False, **SHORT), little, after_round_one)
    config = distil_config(**SHORT | {"rounds": planned})
    correct(Distillation(config, little, ensemble), certificate, trained.student, Position("rounds", 2, 1))
    ((problem, weights, biases),) = asked
    assert len(weights) == len(biases) == len(problem.inputs) == heads and problem.shares == [1 / heads] * heads
    assert problem.round == 2 and problem.eta == certificate.eta
    np.testing.assert_allclose(problem.summed, first.summed(), atol=1e-6)


def test_what_a_correction_costs_is_counted_as_lost(little, after_round_one, monkeypatch):
    """One that makes all answers the same class loses accuracy, and is told with what it would have made."""
    ensemble, certificate = after_round_one
    config = distil_config(**SHORT).model_copy(update={"max_accuracy_drop": 0.0})
    trained, _, _ = whole_search(distil_config(meet_condition=False, **SHORT), little, after_round_one)
    before = student_training.validation(Distillation(config, little, ensemble), trained.student)["accuracy"]
    bias = torch.eye(10)[3] * 100
    monkeypatch.setattr(correction, "correct_heads", lambda problem, heads, *_, **__: ([0 * heads[0]], [bias]))
    _, told = correct(Distillation(config, little, ensemble), certificate, trained.student, Position("rounds", 2, 1))
    assert told.outcome == "edge" and not told.condition_met
    assert 0 < told.accuracy_lost <= before
    assert student_training.validation(Distillation(config, little, ensemble), trained.student)["accuracy"] == before


def test_of_a_rejected_correction_its_own_figures_are_told():
    fields = dict(condition_met=False, corrected=False, kl_before=0.1, kl_after=0.2, relative_edges=(0.1, 0.2))
    tried = Correction(
        edge_min=0.01, edges=(0.01, 0.3), edges_before=(-0.5, 0.4), outcome="kl", accuracy_lost=0.03, **fields
    )
    told = correction.rejected(tried)
    assert (told.why, told.edge_min, told.kl_after, told.accuracy_lost) == ("kl", 0.01, 0.2, 0.03)


def test_the_first_student_has_no_one_to_read_and_no_ladder(little):
    assert [rung.composition for rung in ladder(distil_config(), 1)] == ["add"]
    assert [rung.composition for rung in ladder(distil_config(), 2)] == ["add", "concat", "concat-all", "concat-all"]
    assert [rung.wider for rung in ladder(distil_config(), 2)] == [1.0, 1.0, 1.0, 1.5]
    student = build_student("cnn-xs", input_shape=(1, 8, 8), classes=10, composition="alone", wider=1.5)
    assert student.spec["widths"] == [16, 24, 24, 24]


def test_series_have_ladders_of_their_own():
    def rungs(**given):
        config = DistilConfig.create("japanese-vowels", teacher="t", method="b-distil", **given)
        return [(rung.composition, rung.wider) for rung in ladder(config, 2)]

    wide = ("carry-state-pool", 1.5)
    assert rungs(composition="carry-state") == [("carry-state", 1.0), ("carry-state-pool", 1.0), wide]
    assert rungs(composition="carry-state-pool") == [("carry-state-pool", 1.0), wide]
    assert rungs(student="tcn-s") == [("add", 1.0), ("concat", 1.0), ("concat", 1.5)]
    # Convolutions of different segments have no steps in common.
    assert rungs(student="tcn-s", mode="segments", composition="alone") == [("alone", 1.0), ("alone", 1.5)]
    with pytest.raises(UserError, match="over the same steps: choose the mode full, or alone"):
        rungs(student="tcn-s", mode="segments", composition="add")


@pytest.mark.parametrize(
    ("broken", "count", "dear"), [(2, 360, False), (6, 360, True), (10, 5000, False), (40, 5000, True)]
)
def test_a_loss_that_the_validation_split_cannot_tell_is_not_dear(broken, count, dear):
    before, after = np.ones(count, bool), np.arange(count) >= broken
    config = distil_config()
    assert correction.is_too_costly(config, (1.0, 1.5), before, after) == dear
    assert not correction.is_too_costly(config, (1.0, 1.01), before, after), "KL has hardly moved"
    assert not correction.is_too_costly(config, (1.0, 1.5), after, before), "accuracy has risen"

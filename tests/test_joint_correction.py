"""All heads corrected together: every round meets its condition, at less KL than one head after the other."""

import numpy as np
import pytest
import torch

from bdistil import corrective, joint_correction, weak_learner
from bdistil.boosting import Certificate, normalised, scale, theory_eta
from bdistil.corrective import corrective_round, polish, stand
from bdistil.ensemble import bound
from bdistil.joint_correction import JointProblem, correct_together, head_inputs
from bdistil.training import Stopped
from tests.tasks import digits_task, one_thread  # noqa: F401
from tests.workers import polished_config


def problem(seed: int, prefix: bool, examples: int = 300, classes: int = 4, rounds: int = 3):
    """Prefixes that deviate from the teacher much in the same direction, so that edges are negative."""
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(examples, 8 * rounds)).astype(np.float32)
    teacher = 2 * whole @ rng.normal(size=(8 * rounds, classes)) + rng.normal(size=(examples, classes))
    c = scale(teacher)
    g_hat = normalised(teacher, c)
    inputs, weights = [torch.from_numpy(whole[:, : 8 * t]) for t in range(1, rounds + 1)], []
    for x in inputs:
        fitted = np.linalg.lstsq(x.numpy(), 0.8 * c * g_hat, rcond=None)[0].T
        weights.append(torch.from_numpy(fitted.astype(np.float32)))
    biases = [torch.zeros(classes) for _ in weights]
    target = torch.from_numpy(g_hat).float()
    eta = theory_eta(examples, rounds)
    return JointProblem(inputs, [prefix] * rounds, target, [0.5, 0.25, 0.25], eta, c, 2.0), weights, biases


def records(whole: JointProblem, weights, biases) -> list[dict]:
    """What the booster says of the heads."""
    certificate, summed, told = Certificate(whole.g_hat.double().numpy(), len(weights)), 0, []
    for t, (x, weight, bias) in enumerate(zip(whole.inputs, weights, biases, strict=True), start=1):
        answer = bound(x @ weight.T + bias, whole.c).double().numpy()
        f = t * answer - summed if whole.gives_prefix[t - 1] else answer
        summed = summed + f
        told.append(certificate.update(f))
    return told


@pytest.mark.parametrize("prefix", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_every_round_meets_its_condition_afterwards(seed, prefix):
    whole, weights, biases = problem(seed, prefix)
    assert not all(record["certified"] for record in records(whole, weights, biases))
    corrected = correct_together(whole, weights, biases)
    assert corrected is not None
    for record in records(whole, *corrected)[1:]:
        assert record["certified"] and record["edge_min"] > 0


def test_it_says_what_the_booster_says():
    whole, weights, biases = problem(5, prefix=True)
    _, edges, _ = joint_correction._state(whole, weights, biases)
    told = [record["edges"] for record in records(whole, weights, biases)[1:]]
    np.testing.assert_allclose(edges.numpy(), told, rtol=1e-3, atol=1e-6)


def test_it_can_be_stopped():
    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        correct_together(*problem(0, True), stop=stop)


@pytest.fixture(scope="module")
def trained():
    """Students after two corrective rounds, their task and their configuration."""
    task, config = digits_task(150), polished_config(rounds=2, epochs=2, polish_epochs=0)
    ensemble, previous = task.ensemble(), None
    for _ in range(2):
        previous = corrective_round(config, task, ensemble, previous).outputs["train"].mean(axis=0)
    return task, config, ensemble


def test_the_heads_inputs_are_views_of_the_last_ones_where_they_are_nested(trained):
    task, _, ensemble = trained
    first, second = head_inputs(ensemble, task.data.x_train)
    assert first.shape[1] < second.shape[1] and first.data_ptr() == second.data_ptr()
    with torch.no_grad():
        raw = ensemble.students[1].head(second)
        *_, last = ensemble.staged(task.data.x_train)
        torch.testing.assert_close(ensemble.c * bound(raw, ensemble.c), last, atol=1e-4, rtol=1e-4)


def test_a_correction_that_is_not_found_or_too_dear_is_not_taken(trained, monkeypatch):
    task, config, ensemble = trained
    before = {name: tensor.clone() for name, tensor in ensemble.state_dict().items()}
    expected = stand(config, task, ensemble)
    assert not expected.records[1]["certified"]
    monkeypatch.setattr(weak_learner, "MOST_KL", 0.0)
    dear = polish(config.model_copy(update={"most_lost": -1.0}), task, ensemble)
    monkeypatch.setattr(corrective, "correct_together", lambda *args, **options: None)
    unfound = polish(config, task, ensemble)
    for standing, outcome in ((dear, "kl"), (unfound, "edge")):
        assert [record["outcome"] for record in standing.records] == ["kept", outcome]
        assert not standing.records[1]["certified"] and not standing.records[1]["corrected"]
        assert np.array_equal(standing.outputs["test"], expected.outputs["test"])
    assert all(tensor.equal(before[name]) for name, tensor in ensemble.state_dict().items())

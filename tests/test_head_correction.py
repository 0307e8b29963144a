"""The smallest change of a head that meets the weak learning condition: it meets it, costs little, and is a descent."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdistil import head_correction
from bdistil.boosting import KAPPA, Certificate, normalised, scale
from bdistil.head_correction import HeadProblem, correct_head


def problem(seed: int, prefix: bool, examples: int = 400, classes: int = 5, width: int = 12, round: int = 3):
    """A student that has not quite learnt the teacher, in a later round, and the certificate before that round."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(examples, width)).astype(np.float32)
    teacher = 3 * features @ rng.normal(size=(width, classes)) + rng.normal(size=(examples, classes))
    c = scale(teacher)
    g_hat = normalised(teacher, c)
    certificate = Certificate(g_hat, 6)
    for _ in range(round - 1):
        certificate.update(0.7 * g_hat + 0.05 * rng.normal(size=g_hat.shape))
    weight = np.linalg.lstsq(features, c * (0.6 * g_hat), rcond=None)[0].T
    bias = np.zeros(classes)
    uncertain = np.full_like(g_hat, 0.1)
    gain, offset = (round, certificate.summed()) if prefix else (1, 0.0)
    whole = HeadProblem(features, weight, bias, c, gain, offset, g_hat, certificate.signed_weights(), uncertain)
    return certificate, whole


def answer(whole: HeadProblem, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """f (N, L), written out anew."""
    raw = whole.features.astype(np.float64) @ weight.T + bias
    u = (raw - raw.mean(axis=1, keepdims=True)) / whole.c
    m = np.abs(u).max(axis=1, keepdims=True)
    return whole.gain * u * KAPPA * np.tanh(m / KAPPA) / m - whole.offset


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), prefix=st.booleans())
def test_an_unmet_condition_is_met_in_a_few_steps(seed, prefix):
    certificate, whole = problem(seed, prefix)
    before = certificate.candidate(answer(whole, whole.weight, whole.bias))
    weight, bias, steps = correct_head(whole)
    after = certificate.candidate(answer(whole, weight, bias))
    assert after["certified"] and after["edge_min"] > 0
    assert steps <= head_correction.STEPS
    if before["certified"]:
        assert steps == 0 and np.array_equal(weight, whole.weight) and np.array_equal(bias, whole.bias)
    else:
        assert steps > 0
        unmet = np.array(before["edges"]) <= 0
        products = np.abs(whole.signed_weights * (answer(whole, weight, bias) - whole.g_hat)).sum(axis=0)
        assert (np.array(after["edges"])[unmet] >= 0.02 * products[unmet]).all()  # clearly, not by a rounding


def test_classes_that_meet_it_keep_their_weights(monkeypatch):
    certificate, whole = problem(1, prefix=False)
    with monkeypatch.context() as context:
        context.setattr(head_correction, "SHARE", 0.5)  # so amply that one class's loss is not the others'
        weight, bias, _ = correct_head(whole)
    partly = replace(whole, weight=weight.copy(), bias=bias.copy())
    partly.weight[1], partly.bias[1] = whole.weight[1], whole.bias[1]
    edges = np.array(certificate.candidate(answer(partly, partly.weight, partly.bias))["edges"])
    assert edges[1] <= 0 and (np.delete(edges, 1) > 0).all()
    again, _, steps = correct_head(partly)
    assert steps > 0 and not np.array_equal(again[1], partly.weight[1])
    assert np.array_equal(np.delete(again, 1, axis=0), np.delete(partly.weight, 1, axis=0))


def test_it_is_the_cheapest_change_in_its_metric():
    """Any other direction that gains as much edge is longer in the Fisher metric (here: a constant one)."""
    _, whole = problem(2, prefix=False)
    j = 1
    direction = head_correction._direction(whole, j)
    phi = np.hstack([whole.features, np.ones((len(whole.features), 1))]).astype(np.float64)
    metric = phi.T @ ((whole.certainty[:, j] + head_correction.FLOOR)[:, None] * phi)
    metric += head_correction.RIDGE * np.trace(metric) / len(metric) * np.eye(len(metric))
    gain = whole.signed_weights[:, j] @ phi
    length = np.sqrt(direction @ metric @ direction)
    rng = np.random.default_rng(0)
    for other in rng.normal(size=(20, len(direction))):
        scaled = other * (gain @ direction) / (gain @ other)
        assert np.sqrt(scaled @ metric @ scaled) >= length * (1 - 1e-9)


def test_the_jacobian_is_the_derivative_of_the_edges():
    for prefix in (False, True):
        _, whole = problem(3, prefix)
        rng = np.random.default_rng(1)
        raw = head_correction._raw(whole, whole.weight, whole.bias)
        along = rng.normal(size=raw.shape)
        jacobian = head_correction._jacobian(whole, raw, along)
        for m in range(raw.shape[1]):
            step = np.zeros_like(raw)
            step[:, m] = 1e-6 * along[:, m]
            rise = head_correction._edges(whole, raw + step)[0] - head_correction._edges(whole, raw - step)[0]
            np.testing.assert_allclose(jacobian[:, m], rise / 2e-6, rtol=1e-4, atol=1e-9)


def test_blocks_do_not_change_the_result(monkeypatch):
    _, whole = problem(4, prefix=True)
    expected = correct_head(whole)
    monkeypatch.setattr(head_correction, "BLOCK_ROWS", 37)
    for ours, theirs in zip(correct_head(whole), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-12)


def test_features_that_say_nothing_cannot_be_corrected_and_do_no_harm():
    certificate, whole = problem(5, prefix=False)
    blank = replace(whole, features=np.zeros_like(whole.features))
    weight, bias, steps = correct_head(blank)
    assert steps <= head_correction.STEPS and np.isfinite(weight).all() and np.isfinite(bias).all()


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_any_number_of_classes(classes):
    certificate, whole = problem(6, prefix=True, classes=classes)
    weight, bias, _ = correct_head(whole)
    assert certificate.candidate(answer(whole, weight, bias))["certified"]

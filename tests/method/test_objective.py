"""The distillation losses against their definitions, and the barrier against the exact log barrier."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bdistil.method.certificate import Certificate
from bdistil.method.objective import Barrier, DistillationLoss, kl, prefix, squared
from bdistil.scale import B

deterministic = settings(derandomize=True, deadline=None, max_examples=100)


def draw(*shape, seed=0):
    """Centred float64 logits within ±1, the last axis being classes."""
    x = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    return (x - x.mean(dim=-1, keepdim=True)) / 2


# Distillation


def test_kl_is_the_definition_at_temperature_times_its_square_and_a_mean_over_the_batch():
    ours, theirs, tau = draw(3, 4).numpy() * 5, draw(3, 4, seed=1).numpy() * 5, 2.5
    total = 0.0
    for row, target in zip(ours, theirs, strict=True):
        p = np.exp(target / tau) / np.exp(target / tau).sum()
        q = np.exp(row / tau) / np.exp(row / tau).sum()
        total += (p * np.log(p / q)).sum()
    assert kl(torch.tensor(ours), torch.tensor(theirs), tau).item() == pytest.approx(tau**2 * total / 3)


def test_squared_is_what_kl_tends_to_at_large_temperature():
    ours, theirs = draw(8, 10) * 6, draw(8, 10, seed=1) * 6
    assert kl(ours, theirs, 1000.0).item() == pytest.approx(squared(ours, theirs).item(), rel=5e-3)
    assert squared(ours, theirs).item() == pytest.approx(((ours - theirs) ** 2).sum().item() / (2 * 8 * 10))


@pytest.mark.parametrize("divergence", ["kl", "squared"])
def test_losses_compare_on_the_teachers_scale(divergence):
    f, g_hat = draw(8, 4), draw(8, 4, seed=1)
    loss = DistillationLoss(c=12.0, target="student", divergence=divergence, temperature=3.0)(f, g_hat, round=4)
    expected = kl(12 * f, 12 * g_hat, 3.0) if divergence == "kl" else squared(12 * f, 12 * g_hat)
    assert loss.item() == pytest.approx(expected.item())


def test_the_ensemble_target_is_minimal_where_the_prefix_equals_the_teacher():
    g_hat, previous = draw(8, 4), draw(8, 4, seed=1)
    corrects = (3 * g_hat - 2 * previous).requires_grad_()
    loss = DistillationLoss(c=5.0, target="ensemble")(corrects, g_hat, round=3, previous=previous)
    (gradient,) = torch.autograd.grad(loss, corrects)
    assert loss.item() == pytest.approx(0, abs=1e-12) and gradient.abs().max() < 1e-12
    torch.testing.assert_close(prefix(corrects, previous, 3), g_hat)
    assert DistillationLoss(c=5.0, target="student")(corrects, g_hat, round=3, previous=previous) > 0.01


def test_in_round_one_the_two_targets_are_the_same():
    f, g_hat = draw(8, 4), draw(8, 4, seed=1)
    assert DistillationLoss(5.0, "ensemble")(f, g_hat, round=1) == DistillationLoss(5.0, "student")(f, g_hat, round=1)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_label_share_mixes_cross_entropy_of_the_same_logits(share):
    f, g_hat, previous = draw(8, 4), draw(8, 4, seed=1), draw(8, 4, seed=2)
    labels = torch.arange(8) % 4
    loss = DistillationLoss(c=5.0, label_share=share)(f, g_hat, round=2, previous=previous, labels=labels)
    logits = 5 * (previous + f) / 2
    likelihood = torch.softmax(logits, dim=1)[torch.arange(8), labels]
    expected = (1 - share) * kl(logits, 5 * g_hat, 2.0) - share * likelihood.log().mean()
    assert loss.item() == pytest.approx(expected.item())


# Barrier


def a_game(examples=60, classes=4):
    """ĝ, a candidate and the signed weights after one round, float64; edges are far from 0."""
    g_hat = draw(examples, classes)
    booster = Certificate(g_hat.numpy(), rounds=1)
    booster.update((g_hat + draw(examples, classes, seed=1)).numpy())
    f = (g_hat + draw(examples, classes, seed=2)).requires_grad_()
    return g_hat, f, torch.tensor(booster.signed_weights()), booster


def test_penalty_is_the_exact_log_barrier_when_the_batch_is_everything():
    g_hat, f, signed, booster = a_game()
    barrier = Barrier(4, gain=0.3, momentum=0.0).double()
    penalty = barrier.penalty(f, g_hat, signed, examples=60)
    exact = -0.3 * torch.log(1 + (signed * (f - g_hat)).sum(dim=0) / (2 * B)).sum()
    assert penalty.item() == pytest.approx(exact.item())
    torch.testing.assert_close(torch.autograd.grad(penalty, f)[0], torch.autograd.grad(exact, f)[0])
    np.testing.assert_allclose(barrier.edges, booster.candidate(f.detach()).edges)
    assert barrier.edges.abs().max() > 0.01


def test_mini_batches_average_to_the_full_gradient_at_the_running_estimate():
    g_hat, f, signed, _ = a_game()
    start = torch.tensor([0.5, -1.0, 2.0, -2.25], dtype=torch.float64)
    gradients = []
    for rows in torch.arange(60).split(20):
        barrier = Barrier(4, gain=1.0, momentum=1.0).double()  # the estimate stays where it is put
        barrier.edges.copy_(start)
        gradients.append(torch.autograd.grad(barrier.penalty(f[rows], g_hat[rows], signed[rows], examples=60), f)[0])
    expected = -signed / (2 * B * (1 + start / (2 * B)))
    torch.testing.assert_close(sum(gradients) / 3, expected)


def test_descending_the_penalty_raises_the_edge_of_every_class():
    g_hat, f, signed, booster = a_game()
    barrier = Barrier(4, gain=0.3).double()
    (gradient,) = torch.autograd.grad(barrier.penalty(f, g_hat, signed, examples=60), f)
    before, after = booster.candidate(f.detach()), booster.candidate((f - gradient).detach())
    assert (np.array(after.edges) > np.array(before.edges)).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("deviation", [B, -B])
def test_barrier_is_finite_with_all_weight_on_one_example(sign, deviation):
    """There the batch's edge is N/batch times too large, far outside the logarithm's domain."""
    examples, batch, gain = 55_000, 4, 30.0
    signed = torch.zeros(batch, 3)
    signed[0] = sign
    g_hat = torch.zeros(batch, 3)
    f = torch.full((batch, 3), deviation, requires_grad=True)
    barrier = Barrier(3, gain)
    for _ in range(50):
        penalty = barrier.penalty(f, g_hat, signed, examples)
        (gradient,) = torch.autograd.grad(penalty, f)
        assert penalty.isfinite() and abs(penalty.item()) <= 3 * gain * np.log(2) * 1.001
        assert gradient.isfinite().all() and gradient.abs().max() <= gain * examples / batch / B * 1.001
    torch.testing.assert_close(barrier.edges, torch.full((3,), sign * deviation))


@deterministic
@given(
    arrays(np.float64, (6, 3), elements=st.floats(-B, B)),
    arrays(np.float64, (6, 3), elements=st.floats(-1, 1)),
    st.integers(6, 10**6),
)
def test_barrier_is_finite_on_arbitrary_deviations_and_weights(d, signed, examples):
    f = torch.tensor(d, requires_grad=True)
    barrier = Barrier(3, gain=1.0)
    penalty = barrier.penalty(f, torch.zeros_like(f), torch.tensor(signed), examples)
    penalty.backward()
    assert penalty.isfinite() and f.grad.isfinite().all()
    assert barrier.edges.abs().max() <= B


def test_in_round_one_the_barrier_pulls_nowhere():
    g_hat = draw(10, 4)
    signed = torch.tensor(Certificate(g_hat.numpy(), rounds=3).signed_weights())
    f = draw(10, 4, seed=1).requires_grad_()
    penalty = Barrier(4, gain=0.3).double().penalty(f, g_hat, signed, examples=10)
    penalty.backward()
    assert penalty == 0 and (f.grad == 0).all()


def test_a_restored_barrier_goes_on_bit_for_bit():
    g_hat, f, signed, _ = a_game()
    barrier = Barrier(4, gain=0.3)
    barrier.penalty(f, g_hat, signed, examples=60)
    restored = Barrier(4, gain=0.3)
    restored.load_state_dict(barrier.state_dict())
    for _ in range(2):
        first, second = (each.penalty(f, g_hat, signed, examples=60) for each in (barrier, restored))
        assert first == second and torch.equal(barrier.edges, restored.edges)
    assert barrier.edges.abs().max() > 0

"""Heads that are corrected meet the weak learning condition, at little KL, and leave the next ones something to do."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bdistil.ensemble import bound
from bdistil.method import head_correction
from bdistil.method.certificate import Certificate, theory_eta
from bdistil.method.head_correction import HeadProblem
from bdistil.method.objective import kl
from bdistil.scale import normalised, scale
from bdistil.training.loop import Callbacks, Checkpoint, Position, Stopped
from tests.tasks import one_thread  # noqa: F401

Heads = tuple[list[torch.Tensor], list[torch.Tensor]]
correct_heads = partial(head_correction.correct_heads, position=Position("polish"))


def together(seed: int, prefix: bool, examples: int = 300, classes: int = 4) -> tuple[HeadProblem, Heads]:
    """Prefixes that deviate from the teacher much in the same direction, so that edges are negative."""
    rounds = 3
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(examples, 8 * rounds)).astype(np.float32)
    c, g_hat = taught(rng, whole, classes)
    inputs = [torch.from_numpy(whole[:, : 8 * t]) for t in range(1, rounds + 1)]
    weights = [fitted(x, 0.8 * c * g_hat) for x in inputs]
    shares, eta = [0.5, 0.25, 0.25], theory_eta(examples, rounds)
    summed = torch.zeros(examples, classes)
    problem = HeadProblem(inputs, [prefix] * rounds, 1, summed, tensor(g_hat), shares, eta, c, 2.0)
    return problem, (weights, [torch.zeros(classes) for _ in weights])


def frozen(seed: int, prefix: bool, ahead: int, round: int = 3, rounds: int = 6) -> tuple[HeadProblem, Heads]:
    """A student that misses what all before it missed: the round's own head, and those that it looks ahead to."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(400, 12)).astype(np.float32)
    c, g_hat = taught(rng, features, 5)
    x, heads = torch.from_numpy(features), 1 + ahead
    weight, bias = fitted(x, 0.8 * c * g_hat), torch.zeros(5)
    summed = (round - 1) * bound(x @ weight.T + bias, c)
    problem = HeadProblem(
        [x] * heads,
        [prefix] * heads,
        round,
        summed,
        tensor(g_hat),
        [1 / heads] * heads,
        theory_eta(400, rounds),
        c,
        2.0,
    )
    return problem, ([weight] * heads, [bias] * heads)


def taught(rng: np.random.Generator, features: np.ndarray, classes: int) -> tuple[float, np.ndarray]:
    """A teacher that no head can follow all the way: c, ĝ."""
    width = features.shape[1]
    teacher = 2 * features @ rng.normal(size=(width, classes)) + rng.normal(size=(len(features), classes))
    return scale(teacher), normalised(teacher, scale(teacher))


def fitted(x: torch.Tensor, target: np.ndarray) -> torch.Tensor:
    return tensor(np.linalg.lstsq(x.numpy(), target, rcond=None)[0].T)


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def records(problem: HeadProblem, weights: list[torch.Tensor], biases: list[torch.Tensor]) -> list[dict]:
    """What the booster says of the heads, one after the other."""
    g_hat = problem.g_hat.double().numpy()
    certificate, summed, told = Certificate(g_hat, 1), problem.summed.double().numpy(), []
    certificate.eta = problem.eta
    for _ in range(problem.round - 1):
        certificate.update(summed / (problem.round - 1))
    for t, (x, weight, bias) in enumerate(zip(problem.inputs, weights, biases, strict=True), start=problem.round):
        answer = bound(x @ weight.T + bias, problem.c).double().numpy()
        f = t * answer - summed if problem.gives_prefix[t - problem.round] else answer
        summed = summed + f
        told.append(certificate.candidate(f))
        certificate.update(f)
    return told


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), prefix=st.booleans())
def test_heads_of_all_rounds_meet_their_conditions_together(seed, prefix):
    problem, heads = together(seed, prefix)
    corrected = correct_heads(problem, *heads)
    assert corrected is not None
    for record in records(problem, *corrected)[1:]:
        assert record.condition_met and record.edge_min > 0


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), prefix=st.booleans(), ahead=st.integers(0, 2))
def test_the_head_of_a_frozen_round_meets_its_condition(seed, prefix, ahead):
    problem, heads = frozen(seed, prefix, ahead)
    assert not records(problem, *heads)[0].condition_met
    corrected = correct_heads(problem, *heads)
    assert corrected is not None
    assert all(record.condition_met and record.edge_min > 0 for record in records(problem, *corrected))


@pytest.mark.parametrize("seed", range(3))
def test_looking_ahead_makes_the_next_round_cheaper(seed):
    """A first head has no condition to meet. One that looks ahead costs a little; the second then costs much less."""
    paid = {}
    for ahead in (0, 1):
        first, heads = frozen(seed, False, ahead, round=1)
        alone = replace(first, inputs=first.inputs[:1], gives_prefix=[False], shares=[1.0])
        weights, biases = correct_heads(first, *heads) if ahead else closest(alone, *heads)
        answer = bound(alone.inputs[0] @ weights[0].T + biases[0], alone.c).detach()
        second = replace(alone, round=2, summed=answer)
        last, bias = correct_heads(second, weights[:1], biases[:1])
        after = (answer + bound(alone.inputs[0] @ last[0].T + bias[0], alone.c)) / 2
        paid[ahead] = [float(kl(alone.c * prefix, alone.c * alone.g_hat, 2.0)) for prefix in (answer, after)]
    assert paid[0][0] < paid[1][0] and max(paid[1]) < max(paid[0]) and sum(paid[1]) < sum(paid[0])


def closest(problem: HeadProblem, weights: list[torch.Tensor], biases: list[torch.Tensor]) -> Heads:
    """The head of least KL."""
    head = [weights[0].clone().requires_grad_(), biases[0].clone().requires_grad_()]
    optimizer = torch.optim.LBFGS(head, max_iter=200, line_search_fn="strong_wolfe")

    def value() -> torch.Tensor:
        optimizer.zero_grad()
        answer = bound(problem.inputs[0] @ head[0].T + head[1], problem.c)
        loss = kl(problem.c * answer, problem.c * problem.g_hat, 2.0)
        loss.backward()
        return loss

    optimizer.step(value)
    return [head[0].detach()], [head[1].detach()]


def test_the_edges_are_the_boosters():
    for problem, heads in (together(5, True), frozen(5, False, 1)):
        _, edges, _ = head_correction._state(problem, *heads)
        told = [record.edges for t, record in enumerate(records(problem, *heads), problem.round) if t > 1]
        np.testing.assert_allclose(edges.numpy(), told, rtol=1e-3, atol=1e-6)


def test_no_other_change_that_meets_the_condition_costs_less():
    """Shorter steps towards where the heads were either miss a condition or save next to nothing."""
    problem, heads = frozen(2, False, 0)
    corrected = correct_heads(problem, *heads)
    least = float(head_correction._state(problem, *corrected)[0])
    for share in (0.5, 0.9, 0.97):
        between = tuple(
            [(1 - share) * old + share * new for old, new in zip(*each, strict=True)]
            for each in zip(heads, corrected, strict=True)
        )
        divergence, edges, needed = head_correction._state(problem, *between)
        met = bool((edges >= head_correction.MARGIN * needed).all())
        assert not met or float(divergence) > 0.99 * least


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_any_number_of_classes(classes):
    problem, heads = together(6, True, classes=classes)
    corrected = correct_heads(problem, *heads)
    assert all(record.condition_met for record in records(problem, *corrected))


def test_features_that_say_nothing_cannot_be_corrected():
    problem, heads = frozen(5, False, 0)
    problem = replace(problem, inputs=[torch.zeros_like(problem.inputs[0])], summed=problem.g_hat * 2)
    assert correct_heads(problem, *heads) is None  # where nothing is missing, there is no weight and no edge


def test_it_can_be_stopped_at_any_moment_and_goes_on_to_the_same_heads(tmp_path):
    """Stopped ever later, and once more where it was stopped before: nothing of a finished update is done again."""
    problem, heads = together(0, True)
    reached: list[int] = []
    callbacks = Callbacks(correction=lambda position, update, updates: reached.append(update))
    whole = correct_heads(problem, *heads, callbacks=callbacks)
    assert reached[0] == 1 and len(set(reached)) > 2
    checkpoint = Checkpoint(tmp_path / "heads.safetensors")
    looks: list[int] = []
    for most in (len(reached) // 4, len(reached) // 2):
        left = iter([False] * most)
        callbacks = Callbacks(
            correction=lambda position, update, updates: looks.append(update), stop=lambda left=left: next(left, True)
        )
        with pytest.raises(Stopped):
            correct_heads(problem, *heads, checkpoint=checkpoint, callbacks=callbacks)
    again = correct_heads(
        problem,
        *heads,
        checkpoint=checkpoint,
        callbacks=Callbacks(correction=lambda position, update, updates: looks.append(update)),
    )
    assert all(a.equal(b) for ours, theirs in zip(again, whole, strict=True) for a, b in zip(ours, theirs, strict=True))
    longest = max(map(reached.count, set(reached)))
    assert len(looks) <= len(reached) + 2 * longest


def test_what_was_kept_of_another_round_is_not_gone_on_from(tmp_path):
    problem, heads = together(0, True)
    checkpoint = Checkpoint(tmp_path / "heads.safetensors")
    correct_heads(problem, *heads, checkpoint=checkpoint)
    assert checkpoint.read(Position("polish")) and checkpoint.read(Position("rounds", 2, 1)) is None
    other, theirs = together(1, True)
    position = Position("rounds", 2, 1)
    fresh = correct_heads(other, *theirs, position=position)
    beside = correct_heads(other, *theirs, position=position, checkpoint=checkpoint)
    assert all(a.equal(b) for ours, same in zip(beside, fresh, strict=True) for a, b in zip(ours, same, strict=True))


def test_the_divergence_is_the_prefixes_by_their_shares():
    problem, (weights, biases) = together(3, False)
    assert len(set(problem.shares)) > 1
    divergence, _, _ = head_correction._state(problem, weights, biases)
    summed, expected = problem.summed, 0.0
    for t, (x, weight, share) in enumerate(zip(problem.inputs, weights, problem.shares, strict=True), start=1):
        summed = summed + bound(x @ weight.T, problem.c)
        expected += share * float(kl(problem.c * summed / t, problem.c * problem.g_hat, 2.0))
    assert float(divergence) == pytest.approx(expected, rel=1e-5)

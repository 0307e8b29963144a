"""Properties of the boosting game: closed form, edges and certificate, on arbitrary and on adversarial deviations."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bdistil.errors import UserError
from bdistil.method.certificate import MULTIPLES, THEORY, Certificate, moments, theory_eta, weights
from bdistil.records import CertificateRow
from bdistil.scale import B, centred, normalised, scale

deterministic = settings(derandomize=True, deadline=None, max_examples=200)


def deviations(largest: float = B):
    """Arrays (rounds, examples, classes) of arbitrary deviations within ±largest."""
    shapes = st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 4))
    return arrays(np.float64, shapes, elements=st.floats(-largest, largest))


def literal_recursion(d, eta):
    """K⁺, K⁻ before each round and after the last, by the paper's multiplicative update, term by term."""
    rounds, examples, classes = d.shape
    up, down = np.full((2, examples, classes), 1 / (2 * examples))
    states = [(up.copy(), down.copy())]
    for t in range(rounds):
        for j in range(classes):
            for i in range(examples):
                up[i, j] *= np.exp(-eta * d[t, i, j])
                down[i, j] *= np.exp(eta * d[t, i, j])
            total = up[:, j].sum() + down[:, j].sum()
            up[:, j] /= total
            down[:, j] /= total
        states.append((up.copy(), down.copy()))
    return states


def simulated(rounds=4, examples=300, classes=5, seed=0):
    """ĝ and f_t of a run whose students deviate independently, float32 as saved."""
    random = np.random.default_rng(seed)
    g_hat = random.normal(size=(examples, classes))
    g_hat = normalised(g_hat, scale(g_hat))
    return g_hat, (g_hat + random.normal(0, 0.12, size=(rounds, examples, classes))).astype(np.float32)


# The scale


def test_the_normalised_teacher_is_centred_and_reaches_exactly_one():
    g = np.random.default_rng(0).normal(5, 3, size=(40, 6))
    g_hat = normalised(g, scale(g))
    np.testing.assert_allclose(g_hat.mean(axis=1), 0, atol=1e-12)
    assert np.abs(g_hat).max() == 1
    np.testing.assert_allclose(g_hat * scale(g), centred(g))


@pytest.mark.parametrize("logits", [np.ones((3, 4)), np.array([[0.0, np.nan]]), np.array([[np.inf, 0.0]])])
def test_a_teacher_that_says_nothing_or_is_not_finite_is_refused(logits):
    with pytest.raises(UserError, match=r"teacher.*\.$"):
        scale(logits)


# The closed form


@deterministic
@given(deviations(), st.floats(0.01, 3))
def test_closed_form_equals_the_multiplicative_recursion(d, eta):
    for t, (up, down) in enumerate(literal_recursion(d, eta)):
        ours_up, ours_down = weights(d[:t].sum(axis=0), eta)
        np.testing.assert_allclose(ours_up, up, rtol=1e-9)
        np.testing.assert_allclose(ours_down, down, rtol=1e-9)


@deterministic
@given(deviations(), st.floats(0, 1e300))
def test_weights_of_each_class_sum_to_one_at_any_eta(d, eta):
    up, down = weights(d.sum(axis=0), eta)
    assert (up >= 0).all() and (down >= 0).all()
    np.testing.assert_allclose(up.sum(axis=0) + down.sum(axis=0), 1, rtol=1e-12)


def test_extreme_eta_puts_all_weight_on_the_worst_example_without_overflow():
    s = np.array([[0.5, -2.0], [-3.0, 1.0], [2.9, 0.0]])
    for eta in (1e3, 1e6, 1e300):
        up, down = weights(s, eta)
        np.testing.assert_allclose(up, [[0, 1], [1, 0], [0, 0]], atol=1e-30)
        np.testing.assert_allclose(down, 0, atol=1e-30)
        measures = moments(s, np.array([[9.0, -2.0], [0.25, 9.0], [9.0, 9.0]]), [eta])
        np.testing.assert_allclose(measures.edge, [[0.25, -2]])
        np.testing.assert_allclose(measures.second, [[0.0625, 4]])
        np.testing.assert_allclose(measures.effective, 1)


# Edges and moments


@deterministic
@given(deviations(), st.floats(0.01, 3))
def test_moments_are_those_of_the_literal_weights(d, eta):
    up, down = literal_recursion(d[:-1], eta)[-1]
    measures = moments(d[:-1].sum(axis=0), d[-1], [eta, 2 * eta])
    absolute = ((up + down) * np.abs(d[-1])).sum(axis=0)
    np.testing.assert_allclose(measures.edge[0], ((up - down) * d[-1]).sum(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(measures.absolute[0], absolute, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(measures.second[0], ((up + down) * d[-1] ** 2).sum(axis=0), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(measures.effective[0], 1 / ((up + down) ** 2).sum(axis=0), rtol=1e-9)


def test_a_student_that_corrects_the_prefix_has_positive_edges_and_one_that_repeats_it_negative():
    g_hat, (f, _) = simulated(rounds=2)
    booster = Certificate(g_hat, rounds=2)
    booster.update(f)
    corrects, repeats = booster.candidate(2 * g_hat - f), booster.candidate(f)
    assert corrects.condition_met and min(corrects.edges) == corrects.edge_min > 0
    assert not repeats.condition_met and max(repeats.edges) < 0
    assert 0 < min(corrects.relative_edges) <= max(corrects.relative_edges) <= 1
    np.testing.assert_allclose(corrects.edges, np.negative(repeats.edges), rtol=1e-5)


def test_one_class_without_an_edge_is_enough_to_miss_the_condition():
    g_hat, (f, _) = simulated(rounds=2)
    booster = Certificate(g_hat, rounds=2)
    booster.update(f)
    candidate = 2 * g_hat - f
    candidate[:, 3] = f[:, 3]
    condition = booster.candidate(candidate)
    assert not condition.condition_met
    assert condition.edge_min == condition.edges[3] < 0


def test_round_one_has_edges_of_exactly_zero_and_counts_as_met():
    g_hat, (f, _) = simulated(rounds=2)
    booster = Certificate(g_hat, rounds=2)
    assert (booster.signed_weights() == 0).all()
    record = booster.update(f)
    assert record.round == 1 and record.condition_met
    assert record.edges == record.relative_edges == (0,) * 5 and record.edge_min == 0
    assert record.effective_examples == pytest.approx(len(g_hat))


def test_a_candidate_is_judged_by_the_weights_that_the_barrier_sees():
    g_hat, (f, candidate) = simulated(rounds=2)
    booster = Certificate(g_hat, rounds=2)
    booster.update(f)
    condition = booster.candidate(candidate)
    edges = (booster.signed_weights() * (candidate - g_hat)).sum(axis=0)
    np.testing.assert_allclose(condition.edges, edges, rtol=1e-9)
    effective = 1 / (sum(weights(booster.s, booster.eta)) ** 2).sum(axis=0)
    assert booster.update(candidate).effective_examples == pytest.approx(effective.min(), rel=1e-9)


def test_weighing_a_candidate_changes_nothing_and_agrees_with_taking_it():
    g_hat, students = simulated()
    booster, undisturbed = Certificate(g_hat, rounds=4), Certificate(g_hat, rounds=4)
    for f in students:
        condition = booster.candidate(f)
        record = booster.update(f)
        assert record == undisturbed.update(f)
        assert dict(condition).items() <= dict(record).items()


# The certificate


# What a player deviates by, from one fixed error (N, L), the sum of its deviations so far, and the round.
PLAYERS = {
    "repeats one error": lambda error, total, t: error,
    "adds to the worst example": lambda error, total, t: B * (np.abs(total) == np.abs(total).max(axis=0)),
    "alternates": lambda error, total, t: error * (-1) ** t,
    "spikes on one example": lambda error, total, t: np.where(np.arange(len(error))[:, None] == 0, B, 1e-6),
}


def assert_holds(booster, record, deviation_of_prefix):
    """Every multiple of η bounds every class, and the record tells the truth about the least."""
    slack = 1e-9 * (1 + np.abs(deviation_of_prefix).max())
    assert (booster.bounds() >= deviation_of_prefix - slack).all()
    bound = booster.bounds().min(axis=0)
    np.testing.assert_allclose(record.measured_by_class, deviation_of_prefix, rtol=1e-9, atol=1e-12)
    assert record.bound_by_class == tuple(bound.tolist())
    tightest = int(np.argmin(bound - np.array(record.measured_by_class)))
    for name in ("measured", "bound", "trivial"):
        assert getattr(record, name) == getattr(record, f"{name}_by_class")[tightest]
    assert booster.bounds()[MULTIPLES.index(record.bound_eta), tightest] == record.bound


@deterministic
@given(deviations(), st.integers(1, 1000), st.floats(0.01, 100))
def test_certificate_holds_after_every_round_on_arbitrary_deviations_at_every_eta(d, rounds, deviation):
    booster = Certificate(np.zeros(d.shape[1:]), rounds=rounds, deviation=deviation)
    for t in range(1, len(d) + 1):
        record = booster.update(d[t - 1])
        assert_holds(booster, record, np.abs(d[:t].mean(axis=0)).max(axis=0))


@pytest.mark.parametrize("rounds", [1, 2, 6, 24, 64])
@pytest.mark.parametrize("player", PLAYERS)
def test_certificate_holds_against_players_who_try_to_break_it(player, rounds):
    random = np.random.default_rng(7)
    g_hat = random.uniform(-1, 1, size=(50, 3))
    error = random.uniform(-B, B, size=g_hat.shape)
    booster, total = Certificate(g_hat, rounds=rounds), np.zeros_like(g_hat)
    for t in range(rounds):
        d = PLAYERS[player](error, total, t)
        total = total + d
        record = booster.update(g_hat + d)
        assert_holds(booster, record, np.abs(total / (t + 1)).max(axis=0))


def test_right_side_is_the_formula_written_out():
    g_hat, students = simulated(rounds=3, examples=40, classes=2)
    booster = Certificate(g_hat, rounds=3)
    for f in students:
        booster.update(f)
    d = students.astype(np.float64) - g_hat
    for k, multiple in enumerate(MULTIPLES):
        eta = multiple * np.sqrt(2 * np.log(80) / 3) / B
        for j in range(2):
            right = np.log(80) / (3 * eta)
            for t, (up, down) in enumerate(literal_recursion(d, eta)[:-1]):
                b, second = np.abs(d[t, :, j]).max(), ((up + down)[:, j] * d[t, :, j] ** 2).sum()
                phi = (np.exp(eta * b) - 1 - eta * b) / (eta * b) ** 2
                right -= ((up - down)[:, j] * d[t, :, j]).sum() / 3
                right += min(eta**2 * b**2 / 2, eta**2 * phi * second) / (3 * eta)
            assert booster.bounds()[k, j] == pytest.approx(right, rel=1e-9)


def test_independent_deviations_make_the_bound_say_something_and_repeated_ones_do_not():
    g_hat, students = simulated(rounds=24, examples=2000, classes=3)
    boosted, repeated = Certificate(g_hat, rounds=24), Certificate(g_hat, rounds=24)
    for f in students:
        last, last_repeated = boosted.update(f), repeated.update(students[0])
    assert last.measured < last.bound < 0.8 * last.trivial
    assert last.bound_eta > 1  # Bennett's term pays off above the theory's η
    assert last_repeated.bound > last_repeated.measured > 0.3


def test_edges_at_the_theorys_eta_give_the_papers_rate():
    """With every edge ≥ 0 the right side is at most B·√(2 ln(2N)/T): the reason for that η."""
    examples, rounds = 30, 12
    g_hat = np.zeros((examples, 2))
    booster = Certificate(g_hat, rounds=rounds)
    random = np.random.default_rng(1)
    for _ in range(rounds):
        f = random.uniform(-B, B, size=g_hat.shape)
        f *= np.where(np.array(booster.candidate(f).edges) < 0, -1, 1)  # a mirrored student has the opposite edge
        assert min(booster.update(f).edges) >= 0
    rate = B * np.sqrt(2 * np.log(2 * examples) / rounds)
    assert (booster.bounds()[THEORY] <= rate + 1e-12).all()
    assert theory_eta(examples, rounds) == pytest.approx(rate / B**2)


def test_trivial_bound_is_the_mean_largest_deviation_but_at_most_one():
    booster = Certificate(np.zeros((2, 2)), rounds=2)
    booster.update(np.array([[0.5, 2.0], [0.0, 0.0]]))
    assert booster.update(np.array([[0.1, 0.0], [-0.25, 1.0]])).trivial_by_class == (0.375, 1)


# State


def test_replaying_saved_students_gives_the_same_state_and_records_bit_for_bit(tmp_path):
    g_hat, students = simulated(rounds=5)
    booster = Certificate(g_hat, rounds=5)
    records = [booster.update(f) for f in students]
    np.savez(tmp_path / "logits.npz", f=students)
    replayed = Certificate(g_hat, rounds=5)
    assert [replayed.update(f) for f in np.load(tmp_path / "logits.npz")["f"]] == records
    np.testing.assert_array_equal(replayed.signed_weights(), booster.signed_weights())
    np.testing.assert_array_equal(replayed.prefix(), booster.prefix())


def test_prefix_is_the_mean_of_the_students_and_never_an_alias_of_the_state():
    g_hat, students = simulated()
    booster = Certificate(g_hat, rounds=4)
    for t, f in enumerate(students, start=1):
        booster.update(f)
        np.testing.assert_allclose(booster.prefix(), students[:t].mean(axis=0, dtype=np.float64), rtol=1e-12)
    before = booster.signed_weights()
    booster.prefix()[:] = 7
    booster.s[:] = 7
    np.testing.assert_array_equal(booster.signed_weights(), before)


@pytest.mark.parametrize("block_rows", [1, 7, 299, 300, 10**6])
def test_block_size_changes_results_by_rounding_only(block_rows):
    g_hat, students = simulated()
    whole, blocks = Certificate(g_hat, rounds=4), Certificate(g_hat, rounds=4, block_rows=block_rows)
    for f in students:
        expected, record = whole.update(f), blocks.update(f)
        np.testing.assert_allclose(record.edges, expected.edges, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(record.bound_by_class, expected.bound_by_class, rtol=1e-9)
        assert record.effective_examples == pytest.approx(expected.effective_examples, rel=1e-9)


def test_record_survives_json():
    g_hat, (f, _) = simulated(rounds=2)
    record = Certificate(g_hat, rounds=2).update(f)
    assert CertificateRow.model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize("wrong", [np.zeros((3, 2)), np.full((2, 2), np.nan)])
def test_logits_of_another_shape_or_not_finite_are_refused_and_change_nothing(wrong):
    booster = Certificate(np.zeros((2, 2)), rounds=2)
    with pytest.raises(ValueError, match="student's logits"):
        booster.update(wrong)
    assert booster.round == 0 and (booster.s == 0).all()
    with pytest.raises(ValueError, match="first round"):
        booster.prefix()


def test_boosting_needs_no_torch():
    code = "import sys, bdistil.method.certificate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# What weighs most


def test_the_heaviest_pairs_are_those_furthest_off_each_with_its_side_and_share():
    """Sorted one by one, from the weights of both sides written out."""
    random = np.random.default_rng(3)
    g_hat = random.uniform(-1, 1, size=(30, 3))
    booster = Certificate(g_hat, rounds=4)
    f = g_hat + random.uniform(-0.5, 0.5, size=g_hat.shape)
    booster.update(f)
    up, down = weights(booster.s, booster.eta)
    pairs = [(side[i, j], i, j, sign) for side, sign in ((up, 1), (down, -1)) for i in range(30) for j in range(3)]
    expected = sorted(pairs, key=lambda pair: -pair[0])[:12]
    found = booster.heaviest()
    assert found["weight"].tolist() == [pair[0] for pair in expected]
    assert list(zip(found["index"], found["label"], found["sign"], strict=True)) == [pair[1:] for pair in expected]
    for index, label, sign in zip(found["index"], found["label"], found["sign"], strict=True):
        assert np.sign(g_hat[index, label] - f[index, label]) == sign  # +1 where the ensemble has been too low
    assert len(booster.heaviest(4)["sign"]) == 4 and len(booster.heaviest(10**6)["sign"]) == 180
    assert set(found["sign"].tolist()) == {-1, 1}, "both sides are among them"


def test_an_edge_of_exactly_nothing_misses_the_condition():
    g_hat = np.zeros((4, 2))
    booster = Certificate(g_hat, rounds=2)
    booster.update(np.array([[0.5, 0.5], [-0.5, 0.25], [0.25, 0.0], [0.0, -0.5]]))
    candidate = np.column_stack([-booster.s[:, 0], np.zeros(4)])  # corrects one class, deviates in no other
    condition = booster.candidate(candidate)
    assert condition.edges[0] > 0 and condition.edges[1] == condition.relative_edges[1] == 0
    assert not condition.condition_met and not booster.update(candidate).condition_met


def test_the_sums_that_are_handed_out_are_no_part_of_the_state():
    g_hat, (f, _) = simulated(rounds=2)
    booster = Certificate(g_hat, rounds=2)
    booster.update(f)
    booster.summed()[:] = 7
    np.testing.assert_array_equal(booster.summed(), f.astype(np.float64))

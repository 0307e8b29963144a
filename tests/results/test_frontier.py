"""The frontier's rows: intervals against independent computations, counts by hand, and what is read back from a run."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdistil.errors import UserError
from bdistil.records import PrefixCost, SplitScores
from bdistil.results import frontier, load
from bdistil.results.loading import compared
from bdistil.runs.points import point, prefix_logits, scores
from bdistil.statistics import accuracy_interval, group_interval, group_means_interval, points_lost, wilson
from tests.builders import build_run
from tests.builders.records import point as invented_point


def one_hot(answers, classes=3):
    return np.eye(classes, dtype=np.float32)[np.asarray(answers)]


def test_wilson_matches_published_values():
    # 81 of 263: Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wilson_holds_the_share_and_stays_in_range(total, share):
    right = round(share * total)
    low, high = wilson(right, total)
    assert 0 <= low <= right / total <= high <= 1


HALF = SplitScores(accuracy=0.5, agreement=0.5)
COST = PrefixCost(macs=10, parameters=3, bytes=12, memory_bytes=5, overhead_macs=0, carry_bytes=1)


def test_point_counts_by_hand():
    labels = np.array([0, 1, 2, 0, 1])
    before, now, teacher = one_hot([0, 0, 2, 1, 0]), one_hot([0, 1, 1, 1, 1]), one_hot([0, 1, 2, 1, 1])
    row = point(2, now, teacher, labels, before, validation=HALF, train=HALF, cost=COST, teacher_macs=40)
    assert (row.accuracy, row.agreement) == (0.6, 0.8)
    assert (row.fixed, row.broken) == (2, 1)  # the second example and the last fixed, the third broken
    assert row.macs_ratio == 0.25 and row.bytes == 12
    assert row.train == HALF and row.validation.accuracy == 0.5


def test_the_first_point_and_a_black_box_leave_unknowns_empty():
    row = point(1, one_hot([0, 1]), one_hot([0, 1]), np.array([0, 1]), validation=HALF, train=HALF, cost=COST)
    assert row.fixed is row.broken is row.macs_ratio is None


def test_the_bootstrap_on_counts_is_the_bootstrap_over_examples():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    prefix = one_hot(np.where(rng.random(300) < 0.85, labels, (labels + 1) % 3))
    teacher = one_hot(np.where(rng.random(300) < 0.92, labels, (labels + 1) % 3))
    difference = (teacher.argmax(1) == labels).astype(float) - (prefix.argmax(1) == labels)
    draws = 100 * difference[rng.integers(0, 300, (20_000, 300))].mean(axis=1)
    value, low, high = points_lost(prefix, teacher, labels)
    assert value == pytest.approx(100 * difference.mean())
    assert (low, high) == pytest.approx(np.percentile(draws, [2.5, 97.5]), abs=0.4)


def test_prefixes_are_running_means_on_the_teachers_scale():
    outputs = np.random.default_rng(0).normal(size=(5, 20, 3)).astype(np.float32)
    means = [3.7 * outputs[:t].astype(np.float64).sum(axis=0) / t for t in range(1, 6)]
    assert np.array_equal(prefix_logits(outputs, 3.7), np.array(means, np.float32))


def test_points_lost_is_negative_for_a_better_prefix_and_exact_for_equal_answers():
    labels = np.array([0, 1, 2, 0] * 25)
    assert points_lost(one_hot(labels), one_hot((labels + 1) % 3), labels) == (-100, -100, -100)
    assert points_lost(one_hot(labels), one_hot(labels), labels) == (0, 0, 0)


def test_the_same_run_gives_the_same_interval(tmp_path):
    path = build_run(tmp_path / "r")
    pd.testing.assert_frame_equal(frontier(path), frontier(path))


def test_frontier_of_24_prefixes_on_10_000_examples_takes_no_time():
    rng = np.random.default_rng(0)
    prefixes, teacher = rng.random((24, 10_000, 10), np.float32), rng.random((10_000, 10), np.float32)
    labels, rows = rng.integers(0, 10, 10_000), [invented_point(prefix=t) for t in range(1, 25)]
    began = time.process_time()
    compared(rows, prefixes, teacher, labels)
    assert time.process_time() - began < 0.5  # some 50 ms; the margin is for a busy machine


def test_stored_rows_agree_with_the_stored_logits(tmp_path):
    results = load(build_run(tmp_path / "r", rounds=4))
    assert results.prefixes.shape == (4, 400, 10) and results.prefixes.dtype == np.float32
    for prefix, row in zip(results.prefixes, results.points, strict=True):
        again = scores(prefix, results.teacher, results.labels)
        assert (row.accuracy, row.agreement) == (again.accuracy, again.agreement)


def test_the_data_frame_has_a_row_for_each_point(tmp_path):
    results = load(build_run(tmp_path / "r", rounds=4))
    table = frontier(results)
    assert {"prefix", "macs_ratio", "train_accuracy", "validation_agreement", "points_lost_low"} <= set(table)
    assert list(table["points_lost"]) == [point.points_lost for point in results.points]


def test_prefixes_are_means_on_the_teachers_scale(tmp_path):
    path = build_run(tmp_path / "r", rounds=3)
    results = load(path)
    f = [np.load(path / "rounds" / f"{t:02d}" / "logits.npz")["test"] for t in (1, 2, 3)]
    c = results.run.scale.c
    np.testing.assert_allclose(results.prefixes[2], c * (f[0] + f[1] + f[2]) / 3, rtol=1e-5, atol=1e-5)


def lost(point):
    return point.points_lost, point.points_lost_low, point.points_lost_high


def stored_prefixes(folder, results):
    """c·F_t of a polished run's corrective rounds, as each ended."""
    files = sorted(folder.glob("rounds/*/prefix.npz"))
    return [results.run.scale.c * np.load(file)["test"] for file in files]


def test_a_polished_runs_prefixes_are_those_of_its_rounds_until_it_is_polished(tmp_path):
    running = build_run(tmp_path / "running", method="b-distil+polish", rounds=3, state="running")
    results = load(running)
    np.testing.assert_allclose(results.prefixes, stored_prefixes(running, results), rtol=1e-5, atol=1e-6)
    finished = build_run(tmp_path / "finished", method="b-distil+polish", rounds=3)
    results = load(finished)
    earlier = stored_prefixes(finished, results)
    assert not np.allclose(results.prefixes, earlier, atol=0.1)
    for table, prefixes in ((results.points, results.prefixes), (results.unpolished, earlier)):
        assert [lost(point) for point in table] == [
            points_lost(logits, results.teacher, results.labels) for logits in prefixes
        ]


def test_what_is_lost_is_over_the_persons_that_a_split_holds_out():
    people = np.repeat([0, 1, 2], [20, 15, 5])
    labels = np.zeros(40, int)
    students = np.stack([one_hot(np.where(people >= person, 1, 0)) for person in (2, 1)])
    rows = [invented_point(prefix=number) for number in (1, 2)]
    points = compared(rows, students, one_hot(labels), labels, people)
    assert [lost(point) for point in points] == [
        points_lost(each, one_hot(labels), labels, people) for each in students
    ]
    assert [point.persons for point in points] == [3, 3]
    bounds = [accuracy_interval(each.argmax(1) == labels, people) for each in students]
    assert [(point.accuracy_low, point.accuracy_high) for point in points] == bounds
    alone = compared(rows, students, one_hot(labels), labels)
    assert lost(alone[0]) == points_lost(students[0], one_hot(labels), labels) != lost(points[0])


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_without_a_finished_round_has_an_empty_frontier(tmp_path, state):
    results = load(build_run(tmp_path / "r", state=state, done=0))
    assert results.points == () and len(results.prefixes) == 0 and frontier(results).empty


def test_a_sample_without_train_logits_keeps_its_train_figures(tmp_path):
    assert all(point.train.accuracy > 0 for point in load(build_run(tmp_path / "r", train=False)).points)


def test_damaged_logits_are_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load(build_run(tmp_path / "r", damage="logits"))


def test_whole_persons_are_drawn_anew_where_the_split_holds_them_out():
    labels, people = np.zeros(400, int), np.repeat([3, 7, 8, 9], 100)
    teacher, students = np.eye(2)[labels], np.eye(2)[(people == 9).astype(int)]  # all is lost on one person
    value, low, high = points_lost(students, teacher, labels, people)
    assert (value, low, high) == pytest.approx((25.0, 25 - 3.1824 * 25, 100.0))
    over_examples = points_lost(students, teacher, labels)
    assert over_examples[0] == 25.0 and over_examples[1] > 19 and over_examples[2] < 31
    assert points_lost(students, teacher, labels, np.zeros(400, int)) == over_examples  # one person tells of no others


def test_persons_with_more_examples_count_more():
    labels, people = np.zeros(40, int), np.repeat([0, 1], [30, 10])
    teacher, students = np.eye(2)[labels], np.eye(2)[people]
    assert points_lost(students, teacher, labels, people)[0] == 25.0


def test_of_three_equal_groups_it_is_the_t_interval_of_their_means():
    low, high = group_interval(np.array([-18.0, -16.5, -14.4]), np.arange(3), (-100, 100))
    centre, half = -16.3, 4.3027 * np.std([-18.0, -16.5, -14.4], ddof=1) / np.sqrt(3)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-3)


def test_of_unequal_groups_each_counts_by_its_examples():
    """By hand: shares 1/2, 3/10, 1/5 of the examples, and 1/Σh² − 1 = 1.6316 degrees of freedom."""
    people = np.repeat([0, 1, 2], [50, 30, 20])
    right = np.concatenate([np.arange(n) < hits for n, hits in ((50, 45), (30, 24), (20, 10))])
    centre = 0.5 * 0.9 + 0.3 * 0.8 + 0.2 * 0.5
    residuals = 0.5 * 0.11 / np.sqrt(0.5), 0.3 * 0.01 / np.sqrt(0.7), 0.2 * -0.29 / np.sqrt(0.8)
    quantile = 4.3027 + (1 / 1.6316 - 1 / 2) / (1 - 1 / 2) * (12.7062 - 4.3027)  # between two and one of them
    half = quantile * np.sqrt(np.square(residuals).sum())
    low, high = group_interval(right.astype(float), people, (-10, 10))
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-3)
    assert group_interval(right.astype(float), people, (0, 1)) == accuracy_interval(right, people) == (low, 1.0)
    # The same means of equal groups lie elsewhere.
    assert np.mean(group_interval(np.array([0.9, 0.8, 0.5]), np.arange(3))) == pytest.approx(2.2 / 3)
    # Of two groups the range of their means, however many examples each has.
    assert accuracy_interval(right[:80], people[:80]) == pytest.approx((0.8, 0.9))


def test_of_two_groups_it_is_their_range_and_no_interval_leaves_its_limits():
    assert group_interval(np.array([1.0, 0, 1, 1]), np.array([0, 0, 1, 1])) == (0.5, 1.0)
    assert group_interval(np.array([0.5, 1, 1]), np.arange(3), (0, 1))[1] == 1.0


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("heavy", [None, 0, 1])
@pytest.mark.parametrize("groups", [3, 5, 10])
def test_intervals_over_few_groups_cover_the_truth(groups, heavy, skewed):
    sizes = np.ones(groups)
    if heavy is not None:
        sizes[heavy::2] = 3
    generator = np.random.default_rng(0)
    shape = (10_000, groups)
    means = 1 - generator.exponential(size=shape) if skewed else generator.normal(size=shape)
    centre, half = group_means_interval(means, sizes)
    assert (np.abs(centre) <= half).mean() >= (0.87 if skewed else 0.93)


def test_accuracies_over_persons_have_the_persons_interval():
    people = np.repeat([0, 1, 2, 3], 10)
    right = np.concatenate([np.arange(10) < count for count in (10, 9, 7, 4)])
    means = np.array([1.0, 0.9, 0.7, 0.4])
    half = 3.1824 * means.std(ddof=1) / 2  # t over four persons
    assert accuracy_interval(right, people) == pytest.approx((0.75 - half, 1.0), abs=1e-9)
    two = people < 2
    assert accuracy_interval(right[two], people[two]) == (0.9, 1.0)  # the range of two persons
    assert accuracy_interval(right[:10], people[:10]) == accuracy_interval(right[:10]) == wilson(10, 10)


REST = dict(
    train=SplitScores(accuracy=1.0, agreement=1.0),
    validation=SplitScores(accuracy=1.0, agreement=1.0),
    cost=PrefixCost(macs=1, parameters=1, bytes=4, memory_bytes=4, overhead_macs=0, carry_bytes=0),
)


def test_a_row_says_how_many_persons_its_interval_is_over():
    labels, answers = np.zeros(30, int), np.repeat([0, 1, 0], [9, 2, 19])
    row = point(1, one_hot(answers), one_hot(labels), labels, people=np.repeat([4, 5, 7], 10), **REST)
    assert row.persons == 3
    assert (row.accuracy_low, row.accuracy_high) == accuracy_interval(answers == 0, np.repeat([4, 5, 7], 10))
    for people in (None, np.zeros(30, int)):
        row = point(1, one_hot(answers), one_hot(labels), labels, people=people, **REST)
        assert row.persons is None and (row.accuracy_low, row.accuracy_high) == wilson(28, 30)

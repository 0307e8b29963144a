"""Confusion and accuracy by class against counting by hand."""

import numpy as np
import pytest

from bdistil.results import Results, load
from bdistil.results.confusion import by_class, confusion
from tests.builders import build_run
from tests.builders.records import run_info


def results(labels, answers, teacher, classes):
    hot = np.eye(len(classes), dtype=np.float32)
    return Results(run_info(), tuple(classes), np.array(labels), hot[teacher], hot[answers][None], ())


def test_percent_of_the_row():
    found = confusion(results([0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 1, 1], "ab"), 1)
    np.testing.assert_array_equal(found.students, [[75, 25], [100, 0]])
    np.testing.assert_array_equal(found.teacher, [[50, 50], [0, 100]])
    np.testing.assert_array_equal(found.difference, [[25, -25], [100, -100]])


def test_a_class_without_examples_is_zero_and_left_out_by_class():
    found = results([0, 0], [0, 1], [0, 0], "abc")
    assert confusion(found, 1).students[2].tolist() == [0, 0, 0]
    [only] = by_class(found, 1)
    assert (only.name, only.examples, only.accuracy, only.teacher, only.difference) == ("a", 2, 0.5, 1.0, -50.0)


def test_above_twelve_classes_the_twelve_worst_in_their_own_order():
    labels = np.repeat(np.arange(15), 10)
    answers = labels.copy()
    for worst in range(3, 15):  # classes 0 to 2 are perfect
        answers[worst * 10] = 0
    found = confusion(results(labels, answers, labels, [f"c{i}" for i in range(15)]), 1)
    assert found.classes == tuple(f"c{i}" for i in range(3, 15))
    assert found.students.shape == (12, 12) and found.students.diagonal().tolist() == [90] * 12


def test_the_worst_class_comes_first_and_classes_average_to_the_frontiers_accuracy(tmp_path):
    loaded = load(build_run(tmp_path / "r"))
    table = by_class(loaded, 3)
    assert [row.difference for row in table] == sorted(row.difference for row in table)
    weighted = sum(row.accuracy * row.examples for row in table) / sum(row.examples for row in table)
    assert weighted == pytest.approx(loaded.points[2].accuracy)


def test_classes_without_examples_are_never_among_the_twelve_worst():
    labels = np.repeat(np.arange(14), 2)
    found = results(labels, labels, labels, [f"c{i}" for i in range(19)])
    assert confusion(found, 1).classes == tuple(f"c{i}" for i in range(12))


def test_of_classes_that_lost_as_much_the_less_accurate_comes_first():
    found = results([0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 0], "ab")
    assert [(row.name, row.accuracy, row.difference) for row in by_class(found, 1)] == [
        ("b", 0.5, 0.0),
        ("a", 1.0, 0.0),
    ]


def test_twelve_classes_are_all_shown_those_without_examples_too():
    labels = np.arange(11)
    found = confusion(results(labels, labels, labels, [f"c{i}" for i in range(12)]), 1)
    assert found.classes == tuple(f"c{i}" for i in range(12)) and found.students[11].tolist() == [0] * 12

"""Examples of disagreement: exactly those that differ, the surest first, with a truthful strip."""

import numpy as np
import pandas as pd
import pytest

from bdistil.results import Results, load
from bdistil.results.disagreements import disagreements
from tests.builders import build_run
from tests.builders.records import run_info


def test_what_is_shown_is_what_the_logits_say(tmp_path):
    results = load(build_run(tmp_path / "r"))
    count, shown = disagreements(results, 2, most=5)
    assert count == round((1 - results.points[1].agreement) * len(results.labels))
    assert len(shown) == 5
    sure = [example.students_probability for example in shown]
    assert sure == sorted(sure, reverse=True)
    for example in shown:
        answers = results.prefixes[:, example.index].argmax(axis=1)
        assert example.students == results.classes[answers[1]] != example.teacher
        assert example.strip == tuple(answers == results.labels[example.index])
        assert example.students_right == example.strip[1]
        assert example.label == results.classes[results.labels[example.index]]


def test_probabilities_are_softmax_and_survive_huge_logits():
    logits = np.array([[[1000.0, 0.0]]], np.float32)
    teacher = np.log(np.array([[0.2, 0.8]], np.float32))
    _, (example,) = disagreements(Results(run_info(), ("a", "b"), np.array([0]), teacher, logits, pd.DataFrame()), 1)
    assert example.students_probability == 1
    assert example.teacher_probability == pytest.approx(0.8)
    assert example.students_right and not example.teacher_right


def test_no_disagreement():
    logits = np.eye(2, dtype=np.float32)
    results = Results(run_info(), ("a", "b"), np.array([0, 1]), logits, logits[None], pd.DataFrame())
    assert disagreements(results, 1) == (0, [])


def test_each_example_has_the_teachers_probability_of_its_own():
    teacher = np.log(np.array([[0.2, 0.8], [0.9, 0.1], [0.3, 0.7]], np.float32))
    students = np.log(np.array([[0.6, 0.4], [0.2, 0.8], [0.4, 0.6]], np.float32))
    found = Results(run_info(), ("a", "b"), np.array([0, 0, 1]), teacher, students[None], ())
    count, (first,) = disagreements(found, 1, most=1)
    assert (count, first.index, first.teacher, first.students) == (2, 1, "a", "b")
    _, shown = disagreements(found, 1)
    assert [each.index for each in shown] == [1, 0]
    assert [each.teacher_probability for each in shown] == pytest.approx([0.9, 0.8])
    assert [each.students_probability for each in shown] == pytest.approx([0.8, 0.6])

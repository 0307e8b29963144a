"""Teachers that are objects in Python: how each is asked, how its answers are read, and what is no teacher."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from torch import nn

from bdistil.errors import UserError
from bdistil.teachers import python_teacher
from bdistil.teachers.python_teacher import answer, as_answers, column_labels, is_array, places, prepare

X, Y = load_digits().images[:150], load_digits().target[:150]
FLAT = X.reshape(len(X), -1)
LINEAR = LogisticRegression(C=0.01, max_iter=1000).fit(FLAT, Y)
LOGITS = LINEAR.decision_function(FLAT)


def network():
    """The linear teacher as a network, which would drop most of its answers in training."""
    linear = nn.Linear(64, 10)
    linear.weight.data, linear.bias.data = map(torch.from_numpy, (LINEAR.coef_, LINEAR.intercept_))
    return nn.Sequential(nn.Flatten(), linear, nn.Dropout(0.9))


@pytest.mark.parametrize(
    "teacher",
    [
        LOGITS,
        LOGITS.tolist(),
        pd.DataFrame(LOGITS),
        torch.from_numpy(LOGITS).requires_grad_(),
        LINEAR,
        LogisticRegression(C=0.01, max_iter=1000),  # not fitted: a clone of it is
        network(),
        lambda x: LINEAR.decision_function(x.reshape(len(x), -1)),
        lambda x: torch.from_numpy(LINEAR.decision_function(x.reshape(len(x), -1))).bfloat16().double(),
    ],
)
def test_logits_are_the_same_in_whatever_form_they_come(teacher):
    given = answer(prepare(teacher, X, Y), X, len(X))
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, LOGITS, rtol=1e-2, atol=1e-2)  # of sixteen bits, the roughest
    assert is_array(teacher) == (not callable(teacher) and not hasattr(teacher, "predict"))


def test_a_module_answers_in_batches_in_evaluation_mode_and_keeps_its_own(monkeypatch):
    monkeypatch.setattr(python_teacher, "BATCH", 40)
    teacher, sizes = network().train(), []
    teacher[1].eval()
    teacher.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape))
    np.testing.assert_allclose(answer(teacher, X.astype(np.uint8), len(X)), LOGITS, rtol=1e-5, atol=1e-5)
    assert sizes == [(40, 8, 8)] * 3 + [(30, 8, 8)]
    assert [part.training for part in (teacher, *teacher)] == [True, True, False, True]
    assert all(p.grad is None for p in teacher.parameters())


def test_a_classifier_that_is_fitted_is_asked_itself_and_another_one_stays_as_it_is():
    assert prepare(LINEAR, X, Y[::-1]) is LINEAR
    untouched = SVC()
    fitted = prepare(untouched, X, Y)
    assert fitted is not untouched and fitted.n_features_in_ == 64 and not hasattr(untouched, "classes_")


def test_without_a_decision_function_probabilities_are_asked_for():
    near = KNeighborsClassifier().fit(FLAT, Y)
    given = answer(near, X, len(X))
    np.testing.assert_allclose(given, np.log(np.maximum(near.predict_proba(FLAT), 1e-7)), rtol=1e-5)


def test_classifiers_that_are_not_scikit_learns_read_inputs_as_they_are():
    class Other:
        def predict_proba(self, x):
            assert x.shape == X.shape
            return LINEAR.predict_proba(x.reshape(len(x), -1))

    expected = np.log(np.maximum(LINEAR.predict_proba(FLAT), 1e-7))
    np.testing.assert_allclose(answer(prepare(Other(), X), X, len(X)), expected, rtol=1e-5)


def test_a_data_frame_keeps_its_names_for_the_teacher():
    frame, y = load_iris(return_X_y=True, as_frame=True)
    fitted = prepare(LogisticRegression(max_iter=500), frame, y)
    assert list(fitted.feature_names_in_) == list(frame.columns)
    assert answer(fitted, frame, 150).shape == (150, 3)  # without a warning of missing names


@pytest.mark.parametrize("form", [np.asarray, torch.from_numpy, lambda p: p.astype(np.float16)])
def test_probabilities_are_recognised(form):
    likely = LINEAR.predict_proba(FLAT)
    np.testing.assert_allclose(as_answers(form(likely), 150), np.log(np.maximum(likely, 1e-7)), atol=1.5)
    assert (as_answers(likely, 150) < 0).all()
    np.testing.assert_array_equal(as_answers(likely, 150, scores=True), likely.astype(np.float32))


def test_one_column_is_the_second_class_of_two():
    margins = np.array([-3.0, 0.0, 2.0])
    expected = [[1.5, -1.5], [0, 0], [-1, 1]]
    for given in (margins, margins[:, None], torch.from_numpy(margins)):
        np.testing.assert_array_equal(as_answers(given, 3), expected)
    likely = np.array([1e-9, 0.5, 1 - 1e-6])
    pairs = np.stack([1 - likely, likely], axis=1)
    np.testing.assert_allclose(as_answers(likely, 3), as_answers(pairs, 3), rtol=1e-6, atol=1e-6)
    assert as_answers(likely, 3)[2] == pytest.approx([np.log(1e-6), 0], abs=1e-3)
    # A decision function may lie between 0 and 1 without being a probability.
    np.testing.assert_array_equal(as_answers(np.array([0.5, 1.0]), 2, scores=True), [[-0.25, 0.25], [-0.5, 0.5]])


def test_columns_have_the_names_that_are_given_or_the_classifiers_or_those_of_y():
    y = np.array(["b", "a", "b"])
    assert column_labels(None, 2, ["x", "a"], y).tolist() == ["x", "a"]
    assert column_labels(LINEAR, 10, None, Y).tolist() == list(range(10))
    assert column_labels(None, 2, None, y).tolist() == ["a", "b"]
    assert column_labels(None, 3).tolist() == [0, 1, 2]


def test_places_are_those_of_the_labels():
    assert places(np.array(["c", "a", "c"]), np.array(["c", "b", "a"])).tolist() == [0, 2, 0]
    assert places(np.array([1.0, 5.0]), np.array([5, 1])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: prepare(LogisticRegression, X), "A teacher cannot be LogisticRegression: give an array of logits, a"),
        (lambda: prepare("resnet-m", X), "A teacher cannot be of type str: give"),
        (lambda: prepare(LinearRegression(), X), "A teacher cannot be of type LinearRegression"),
        (lambda: prepare(SVC(), X), "requires y to be passed, .*: give the labels, or a fitted teacher"),
        (lambda: as_answers(LOGITS[:5], 150), r"have shape \(5, 10\); give one row for each of the 150 inputs"),
        (lambda: as_answers(3.0, 150), r"have shape \(\); give one row"),
        (lambda: as_answers(np.zeros((150, 0)), 150), r"have shape \(150, 0\); give one row"),
        (lambda: as_answers(LOGITS[:, :, None], 150), r"have shape \(150, 10, 1\)"),
        (lambda: as_answers("no", 1), "The teacher's answers are no numbers"),
        (lambda: as_answers([[1, 2], [3]], 2), "The teacher's answers are no numbers"),
        (
            lambda: as_answers(np.where(np.arange(10) == 3, np.nan, LOGITS), 150),
            "The teacher, row 1: the logits hold NaN",
        ),
        (lambda: as_answers(LOGITS * 1e300, 150), "row 1: the logits hold infinite values"),
        (
            lambda: column_labels(SVC().fit(FLAT, Y), 45),
            "have 45 columns, and its classes_ has 10 classes: it needs one",
        ),
        (
            lambda: column_labels(None, 3, list("aab")),
            "Two columns of the teacher's answers have the same label in classes",
        ),
        (lambda: column_labels(None, 3, list("abbc")), "have 3 columns, and classes has 4 classes: name the label"),
        (lambda: column_labels(None, 2, None, np.zeros(4)), "have 2 columns, and y has 1 class: name"),
        (lambda: places(np.array([1, 11]), np.arange(3)), "y has the label 11, and the teacher knows 0, 1, 2: name"),
        (lambda: places(np.array(["0"]), np.arange(2)), "y has the label '0', and the teacher knows 0, 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(call, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)

"""What `BDistil.fit` makes of a teacher, labels and validation data, and the sentence for what does not fit."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from torch import nn

import bdistil.estimator
from bdistil import BDistil
from bdistil.errors import UserError
from tests.tasks import one_thread  # noqa: F401

SHORT = dict(student="cnn-xs", rounds=1, epochs=2, polish_epochs=2, batch_size=16)
X, Y = load_digits().images[:100], load_digits().target[:100]
FLAT = X.reshape(len(X), -1)
LINEAR = LogisticRegression(C=0.01, max_iter=1000).fit(FLAT, Y)
LOGITS = LINEAR.decision_function(FLAT)


def fitted(x=X, y=Y, *, teacher_logits=None, validation_data=None, **given):
    """A short training."""
    return BDistil(**SHORT | given).fit(x, y, teacher_logits=teacher_logits, validation_data=validation_data)


@pytest.fixture(scope="module")
def model():
    """What has learnt from the logits."""
    return fitted(teacher_logits=LOGITS)


@pytest.fixture
def distilled(monkeypatch):
    """The data of the test's distillations."""
    seen, real = [], bdistil.estimator.Distillation

    def kept(config, data, ensemble, **more):
        seen.append(data)
        return real(config, data, ensemble, **more)

    monkeypatch.setattr(bdistil.estimator, "Distillation", kept)
    return seen


@pytest.mark.parametrize(
    "teacher",
    [
        LOGITS,
        LINEAR,
        LogisticRegression(C=0.01, max_iter=1000),  # not fitted: a clone of it is, and answers alike
        lambda x: LINEAR.decision_function(x.reshape(len(x), -1)),
    ],
)
def test_the_same_answers_teach_the_same_in_whatever_form(teacher, model):
    same = fitted(teacher=teacher)
    np.testing.assert_array_equal(same.decision_function(X), model.decision_function(X))
    assert (same.teacher_ is None) == isinstance(teacher, np.ndarray)


def test_a_module_teaches():
    """One that is right nearly always, as the students are then."""
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    teacher[1].weight.data, teacher[1].bias.data = map(torch.from_numpy, (LINEAR.coef_, LINEAR.intercept_))
    tensors = torch.from_numpy(X).float()
    assert fitted(tensors, teacher=teacher, epochs=4, polish_epochs=4).score(tensors, Y) > 0.6


def test_forests_without_a_decision_function_teach_by_their_probabilities():
    model = fitted(teacher=RandomForestClassifier(random_state=0), epochs=4, polish_epochs=4)
    assert model.teacher_.n_features_in_ == 64 and model.score(X, Y) > 0.6


def test_the_probabilities_are_those_of_the_logits(model):
    logits = model.decision_function(X)
    assert logits.shape == (100, 10)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(model.predict_proba(X), powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)
    two = fitted(teacher=LINEAR, rounds=2, meet_condition=False)
    first = two.predict_proba(X, prefix=1)
    assert np.array_equal(two.predict(X, prefix=1), first.argmax(1)) and not np.array_equal(first, two.predict_proba(X))


def test_two_classes_have_one_column_in_and_out():
    few = Y < 2
    x, y = X[few], np.array(["no", "yes"])[Y[few]]
    teacher = LogisticRegression(C=0.01).fit(FLAT[few], y)
    margins = teacher.decision_function(FLAT[few])
    assert margins.shape == (few.sum(),)
    model = fitted(x, y, teacher=teacher, epochs=6)
    scores = model.decision_function(x)
    assert scores.shape == (few.sum(),) and model.score(x, y) == 1
    assert np.array_equal(model.predict(x) == "yes", scores > 0)
    np.testing.assert_allclose(model.predict_proba(x)[:, 1], 1 / (1 + np.exp(-scores)), rtol=1e-5)
    np.testing.assert_allclose(next(model.staged_decision_function(x)), scores, atol=1e-5)
    for same in (margins, np.stack([-margins / 2, margins / 2], axis=1)):
        np.testing.assert_array_equal(fitted(x, y, teacher=same, epochs=6).decision_function(x), scores)


@pytest.mark.parametrize("names", [np.array(list("jihgfedcba")), np.array([89, 55, 34, 21, 13, 8, 5, 2, 1, -3])])
def test_labels_may_be_strings_or_have_gaps(names, model):
    """Digit 0 has the last label: columns are sorted by label, and everything goes with them."""
    y, expected = names[Y], sorted(names.tolist())
    long = dict(epochs=4, polish_epochs=4)
    for one in (
        fitted(y=y, teacher=LogisticRegression(C=0.01, max_iter=1000), **long),
        fitted(y=y, teacher_logits=LOGITS, classes=names, **long),
    ):
        assert one.classes_.tolist() == expected and one.ensemble_.classes == tuple(map(str, expected))
        assert one.score(X, y) > 0.6


def test_a_class_that_y_lacks_is_known_by_the_teacher_or_by_name():
    few = Y != 3
    for teacher, classes in ((LINEAR, None), (LOGITS[few], range(10))):
        model = fitted(X[few], Y[few], teacher=teacher, classes=classes)
        assert list(model.classes_) == list(range(10)) and model.predict_proba(X).shape == (100, 10)
    with pytest.raises(UserError, match="answers have 10 columns, and y has 9 classes: name the label of each column"):
        fitted(X[few], Y[few], teacher=LOGITS[few])


def test_without_labels_the_teachers_decisions_stand_in(distilled):
    fitted(y=None, teacher=LINEAR)
    data = distilled[0].dataset
    shown = np.concatenate([data.x_train, data.x_validation]).reshape(100, -1)
    assert np.array_equal(np.concatenate([data.y_train, data.y_validation]), LINEAR.predict(shown))


def test_the_teacher_answers_for_validation_data(distilled):
    one, other = slice(0, 60), slice(60, 100)
    half = dict(x=X[one], y=Y[one])
    fitted(**half, teacher=LINEAR, validation_data=(X[other], Y[other]))
    fitted(**half, teacher=LINEAR, validation_data=(X[other], None))
    fitted(**half, teacher_logits=LOGITS[one], validation_data=(X[other], LOGITS[other]))
    decisions = LINEAR.predict(FLAT[other])
    for data, labels in zip(distilled, (Y[other], decisions, decisions), strict=True):
        assert len(data.dataset.x_train) == 60 and np.array_equal(data.dataset.y_validation, labels)
        np.testing.assert_allclose(data.teacher.validation, LOGITS[other], rtol=1e-6)
    with pytest.raises(UserError, match="validation data's logits have 9 columns and the teacher's 10"):
        fitted(teacher_logits=LOGITS, validation_data=(X, LOGITS[:, :9]))


def test_a_part_is_held_out_by_class_and_by_seed(distilled):
    for seed in (0, 0, 1):
        fitted(teacher=LINEAR, random_state=seed, validation_fraction=0.2)
    first, same, other = (data.dataset for data in distilled)
    assert (len(first.x_train), len(first.x_validation)) == (80, 20)
    assert (np.abs(np.bincount(first.y_validation) - np.bincount(Y) / 5) < 1).all()
    assert np.array_equal(first.x_validation, same.x_validation)
    assert not np.array_equal(first.x_validation, other.x_validation)
    for x, y, logits in (
        (first.x_train, first.y_train, distilled[0].teacher.train),
        (first.x_validation, first.y_validation, distilled[0].teacher.validation),
    ):  # what belongs together has stayed together
        rows = [next(row for row, own in enumerate(X) if np.array_equal(own, picture)) for picture in x[:, 0]]
        assert np.array_equal(Y[rows], y)
        np.testing.assert_allclose(logits, LOGITS[rows], rtol=1e-6)
    both = np.concatenate([first.x_train, first.x_validation])
    assert sorted(map(bytes, both)) == sorted(map(bytes, X.astype(np.uint8)))


def test_a_class_of_one_example_does_not_hinder_holding_out(distilled):
    some = np.concatenate([np.flatnonzero(Y != 3), np.flatnonzero(Y == 3)[:1]])
    fitted(X[some], Y[some], teacher=LINEAR)
    assert len(distilled[0].dataset.x_validation) == np.ceil(len(some) / 10)


def test_no_random_state_is_numpys(monkeypatch):
    from bdistil.estimator import _seed

    np.random.seed(3)
    drawn = _seed(None)
    assert drawn != _seed(None)
    assert drawn == _seed(np.random.RandomState(3)) and _seed(np.int64(7)) == 7
    np.random.seed(3)
    once = fitted(teacher=LINEAR, random_state=None).decision_function(X)
    assert np.array_equal(once, fitted(teacher=LINEAR, random_state=drawn).decision_function(X))


def test_answers_in_another_order_are_doubted():
    with pytest.warns(UserWarning, match="hardly more often than in a random order .*: check the order of its rows"):
        fitted(teacher=np.random.default_rng(0).permutation(LOGITS))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (dict(), r"There is no teacher: give BDistil\(teacher=…\), or fit\(…, teacher_logits=…\)\."),
        (dict(teacher=LINEAR, teacher_logits=LOGITS), "There are two teachers: leave out either"),
        (dict(teacher="resnet-m"), "A teacher cannot be of type str: give an array of logits"),
        (dict(teacher=LOGITS[:50]), "The teacher is an array of 50 rows and X has 100"),
        (dict(teacher=LogisticRegression(), y=None), "requires y to be passed"),
        (dict(teacher=lambda x: LOGITS[:5]), r"have shape \(5, 10\); give one row for each of the 100 inputs"),
        (dict(teacher=LINEAR, y=np.where(Y == 3, 11, Y)), "y has the label 11, and the teacher knows 0, 1, 2, 3"),
        (dict(teacher=LINEAR, y=Y[:-1]), "X has 100 examples and y has 99: give one label for each"),
        (
            dict(teacher=LINEAR, x=X[:20].repeat(9, axis=2)[..., None].repeat(3, axis=3), y=Y[:20]),
            r"last; .*transpose\(",
        ),
        (dict(teacher=LINEAR, x=FLAT), r"Inputs have shape \(100, 64\); give \(N, channels, height, width\)"),
        (dict(teacher=LINEAR, x=X / 16), "whole numbers from 0 to 255"),
        (
            dict(teacher=LINEAR, validation_fraction=0),
            "`validation_fraction` must be a number above 0, below 1; got “0”",
        ),
        (dict(teacher=LINEAR, rounds=0), "`rounds` must be a whole number"),
        (dict(teacher=LINEAR, validation_data=(X[:, :4], Y)), r"have shape \(100, 4, 8\), and BDistil was fitted to"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_a_value_error(given, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        fitted(**given)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (dict(y=Y + 0.5), "Unknown label type"),
        (dict(y=np.stack([Y, Y], axis=1)), "y should be a 1d array"),
        (dict(x=X[:1], y=Y[:1]), "a minimum of 2 is required by BDistil"),
    ],
)
def test_what_scikit_learn_words_is_left_to_it(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        fitted(teacher=LINEAR, **given)

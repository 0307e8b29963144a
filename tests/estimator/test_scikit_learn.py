"""`BDistil` among scikit-learn's tools: its own checks, pipelines, cross-validation, grids, copies and pickles."""

import doctest
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import bdistil.estimator
from bdistil import BDistil
from bdistil.errors import UserError
from tests.tasks import one_thread  # noqa: F401

# Rows of a table are read as series of one channel. Correcting heads would double the time and is no convention's
# matter. A teacher that is not fitted learns whatever data a check makes up.
SMALL = dict(student="gru-xs", mode="full", rounds=2, epochs=2, polish_epochs=10, batch_size=32, meet_condition=False)
NOT_APPLICABLE = {
    "check_methods_subset_invariance": "PyTorch rounds single precision otherwise in batches of other sizes: answers "
    "differ by some 1e-7, which is what the check allows, on some machines",
}


@parametrize_with_checks(
    [BDistil(**SMALL, teacher=LogisticRegression())], expected_failed_checks=lambda estimator: NOT_APPLICABLE
)
# Some checks make labels up at random: the teacher's answers are then no better, and BDistil says so.
@pytest.mark.filterwarnings("ignore:The teacher’s answers are right for:UserWarning")
def test_it_keeps_the_conventions(estimator, check):
    check(estimator)


def test_answers_hardly_depend_on_the_batch():
    """What the check that is not applicable is about, at single precision."""
    model, X, _ = iris_model()
    alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, model.predict_proba(X[:20]), atol=1e-5)


def iris_model(**given):
    X, y = load_iris(return_X_y=True)
    return BDistil(**(SMALL | dict(teacher=LogisticRegression(max_iter=500)) | given)).fit(X, y), X, y


def test_the_example_in_its_docstring_runs():
    tried = doctest.testmod(bdistil.estimator)
    assert tried.attempted == 8 and not tried.failed


def test_a_pipeline_scales_for_teacher_and_students_alike():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), BDistil(**SMALL, teacher=LogisticRegression())).fit(X * 1000, y)
    assert model.score(X * 1000, y) > 0.8
    assert np.abs(model[-1].teacher_.coef_).max() > 0.5  # of raw columns, a thousand times larger, it would be tiny


def test_each_fold_of_a_cross_validation_has_a_teacher_of_its_own():
    X, y = load_iris(return_X_y=True)
    fitted = LogisticRegression(max_iter=500).fit(X, y)
    scores = cross_val_score(BDistil(**SMALL, teacher=fitted), X, y, cv=3)
    assert len(scores) == 3 and scores.mean() > 0.6
    assert not np.array_equal(clone(BDistil(**SMALL, teacher=fitted)).fit(X[::2], y[::2]).teacher_.coef_, fitted.coef_)


def test_a_frozen_teacher_stays_as_it_is_in_a_cross_validation():
    X, y = load_iris(return_X_y=True)
    fitted = LogisticRegression(max_iter=500).fit(X, y)
    model = clone(BDistil(**SMALL, teacher=FrozenEstimator(fitted))).fit(X[::2], y[::2])
    assert np.array_equal(model.teacher_.coef_, fitted.coef_)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.6


def test_a_grid_goes_over_rounds_and_over_the_teachers_own_parameters():
    X, y = load_iris(return_X_y=True)
    grid = {"rounds": np.arange(1, 3), "teacher__C": [1e-6, 1.0]}
    search = GridSearchCV(
        BDistil(**SMALL, teacher=LogisticRegression(max_iter=500)), grid, cv=2, scoring="neg_log_loss"
    ).fit(X, y)
    assert search.best_params_["teacher__C"] == 1.0
    assert len(search.best_estimator_.ensemble_) == search.best_params_["rounds"]


def test_logits_given_to_fit_are_split_with_the_inputs():
    X, y = load_iris(return_X_y=True)
    logits = LogisticRegression(max_iter=500).fit(X, y).decision_function(X)
    assert cross_val_score(BDistil(**SMALL), X, y, cv=3, params={"teacher_logits": logits}).mean() > 0.6
    search = GridSearchCV(BDistil(**SMALL), {"rounds": [1, 2]}, cv=2).fit(X, y, teacher_logits=logits)
    assert search.best_score_ > 0.6


def test_an_array_as_teacher_is_refused_by_a_cross_validation():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(UserError, match="an array of 150 rows and X has 100: .* give it to fit as teacher_logits"):
        cross_val_score(BDistil(**SMALL, teacher=np.eye(3)[y]), X, y, cv=3, error_score="raise")


def test_it_is_a_classifier_whose_tags_say_what_it_reads():
    assert is_classifier(BDistil())
    reads = [get_tags(BDistil(student)).input_tags for student in ("cnn-s", "gru-s")]
    assert [(tags.two_d_array, tags.three_d_array) for tags in reads] == [(False, True), (True, True)]


def test_a_pickled_model_answers_as_before():
    model, X, _ = iris_model()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "asked",
    [
        lambda model, X: model.predict(X),
        lambda model, X: model.predict_proba(X),
        lambda model, X: model.decision_function(X),
        lambda model, X: next(model.staged_decision_function(X)),
        lambda model, X: model.predict_until(X, 5.0),
        lambda model, X: model.score(X, np.zeros(len(X))),
    ],
)
def test_nothing_can_be_asked_before_fit_nor_after_one_that_failed(asked):
    X = np.zeros((6, 8, 8))
    model = BDistil("cnn-xs")
    with pytest.raises(NotFittedError):
        asked(model, X)
    with pytest.raises(ValueError, match="There is no teacher"):
        model.fit(X, [0, 1] * 3)
    with pytest.raises(NotFittedError):
        asked(model, X)


def test_features_are_counted_and_named():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = BDistil(**SMALL | {"rounds": 1}, teacher=LogisticRegression(max_iter=500)).fit(X, y)
    assert model.n_features_in_ == 4 and list(model.feature_names_in_) == list(X.columns)
    with pytest.raises(ValueError, match="The feature names should match those that were passed during fit"):
        model.predict(X.iloc[:, ::-1])
    X = X.to_numpy()
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 3 features, but BDistil is expecting 4 features as input"):
        model.predict(X[:, :3])
    with pytest.raises(UserError, match=r"Inputs have shape \(150, 2, 2\), and BDistil was fitted to \(N, 4, 1\)"):
        model.predict(X.reshape(-1, 2, 2))


def test_pictures_are_counted_alike_with_and_without_an_axis_of_channels():
    pictures = load_digits().images[:60]
    model = BDistil("cnn-xs", rounds=1, epochs=1, polish_epochs=0).fit(
        pictures, teacher_logits=np.eye(10)[np.arange(60) % 10]
    )
    assert model.n_features_in_ == 64
    assert np.array_equal(model.predict(pictures[:, None]), model.predict(pictures))
    with pytest.raises(UserError, match=r"Inputs have shape \(60, 4, 8\), and BDistil was fitted to \(N, 1, 8, 8\)"):
        model.predict(pictures[:, :4])


def test_fit_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    iris_model(rounds=1)
    assert torch.equal(torch.rand(3), expected)

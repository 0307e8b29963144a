"""`BDistil` in scikit-learn's manner: both methods, all prefixes in one pass, and sentences for what does not fit."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone

from bdistil import BDistil
from bdistil.config import DistilConfig
from bdistil.cost import prefix_costs
from bdistil.errors import UserError
from bdistil.recipes import chosen_by_recipes
from tests.tasks import digits_task, one_thread  # noqa: F401

SHORT = dict(student="cnn-xs", rounds=2, epochs=1, polish_epochs=2, batch_size=48)


@pytest.fixture(scope="module")
def task():
    return digits_task(200)


def fitted(task, **given):
    return BDistil(**(SHORT | given)).fit(task.dataset.x_train, task.dataset.y_train, teacher_logits=task.teacher.train)


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_either_method_gives_prefixes_edges_and_records(task, method):
    model = fitted(task, method=method)
    assert len(model.ensemble_) == 2 and model.edges_.shape == (2, 10) and len(model.records_) == 2
    assert (model.edges_[0] == 0).all() and (model.edges_[1] > 0).all() and model.records_[1].condition_met
    staged = list(model.staged_decision_function(task.dataset.x_test))
    assert [logits.shape for logits in staged] == [(360, 10)] * 2
    for prefix, logits in enumerate(staged, start=1):
        np.testing.assert_allclose(model.decision_function(task.dataset.x_test, prefix=prefix), logits, atol=1e-5)
    assert (model.predict(task.dataset.x_test) == task.dataset.y_test).mean() > 0.5
    heads = {student.gives_prefix for student in model.ensemble_.students}
    assert heads == {method == "b-distil+polish"}


def test_the_same_seed_gives_the_same_model_and_another_one_another(task):
    one, same, other = (fitted(task, random_state=seed) for seed in (0, 0, 1))
    x = task.dataset.x_test[:20]
    assert np.array_equal(one.decision_function(x), same.decision_function(x))
    assert not np.array_equal(one.decision_function(x), other.decision_function(x))
    assert clone(one).get_params() == one.get_params()


def test_composition_and_head_are_the_methods_own_unless_given(task):
    model = fitted(task, composition="add", head="student")
    assert model.ensemble_.students[1].spec["family"] == "cnn" and not model.ensemble_.students[1].gives_prefix
    assert fitted(task).ensemble_.students[1].spec["family"] == "triangular"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"method": "polish"}, "`method` must be one of"),
        ({"rounds": 0}, "`rounds` must be"),
        ({"student": "cnn-sx"}, "Did you mean cnn-s"),
        ({"student": None}, "`student` must be a name; got “None”"),
        ({"random_state": -1}, "`random_state` must be a whole number from 0"),
        ({"loss": "student"}, "Corrective rounds train prefixes"),
    ],
)
def test_what_cannot_be_is_a_sentence(task, given, sentence):
    with pytest.raises(UserError, match=sentence):
        fitted(task, **given)


def test_logits_of_other_inputs_are_refused(task):
    with pytest.raises(UserError, match="one row for each of the 200 inputs"):
        BDistil(**SHORT).fit(task.dataset.x_train, teacher_logits=task.teacher.test)


def test_a_deadline_decides_how_many_students_answer(task):
    model, x = fitted(task), task.dataset.x_test
    first, last = model.predict(x, prefix=1), model.predict(x)
    assert not np.array_equal(first, last)
    assert np.array_equal(model.predict_until(x, 0), first)
    assert np.array_equal(model.predict_until(x, float("inf")), last)


def test_a_student_of_another_family_has_the_recipe_of_its_own(task):
    """Temporal convolutions read no carried state, which is what a sensor's recipe says."""
    x, logits = np.random.default_rng(0).normal(size=(2, 40, 12, 3))
    model = BDistil("tcn-s", rounds=2, epochs=1, polish_epochs=1).fit(x, teacher_logits=logits[:, 0])
    assert [student.spec["composition"] for student in model.ensemble_.students][1] == "add"


def test_budgets_decide_rounds_and_sizes(task):
    small = SHORT | dict(rounds=None, budgets="20k,60k", meet_condition=False)
    model = fitted(task, **small)
    costs = [cost.macs for cost in prefix_costs(model.ensemble_)]
    assert len(costs) == 2
    assert all(0.75 * limit < macs <= limit for macs, limit in zip(costs, (20_000, 60_000), strict=True))


def test_a_budget_that_no_student_comes_near_is_warned_of(task):
    with pytest.raises(UserWarning, match="of its budget: there is no student of this kind between them"):
        fitted(task, rounds=None, budgets="900G")  # warnings are errors here, before anything is trained


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (dict(rounds=3), "each of the 2 budgets, and `rounds` is 3: leave out `rounds`"),
        (dict(budgets="1%,3%"), "does not know the teacher's MACs, so its budgets cannot be shares"),
        (dict(budgets="5,10"), "The budget of prefix 1, 5 MACs, is too small"),
        (dict(budgets="60k,20k"), "`budgets` must be rising limits"),
        (dict(growth=1.5), "leave out either `budgets` or `growth`"),
    ],
)
def test_budgets_that_cannot_be_are_a_sentence(task, given, sentence):
    with pytest.raises(UserError, match=sentence):
        fitted(task, **dict(rounds=None, budgets="20k,60k") | given)


# Arrays have no recipe of their own: this is what small ones need, of which there are no changed versions.
OWN_DEFAULTS = dict(student="cnn-s", epochs=10, polish_epochs=20)


def declared_parameters():
    """The parameters that are options of a run, as the signature has them."""
    parameters = inspect.signature(BDistil).parameters
    return [parameters[name] for name in parameters if name in DistilConfig.model_fields and name != "teacher"]


@pytest.mark.parametrize("parameter", declared_parameters(), ids=lambda parameter: parameter.name)
def test_a_parameters_default_is_the_declared_one(parameter):
    declared = DistilConfig.options()[parameter.name].default
    from_recipe = None if parameter.name in chosen_by_recipes() else declared
    assert parameter.default == OWN_DEFAULTS.get(parameter.name, from_recipe)


@pytest.mark.parametrize("parameter", declared_parameters(), ids=lambda parameter: parameter.name)
def test_a_parameter_is_explained_as_it_is_declared(parameter):
    explained = " ".join(BDistil.__doc__.split())
    if parameter.name in ("student", "rounds", "budgets"):  # they are not quite as in a run
        assert f" {parameter.name}: " in explained
    else:
        assert f"- {parameter.name}: {DistilConfig.options()[parameter.name].help} " in explained

"""Sizes from budgets: prefixes are within their limits and use them, whatever is spent on reading others."""

import pytest
import torch

from bdistil.config import DistilConfig
from bdistil.cost import prefix_costs
from bdistil.data import info
from bdistil.errors import UserError
from bdistil.method.distillation import Distillation
from bdistil.method.frozen import distil
from bdistil.method.joint import distil_together
from bdistil.method.ladder import FIRST_SHARE, Rung, build, ladder, plan, rungs, student_name, untrained
from tests.tasks import digits_task, one_thread  # noqa: F401
from tests.workers import distil_config, polished_config

PLANS = [
    ("fashion-mnist", "cnn-xs", "add", (140_000, 460_000, 1_400_000)),
    ("fashion-mnist", "cnn-m", "concat", (140_000, 1_400_000)),
    ("digits", "cnn-xs", "concat-all", (20_000, 60_000, 200_000)),
    ("dsa-19", "gru-m", "carry-state", (30_000, 300_000)),
    ("dsa-19", "gru-s", "carry-state-pool", (30_000, 300_000)),
    ("watch", "tcn-m", "concat", (10_000, 160_000)),
]


def planned_config(dataset, student, composition, budgets, **given):
    text = ",".join(map(str, budgets))
    return DistilConfig.create(
        dataset, teacher="t", student=student, composition=composition, budgets=text, meet_condition=False, **given
    )


@pytest.mark.parametrize(("dataset", "student", "composition", "budgets"), PLANS)
def test_every_prefix_is_within_its_budget_and_uses_most_of_it(dataset, student, composition, budgets):
    config = planned_config(dataset, student, composition, budgets)
    data_info = info(dataset)
    planned = plan(config, data_info, budgets)
    assert [each.limit for each in planned] == list(budgets)
    assert all(0.75 <= each.share <= 1 for each in planned), [each.share for each in planned]
    # What is planned is what prefixes cost, connections included.
    costs = prefix_costs(untrained(config, data_info, len(budgets), budgets))
    assert [each.macs for each in planned] == [cost.macs for cost in costs]


def test_planning_draws_nothing():
    config = planned_config("digits", "cnn-xs", "add", (20_000, 60_000))
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    plan(config, info("digits"), (20_000, 60_000))
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("budgets", [(100, 60_000), (20_000, 20_100)])
def test_a_budget_below_the_smallest_student_is_refused(budgets):
    place = 1 if budgets[0] == 100 else 2
    with pytest.raises(UserError, match=rf"budget of prefix {place}, .* of the kind of cnn-xs it takes [\d,]+\. Raise"):
        plan(planned_config("digits", "cnn-xs", "add", budgets), info("digits"), budgets)


def test_a_search_begins_below_the_budget_and_ends_within_it():
    task, budgets = digits_task(40), (20_000, 60_000)
    config = distil_config(budgets="20k,60k", rounds=2)
    start = Distillation(config, task, untrained(config, task.dataset.info, 1, budgets), budgets=budgets)
    steps, before = rungs(start), prefix_costs(start.ensemble)[-1].macs
    assert [rung.composition for rung in steps] == ["add", "concat", "concat-all"]
    spent = []
    for rung in steps:
        longer = untrained(config, task.dataset.info, 1, budgets)
        longer.append(build(config, task.dataset.info, longer, rung))
        spent.append((prefix_costs(longer)[-1].macs - before) / (budgets[1] - before))
    assert max(spent) <= 1 and spent[0] <= FIRST_SHARE < min(spent[1:])


def test_rounds_with_budgets_train_students_that_grow_within_them():
    task, budgets, small = digits_task(120), (20_000, 60_000), dict(budgets="20k,60k", rounds=2)
    for config, rounds in (
        (distil_config(**small, epochs=1, meet_condition=False), lambda d: [r.record for r in distil(d)]),
        (polished_config(**small, epochs=1, polish_epochs=1), distil_together),
    ):
        distillation = Distillation(config, task, task.ensemble(), budgets=budgets)
        records = rounds(distillation)
        costs = [cost.macs for cost in prefix_costs(distillation.ensemble)]
        assert all(0.75 * limit < macs <= limit for macs, limit in zip(costs, budgets, strict=True))
        names = [record.student for record in records]
        assert all(name.startswith("cnn-xs × ") for name in names) and names[0] != names[1]


def test_a_student_far_below_its_budget_is_remarked_upon():
    budgets = (10_000, 40_000)
    first, second = plan(planned_config("dsa-19", "gru-m", "carry-state", budgets), info("dsa-19"), budgets)
    assert first.remark(1) == (
        "Prefix 1 takes 6,863 of the 10,000 MACs of its budget: there is no student of this kind between them."
    )
    assert second.remark(2) is None


def test_students_grow_from_the_second_round_on_and_are_named_by_their_size():
    config = distil_config(growth=1.2)
    first = [ladder(config, round)[0] for round in (1, 2, 3)]
    assert [rung.grown for rung in first] == pytest.approx([1, 1.2, 1.44])
    assert [student_name(config, rung) for rung in first] == ["cnn-xs", "cnn-xs × 1.2", "cnn-xs × 1.44"]
    assert student_name(distil_config(), Rung(3, "concat-all", 1.5)) == "cnn-xs × 1.5"

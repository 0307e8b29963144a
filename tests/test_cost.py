"""Costs, against numbers worked out by hand."""

import pytest
import torch
from torch import nn

from bdistil import cost
from bdistil.cost import LiveBytes
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.records import ModelCost
from bdistil.students import build_student
from bdistil.students.student import Student

SHAPE = (1, 28, 28)
# cnn-xs at 28x28: levels of 14x14, 7x7, 4x4, 4x4, and a head that reads 2x2x16.
XS_MACS = 14 * 14 * 9 * 8 + 7 * 7 * 9 * 8 * 16 + 4 * 4 * 9 * 16 * 16 * 2 + 64 * 10
XS_PARAMETERS = 9 * 8 + 9 * 8 * 16 + 2 * 9 * 16 * 16 + 2 * (8 + 16 + 16 + 16) + 64 * 10 + 10
XS_STATISTICS = 2 * (8 + 16 + 16 + 16)
XS_CARRY = 14 * 14 * 8 + 7 * 7 * 16 + 2 * 4 * 4 * 16


def ensemble_of(*students, composition):
    ensemble = ProgressiveEnsemble(c=1.0, classes="0123456789", mean=[0.0], std=[1.0], input_shape=SHAPE)
    previous = None
    for name in students:
        previous = build_student(name, input_shape=SHAPE, classes=10, composition=composition, previous=previous)
        ensemble.append(previous)
    return ensemble


class Tiny(Student):
    """Eight hidden values from four inputs, left for the next student, which this one ignores."""

    def __init__(self):
        super().__init__()
        self.input_shape, self.classes, self.reads, self.carry_shapes = (4,), 2, {}, {"hidden": (8,)}
        self.spec = {"family": "tiny", "reads": {}}
        self.hidden, self.head = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x, carry):
        hidden = self.hidden(x).relu_()
        return self.head(hidden), {"hidden": hidden}


def test_one_mac_is_two_flops():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(2 * 4 * 4, 5))
    assert cost.macs(net, torch.zeros(1, 1, 4, 4)) == 4 * 4 * 9 * 2 + 32 * 5
    assert cost.macs(net, torch.zeros(3, 1, 4, 4)) == 3 * (4 * 4 * 9 * 2 + 32 * 5)


def test_a_single_models_cost():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(32, 5))
    parameters = 18 + 4 + 165
    assert cost.model_cost(net, (1, 4, 4)) == ModelCost(
        macs=288 + 160,
        parameters=parameters,
        bytes=4 * (parameters + 4),  # the running mean and variance too, not the batch counter
    )


def test_counting_leaves_the_model_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    mean = net[1].running_mean.clone()
    cost.macs(net, torch.ones(1, 1, 4, 4))
    assert net.training and net[1].training and torch.equal(net[1].running_mean, mean)


def test_shared_weights_count_once():
    layer = nn.Linear(3, 3)
    assert cost.parameters(nn.ModuleList([layer, layer])) == cost.parameters(layer) == 12


@pytest.mark.parametrize(
    ("composition", "overhead"),
    [
        ("alone", 0),
        ("add", 0),
        # 1x1 projections of three levels, and a head that reads 64 features more
        ("concat", 14 * 14 * 8 * 8 + 7 * 7 * 16 * 16 + 4 * 4 * 16 * 16 + 64 * 10),
    ],
)
def test_a_prefixs_cost_by_hand(composition, overhead):
    first, second, third = cost.prefix_costs(ensemble_of("cnn-xs", "cnn-xs", "cnn-xs", composition=composition))
    assert first.macs == XS_MACS and second.macs == 2 * XS_MACS + overhead
    assert third.macs == 3 * XS_MACS + 2 * overhead
    assert [each.overhead_macs for each in (first, second, third)] == [0, overhead, 2 * overhead]
    projections = 8 * 8 + 16 * 16 + 16 * 16 + 64 * 10 if composition == "concat" else 0
    assert first.parameters == XS_PARAMETERS and second.parameters == 2 * XS_PARAMETERS + projections
    assert first.bytes == 4 * (XS_PARAMETERS + XS_STATISTICS)
    assert second.bytes == 2 * first.bytes + 4 * projections
    assert third.bytes == 3 * first.bytes + 8 * projections
    assert first.carry_bytes == second.carry_bytes == (0 if composition == "alone" else 4 * XS_CARRY)


def test_bridging_other_widths_counts_as_overhead():
    _, second = cost.prefix_costs(ensemble_of("cnn-xs", "cnn-s", composition="add"))
    assert second.overhead_macs == 14 * 14 * 8 * 16 + 7 * 7 * 16 * 32 + 2 * 4 * 4 * 16 * 48


def test_live_bytes_of_a_tiny_net_by_hand():
    x = torch.zeros(1, 4)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad(), LiveBytes([x]) as live:
        net(x)
    assert live.peak == 4 * (4 + 8 + 8)  # at the ReLU: the input, what it reads, what it writes


def test_live_bytes_forget_the_dead_and_count_views_once():
    with LiveBytes() as live:
        for _ in range(5):
            block = torch.zeros(100)
            view = block[10:].view(9, 10)
            view.add_(1)
            del block, view
    assert live.peak == 400


def test_live_bytes_leave_weights_out():
    weight = torch.zeros(1000, 1000)
    x = torch.zeros(1, 1000)
    with LiveBytes([x]) as live:
        x @ weight.t()
    assert live.peak == 4 * (1000 + 1000)


def test_a_prefixs_live_memory_by_hand():
    ensemble = ProgressiveEnsemble(
        [Tiny(), Tiny()], c=1.0, classes="ab", mean=[0.0] * 4, std=[1.0] * 4, input_shape=(4,)
    )
    first, second = cost.prefix_memory(ensemble)
    # Student 1: x (4), hidden (8), logits (2), and the squash's few numbers. Student 2: hidden twice, and the sum.
    few = 4 * 12
    assert 4 * (4 + 8 + 2) < first <= 4 * (4 + 8 + 2) + few
    assert 4 * (4 + 8 + 8 + 2 + 2) < second <= 4 * (4 + 8 + 8 + 2 + 2) + few


def test_live_memory_counts_what_is_held_for_the_next_student():
    alone = cost.prefix_costs(ensemble_of("cnn-m", "cnn-m", composition="alone"))
    added = cost.prefix_costs(ensemble_of("cnn-m", "cnn-m", composition="add"))
    widest = 14 * 14 * 32
    assert alone[0].memory_bytes == 4 * (28 * 28 + 2 * widest + 10)  # at the first batch norm, beside the sum
    carry = added[0].carry_bytes
    assert added[1].memory_bytes == pytest.approx(alone[0].memory_bytes + carry, abs=200)
    assert alone[1].memory_bytes == pytest.approx(alone[0].memory_bytes, abs=200)


def test_how_much_of_a_series_has_passed_is_where_a_student_ends():
    whole, second = (
        build_student("gru-xs", input_shape=(2, 40), classes=3, composition="alone", steps=steps)
        for steps in (None, (10, 20))
    )
    picture = build_student("cnn-xs", input_shape=SHAPE, classes=3, composition="alone")
    assert [cost.window_share(student) for student in (whole, second, picture)] == [1.0, 0.5, 1.0]

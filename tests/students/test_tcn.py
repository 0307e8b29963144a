"""Convolutional students for series: what they cost by formula, and which steps they can share."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bdistil import cost
from bdistil.errors import UserError
from bdistil.students import build_student
from bdistil.students.build import from_spec
from bdistil.students.tcn import TCN

SIZES = st.integers(1, 6)


@given(
    channels=SIZES, inputs=SIZES, steps=st.integers(1, 30), left=SIZES, composition=st.sampled_from(["add", "concat"])
)
@settings(max_examples=40, deadline=None)
def test_macs_are_those_of_the_formula(channels, inputs, steps, left, composition):
    halved = (steps + 1) // 2
    reads = dict.fromkeys(("level1", "level2", "level3"), (left, halved))
    student = TCN(channels, (inputs, steps), 5, composition, reads=reads)
    own = halved * (3 * inputs * channels + 2 * (3 * channels + channels**2)) + 2 * channels * 5
    bridge = left * channels * halved
    reading = 2 * bridge + 2 * left * 5 if composition == "concat" else 3 * bridge if left != channels else 0
    carry = {name: torch.zeros(1, *shape) for name, shape in reads.items()}
    assert student.reading_macs == reading
    assert cost.macs(student, torch.zeros(1, inputs, steps), carry) == own + reading


def test_students_share_levels_over_the_same_steps_only():
    options = dict(input_shape=(3, 20), classes=4, composition="add")
    first = build_student("tcn-s", steps=(0, 10), **options)
    again = build_student("tcn-s", steps=(10, 20), previous=first, **options)
    assert again.reads == first.carry_shapes == dict.fromkeys(("level1", "level2", "level3"), (12, 5))
    with pytest.raises(UserError, match="leaves 5 steps, and this one has 10: let both read the same part"):
        build_student("tcn-s", previous=first, **options)


def test_a_segment_knows_nothing_of_other_steps():
    torch.manual_seed(0)
    student, x = TCN(4, (3, 20), 5, "alone", (5, 10)).eval(), torch.randn(2, 3, 20)
    other = x.clone()
    other[:, :, :5], other[:, :, 10:] = 7.0, 7.0
    assert torch.equal(student(x, {})[0], student(other, {})[0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channels": 0}, "whole numbers of at least 1"),
        ({"steps": [4, 21]}, "steps 4 to 21 of a series of 20"),
        ({"composition": "carry-state"}, "tcn has no composition carry-state"),
        ({"head": "both"}, "no head 'both'"),
        ({"input_shape": [3, 4, 5]}, "damaged"),
    ],
)
def test_unusable_descriptions_are_refused_in_a_sentence(change, sentence):
    spec = TCN(4, (3, 20), 5, "add").spec
    with pytest.raises(UserError, match=sentence):
        from_spec({**spec, **change})


def test_the_head_reads_the_mean_and_the_largest_of_each_channel():
    student, x = TCN(4, (3, 20), 5).eval(), torch.randn(2, 3, 20)
    seen = []
    student.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    student.blocks["level3"].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    student.norms["level3"].register_forward_hook(lambda _, __, made: seen.append(made))
    with torch.no_grad():
        student(x, {})
    before, made, features = seen
    last = (made + before).relu()
    torch.testing.assert_close(features, torch.cat((last.mean(dim=2), last.max(dim=2).values), dim=1))

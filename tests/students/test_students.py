"""The contract of students, over the whole registry: every name, composition, input shape and kind of predecessor."""

import itertools
import json

import pytest
import torch

from bdistil import cost
from bdistil.errors import UserError
from bdistil.students import build_student, names, rebuild
from bdistil.students.build import from_spec
from bdistil.students.catalogue import FAMILIES, family
from bdistil.students.levels import level_strides, residual_levels

SHAPES = {"digits": (1, 8, 8), "fashion-mnist": (1, 28, 28), "colour": (3, 32, 32), "watch": (6, 20), "words": (4, 9)}
OTHER_WIDTH = {
    "cnn-xs": "cnn-s",
    "cnn-s": "cnn-m",
    "cnn-m": "cnn-xs",
    "cnn-l": "cnn-s",
    "gru-xs": "gru-s",
    "gru-s": "gru-m",
    "gru-m": "gru-xs",
    "tcn-s": "tcn-m",
    "tcn-m": "tcn-s",
}
OF_FAMILY = {"cnn": ("digits", "fashion-mnist"), "gru": ("watch", "words"), "tcn": ("watch", "words")}
CASES = [
    pytest.param(name, composition, SHAPES[shape], previous, id=f"{name}-{composition}-{shape}-{previous}")
    for name in names()
    for composition, shape, previous in itertools.product(
        family(name).ladder, OF_FAMILY[family(name).name], ("first", "same", "other")
    )
    if previous != "other" or name in OTHER_WIDTH
] + [
    pytest.param("cnn-s", composition, SHAPES["colour"], "same", id=f"{composition}-colour")
    for composition in FAMILIES["cnn"].ladder
]
BATCH, CLASSES = 3, 5


def make(name, composition, shape, previous):
    """A student in training mode, inputs, and the carry that its predecessor left for them."""
    torch.manual_seed(0)
    x, before, carry = torch.randn(BATCH, *shape), None, {}
    if previous != "first":
        before_name = name if previous == "same" else OTHER_WIDTH[name]
        before = build_student(before_name, input_shape=shape, classes=CLASSES, composition=composition).eval()
        with torch.no_grad():
            _, carry = before(x, {})
    student = build_student(name, input_shape=shape, classes=CLASSES, composition=composition, previous=before)
    return student, x, carry


@pytest.mark.parametrize(("name", "composition", "shape", "previous"), CASES)
def test_every_student_keeps_the_contract(name, composition, shape, previous):
    student, x, carry = make(name, composition, shape, previous)

    logits, left = student(x, carry)
    assert logits.shape == (BATCH, CLASSES)
    assert {key: tuple(value.shape[1:]) for key, value in left.items()} == student.carry_shapes
    assert all(len(value) == BATCH for value in left.values())
    assert set(student.reads) <= set(carry)
    assert bool(student.carry_shapes) == (composition != "alone")
    assert bool(student.reads) == (composition != "alone" and previous != "first")

    (logits * torch.randn(BATCH, CLASSES)).sum().backward()
    for key, parameter in student.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key

    student.eval()
    counted = cost.macs(student, x[:1], {key: value[:1] for key, value in carry.items()})
    assert counted > student.reading_macs >= 0 and bool(student.reading_macs) <= bool(student.reads)
    if composition != "concat-all":  # there a level may be the predecessors' alone, and no student is without them
        twin = from_spec({**student.spec, "reads": {}}).eval()
        assert counted - cost.macs(twin, x[:1], {}) == student.reading_macs

    spec = json.loads(json.dumps(student.spec))
    again = rebuild(spec, student.weights()).eval()
    with torch.no_grad():
        torch.testing.assert_close(again(x, carry)[0], student(x, carry)[0], rtol=0, atol=0)
    strides = [parameter.stride() for parameter in student.parameters()]
    assert [parameter.stride() for parameter in again.parameters()] == strides  # the fast memory layout, too
    fresh = from_spec(spec)
    assert (fresh.spec, fresh.reads, fresh.carry_shapes) == (student.spec, student.reads, student.carry_shapes)
    assert fresh.load_state_dict(student.state_dict())


@pytest.mark.parametrize("composition", ["add", "concat", "concat-all"])
@pytest.mark.parametrize("before", ["add", "concat", "concat-all", "alone"])
def test_any_composition_may_follow_any_other(before, composition):
    previous = build_student("cnn-xs", input_shape=(1, 8, 8), classes=5, composition=before).eval()
    student = build_student("cnn-s", input_shape=(1, 8, 8), classes=5, composition=composition, previous=previous)
    x = torch.randn(2, 1, 8, 8)
    assert student(x, previous(x, {})[1])[0].shape == (2, 5)
    assert bool(student.reads) == (before != "alone")


@pytest.mark.parametrize("composition", ["add", "concat", "concat-all"])
def test_what_is_read_changes_the_answer(composition):
    student, x, carry = make("cnn-m", composition, (1, 8, 8), "other")
    student.eval()
    # The widths are large enough here that every level reads the one below it.
    for name in student.reads:
        changed = {**carry, name: carry[name] + 1}
        assert not torch.equal(student(x, changed)[0], student(x, carry)[0]), name


def test_a_student_leaves_its_predecessors_carry_as_it_was():
    student, x, carry = make("cnn-s", "add", (1, 8, 8), "same")
    before = {name: tensor.clone() for name, tensor in carry.items()}
    student(x, carry)
    assert all(torch.equal(carry[name], before[name]) for name in carry)


def test_fresh_heads_give_logits_of_order_one_in_every_round():
    torch.manual_seed(0)
    x, previous, carry = torch.randn(64, 1, 28, 28), None, {}
    for _ in range(8):
        student = build_student("cnn-m", input_shape=(1, 28, 28), classes=10, composition="add", previous=previous)
        with torch.no_grad():
            logits, carry = student(x, carry)
        assert 0.05 < logits.std() < 3
        previous = student


def test_the_larger_students_have_the_macs_that_the_catalogue_promises():
    x = torch.zeros(1, 1, 28, 28)
    macs = [
        cost.macs(build_student(name, input_shape=(1, 28, 28), classes=10, composition="alone"), x, {})
        for name in names("image")
    ]
    assert macs == sorted(macs) and macs[names("image").index("cnn-m")] == 1_768_576


def test_unusable_descriptions_are_refused_in_a_sentence():
    spec = build_student("cnn-xs", input_shape=(1, 8, 8), classes=5, composition="add").spec
    for change in (
        {"family": "rnn"},
        {"composition": "sum"},
        {"widths": [8, 0, 8, 8]},
        {"widths": None},
        {"widths": []},
        {"classes": "ten"},
        {"input_shape": [8, 8]},
        {"reads": {"level1": [8, 4, 4]}},
        {"surprise": 1},
    ):
        with pytest.raises(UserError):
            from_spec({**spec, **change})


def test_weights_that_are_damaged_or_foreign_are_refused():
    student = build_student("cnn-xs", input_shape=(1, 8, 8), classes=5, composition="add")
    other = build_student("cnn-s", input_shape=(1, 8, 8), classes=5, composition="add")
    with pytest.raises(UserError, match="damaged"):
        rebuild(student.spec, student.weights()[:-10])
    with pytest.raises(UserError, match="damaged"):
        rebuild(student.spec, b"not safetensors at all")
    with pytest.raises(UserError, match="another shape"):
        rebuild(student.spec, other.weights())


def test_describing_and_rebuilding_draw_no_random_numbers():
    student = build_student("cnn-xs", input_shape=(1, 8, 8), classes=5, composition="add")
    before = torch.get_rng_state()
    rebuild(student.spec, student.weights())
    assert torch.equal(torch.get_rng_state(), before)


def test_deep_students_have_two_levels_at_each_resolution_and_a_residual_step_where_nothing_changes():
    assert level_strides(4, 28) == (2, 2, 2, 1) and level_strides(4, 8) == (1, 2, 2, 1)
    assert level_strides(6, 32) == (2, 1, 2, 1, 2, 1) and level_strides(6, 8) == (1, 1, 2, 1, 2, 1)
    assert residual_levels((16, 32, 48, 48), level_strides(4, 28)) == {4}
    assert residual_levels((16, 16, 16, 16), level_strides(4, 28)) == {4}  # the others halve
    first, second = (
        build_student("cnn-xl", input_shape=(3, 32, 32), classes=5, composition=name) for name in ("add", "concat-all")
    )
    assert first.residual == second.residual == {2, 4, 6}
    assert first.carry_shapes["level2"] == (48, 16, 16) and first.carry_shapes["level6"] == (128, 4, 4)
    for student in (first.eval(), second.eval()):
        normal = [part for part in student.modules() if isinstance(part, torch.nn.BatchNorm2d)]
        with torch.no_grad():
            normal[1].weight.zero_()  # without its convolution the level passes on what comes
        _, left = student(torch.randn(2, 3, 32, 32), {})
        assert torch.equal(left["level1"], left["level2"]) and left["level3"].std() > 0


def test_later_students_of_one_network_cost_about_the_first_and_share_its_first_level():
    shape, students, previous = (1, 28, 28), [], None
    for _ in range(6):
        previous = build_student("cnn-m", input_shape=shape, classes=10, composition="concat-all", previous=previous)
        students.append(previous)
    x, carry, macs = torch.zeros(1, *shape), {}, []
    for student in students:
        macs.append(cost.macs(student, x, carry))
        _, left = student(x, carry)
        assert not carry or left["level1"] is carry["level1"]
        carry = left
    assert all(0.8 < each / macs[0] < 1.2 for each in macs)
    assert all(width % 16 == 0 for student in students for width in student.spec["widths"])
    assert carry["features"].shape[1:] == (sum(student.spec["widths"][3] for student in students), 2, 2)
    # What is read is counted: the network's MACs on channels that are a student's own, and the rest.
    own = [student.spec["widths"] for student in students]
    assert students[0].reading_macs == 0
    w = own[1]
    assert macs[1] - students[1].reading_macs == 9 * (16 * w[1] * w[2] + 16 * w[2] * w[3]) + 4 * w[3] * 10


def test_a_head_that_gives_the_prefix_starts_as_the_one_before_it():
    options = dict(input_shape=(1, 8, 8), classes=5, composition="concat-all", head="prefix")
    first = build_student("cnn-xs", **options)
    second = build_student("cnn-xs", previous=first, **options)
    known = first.head.in_features
    assert torch.equal(second.head.weight[:, :known], first.head.weight)
    assert torch.equal(second.head.bias, first.head.bias)
    assert second.head.weight[:, known:].abs().min() > 0  # new inputs are not silent
    assert second.gives_prefix and second.spec["head"] == "prefix"
    own = build_student("cnn-xs", previous=first, **(options | {"head": "student"}))
    assert not torch.equal(own.head.weight[:, :known], first.head.weight) and not own.gives_prefix


@pytest.mark.parametrize("family", ["cnn", "triangular"])
def test_a_level_without_channels_needs_a_carry_that_has_it(family):
    spec = {"family": family, "widths": [0, 8, 8, 8], "input_shape": [1, 8, 8], "classes": 5, "reads": {}}
    with pytest.raises(UserError, match="at least 1"):
        from_spec(spec)
    with pytest.raises(UserError, match="no head 'both'"):
        from_spec({**spec, "widths": [8, 8, 8, 8], "head": "both"})


@pytest.mark.parametrize("composition", ["add", "concat-all"])
def test_a_fresh_head_is_small(composition):
    """Added activations grow with the rounds: a head of torch's own size would answer too surely at first."""
    student = build_student("cnn-xs", input_shape=(1, 8, 8), classes=5, composition=composition)
    largest = student.head.in_features**-0.5  # of torch's initial weights
    assert 0.25 * largest < student.head.weight.abs().max() < 0.31 * largest

"""Recurrent students: what they read of a series, what they carry on, and what that costs."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bdistil import cost
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.students import build_student
from bdistil.students.build import from_spec
from bdistil.students.catalogue import segment
from bdistil.students.gru import GRU

CHANNELS, STEPS, CLASSES = 3, 13, 5
SIZES = st.integers(1, 6)


def chain(compositions, *, rounds=None, wider=None, **given):
    """Students of these compositions one after another, each of its segment where there are `rounds` of them."""
    options = dict(input_shape=(CHANNELS, STEPS), classes=CLASSES) | given
    students, previous = [], None
    for t, composition in enumerate(compositions, start=1):
        steps = segment("segments", t, rounds, (CHANNELS, STEPS)) if rounds else None
        previous = build_student(
            "gru-xs",
            composition=composition,
            previous=previous,
            steps=steps,
            wider=wider[t - 1] if wider else 1.0,
            **options,
        ).eval()
        students.append(previous)
    return students


def passed(students, x):
    """What each student answers and leaves, one after the other."""
    carry, results = {}, []
    with torch.no_grad():
        for student in students:
            logits, carry = student(x, carry)
            results.append((logits, carry))
    return results


@given(hidden=SIZES, channels=SIZES, steps=st.integers(1, 40), rounds=st.integers(1, 8), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_students_of_one_cell_in_segments_are_one_pass_over_the_series(hidden, channels, steps, rounds, seed):
    rounds = min(rounds, steps)
    torch.manual_seed(seed)
    x = torch.randn(2, channels, steps)
    whole = GRU(hidden, (channels, steps), 3, "carry-state").eval()
    carry, means = {}, []
    for t in range(1, rounds + 1):
        part = segment("segments", t, rounds, (channels, steps))
        reads = {"state": (hidden,)} if t > 1 else {}
        student = GRU(hidden, (channels, steps), 3, "carry-state-pool", part, reads).eval()
        student.cell = whole.cell
        with torch.no_grad():
            _, carry = student(x, carry)
        means.append((carry["pooled"][:, -2 * hidden : -hidden], part[1] - part[0]))
        carry = {"state": carry["state"]}
    states, last = whole.cell(x.transpose(1, 2))
    torch.testing.assert_close(carry["state"], last[0])
    mean = sum(mean * length for mean, length in means) / steps
    torch.testing.assert_close(mean, states.mean(dim=1))


@given(steps=st.integers(1, 300), data=st.data())
def test_segments_share_out_every_step_once(steps, data):
    rounds = data.draw(st.integers(1, steps))
    parts = [segment("segments", t, rounds, (1, steps)) for t in range(1, rounds + 1)]
    assert parts[0][0] == 0 and parts[-1][1] == steps
    assert all(end == first for (_, end), (first, _) in zip(parts, parts[1:], strict=False))
    lengths = {end - first for first, end in parts}
    assert min(lengths) >= 1 and max(lengths) - min(lengths) <= 1
    assert segment("full", 1, rounds, (1, steps)) is None


@pytest.mark.parametrize("composition", ["alone", "carry-state", "carry-state-pool"])
def test_a_student_of_a_segment_knows_nothing_of_later_steps(composition):
    torch.manual_seed(0)
    students, x = chain([composition] * 3, rounds=3), torch.randn(2, CHANNELS, STEPS)
    _, end = segment("segments", 2, 3, x.shape)
    later = x.clone()
    later[:, :, end:] = 9.0
    before, after = passed(students, x), passed(students, later)
    for t in (0, 1):
        assert torch.equal(before[t][0], after[t][0])
    assert not torch.equal(before[2][0], after[2][0])
    first = x.clone()
    first[:, :, 0] += 1
    changed = [not torch.equal(a[0], b[0]) for a, b in zip(before, passed(students, first), strict=True)]
    assert changed == [True, *[composition != "alone"] * 2]  # what came before reaches later students by the carry


@pytest.mark.parametrize(
    ("compositions", "left"),
    [
        (["alone"] * 3, [{}] * 3),
        (["carry-state"] * 3, [{"state": (8,)}] * 3),
        (["carry-state-pool"] * 3, [{"state": (8,), "pooled": (16 * t,)} for t in (1, 2, 3)]),
        # Where the search climbs the ladder, a head that pools begins with the state that is there.
        (
            ["carry-state", "carry-state-pool", "carry-state-pool"],
            [{"state": (8,)}, {"state": (8,), "pooled": (24,)}, {"state": (8,), "pooled": (40,)}],
        ),
        (["carry-state-pool", "carry-state"], [{"state": (8,), "pooled": (16,)}, {"state": (8,)}]),
        (["alone", "carry-state-pool"], [{}, {"state": (8,), "pooled": (16,)}]),
    ],
)
def test_what_is_left_behind(compositions, left):
    students, x = chain(compositions), torch.randn(2, CHANNELS, STEPS)
    assert [student.carry_shapes for student in students] == left
    for student, (_, carry) in zip(students, passed(students, x), strict=True):
        assert {name: tuple(tensor.shape[1:]) for name, tensor in carry.items()} == student.carry_shapes
    ProgressiveEnsemble(
        students,
        c=1.0,
        classes=range(CLASSES),
        mean=[0.0] * CHANNELS,
        std=[1.0] * CHANNELS,
        input_shape=(CHANNELS, STEPS),
    )


@pytest.mark.parametrize("composition", ["carry-state", "carry-state-pool"])
def test_everything_that_is_read_changes_the_answer(composition):
    torch.manual_seed(0)
    *_, student = chain([composition] * 2, rounds=2)
    x, carry = torch.randn(2, CHANNELS, STEPS), {name: torch.randn(2, *shape) for name, shape in student.reads.items()}
    answer, _ = student(x, carry)
    assert set(student.reads) == ({"state", "pooled"} if composition == "carry-state-pool" else {"state"})
    for name in student.reads:
        assert not torch.equal(student(x, {**carry, name: carry[name] + 1})[0], answer)


@given(hidden=SIZES, channels=SIZES, steps=st.integers(1, 30), before=SIZES, pooled=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_macs_are_those_of_the_formula(hidden, channels, steps, before, pooled):
    reads = {"state": (before,)} | ({"pooled": (pooled,)} if pooled else {})
    student = GRU(hidden, (channels, steps), CLASSES, "carry-state-pool", reads=reads)
    recurrence = steps * 3 * hidden * (channels + hidden)
    projection = before * hidden if before != hidden else 0
    earlier = pooled or before  # of one that left no features: its state
    head = (2 * hidden + earlier) * CLASSES
    x = torch.zeros(1, channels, steps)
    assert student.reading_macs == projection + earlier * CLASSES
    assert cost.macs(student, x, {name: torch.zeros(1, *shape) for name, shape in reads.items()}) == (
        recurrence + projection + head
    )
    first = GRU(hidden, (channels, steps), CLASSES, "carry-state-pool", (0, math.ceil(steps / 2)))
    assert cost.macs(first, x, {}) == math.ceil(steps / 2) * recurrence // steps + 2 * hidden * CLASSES


def test_counting_turns_off_the_kernel_that_hides_a_recurrence():
    class Probe(torch.nn.Module):
        def forward(self, x):
            seen.append(torch.backends.cudnn.enabled)
            return x

    seen, before = [], torch.backends.cudnn.enabled
    cost.macs(Probe(), torch.zeros(1))
    assert seen == [False] and torch.backends.cudnn.enabled == before


def test_live_memory_counts_states_and_what_the_gates_read():
    students = chain(["carry-state"], wider=[2.0])
    ensemble = ProgressiveEnsemble(
        students,
        c=1.0,
        classes=range(CLASSES),
        mean=[0.0] * CHANNELS,
        std=[1.0] * CHANNELS,
        input_shape=(CHANNELS, STEPS),
    )
    (peak,) = cost.prefix_memory(ensemble)
    series, projected, states = CHANNELS * STEPS, 3 * 16 * STEPS, 16 * STEPS
    assert 4 * (series + projected + states) <= peak <= 4 * (2 * series + projected + 2 * states + 40 * 16)


def test_a_student_that_grows_reads_its_predecessor_through_a_projection():
    small, large = chain(["carry-state-pool"] * 2, wider=[1.0, 1.5])
    assert (small.spec["hidden"], large.spec["hidden"]) == (8, 12)
    assert large.bridge.weight.shape == (12, 8) and small.bridge is None
    assert large.reading_macs == 8 * 12 + 16 * CLASSES
    again = from_spec(large.spec)
    assert again.load_state_dict(large.state_dict())


def test_the_state_that_is_read_is_dropped_in_training_alone():
    torch.manual_seed(0)
    student = GRU(32, (CHANNELS, STEPS), CLASSES, "carry-state", reads={"state": (32,)}, dropout=0.5)
    x, carry = torch.randn(2, CHANNELS, STEPS), {"state": torch.ones(2, 32)}
    assert student.spec["dropout"] == 0.5
    start = student.train()._start(carry)
    assert 0.2 < (start == 0).float().mean() < 0.8 and set(start.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(student.eval()._start(carry), torch.ones(1, 2, 32))
    assert torch.equal(student(x, carry)[0], student(x, carry)[0])


def test_a_fresh_student_keeps_its_state_and_answers_softly():
    torch.manual_seed(0)
    student = GRU(24, (CHANNELS, STEPS), CLASSES)
    for gate in student.cell.weight_hh_l0.split(24):
        torch.testing.assert_close(gate @ gate.T, torch.eye(24), atol=1e-5, rtol=0)
    reset, update, new = student.cell.bias_ih_l0.split(24)
    assert update.mean() > 0.7 > max(reset.mean(), new.mean())
    assert student(torch.randn(64, CHANNELS, STEPS), {})[0].abs().mean() < 1


def test_a_head_that_gives_the_prefix_starts_as_its_predecessors():
    first, second = chain(["carry-state-pool"] * 2, head="prefix")
    known = first.head.in_features
    assert torch.equal(second.head.weight[:, :known], first.head.weight)
    assert second.head.weight[:, known:].abs().min() > 0
    # One whose head reads other things has nothing to begin with.
    fresh = chain(["carry-state", "carry-state-pool"], head="prefix")[1]
    assert fresh.gives_prefix and not fresh.inherits


def test_students_of_one_cell_share_it_also_when_they_have_been_saved(tmp_path):
    torch.manual_seed(0)
    known = dict(c=1.0, classes=range(CLASSES), mean=[0.0] * CHANNELS, std=[1.0] * CHANNELS)
    ensemble = ProgressiveEnsemble(
        chain(["carry-state"] * 3, rounds=3, cell="shared"), input_shape=(CHANNELS, STEPS), **known
    )
    first, *others = ensemble.students
    assert all(student.cell is first.cell and student.head is not first.head for student in others)
    heads = 3 * (2 * 8 * CLASSES + CLASSES)
    assert cost.prefix_costs(ensemble)[-1].parameters == heads + 3 * 8 * (CHANNELS + 8 + 2)
    ensemble.save(tmp_path / "saved")
    again = ProgressiveEnsemble.load(tmp_path / "saved")
    assert again.students[2].cell is again.students[0].cell
    x = torch.randn(4, CHANNELS, STEPS)
    assert torch.equal(again(x), ensemble(x))


def test_a_cell_is_shared_by_students_that_it_fits():
    small, large = chain(["carry-state"] * 2, wider=[1.0, 1.5], cell="shared")
    other = build_student("tcn-s", input_shape=(CHANNELS, STEPS), classes=CLASSES, composition="alone")
    for previous in (small, other):
        with pytest.raises(UserError, match="share a cell where all are recurrent and of one size: build them alike"):
            large.follow(previous)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cell": "borrowed"}, "no cell 'borrowed': choose one of own, shared"),
        ({"hidden": 0}, "whole numbers of at least 1"),
        ({"classes": 0}, "whole numbers of at least 1"),
        ({"steps": [4, 4]}, "steps 4 to 4"),
        ({"steps": [0, 14]}, "series of 13"),
        ({"steps": [-1, 4]}, "steps -1"),
        ({"dropout": 1}, "can't drop 1 of"),
        ({"input_shape": [3, 4, 5]}, "damaged"),
        ({"composition": "sum"}, "no composition"),
        ({"composition": "add"}, "gru has no composition add"),
        ({"surprise": 1}, "damaged"),
    ],
)
def test_unusable_descriptions_are_refused_in_a_sentence(change, sentence):
    spec = chain(["carry-state"])[0].spec
    with pytest.raises(UserError, match=sentence):
        from_spec({**spec, **change})

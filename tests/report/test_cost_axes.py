"""Cost axes: ticks at 1, 2, 5, text as short as it may be, and axes hidden where a cost is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdistil.records import TeacherRecord
from bdistil.report.cost_axes import AXES, available, tick_text, ticks
from bdistil.results import load
from tests.builders import build_run
from tests.builders.records import point


@pytest.mark.parametrize(
    ("low", "high", "log", "texts"),
    [
        (1.5, 60, True, ["2", "5", "10", "20", "50"]),
        (0.015, 3, True, ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]),
        (0.1, 5000, True, ["0.1", "1", "10", "100", "1000"]),
        (1.7, 2.2, True, ["1.7", "1.8", "1.9", "2.0", "2.1", "2.2"]),
        (0, 105, False, ["0", "20", "40", "60", "80", "100"]),
        (91.2, 94.4, False, ["92", "93", "94"]),
        (93.1, 94.4, False, ["93.5", "94.0"]),
        (-0.004, 0.03, False, ["0.00", "0.01", "0.02", "0.03"]),
        (1.5, 6, True, ["2", "3", "4", "5", "6"]),  # two of 1, 2 and 5 are too few
        (1, 2000, True, ["1", "10", "100", "1000"]),  # eleven are too many
        (1, 1000, True, ["1", "2", "5", "10", "20", "50", "100", "200", "500", "1000"]),
        (0, 0.3, False, ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]),
        (0.1, 0.4, False, ["0.10", "0.15", "0.20", "0.25", "0.30", "0.35", "0.40"]),
    ],
)
def test_ticks(low, high, log, texts):
    assert tick_text(ticks(low, high, log)) == texts


@given(st.floats(1e-3, 1e6), st.floats(1.02, 1e6), st.booleans())
def test_ticks_lie_inside_in_order_and_are_told_apart(low, ratio, log):
    high = low * ratio
    values = ticks(low, high, log)
    assert 1 <= len(values) <= 12
    assert values == sorted(set(values))
    assert low * (1 - 1e-6) <= values[0] and values[-1] <= high * (1 + 1e-6)
    assert len(set(tick_text(values))) == len(values)


def test_a_black_box_teacher_leaves_no_share(tmp_path):
    known, unknown = load(build_run(tmp_path / "a")), load(build_run(tmp_path / "b", black_box=True))
    assert [axis.key for axis in available(known.points)] == ["macs", "parameters", "bytes", "share"]
    assert [axis.key for axis in available(unknown.points)] == ["macs", "parameters", "bytes"]
    known_teacher, unknown_teacher = known.run.known_teacher, unknown.run.known_teacher
    assert AXES["share"].of_teacher(known_teacher) == 1 and AXES["share"].of_teacher(unknown_teacher) is None
    assert AXES["bytes"].of_teacher(known_teacher) == 4_920_000


N = "\u00a0"
TEACHER = TeacherRecord(name="t", macs=40_000_000, parameters=2_000_000)
POINT = point(macs=5_000_000, macs_ratio=0.125, parameters=100_000, bytes=400_000)


@pytest.mark.parametrize(
    ("key", "price", "hover", "share"),
    [
        ("macs", f"12{N}% of its cost", f"5.0{N}M MACs, 12{N}% of the teacher", 0.125),
        ("parameters", f"5{N}% of its parameters", f"100{N}k parameters, 5{N}% of the teacher", 0.05),
        ("bytes", f"400{N}kB", f"400{N}kB", None),
        ("share", f"12{N}% of its cost", f"12{N}% of the teacher", 0.125),
    ],
)
def test_a_cost_in_words_is_a_share_of_the_teachers_where_that_is_known(key, price, hover, share):
    axis = AXES[key]
    said = axis.price(POINT, TEACHER, "its"), axis.hover(POINT, TEACHER), axis.share(POINT, TEACHER)
    assert said == (price, hover, share)


def test_a_points_own_share_of_the_macs_counts_and_a_teacher_of_unknown_cost_has_none():
    stated = POINT.model_copy(update={"macs_ratio": 0.25})  # as the point states it, whatever the card says
    assert AXES["macs"].share(stated, TEACHER) == AXES["share"].share(stated, TEACHER) == 0.25
    unknown, axis = POINT.model_copy(update={"macs_ratio": None}), AXES["macs"]
    assert axis.share(unknown, TEACHER) is None and axis.price(unknown, TEACHER, "its") == f"5.0{N}M MACs"
    with pytest.raises(ValueError, match="prefix 1 has no Share of the teacher"):
        AXES["share"].cost(unknown)


def test_an_axis_with_a_gap_is_not_offered():
    gap = POINT.model_copy(update={"macs_ratio": None})
    assert [axis.key for axis in available([POINT, gap])] == ["macs", "parameters", "bytes"]
    assert len(available([POINT, POINT])) == 4

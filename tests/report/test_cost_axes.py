"""Cost axes: ticks at 1, 2, 5, text as short as it may be, and axes hidden where a cost is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdistil.report.cost_axes import AXES, available, tick_text, ticks
from bdistil.results import load
from tests.builders import build_run


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

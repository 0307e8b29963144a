"""The look of every chart: room for its labels without automargin, and nothing for which Plotly would draw it twice."""

import json

import pytest

from bdistil.report import certificate_figures, chart, figures
from bdistil.report.palette import THEMES
from bdistil.results import load
from bdistil.results.certificate import bounds, by_round
from bdistil.runs import Run
from tests.builders import build_run


@pytest.fixture(scope="module")
def every_chart(tmp_path_factory):
    path = build_run(tmp_path_factory.mktemp("runs") / "r", dataset="fashion-mnist")
    results, records = load(path), [entry.record for entry in Run(path).rounds()]
    events, look = Run(path).events()[0], {"theme": "light"}
    rows = [row for row in by_round(records, results.classes) if row.place == 0]
    return {
        "frontier": figures.frontier(results.points, results.run.known_teacher, cost="macs", **look),
        "edges": figures.edges(records, **look),
        "losses": figures.losses(events, **look),
        "deviation": certificate_figures.deviation(rows, rounds=6, **look),
        "effective": certificate_figures.effective(records, 55_000, rounds=6, **look),
        "eta": certificate_figures.eta(bounds(records[-1], 0), 0.5, **look),
        "empty": chart.empty("Nothing yet.", THEMES["light"]),
    }


def test_a_chart_given_to_plotly_twice_is_drawn_once(every_chart):
    """Plotly compares what it is given the second time, and takes templates and typed arrays for changes."""
    for name, figure in every_chart.items():
        spec = figure.to_json()
        assert "datarevision" in json.loads(spec)["layout"], name
        assert "template" not in spec and "bdata" not in spec and "automargin" not in spec, name


@pytest.mark.parametrize("top", [1, 10, 1000, 100_000, 0.001])
def test_the_y_axis_has_room_for_its_longest_label(top):
    figure = chart.empty("", THEMES["light"])
    chart.scale(figure.layout.yaxis, (0.0, top))
    longest = max(map(len, figure.layout.yaxis.ticktext))
    assert figure.layout.margin.l >= 14 + 12 + 7 * longest  # a line of the title, its distance, digits 7 px wide
    wide = figure.layout.margin.l
    chart.scale(figure.layout.xaxis, (0.0, 1_000_000.0))
    assert figure.layout.margin.l == wide


def test_places_that_touch_are_moved_up_one_after_another():
    assert chart.spread({1: 0.0, 2: 0.1, 3: 0.2, 4: 5.0}, 1.0) == {1: 0.0, 2: 1.0, 3: 2.0, 4: 5.0}
    assert chart.spread({1: 3.0, 2: 0.0}, 1.0) == {1: 3.0, 2: 0.0}
    assert chart.spread({1: 1.0, 2: 1.0}, 0.5) == {2: 1.0, 1: 1.5}  # of equals the last lies lowest
    assert chart.spread({}, 1.0) == {}


def test_a_label_shows_no_tag_of_users():
    assert chart.hover(["<i>", "a<b"]) == "<b>&lt;i></b><br>a&lt;b"


def test_ranges_and_ticks_are_those_of_the_axis():
    axis = chart.empty("", THEMES["light"]).layout.xaxis
    chart.scale(axis, (-1.5, 6.5), whole=True)
    assert list(axis.tickvals) == [1, 2, 3, 4, 5, 6] and list(axis.range) == [-1.5, 6.5] and axis.type == "linear"
    chart.scale(axis, (10.0, 1000.0), log=True)
    assert list(axis.range) == [1, 3] and axis.type == "log" and axis.ticktext[0] == "10"

"""The guarantee's charts: what they draw, that colour is never alone, and that they are explicit in both themes."""

import base64
import math
import re
from dataclasses import replace

import pytest

from bdistil.report import certificate_figures as figures
from bdistil.report.palette import THEMES, contrast
from bdistil.results.certificate import bounds, by_round
from bdistil.runs import Run
from tests.builders import build_run


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    path = build_run(tmp_path_factory.mktemp("runs") / "r", dataset="fashion-mnist")
    return [entry.record for entry in Run(path).rounds()]


@pytest.fixture(scope="module")
def rows(records):
    """The rows of one class, whose name is a tag."""
    return [row for row in by_round(records, ["a", "b", "<b>", *"defghij"]) if row.place == 2]


def test_the_deviation_lies_under_its_bound_beside_the_trivial_one(rows):
    figure = figures.deviation(rows, theme="light", rounds=8)
    trivial, bound, ours = figure.data
    assert [trace.name for trace in figure.data] == ["trivial", "bound", "deviation"]
    assert list(ours.y) == [row.measured for row in rows] and list(bound.y) == [row.bound for row in rows]
    assert all(low <= high for low, high in zip(ours.y, bound.y, strict=True))
    assert ours.line.color == THEMES["light"].accent and trivial.line.dash == "dot"
    assert (ours.marker.symbol, bound.marker.symbol) == ("circle", "square") and trivial.mode == "lines"
    assert list(figure.layout.xaxis.range) == [0.5, 8.5] and figure.layout.yaxis.range[0] == 0
    assert figure.layout.yaxis.title.text == "Largest deviation on the training split (normalised scale)"
    assert ours.hovertext[0].startswith("<b>&lt;b></b><br>round 1<br>deviation ")
    assert "times the theory’s η" in ours.hovertext[0]


def test_names_at_the_ends_do_not_touch(rows):
    close = [replace(row, measured=0.5, bound=0.5, trivial=0.5) for row in rows]
    heights = sorted(note.y for note in figures.deviation(close, theme="light", rounds=6).layout.annotations)
    top = figures.deviation(close, theme="light", rounds=6).layout.yaxis.range[1]
    assert heights[1] - heights[0] >= 0.069 * top and heights[2] - heights[1] >= 0.069 * top


def test_a_single_round_is_seen(rows):
    figure = figures.deviation(rows[:1], theme="dark", rounds=1)
    assert all("markers" in trace.mode for trace in figure.data)


def test_an_old_run_s_hover_names_no_eta(rows):
    figure = figures.deviation([replace(row, multiple=None) for row in rows], theme="light", rounds=6)
    assert "η" not in figure.data[0].hovertext[0] and "None" not in figure.data[0].hovertext[0]


def test_effective_examples_are_out_of_all_on_a_logarithm(records):
    figure = figures.effective(records, 600, theme="light", rounds=6)
    (line,) = figure.data
    assert list(line.y) == [record.effective_examples for record in records]
    assert figure.layout.yaxis.type == "log" and figure.layout.yaxis.range[0] == 0
    assert figure.layout.shapes[0].y0 == 600 and figure.layout.annotations[0].text == "all 600"
    assert line.hovertext[0] == "<b>round 1</b><br>600 of 600 examples"


def test_the_least_of_nine_bounds_is_filled(records):
    nine = bounds(records[-1], 2)
    figure = figures.eta(nine, 0.8, theme="light")
    symbols = list(figure.data[0].marker.symbol)
    assert symbols.count("square") == 1 and nine[symbols.index("square")].bound == min(at.bound for at in nine)
    assert list(figure.layout.xaxis.ticktext) == ["¼", "½", "1", "2", "4", "8", "16", "32", "64"]
    assert figure.layout.shapes[0].y0 == 0.8


def test_without_nine_bounds_the_chart_says_so():
    figure = figures.eta([], 0.8, theme="light")
    assert not figure.data and figure.layout.annotations[0].text == "This run kept only the least of its nine bounds."


@pytest.mark.parametrize("rounds", [1, 6])
@pytest.mark.parametrize("theme", THEMES)
def test_a_panel_is_a_picture_of_the_three_lines(rows, theme, rounds):
    address = figures.panel(rows[:rounds], 1.0, theme=theme, rounds=6)
    drawing = base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")).decode()
    assert drawing.count("<polyline") == 3 and drawing.count("<circle") == (3 if rounds == 1 else 6)
    assert THEMES[theme].accent in drawing and "stroke-dasharray" in drawing


@pytest.mark.parametrize("theme", THEMES)
def test_marks_and_words_are_seen_in_both_themes(records, rows, theme):
    look = THEMES[theme]
    for figure in (
        figures.deviation(rows, theme=theme, rounds=6),
        figures.effective(records, 600, theme=theme, rounds=6),
        figures.eta(bounds(records[-1], 2), 0.8, theme=theme),
    ):
        assert all(contrast(trace.line.color, look.background) >= 3 for trace in figure.data)
        assert all(contrast(note.font.color, look.background) >= 4.5 for note in figure.layout.annotations)
        assert figure.layout.xaxis.fixedrange and figure.layout.xaxis.title.text


def test_a_panel_has_zero_at_the_bottom_and_the_rounds_from_left_to_right(rows):
    heights = zip(rows[:3], (0.0, 0.5, 1.0), strict=True)
    flat = [replace(row, measured=measured, bound=0.5, trivial=1.0) for row, measured in heights]
    address = figures.panel(flat, 1.0, theme="light", rounds=5)
    drawing = base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")).decode()
    trivial, bound, ours = re.findall(r'<polyline points="([^"]*)"', drawing)
    assert ours == "8.0,90.0 54.0,48.0 100.0,6.0"
    assert trivial == "8.0,6.0 54.0,6.0 100.0,6.0" and bound == "8.0,48.0 54.0,48.0 100.0,48.0"


def test_effective_examples_below_one_are_still_in_the_picture(records):
    few = [record.model_copy(update={"effective_examples": 0.5}) for record in records]
    assert figures.effective(few, 600, theme="light", rounds=6).layout.yaxis.range[0] == math.log10(0.5)
    assert figures.effective(records[:1], 600, theme="light", rounds=6).layout.yaxis.range[0] == 0

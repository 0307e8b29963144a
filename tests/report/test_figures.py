"""Charts without a server: what records hold (empty, one point, many, unknown costs), and what figures carry."""

import re

import pytest

from bdistil.records import EpochFinished, MeasuredTeacher, RunQueued
from bdistil.report import figures
from bdistil.report.palette import THEMES, contrast
from bdistil.results import load
from bdistil.runs import Run
from tests.builders import build_run
from tests.builders.records import event, round_record

COSTS = ("macs", "parameters", "bytes", "share")


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Results of an invented run."""
    return lambda **options: load(build_run(tmp_path_factory.mktemp("runs") / "r", **options))


@pytest.fixture(scope="module")
def six(make):
    return make(dataset="fashion-mnist")


def texts(figure):
    return [a.text for a in figure.layout.annotations]


def drawn(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_frontier_record_is_in_the_axis_units(six):
    record = figures.frontier_record(six.points, six.run.known_teacher, "macs")
    assert record.prefixes == (1, 2, 3, 4, 5, 6)
    assert record.costs[:2] == (1.75, 3.5) and record.teacher_cost == 44.6
    assert record.accuracies[0] == pytest.approx(100 * six.points[0].accuracy)
    assert record.hovers[3].startswith("<b>4 students</b><br>accuracy ")
    share = figures.frontier_record(six.points, six.run.known_teacher, "share")
    assert share.teacher_cost == 100 and share.x_range[0] == 0 and not share.log


@pytest.mark.parametrize("cost", COSTS)
def test_the_ranges_hold_everything_and_accuracy_does_not_start_at_zero(six, cost):
    record = figures.frontier_record(six.points, six.run.known_teacher, cost)
    assert record.x_range[0] <= min(record.costs) and max(record.costs) < record.teacher_cost < record.x_range[1]
    assert 0 < record.y_range[0] < min(record.lows)
    assert max(*record.highs, record.teacher_accuracy) < record.y_range[1]


@pytest.mark.parametrize("rounds", [1, 8, 12, 13])
def test_few_prefixes_have_whiskers_and_many_a_band(make, rounds):
    results = make(rounds=rounds)
    figure = figures.frontier(results.points, results.run.known_teacher, cost="macs", theme="light")
    ours = drawn(figure, "ensemble")
    assert ours.error_y.visible == (rounds <= 12)
    assert any(trace.name == "interval" for trace in figure.data) == (rounds > 12)
    assert list(ours.customdata) == list(range(1, rounds + 1))
    numbers = {
        1: ["1"],
        8: list("12345678"),
        12: ["1", "5", "10", "12"],
        13: ["1", "5", "10", "13"],
    }  # as many as do not touch
    assert [text for text in ours.text if text] == numbers[rounds]


def test_the_teacher_is_a_dashed_line_and_a_hollow_diamond(six):
    figure = figures.frontier(six.points, six.run.known_teacher, cost="macs", theme="dark")
    teacher, (line,) = drawn(figure, "teacher"), figure.layout.shapes
    assert teacher.marker.symbol == "diamond" and teacher.marker.color == THEMES["dark"].background
    assert line.line.dash == "dash" and line.y0 == line.y1 == teacher.y[0] == 100 * six.run.teacher.accuracy


def test_a_black_box_teacher_keeps_its_line_and_loses_its_diamond(make):
    results = make(black_box=True)
    figure = figures.frontier(results.points, results.run.known_teacher, cost="macs", theme="light")
    assert [trace.name for trace in figure.data] == ["ensemble"]
    assert len(figure.layout.shapes) == 1 and texts(figure) == ["teacher"]
    assert "of the teacher" not in drawn(figure, "ensemble").hovertext[0].split("agrees")[0]
    empty = figures.frontier(results.points, results.run.known_teacher, cost="share", theme="light")
    assert not empty.data and texts(empty)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("cost", COSTS)
def test_frontier_is_explicit_constant_and_clickable(six, cost, theme):
    figure = figures.frontier(six.points, six.run.known_teacher, cost=cost, theme=theme)
    layout, look = figure.layout, THEMES[theme]
    assert layout.yaxis.title.text == "Accuracy on the test split (%)"
    assert layout.xaxis.title.text == figures.AXES[cost].title
    assert layout.hovermode == "closest" and layout.xaxis.fixedrange and layout.yaxis.fixedrange
    assert {trace.type for trace in figure.data} == {"scatter"}
    for trace in figure.data:
        assert trace.selected.marker.opacity == trace.unselected.marker.opacity == 1
        assert trace.unselected.textfont.color == look.text
    colours = re.findall(r"#[0-9A-F]{6}", layout.xaxis.tickfont.color + layout.yaxis.title.font.color)
    assert all(contrast(colour, look.background) >= 4.5 for colour in colours) and len(colours) == 2
    again = figures.frontier(six.points, six.run.known_teacher, cost=cost, theme=theme)
    assert figure.to_json() == again.to_json()


def test_edges_above_zero_are_dots_and_below_crosses():
    rows = [round_record(round=1, edges=(0.0, 0.0)), round_record(round=2, edges=(0.01, -0.02))]
    met, unmet = figures.edges_record(rows, ["Shirt", "a<b"])
    assert met.y == (0.0, 0.0, 0.01) and unmet.y == (-0.02,)
    assert all(1.5 < x < 2.5 for x in (met.x[2], *unmet.x))
    assert unmet.hovers == ("<b>a&lt;b</b><br>round 2<br>edge −0.0200",)
    figure = figures.edges(rows, theme="light", rounds=6)
    assert [trace.marker.symbol for trace in figure.data] == ["circle", "x"]
    assert list(figure.layout.xaxis.tickvals) == [1, 2, 3, 4, 5, 6]
    assert figure.layout.yaxis.range[0] < -0.02 and figure.layout.yaxis.range[1] > 0.01


def test_losses_are_one_line_a_round_of_its_last_attempt():
    def epoch(number, attempt, at, loss):
        phase = "rounds" if number else "teacher"
        return event(EpochFinished, phase=phase, round=number, attempt=attempt, epoch=at, loss=loss)

    events = [
        event(RunQueued),
        epoch(None, None, 1, 9.0),
        epoch(1, 1, 1, 0.8),
        epoch(1, 1, 2, 0.4),
        epoch(1, 1, 2, 0.4),  # repeated after an interruption
        epoch(2, 1, 1, 0.9),
        epoch(2, 2, 1, 0.41),
    ]
    first, second = figures.losses_record(events)
    assert (first.round, first.epochs, first.losses) == (1, (1, 2), (0.8, 0.4))
    assert (second.round, second.epochs, second.losses) == (2, (1,), (0.41,))
    assert second.label_at - first.label_at >= 0.05 * 0.8 - 1e-9  # the labels of close ends do not touch
    figure = figures.losses(events, theme="dark", rounds=6)
    assert texts(figure) == ["1", "2"] and [trace.name for trace in figure.data] == ["round 1", "round 2"]


def test_of_many_rounds_losses_only_numbered_labels_are_moved_apart():
    """So that those that are drawn stay at their lines' ends."""
    events = [event(EpochFinished, round=n, attempt=1, loss=1 + n / 1000) for n in range(1, 25)]
    lines = figures.losses_record(events)
    assert [line.label for line in lines if line.label] == ["1", "5", "10", "15", "20", "24"]
    assert max(line.label_at for line in lines) < 1.001 + 6 * 0.05 * 1.03


def test_learning_curve_of_a_teacher(tmp_path):
    path = build_run(tmp_path / "t", kind="teach", state="running", epoch=4)
    figure = figures.learning(Run(path).events()[0], theme="light", epochs=20)
    (line,) = figure.data
    assert list(line.x) == [1, 2, 3, 4] and line.y[3] == pytest.approx(87.5)
    assert figure.layout.xaxis.range[1] > 20


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_to_draw_is_a_sentence(make, theme):
    none = make(state="running", done=0)
    for figure in (
        figures.frontier(none.points, none.run.known_teacher, cost="macs", theme=theme),
        figures.edges([], theme=theme),
        figures.losses([], theme=theme),
        figures.learning([], theme=theme),
    ):
        assert not figure.data and texts(figure)[0].endswith(".")
        assert contrast(figure.layout.annotations[0].font.color, THEMES[theme].background) >= 4.5


def test_edges_as_shares_of_the_largest_possible():
    rows = [round_record(round=2, edges=(0.01, -0.02), relative_edges=(0.4, -0.7))]
    met, unmet = figures.edges_record(rows, ["a", "b"], relative=True)
    assert met.y == (0.4,) and unmet.y == (-0.7,) and met.hovers == ("<b>a</b><br>round 2<br>relative edge +0.4000",)
    figure = figures.edges(rows, theme="light", relative=True)
    assert figure.layout.yaxis.title.text == "Relative edge, one mark per class"


def test_the_edges_before_a_correction_are_hollow_and_tied_to_those_after():
    rows = [
        round_record(round=1, edges=(0.0, 0.0), edges_before=(0.0, 0.0)),
        round_record(round=2, edges=(0.01, 0.02), edges_before=(-0.03, 0.02)),
    ]
    before, after = figures.corrections_record(rows, ["Shirt", "Coat"])
    assert before.y == (-0.03, 0.02) and after == (0.01, 0.02)
    assert before.hovers[0] == "<b>Shirt</b><br>round 2<br>edge before −0.0300"
    figure = figures.edges(rows, theme="light", rounds=2)
    assert [trace.name for trace in figure.data] == ["correction", "before", "corrects", "does not correct"]
    assert drawn(figure, "before").marker.symbol == "circle-open"
    assert list(drawn(figure, "correction").y[:2]) == [-0.03, 0.01]
    assert figure.layout.yaxis.range[0] < -0.03


def test_records_without_corrections_have_no_hollow_marks():
    rounding = [round_record(round=2, edges=(0.01,), edges_before=(0.01 + 1e-12,))]
    for rows in (rounding, [round_record(round=2, edges=(0.01,))]):
        assert [trace.name for trace in figures.edges(rows, theme="dark").data] == ["corrects", "does not correct"]


def test_the_polish_is_a_dotted_line_after_the_rounds():
    events = [
        event(EpochFinished, round=1, attempt=1, loss=0.8),
        event(EpochFinished, phase="polish", epoch=1, loss=0.4),
        event(EpochFinished, phase="polish", epoch=2, loss=0.3),
    ]
    first, polish = figures.losses_record(events)
    assert (first.name, polish.name, polish.losses, polish.label_at) == ("1", "polish", (0.4, 0.3), 0.3)
    figure = figures.losses(events, theme="light", rounds=6)
    assert drawn(figure, "polish").line.dash == "dot" and texts(figure) == ["1", "polish"]


@pytest.mark.parametrize("theme", THEMES)
def test_prefixes_before_the_polish_lie_small_and_hollow_behind(make, theme):
    results = make(method="b-distil+polish")
    figure = figures.frontier(
        results.points, results.run.known_teacher, cost="macs", theme=theme, unpolished=results.unpolished
    )
    assert [trace.name for trace in figure.data] == ["as each round ended", "ensemble", "teacher"]
    behind = drawn(figure, "as each round ended")
    assert behind.marker.symbol == "circle-open" and behind.marker.color == THEMES[theme].muted
    assert behind.marker.size < drawn(figure, "ensemble").marker.size
    assert list(behind.y) == pytest.approx([100 * point.accuracy for point in results.unpolished])
    assert behind.hovertext[2].startswith("<b>3 students, as round 3 ended</b><br>accuracy ")
    assert figure.layout.yaxis.range[0] < min(behind.y) and list(behind.customdata) == [1, 2, 3, 4, 5, 6]
    assert behind.text[0].strip() == "as each round ended" and not any(behind.text[1:])


def test_whiskers_and_the_band_reach_from_the_low_to_the_high_ends(make):
    for rounds in (6, 13):
        results = make(rounds=rounds)
        teacher = results.run.known_teacher
        record = figures.frontier_record(results.points, teacher, "macs")
        figure = figures.frontier(results.points, teacher, cost="macs", theme="light")
        ours = drawn(figure, "ensemble")
        assert [y + up for y, up in zip(ours.y, ours.error_y.array, strict=True)] == pytest.approx(record.highs)
        assert [y - down for y, down in zip(ours.y, ours.error_y.arrayminus, strict=True)] == pytest.approx(record.lows)
        if rounds > 12:
            band = drawn(figure, "interval")
            assert list(band.x) == [*record.costs, *reversed(record.costs)]
            assert list(band.y) == [*record.highs, *reversed(record.lows)]


def test_marks_of_a_round_lie_beside_one_another_in_the_order_of_the_classes():
    met, _ = figures.edges_record([round_record(round=3, edges=(0.01, 0.02, 0.03))])
    assert met.x == (2.75, 3.0, 3.25) and met.y == (0.01, 0.02, 0.03)
    assert figures.edges_record([round_record(round=3, edges=(0.01,))])[0].x == (3.0,)


def test_a_loss_is_named_where_its_line_ends():
    events = [event(EpochFinished, round=1, attempt=1, epoch=n, loss=1.0 / n) for n in (1, 2, 3)]
    (label,) = figures.losses(events, theme="light").layout.annotations
    assert (label.x, label.y) == (3, 1 / 3)


def test_a_learning_curve_is_of_the_teachers_epochs_alone():
    validation = {"accuracy": 0.5}
    events = [
        event(EpochFinished, phase="teacher", epoch=1, validation=validation),
        event(EpochFinished, phase="rounds", round=1, epoch=2, validation={"accuracy": 0.9}),
    ]
    (line,) = figures.learning(events, theme="light").data
    assert (list(line.x), list(line.y)) == ([1], [50.0])


def test_a_teacher_far_above_and_points_that_are_all_level_have_room(six):
    level = [
        point.model_copy(update=dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), 0.5))
        for point in six.points
    ]
    record = figures.frontier_record(level, MeasuredTeacher(name="t", accuracy=0.5, macs=44_600_000), "macs")
    assert record.y_range[0] < 50 < record.y_range[1]
    record = figures.frontier_record(level, MeasuredTeacher(name="t", accuracy=0.99, macs=44_600_000), "macs")
    assert record.y_range[1] > 99

import json
import re
import tomllib

import pytest
from operating_point import Told, settled
from operating_point.payload import Progress, payload, scale
from streamlit.testing.v1 import AppTest

from bdistil.paths import DASHBOARD
from bdistil.records import MeasuredTeacher
from bdistil.report.palette import THEMES
from tests.builders.records import compared_point, point

APP = DASHBOARD / "app"
TEACHER = MeasuredTeacher(name="t", accuracy=0.943, macs=44_600_000, parameters=2_800_000, bytes=11_200_000)


def row(prefix, accuracy, **given):
    macs = 1_740_000 * prefix
    fields = {
        "prefix": prefix,
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.005,
        "accuracy_high": accuracy + 0.005,
        "agreement": 0.953,
        "fixed": None if prefix == 1 else 120,
        "broken": None if prefix == 1 else 73,
        "macs": macs,
        "macs_ratio": macs / 44_600_000,
        "parameters": 26_000 * prefix,
        "bytes": 104_000 * prefix,
        **given,
    }
    return compared_point(**fields) if "points_lost" in given else point(**fields)


ROWS = [row(1, 0.919), row(2, 0.928), row(3, 0.933, points_lost=1.0, points_lost_low=0.6, points_lost_high=1.3)]


def drawn(rows=ROWS, teacher=TEACHER, **given):
    return payload(rows, teacher, **{"run": "r1", "title": "Sample", "rounds": 6, "prefix": 3, **given})


def instrument(*args, **given):
    return drawn(*args, **given).document()


def figures(data, prefix):
    shown = zip(data["labels"], data["points"][prefix - 1]["figures"], strict=True)
    return {label: " ".join(filter(None, (each["value"], each["unit"]))) for label, each in shown}


def asides(data, prefix):
    return [each["aside"] for each in data["points"][prefix - 1]["figures"]]


def test_the_finding_and_what_a_screen_reader_says():
    third = instrument()["points"][2]
    assert (
        third["sentence"]
        == "3 of 6 students reach 93.3\u00a0%, 1.0 points below the teacher, for 12\u00a0% of its cost."
    )
    assert third["value_text"] == "3 of 6 students, accuracy 93.3 percent, 12 percent of the teacher’s cost"
    assert instrument()["points"][0]["sentence"].startswith("One student reaches")
    assert instrument(rounds=3)["points"][2]["sentence"].startswith("All 3 students reach")


def test_figures_of_a_prefix():
    data = instrument()
    assert figures(data, 3) == {
        "Accuracy": "93.3 %",
        "Share of the teacher’s cost": "12 %",
        "Against the teacher": "−1.0 points",
        "Agrees with the teacher": "95.3 %",
        "Last student brought": "+0.5 points",
        "Last student cost": "1.7\u00a0M MACs",
    }
    assert asides(data, 3) == [
        "95\u00a0% interval 92.8 to 93.8",
        "5.2\u00a0M of 44.6\u00a0M MACs",
        "95\u00a0% interval −1.3 to −0.6",
        "",
        "fixed 120, broke 73",
        "",
    ]


def test_the_first_student_brings_its_accuracy_and_repairs_nothing():
    data = instrument()
    assert figures(data, 1)["Last student brought"] == "91.9 %"
    assert asides(data, 1)[4] == ""


@pytest.mark.parametrize("mode", ["compact", "live"])
def test_only_the_full_instrument_says_more_below_the_small_figures(mode):
    assert asides(instrument(mode=mode), 3)[2:] == [""] * 4


@pytest.mark.parametrize(
    ("axis", "tick", "spent", "teacher", "step"),
    [
        ("macs", "5.2\u00a0M", "5.2\u00a0M MACs", "the teacher: 44.6\u00a0M MACs", "1.7 M MACs"),
        (
            "parameters",
            "78\u00a0k",
            "78\u00a0k parameters",
            "the teacher: 2.8\u00a0M parameters",
            "26 k parameters",
        ),
        ("bytes", "312\u00a0kB", "312\u00a0kB", "the teacher: 11.2\u00a0MB", "104 kB"),
        ("share", "12\u00a0%", "12\u00a0% of the teacher", "the teacher: 44.6\u00a0M MACs", "4 %"),
    ],
)
def test_ticks_bar_and_last_student_follow_the_cost_axis(axis, tick, spent, teacher, step):
    data = instrument(cost_axis=axis)
    third = data["points"][2]
    assert (third["cost"], third["spent"], data["teacher"]["cost"]) == (tick, spent, teacher)
    assert list(figures(data, 3).values())[-1].replace("\u00a0", " ") == step
    assert data["address"] == {"run": "r1", "cost": axis}


def test_shares_are_to_scale():
    points = instrument()["points"]
    assert points[2]["share"] == pytest.approx(5.22 / 44.6)
    assert instrument(cost_axis="parameters")["points"][2]["share"] == pytest.approx(78 / 2800)


def test_a_teacher_of_unknown_cost_leaves_the_prefixes_own():
    rows = [each.model_copy(update={"macs_ratio": None}) for each in ROWS]
    data = instrument(rows, MeasuredTeacher(name="t", accuracy=0.943))
    third = data["points"][2]
    assert third["sentence"].endswith("for 5.2\u00a0M MACs.")
    assert figures(data, 3)["Cost of one prediction"] == "5.2\u00a0M MACs"
    assert (third["share"], third["bar"], data["teacher"]["cost"]) == (None, "", "")


def test_an_undecided_difference_is_said_to_be_undecided():
    level = row(2, 0.943, points_lost=0.0, points_lost_low=-0.3, points_lost_high=0.3)
    better = row(3, 0.945, points_lost=-0.2, points_lost_low=-0.35, points_lost_high=-0.05)
    points = instrument([row(1, 0.919), level, better])["points"]
    assert "level with the teacher" in points[1]["sentence"]
    assert points[1]["sentence"].endswith("; the test split cannot tell them apart.")
    assert "0.2 points above the teacher" in points[2]["sentence"] and "cannot" not in points[2]["sentence"]


def test_it_is_plain_json():
    data = instrument(ROWS[:2], progress=Progress(3, 0.4), mode="live")
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_the_axis_holds_every_interval_and_the_teacher_and_starts_at_a_tick():
    axis = scale(ROWS, 0.943)
    assert axis.low == axis.ticks[0].at <= 0.914
    assert axis.high >= 0.943
    assert [tick.text for tick in axis.ticks] == [f"{n}\u00a0%" for n in (91, 92, 93, 94)]
    assert scale([row(1, 0.95)], 0.90).high >= 0.955


@pytest.mark.parametrize(("asked", "got"), [(-4, 1), (0, 1), (2, 2), (99, 3)])
def test_the_prefix_is_clamped_to_the_finished_ones(asked, got):
    assert instrument(prefix=asked)["prefix"] == got


def test_without_a_point_there_is_nothing_to_choose():
    data = drawn([], prefix=4, mode="live")
    assert (data.prefix, data.points, settled(data, None)) == (0, [], 0)


def test_one_student_so_far_is_said_and_a_run_of_one_is_not():
    assert instrument(ROWS[:1])["note"] == "There is one student so far; the slider opens with the second."
    assert instrument(ROWS[:1], rounds=1)["note"] == ""
    assert instrument()["note"] == ""


def test_home_leaves_the_address_alone():
    assert instrument(mode="compact")["address"] is None


def test_a_colour_for_every_round_in_both_themes():
    ramp = instrument(rounds=24)["ramp"]
    assert len(ramp) == 24
    assert ramp[0] == [THEMES["light"].students[0], THEMES["dark"].students[0]]
    assert ramp[-1] == [THEMES["light"].students[-1], THEMES["dark"].students[-1]]


def test_what_the_thumb_told_counts_unless_it_is_about_something_else():
    data = drawn(push=2)
    assert settled(data, Told(1, "r1", 2)) == 1
    assert settled(data, Told(9, "r1", 2)) == 3
    assert settled(data, Told(1, "r1", 1)) == 3
    assert settled(data, Told(1, "another", 2)) == 3
    assert settled(data, None) == 3


def test_the_style_sheet_has_the_palettes_colours():
    css = (APP / "operating_point" / "instrument.css").read_text().upper()
    pairs = dict(re.findall(r"--([A-Z-]+): LIGHT-DARK\((#\w+, #\w+)\)", css))
    assert set(pairs) >= {"BACKGROUND", "TEXT", "MUTED", "ACCENT", "CONTROL", "BORDER"}
    for token, colours in pairs.items():
        assert colours.split(", ") == [getattr(THEMES[name], token.lower()) for name in ("light", "dark")], token


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_theme_has_the_palettes_colours(name):
    settings = tomllib.loads((APP / ".streamlit" / "config.toml").read_text())
    theme, palette = settings["theme"][name], THEMES[name]
    assert theme["primaryColor"] == palette.accent
    assert theme["backgroundColor"] == palette.background
    assert theme["secondaryBackgroundColor"] == palette.surface
    assert theme["textColor"] == palette.text
    assert theme["borderColor"] == palette.border
    assert theme["grayTextColor"] == palette.muted


def test_the_server_keeps_to_itself():
    settings = tomllib.loads((APP / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"


def test_it_mounts_and_a_page_keeps_its_prefix():
    page = AppTest.from_file(str(APP.parent / "tests" / "browser" / "operating_point_page.py")).run()
    assert not page.exception
    assert page.session_state["prefix"] == 3
    page.session_state["prefix"] = 5
    page.run()
    assert page.session_state["prefix"] == 5


@pytest.mark.parametrize(
    ("axis", "share", "whole"),
    [("macs", "12", "cost"), ("parameters", "3", "parameters"), ("bytes", "3", "model size"), ("share", "12", "cost")],
)
def test_headline_figure_bar_and_thumb_say_the_same_share_of_the_same_thing(axis, share, whole):
    data = instrument(cost_axis=axis)
    third = data["points"][2]
    assert f"for {share}\u00a0% of its {whole}." in third["sentence"]
    assert figures(data, 3)[f"Share of the teacher’s {whole}"] == f"{share} %"
    assert third["value_text"].endswith(f"{share} percent of the teacher’s {whole}")
    assert f"{100 * third['share']:.0f}" == share

"""Every contrast of the design, computed from the tokens: text at least 4.5:1, marks at least 3:1."""

import re
import tomllib
from pathlib import Path

import pytest

from bdistil.report.palette import THEMES, contrast, heat, mix, students

themes = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))


def test_contrast_is_the_wcag_ratio():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@themes
@pytest.mark.parametrize("token", ["text", "muted", "accent", "good", "bad", "warning"])
def test_text_colours_read_on_background_and_surface(theme, token):
    for ground in (theme.background, theme.surface):
        assert contrast(getattr(theme, token), ground) >= 4.5


@themes
def test_text_reads_on_its_soft_ground_and_on_the_accent(theme):
    for token in ("accent", "good", "bad", "warning"):
        assert contrast(getattr(theme, token), getattr(theme, f"{token}_soft")) >= 4.5
        assert contrast(theme.text, getattr(theme, f"{token}_soft")) >= 4.5
    assert contrast(theme.on_accent, theme.accent) >= 4.5


@themes
def test_marks_stand_out(theme):
    for colour in (theme.control, theme.accent, theme.bad, theme.text, theme.worse, theme.better):
        assert contrast(colour, theme.background) >= 3
    assert contrast(theme.control, theme.surface) >= 3


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("count", [1, 2, 6, 24, 64])
def test_every_student_of_any_ramp_stands_out(name, count):
    ramp = students(count, name)
    assert len(ramp) == count
    assert all(contrast(colour, THEMES[name].background) >= 3 for colour in ramp)


@pytest.mark.parametrize("name", THEMES)
def test_the_ramp_of_six_is_the_table_itself(name):
    stops = THEMES[name].students
    assert students(6, name) == list(stops)
    assert students(2, name) == [stops[0], stops[-1]]


@themes
@pytest.mark.parametrize("hue", ["accent", "worse", "better"])
def test_heat_maps_are_readable_in_every_step(theme, hue):
    *paler, full = heat(theme, getattr(theme, hue))
    assert paler[0] == theme.surface and full == getattr(theme, hue)
    assert all(contrast(theme.text, cell) >= 4.5 for cell in paler)
    assert contrast(theme.background, full) >= 4.5


@themes
def test_the_line_beyond_the_chosen_prefix_keeps_its_contrast(theme):
    assert contrast(mix(theme.background, theme.accent, 0.65), theme.background) >= 3


def test_the_pages_style_sheet_has_the_same_colours():
    style = (Path(__file__).parents[2] / "app" / "style.css").read_text()
    tokens = re.findall(r"--([a-z-]+): light-dark\((#\w{6}), (#\w{6})\)", style)
    assert len(tokens) > 10
    for name, light, dark in tokens:
        token = name.replace("-", "_")
        assert (light, dark) == (getattr(THEMES["light"], token), getattr(THEMES["dark"], token)), name


def test_the_theme_of_the_server_has_the_same_colours():
    config = tomllib.loads((Path(__file__).parents[2] / "app" / ".streamlit" / "config.toml").read_text())
    names = {
        "primaryColor": "accent",
        "backgroundColor": "background",
        "secondaryBackgroundColor": "surface",
        "textColor": "text",
        "borderColor": "border",
        "linkColor": "accent",
        "grayColor": "control",
        "grayTextColor": "muted",
    }
    for name, theme in THEMES.items():
        told = config["theme"][name]
        assert {key: told[key] for key in names} == {key: getattr(theme, token) for key, token in names.items()}

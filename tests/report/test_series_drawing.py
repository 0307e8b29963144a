"""Series as they are drawn: which channels, on which scale, and what is told to those who do not see them."""

import base64
import io
import re
import wave

import numpy as np
import pytest
from PIL import Image

from bdistil.report import palette, series_drawing
from bdistil.runs.previews import Series

AXES = tuple(f"{what} {axis}" for what in ("acceleration", "rotation") for axis in "xyz")


def sensors(values, channels=(), rate_hz=50.0):
    values = np.asarray(values, np.float32)
    ones = np.ones(values.shape[1])
    return Series(values, "sensor", 0 * ones, ones, channels, rate_hz)


def content(html, kind):
    return [base64.b64decode(found) for found in re.findall(rf"data:{re.escape(kind)};base64,([^\"]*)", html)]


@pytest.mark.parametrize(
    ("channels", "grouped"),
    [
        (AXES, [(0, 1, 2), (3, 4, 5)]),
        (("T_xacc", "T_yacc", "T_zacc", "pulse"), [(0, 1, 2), (3,)]),
        (("ax", "ay", "bz"), [(0,), (1,), (2,)]),
        (("x", "y", "z"), [(0, 1, 2)]),
        (("a1", "a2", "a3"), [(0,), (1,), (2,)]),
        ((), []),
    ],
)
def test_three_axes_belong_together(channels, grouped):
    assert series_drawing.groups(channels) == grouped


def test_lines_of_a_group_share_their_scale():
    values = np.zeros((1, 6, 5))
    values[0, 0] = [0, 1, 2, 3, 4]
    html = series_drawing.drawing(sensors(values, AXES, None), 0, "Test example 0, <b>", "light")
    first, second = (drawing.decode() for drawing in content(html, "image/svg+xml"))
    assert 'points="0,90 1,70 2,50 3,30 4,10"' in first and 'points="0,190 1,190 2,190 3,190 4,190"' in first
    assert second.count("<polyline") == 3
    named = "acceleration x, acceleration y and acceleration z"
    assert f'alt="Test example 0, &lt;b&gt;: {named}, from 0.00 to 4.00"' in html
    assert "<span>5 steps</span>" in html and "<b>" not in html


def test_of_many_groups_those_are_drawn_that_move_most():
    values = np.zeros((1, 6, 50))
    values[0, 1::2] = np.sin(np.arange(50)) * np.array([[3], [1], [2]])
    shown, total = series_drawing.moving(sensors(values), 0, most=2)
    assert (shown, total) == ([(1,), (5,)], 6)
    html = series_drawing.drawing(sensors(values), 0, "x", "dark")
    assert html.count("<img") == 4 and "4 of 6 groups of channels, those that move most" in html
    assert "channel 2" in html and "1.0\u00a0s" in html


def speech(recordings=None):
    values = np.zeros((2, 3, 4), np.float32)
    values[1, 0] = 9  # the lowest band is loud
    return Series(values, "speech", np.zeros(3), np.ones(3), (), 4.0, recordings or {}, 8)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_spectrogram_has_its_low_bands_at_the_bottom_and_is_ink_on_paper(theme):
    html = series_drawing.drawing(speech(), 1, "x", theme)
    pixels = np.asarray(Image.open(io.BytesIO(content(html, "image/png")[0])).convert("RGB"))
    ink = tuple(bytes.fromhex(palette.THEMES[theme].text[1:]))
    assert pixels.shape == (3, 4, 3) and {tuple(pixel) for pixel in pixels[2].tolist()} == {ink}
    assert ink not in {tuple(pixel) for pixel in pixels[:2].reshape(-1, 3).tolist()}
    assert "<audio" not in html and "x: spectrogram of 3 bands over 4 steps" in html


def test_a_recording_is_heard_as_it_is_and_drawn_over_the_window():
    samples = np.array([0, 100, -100, 50], np.int16)  # half a second of the one that is drawn
    html = series_drawing.drawing(speech({1: samples}), 1, "x", "light")
    with wave.open(io.BytesIO(content(html, "audio/wav")[0])) as file:
        assert (file.getframerate(), file.getnchannels()) == (8, 1)
        assert file.readframes(4) == samples.astype("<i2").tobytes()
    outline = re.search('points="([^"]*)"', content(html, "image/svg+xml")[0].decode())[1].split()
    assert outline[:5] == ["0,50", "1,2", "2,50", "3,26", "4,50"] and outline[7] == "7,50"
    assert "<audio" not in series_drawing.drawing(speech({1: samples}), 0, "x", "light")


def test_coefficients_with_names_are_told_by_them():
    values = np.zeros((1, 2, 3), np.float32)
    named = Series(values, "speech", np.zeros(2), np.ones(2), ("LPC cepstrum 1", "LPC cepstrum 2"))
    html = series_drawing.drawing(named, 0, "x", "light")
    assert "x: LPC cepstrum 1 to LPC cepstrum 2 over 3 steps, the first at the bottom" in html
    assert "Rows from the bottom: LPC cepstrum 1 to LPC cepstrum 2; darker" in series_drawing.caption(named)
    assert "bands from low to high" in series_drawing.caption(speech())


def test_silence_is_paper_and_nothing_at_all_is_too():
    values = np.zeros((2, 3, 4), np.float32)
    values[0, 1, 1], values[0, :, 3] = 5, -7  # sound, then silence
    padded = Series(values, "speech", np.zeros(3), np.ones(3))
    surface = bytes.fromhex(palette.THEMES["light"].surface[1:])
    for place, columns in ((0, [3]), (1, [0, 1, 2, 3])):
        html = series_drawing.drawing(padded, place, "x", "light")
        pixels = np.asarray(Image.open(io.BytesIO(content(html, "image/png")[0])).convert("RGB"))
        assert all(bytes(pixel) == surface for pixel in pixels[:, columns].reshape(-1, 3))


@pytest.mark.parametrize("series", [sensors(np.zeros((1, 3, 8))), speech({1: np.zeros(80, np.int16)})])
def test_how_far_a_prefix_has_read_is_marked(series):
    place = len(series) - 1
    assert 'class="axis"><span>' in series_drawing.drawing(series, place, "x", "light")
    assert '<i style="width:25.0%"></i>' in series_drawing.drawing(series, place, "x", "light", 0.25)
    sentence = "The line below ends where the students have stopped reading."
    assert sentence in series_drawing.caption(series, 0.25) and sentence not in series_drawing.caption(series)


def test_lines_keep_their_width_however_far_they_are_drawn_out():
    values = np.random.default_rng(0).normal(size=(1, 3, 8))
    sensor = content(series_drawing.drawing(sensors(values, AXES[:3]), 0, "x", "light"), "image/svg+xml")[0].decode()
    heard = series_drawing.drawing(speech({1: np.arange(8, dtype=np.int16)}), 1, "x", "light")
    outline = content(heard, "image/svg+xml")[0].decode()
    for drawing, shapes in ((sensor, 6), (outline, 1)):
        assert drawing.count('vector-effect="non-scaling-stroke"') == drawing.count("stroke=") == shapes


def test_movement_counts_against_what_is_usual_and_groups_keep_their_order():
    values = np.zeros((1, 3, 50))
    values[0] = np.sin(np.arange(50)) * np.array([[1.0], [5.0], [2.0]])
    usual = Series(values.astype(np.float32), "sensor", np.zeros(3), np.array([1.0, 20.0, 1.0]))
    assert series_drawing.moving(usual, 0, most=2) == ([(0,), (2,)], 3)  # the third moves most, the second least
    assert series_drawing.moving(usual, 0, most=1) == ([(2,)], 3)


def test_bands_are_drawn_against_their_usual_level():
    values = np.array([[[4.0, 6.0], [9.0, 9.0]]], np.float32)
    html = series_drawing.drawing(Series(values, "speech", np.array([2.0, 9.0]), np.array([2.0, 1.0])), 0, "x", "light")
    image = Image.open(io.BytesIO(content(html, "image/png")[0]))
    # (4 − 2)/2 = 1 and (6 − 2)/2 = 2 at the bottom, (9 − 9)/1 = 0 above: the least has no ink, the most all.
    assert np.asarray(image).tolist() == [[0, 0], [128, 255]]


def test_values_of_ten_and_more_have_one_decimal():
    values = np.array([[[-12.34, 12.34]]])
    assert 'alt="x: channel 1, from −12.3 to 12.3"' in series_drawing.drawing(sensors(values), 0, "x", "light")
    assert 'alt="x: channel 1, from −1.23 to 1.23"' in series_drawing.drawing(sensors(values / 10), 0, "x", "light")

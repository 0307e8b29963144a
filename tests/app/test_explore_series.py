"""Explore on runs of speech and sensors: what is drawn and heard of an example."""

import numpy as np
import pytest

from tests.app.conftest import written
from tests.builders import build_previews, build_run


@pytest.fixture
def speech(runs):
    return build_run(runs / "speech", dataset="free-spoken-digits", rounds=4, mode="segments")


@pytest.fixture
def sensors(runs):
    return build_run(runs / "sensors", dataset="watch", rounds=4, mode="segments")


def test_speech_is_seen_and_heard(open_page, speech, own_home):
    build_previews(own_home, "free-spoken-digits", recorded=400)
    html = written(open_page("explore", run="speech"))
    assert html.count(": spectrogram of 32 bands over 48 steps") == 12  # six that differ, six that weighed most
    assert html.count("<audio controls") == html.count(": waveform of the recording") == 6
    assert "<span>0</span><span>1.0\u00a0s</span>" in html


def test_speech_without_recordings_is_seen(open_page, speech, own_home):
    build_previews(own_home, "free-spoken-digits")
    html = written(open_page("explore", run="speech"))
    assert "spectrogram of 32 bands" in html and "<audio" not in html


def test_sensors_are_rows_of_lines_in_seconds(open_page, sensors, own_home):
    build_previews(own_home, "watch")
    html = written(open_page("explore", run="sensors"))
    assert html.count("acceleration x, acceleration y and acceleration z, from ") == 12
    assert "<span>x</span><span>y</span><span>z</span>" in html and "<span>2.0\u00a0s</span>" in html
    assert "<audio" not in html


@pytest.mark.parametrize("damage", ["gone", "cut", "other channels", "short audio"])
def test_without_examples_probabilities_are_told(open_page, speech, own_home, damage):
    path = build_previews(own_home, "free-spoken-digits", recorded=5)
    with np.load(path) as kept:
        arrays = dict(kept)
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        name = {"other channels": "mean", "short audio": "audio_lengths"}[damage]
        np.savez(path, **arrays | {name: arrays[name][1:]})
    html = written(open_page("explore", run="speech"))
    assert "Answers and probabilities" in html and "Test example" not in html

"""Explore on runs of speech and sensors: what is drawn and heard of an example."""

import json
import re

import numpy as np
import pytest

from tests.app.conftest import written
from tests.builders import build_previews, build_run, hold


@pytest.fixture
def speech(runs):
    return build_run(runs / "speech", dataset="free-spoken-digits", rounds=4, mode="segments")


@pytest.fixture
def sensors(runs):
    return build_run(runs / "sensors", dataset="watch", rounds=4, mode="segments")


def test_speech_is_seen_and_heard(open_page, speech, own_home):
    build_previews(own_home, "free-spoken-digits", recorded=400)
    page = open_page("explore", run="speech")
    html = written(page)
    assert html.count(": spectrogram of 32 bands over 48 steps") == 12  # six that differ, six that weighed most
    assert html.count("<audio controls") == html.count(": waveform of the recording") == 6
    assert "Recordings: Free Spoken Digits, CC BY-SA 4.0." in html
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


def instrument(page):
    """What the operating point was sent."""
    block = next(b.proto for b in page.get("bidi_component") if b.proto.component_name == "operating_point")
    return json.loads(block.json)


def test_segments_are_ticked_by_their_share_of_the_window(open_page, speech):
    page = open_page("explore", run="speech", prefix=2)
    sent = instrument(page)
    assert [point["cost"] for point in sent["points"]] == [f"{share}\u00a0%" for share in (25, 50, 75, 100)]
    assert "2 of 4 students reach" in sent["points"][1]["sentence"]
    assert "\u00a0% after 50\u00a0% of the window, " in sent["points"][1]["sentence"]
    assert "of the window" not in sent["points"][3]["sentence"]
    assert sent["points"][1]["value_text"].startswith("2 of 4 students after 50 percent of the window, accuracy ")
    assert "how much of the window they have read" in sent["note"]


def test_early_prediction_is_a_section_of_segments_alone(open_page, speech, runs):
    build_run(runs / "full", dataset="free-spoken-digits", rounds=4)
    page = open_page("explore", run="speech")
    html = written(page)
    assert "Early prediction" in [header.value for header in page.header]
    assert '<th scope="row">25\u00a0%, 0.24\u00a0s</th>' in html and "of the window is " in html
    page.selectbox(key="run-picker").set_value("full").run()
    assert "Early prediction" not in [header.value for header in page.header]
    assert [point["cost"] for point in instrument(page)["points"]][0] == "1.8\u00a0M"


def test_one_segment_so_far_is_no_early_prediction_yet(open_page, runs):
    path = build_run(runs / "young", dataset="watch", rounds=4, mode="segments", state="running", done=1)
    with hold(path):
        page = open_page("explore", run="young")
    assert "Early prediction" not in [header.value for header in page.header]


def test_persons_held_out_are_told_of(open_page, speech, runs):
    page = open_page("explore", run="speech")
    html = written(page)
    assert html.count("are the range over two speakers, not 95 % intervals") == 1
    assert "Interval: range over two persons." in html and "interval" not in str(instrument(page)["points"])
    point = instrument(page)["points"][0]
    assert point["figures"][0]["aside"].startswith("range over two persons ")
    assert point["figures"][2]["aside"].startswith("range over two persons ")
    ends = "; (two test persons cannot tell them apart|(below|above) it for each of two test persons)"
    assert re.search(ends, point["sentence"])
    build_run(runs / "digits", rounds=2)
    page = open_page("explore", run="digits")
    assert "speaker" not in written(page)


def test_one_person_alone_says_nothing_of_others(open_page, speech):
    with np.load(speech / "targets.npz") as stored:
        arrays = dict(stored)
    np.savez(speech / "targets.npz", **arrays | {"people_test": np.zeros(400, int)})
    assert "It holds one speaker alone" in written(open_page("explore", run="speech"))


def test_the_composed_network_is_drawn(open_page, speech):
    html = written(open_page("explore", run="speech"))
    assert '<th scope="row">2 <span>carry-state</span></th><td>25 to 50\u00a0%</td>' in html
    assert "begins with the state in which the one above it ended" in html

"""Free Spoken Digits: whole speakers are held out, in six rotations; the official split is the authors'."""

import re

import numpy as np
import pytest

from bdistil.data import data_home, fetch, free_spoken_digits, free_spoken_digits_official, is_here, load_dataset
from bdistil.data.audio import log_mel, read_recording
from bdistil.data.dataset import SPLITS
from bdistil.errors import UserError

SETS = ["free-spoken-digits", "free-spoken-digits-official"]


@pytest.fixture(scope="module")
def recordings():
    """The folder of the real recordings."""
    return data_home() / "free-spoken-digits" / "recordings"


@pytest.fixture(scope="module")
def computed_home(tmp_path_factory):
    """A home of this file's own, so that its features are computed once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def computed(own_home, computed_home, monkeypatch):
    monkeypatch.setenv("BDISTIL_HOME", str(computed_home))


@pytest.fixture
def home(recordings, tmp_path, monkeypatch):
    """A data home of our own whose recordings are links to the real ones; returns their folder."""
    folder = tmp_path / "free-spoken-digits" / "recordings"
    folder.mkdir(parents=True)
    for path in recordings.glob("*.wav"):
        (folder / path.name).symlink_to(path)
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    return folder


def rows(x):
    return {example.tobytes() for example in x}


@pytest.mark.data("free-spoken-digits")
def test_every_speaker_tests_once_and_validates_once(recordings):
    tested, validated = [], []
    for rotation in range(6):
        splits = free_spoken_digits.read(data_home(), rotation=rotation)
        people = {name: set(splits[name][2].tolist()) for name in SPLITS}
        assert [len(splits[name][0]) for name in SPLITS] == [2_000, 500, 500]
        assert set.union(*people.values()) == set(range(6)) and sum(map(len, people.values())) == 6
        assert people["test"] == {rotation} and people["validation"] == {(rotation + 1) % 6}
        tested += people["test"]
        validated += people["validation"]
    assert sorted(tested) == sorted(validated) == list(range(6))


@pytest.mark.data("free-spoken-digits")
def test_an_example_is_its_own_recording_with_its_own_label_and_speaker(recordings):
    data = load_dataset("free-spoken-digits")
    for name, at in [("train", 0), ("train", 1_999), ("validation", 321), ("test", 123)]:
        x, y = data.split(name)
        who = getattr(data, f"people_{name}")
        mine = np.flatnonzero((y == y[at]) & (who == who[at]))
        take = int(np.flatnonzero(mine == at)[0])
        path = recordings / f"{data.info.classes[y[at]]}_{free_spoken_digits.SPEAKERS[who[at]]}_{take}.wav"
        np.testing.assert_array_equal(x[at], log_mel(read_recording(path, 8_000), 8_000, 48))


@pytest.mark.data("free-spoken-digits")
def test_the_official_split_tests_the_first_five_takes_of_every_word(recordings):
    official, by_speaker = load_dataset(SETS[1]), load_dataset(SETS[0])
    everything = set.union(*(rows(by_speaker.split(name)[0]) for name in SPLITS))
    assert set.union(*(rows(official.split(name)[0]) for name in SPLITS)) == everything
    assert "held out" in official.info.split and official.info.people is None
    first = log_mel(read_recording(recordings / "7_theo_4.wav", 8_000), 8_000, 48)
    next_one = log_mel(read_recording(recordings / "7_theo_5.wav", 8_000), 8_000, 48)
    assert first.tobytes() in rows(official.x_test) and next_one.tobytes() in rows(official.x_validation)


@pytest.mark.parametrize("name", SETS)
def test_without_recordings_it_says_how_to_lay_them_out(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    assert not is_here(name)
    folder = re.escape(str(tmp_path / "free-spoken-digits" / "recordings"))
    with pytest.raises(UserError, match=rf"^The recordings of .* are not here: unpack .*\.zip .* to {folder}\.$"):
        fetch(name)


@pytest.mark.data("free-spoken-digits")
def test_a_missing_an_unknown_and_a_damaged_recording_are_named(home):
    (home / "3_lucas_7.wav").unlink()
    with pytest.raises(UserError, match=r"^1 of 3000 recordings are missing in .*, the first is 3_lucas_7\.wav: .*\.$"):
        load_dataset(SETS[0])
    (home / "3_lucas_7.wav").write_text("hello")
    (home / "3_lucas_07.wav").write_text("hello")
    with pytest.raises(UserError, match=r"^3_lucas_07\.wav in .* is no recording of Free Spoken Digits: .*\.$"):
        load_dataset(SETS[0])
    (home / "3_lucas_07.wav").unlink()
    with pytest.raises(UserError, match=r"^3_lucas_7\.wav is no intact WAV or FLAC recording: .*\.$"):
        load_dataset(SETS[1])


def test_both_splits_are_listed_with_what_they_hold_out():
    held_out, official = free_spoken_digits.INFO, free_spoken_digits_official.INFO
    assert (held_out.people, official.people) == ("speaker", None)
    assert held_out.front_end == official.front_end == "running-maximum"
    assert held_out.input_shape == (32, 48) and held_out.rate_hz * 0.96 == 48

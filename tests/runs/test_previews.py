"""Files of examples: what training writes is what pages read, and damage is told from none."""

from dataclasses import replace

import numpy as np
import pytest

from bdistil import data
from bdistil.data import free_spoken_digits, free_spoken_digits_official
from bdistil.data.audio import read_recording
from bdistil.data.dataset import Dataset
from bdistil.runs import previews
from bdistil.runs.previews import Pictures, Series


def write(path, arrays):
    np.savez(path, **arrays)
    return previews.read(path)


@pytest.fixture(scope="module")
def watch():
    return data.load_dataset("watch")


def test_series_come_back_in_order_with_what_it_takes_to_draw_them(tmp_path, watch):
    recordings = {3: np.array([0, 5, -5], np.int16), 1: np.array([7], np.int16)}
    recorded = replace(watch, info=replace(watch.info, sampling_hz=8000))
    kept = write(tmp_path / "watch.npz", previews.arrays(recorded, watch.x_test, recordings))
    assert isinstance(kept, Series) and len(kept) == watch.info.test
    np.testing.assert_allclose(kept.values, watch.x_test, rtol=1e-3, atol=1e-3)
    assert (kept.modality, kept.channels, kept.rate_hz) == ("sensor", watch.info.channels, 50.0)
    assert kept.seconds == 2.0 and kept.sampling_hz == 8000
    np.testing.assert_allclose([kept.mean, kept.std], [watch.mean, watch.std], rtol=1e-6)
    assert {place: samples.tolist() for place, samples in kept.recordings.items()} == {3: [0, 5, -5], 1: [7]}


def test_long_series_are_thinned_two_steps_at_a_time_and_keep_their_seconds(tmp_path, watch, monkeypatch):
    x = watch.x_test[:10]
    monkeypatch.setattr(previews, "LARGEST", 2 * x.size // 3)
    kept = write(tmp_path / "watch.npz", previews.arrays(watch, x))
    assert kept.values.shape == (10, 6, 25) and kept.seconds == 2.0
    np.testing.assert_allclose(kept.values[0, 0, 0], x[0, 0, :4].mean(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("channels", "shape"), [(1, (5, 4, 4)), (3, (5, 4, 4, 3))])
def test_pictures_are_grey_or_coloured(tmp_path, channels, shape):
    info = replace(data.info("digits"), input_shape=(channels, 4, 4))
    x = np.arange(5 * channels * 16, dtype=np.uint8).reshape(5, channels, 4, 4)
    pictures = Dataset.of(info, dict.fromkeys(("train", "validation", "test"), (x, np.zeros(5))))
    kept = write(tmp_path / "digits.npz", previews.arrays(pictures, x))
    assert isinstance(kept, Pictures) and kept.images.shape == shape and kept.white == x.max()
    np.testing.assert_array_equal(kept.images.reshape(5, 4, 4, -1)[..., 0], x[:, 0])


def test_rounds_of_the_first_versions_kept_their_channel_first(tmp_path):
    kept = write(tmp_path / "old.npz", {"images": np.zeros((12, 1, 8, 8), np.uint8), "max": np.array(16)})
    assert kept.images.shape == (12, 8, 8)


def test_one_s_own_examples_go_before_the_shipped_ones(own_home):
    assert previews.previews("digits").parent.parent.name == "assets" and previews.previews("nothing") is None
    (own_home / "previews").mkdir()
    (own_home / "previews" / "digits.npz").touch()
    assert previews.previews("digits").parent == own_home / "previews"
    assert previews.read(previews.previews("digits")) is None


@pytest.mark.data("free-spoken-digits")
@pytest.mark.parametrize("module", [free_spoken_digits, free_spoken_digits_official])
def test_recordings_are_in_the_order_of_the_test_split(module, monkeypatch):
    read = []

    def places(paths, *_):
        read.extend(paths)
        return np.arange(len(paths))

    monkeypatch.setattr(free_spoken_digits, "features", places)
    test = module.read(data.data_home())["test"][0]
    assert data.recordings(module.INFO.name) == [read[place] for place in test]


@pytest.mark.data("free-spoken-digits")
def test_as_many_recordings_are_heard_as_fit_evenly_spaced(monkeypatch):
    info, paths = data.info("free-spoken-digits"), data.recordings("free-spoken-digits")
    monkeypatch.setattr(previews, "LARGEST", 10 * 2 * 7_680)  # ten of them
    heard = previews.preview_recordings(info, paths)
    assert len(heard) == 10 and list(heard)[0] == 0 and list(heard)[-1] == len(paths) - 1
    for place, samples in heard.items():
        kept = read_recording(paths[place], 8_000)[:7_680]
        assert samples.dtype == np.int16
        np.testing.assert_allclose(samples / 32767, kept, atol=1e-4)


def test_data_without_recordings_are_silent():
    assert data.recordings("watch") == [] and previews.preview_recordings(data.info("watch"), []) == {}


def test_examples_say_which_test_split_they_are_of(tmp_path):
    plain = {"images": np.zeros((2, 4, 4), np.uint8), "max": np.array(16)}
    known, older = tmp_path / "known.npz", tmp_path / "older.npz"
    np.savez(known, **plain, **previews.origin("a" * 64))
    np.savez(older, **plain)
    assert [previews.is_of(known, checksum) for checksum in ("a" * 64, "b" * 64, None)] == [True, False, False]
    assert [previews.may_be_of(known, checksum) for checksum in ("a" * 64, "b" * 64, None)] == [True, False, True]
    assert [previews.is_of(older, checksum) for checksum in ("a" * 64, None)] == [False, False]
    assert [previews.may_be_of(older, checksum) for checksum in ("a" * 64, None)] == [True, True]
    missing = tmp_path / "missing.npz"
    assert not previews.is_of(missing, "a" * 64) and previews.may_be_of(missing, "a" * 64)

"""Recordings of every kind read the same; what is no recording is refused; features never look ahead."""

import os
import time

import numpy as np
import pytest
import soundfile

from bdistil.data import audio
from bdistil.data.audio import SILENCE, features, log_mel, read_recording
from bdistil.errors import UserError

RATE = 8_000


def tone(rate, seconds=0.5, hz=440.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    "file, rate, subtype, channels",
    [
        ("8-bit.wav", 8_000, "PCM_U8", 1),
        ("16-bit.wav", 8_000, "PCM_16", 2),
        ("24-bit.wav", 44_100, "PCM_24", 1),
        ("float.wav", 16_000, "FLOAT", 1),
        ("96-khz.wav", 96_000, "PCM_16", 2),
        ("six.wav", 48_000, "PCM_16", 6),
        ("odd rate.wav", 44_101, "PCM_16", 1),
        ("sixteen.flac", 22_050, "PCM_16", 1),
    ],
)
def test_every_width_rate_and_channel_count_reads_as_the_same_tone(tmp_path, file, rate, subtype, channels):
    path = tmp_path / file
    soundfile.write(path, np.repeat(tone(rate)[:, None], channels, axis=1), rate, subtype=subtype)
    read = read_recording(path, RATE)
    assert read.dtype == np.float32 and abs(len(read) - RATE / 2) <= 1
    inside = slice(100, 3_900)  # a resampling filter rings at both ends
    np.testing.assert_allclose(read[inside], tone(RATE)[inside], atol=0.02)


def test_channels_are_averaged(tmp_path):
    soundfile.write(tmp_path / "two.wav", np.stack([tone(RATE), -tone(RATE)], axis=1), RATE)
    assert np.abs(read_recording(tmp_path / "two.wav", RATE)).max() < 1e-3


def test_only_the_wanted_start_is_read(tmp_path):
    soundfile.write(tmp_path / "long.wav", tone(RATE, seconds=5), RATE)
    np.testing.assert_allclose(read_recording(tmp_path / "long.wav", RATE, seconds=0.25), tone(RATE, 0.25), atol=1e-4)


def _text(path):
    path.write_text("This is no sound.")


def _empty(path):
    soundfile.write(path, np.zeros(0, np.float32), RATE)


def _no_bytes(path):
    path.write_bytes(b"")


def _truncated(path):
    soundfile.write(path, tone(RATE), RATE)
    path.write_bytes(path.read_bytes()[:-1000])


def _truncated_flac(path):
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 40_000), RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:20_000])


def _not_a_number(path):
    samples = tone(RATE)
    samples[7] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")


def _silly_rate(path):
    soundfile.write(path, tone(RATE), 3)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (_text, r"said\.wav is no intact WAV or FLAC recording: save it anew as one, or move it away\."),
        (_no_bytes, r"said\.wav is no intact WAV or FLAC recording: save it anew as one, or move it away\."),
        (_empty, r"said\.wav holds no samples: record it anew, or move it away\."),
        (_truncated, r"said\.wav is cut off: its header promises more than the file holds, so copy it anew\."),
        (_truncated_flac, r"said\.wav (is cut off after \d+ of 40000 samples, so copy|is no intact WAV or FLAC).*"),
        (_not_a_number, r"said\.wav holds samples that are no numbers: save it anew, or move it away\."),
        (_silly_rate, r"said\.wav has 3 samples a second: save it with 8,000 to 192,000\."),
        (os.mkdir, r"said\.wav can't be read \(Is a directory\): make it readable, or move it away\."),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_recording_is_refused_in_one_sentence(tmp_path, make, sentence):
    make(tmp_path / "said.wav")
    with pytest.raises(UserError, match=f"^{sentence}$"):
        read_recording(tmp_path / "said.wav", RATE)


@pytest.mark.parametrize("whole, samples", [("ffffffff", "ffffffff"), ("24f0ff7f", "00f0ff7f")])
def test_a_header_that_does_not_know_its_length_is_no_cut_off_file(tmp_path, whole, samples):
    """So do programs write that stream to a pipe."""
    path = tmp_path / "said.wav"
    soundfile.write(path, tone(RATE), RATE)
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = bytes.fromhex(whole), bytes.fromhex(samples)
    path.write_bytes(content)
    assert len(read_recording(path, RATE)) == RATE / 2


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_frame_depends_on_nothing_after_its_end(rate):
    """Samples after 10 frames change, and not one of those frames' features does."""
    generator = np.random.default_rng(0)
    heard = generator.normal(0, 0.1, rate).astype(np.float32)
    other = heard.copy()
    other[10 * rate // 50 :] = generator.normal(0, 0.5, rate - 10 * rate // 50)
    first, second = (log_mel(samples, rate, 48) for samples in (heard, other))
    np.testing.assert_array_equal(first[:, :10], second[:, :10])
    assert np.abs(first[:, 10] - second[:, 10]).max() > 0.1


def test_a_tone_sounds_in_its_band_and_what_follows_is_silence():
    x = log_mel(tone(RATE, seconds=0.5), RATE, 48)
    assert x.shape == (audio.BANDS, 48) and x.dtype == np.float32
    mels = 2595 * np.log10(1 + np.array([440, RATE / 2]) / 700)  # equal steps of them part the bands
    assert abs(x[:, 10].argmax() - (mels[0] / mels[1] * (audio.BANDS + 1) - 1)) <= 1
    assert (x[:, 26:] == np.float32(SILENCE)).all() and x.min() == np.float32(SILENCE)


def test_many_recordings_at_once_have_the_features_that_each_has_alone():
    samples = np.random.default_rng(0).normal(0, 0.1, (3, 6_000)).astype(np.float32)
    np.testing.assert_allclose(log_mel(samples, RATE, 40), [log_mel(one, RATE, 40) for one in samples], atol=1e-4)


def test_features_are_computed_once_and_anew_where_a_file_or_the_configuration_changes(tmp_path, own_home, monkeypatch):
    path = tmp_path / "said.wav"
    soundfile.write(path, tone(RATE), RATE)
    read = []
    monkeypatch.setattr(audio, "read_recording", lambda *given: read.append(given) or read_recording(*given))
    first = features([path], tmp_path, RATE, 48)
    np.testing.assert_array_equal(features([path], tmp_path, RATE, 48), first)
    assert len(read) == 1 and first.shape == (1, 32, 48)
    assert features([path], tmp_path, RATE, 20).shape == (1, 32, 20) and len(read) == 2
    soundfile.write(path, tone(RATE, hz=1_000), RATE)
    os.utime(path, (time.time(), time.time() + 5))
    assert np.abs(features([path], tmp_path, RATE, 48) - first).max() > 1 and len(read) == 3
    for file in (own_home / "cache" / "features").glob("*/*.npy"):
        file.write_bytes(file.read_bytes()[:100])
    assert features([path], tmp_path, RATE, 48).shape == (1, 32, 48) and len(read) == 4

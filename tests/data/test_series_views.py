"""A recording's changed copies: each change does what it says, and the same seed gives the same bytes."""

from dataclasses import replace

import numpy as np

from bdistil.data.audio import SILENCE, log_mel
from bdistil.data.series_views import SpeechAugmentation
from bdistil.data.views import augment, view

NOTHING = SpeechAugmentation(early=0, late=0, speed=0, warp=0, gain=0, noise=None, bands=0, frames=0)


def words(count=40):
    """Log-mel features of a loud beginning, a quiet end, and silence after it."""
    generator = np.random.default_rng(0)
    samples = generator.normal(0, 0.1, (count, 4_000)) * np.linspace(1, 0.01, 4_000)
    return log_mel(samples.astype(np.float32), 8_000, 48)


def changed(**fields):
    return augment(words(), np.random.default_rng(1), replace(NOTHING, **fields))


def onset(x):
    """The frame, with a fraction, at which half of the loudest power is reached."""
    loud = x.mean(axis=1)
    half = loud.max(axis=1, keepdims=True) - 3
    first = (loud > half).argmax(axis=1)
    rows = np.arange(len(x))
    before = np.where(first > 0, loud[rows, first - 1], SILENCE)
    return first - (loud[rows, first] - half[:, 0]) / (loud[rows, first] - before)


def test_nothing_changes_nothing():
    np.testing.assert_allclose(changed(), words(), atol=1e-5)


def test_words_begin_from_60_ms_early_to_120_ms_late():
    moved = onset(np.pad(changed(early=0, late=0.12), ((0, 0), (0, 0), (1, 0)), constant_values=SILENCE))
    still = onset(np.pad(words(), ((0, 0), (0, 0), (1, 0)), constant_values=SILENCE))
    assert -0.5 < (moved - still).min() < 1 and 5 < (moved - still).max() < 6.5
    early = changed(early=0.06)
    np.testing.assert_array_equal(early[:, :, -3:], np.float32(SILENCE))


def test_slow_words_last_longer_and_fast_ones_end_sooner():
    speed = 0.15
    heard = (changed(speed=speed) > SILENCE).any(axis=1).sum(axis=1)
    length = (words() > SILENCE).any(axis=1).sum(axis=1)[0]
    assert heard.min() >= length / (1 + speed) - 1 and heard.max() <= length / (1 - speed) + 1
    assert heard.max() - heard.min() > 0.2 * length


def test_warped_bands_move_by_up_to_a_tenth():
    x = np.full((200, 32, 48), SILENCE, np.float32)
    x[:, 20] = 0
    peaks = augment(x, np.random.default_rng(0), replace(NOTHING, warp=0.1)).argmax(axis=1)[:, 0]
    assert set(peaks) == {18, 19, 20, 21, 22}


def test_gain_is_in_decibels_and_leaves_silence_silent():
    x, louder = words(), changed(gain=6)
    inside = x > SILENCE + 2
    decibels = (louder - x)[inside] * 10 / np.log(10)
    assert 5 < decibels.max() < 6.001 and -6.001 < decibels.min() < -5
    np.testing.assert_array_equal(louder[x == np.float32(SILENCE)], np.float32(SILENCE))


def test_noise_fills_the_pause_so_many_decibels_below_the_loudest():
    x = words()
    noisy = changed(noise=(30, 30))
    power = np.exp(noisy.astype(np.float64))[:, :, 40:].mean(axis=(1, 2))
    decibels = 10 * np.log10(power / np.exp(x.astype(np.float64)).max(axis=(1, 2)))
    np.testing.assert_allclose(decibels, -30, atol=1)
    assert (noisy >= x - 1e-5).all()


def test_masks_silence_one_span_of_bands_and_one_of_frames():
    x = np.zeros((300, 32, 48), np.float32)
    silenced = augment(x, np.random.default_rng(0), replace(NOTHING, bands=4, frames=6)) < -1
    bands, frames = silenced.all(axis=2), silenced.all(axis=1)
    np.testing.assert_array_equal(silenced, bands[:, :, None] | frames[:, None, :])
    for spans, longest in [(bands, 4), (frames, 6)]:
        assert set(spans.sum(axis=1)) == set(range(longest + 1))
        assert np.abs(np.diff(np.pad(spans, ((0, 0), (1, 1))).astype(int), axis=1)).sum(axis=1).max() == 2


def test_views_are_fixed_finite_and_differ_from_each_other():
    x = words()
    kept = x.copy()
    views = [view(x, index, 0, SpeechAugmentation()) for index in range(3)]
    assert views[0] is x
    for index in (1, 2):
        np.testing.assert_array_equal(views[index], view(x, index, 0, SpeechAugmentation()))
        assert views[index].dtype == np.float32 and views[index].shape == x.shape
        assert np.isfinite(views[index]).all() and views[index].min() >= np.float32(SILENCE)
        assert views[index].flags.c_contiguous and views[index].flags.writeable
    assert np.abs(views[1] - views[2]).mean() > 0.1
    np.testing.assert_array_equal(x, kept)

"""What sensors measure, changed: each change does what it says, and the same seed gives the same bytes."""

from dataclasses import replace

import numpy as np
import pytest

from bdistil.data.series_views import SensorAugmentation
from bdistil.data.views import augment, digest, view

NOTHING = SensorAugmentation(angle=0, scale=0, shift=0, noise=0)
WHOLE = SensorAugmentation(axes=18, unit=9, logs=18)


def measured(count=50, channels=36, steps=20):
    return np.random.default_rng(0).normal(1, 2, (count, channels, steps)).astype(np.float32)


def changed(**fields):
    return augment(measured(), np.random.default_rng(1), replace(NOTHING, **fields))


def test_nothing_changes_nothing():
    np.testing.assert_allclose(changed(axes=18, unit=9, logs=18), measured(), rtol=1e-5)


def test_a_box_turns_as_one_by_at_most_the_angle_and_the_rest_stays():
    x, turned = measured(), changed(axes=18, unit=9, angle=30.0)
    np.testing.assert_array_equal(turned[:, 18:], x[:, 18:])
    angles = []
    for before, after in zip(x, turned, strict=True):
        boxes = [(before[at : at + 9], after[at : at + 9]) for at in (0, 9)]
        turns = []
        for old, new in boxes:
            # Of each of the three sensors alone, the matrix that turns it; they are one and the same.
            found = [np.linalg.lstsq(old[i : i + 3].T, new[i : i + 3].T)[0].T for i in (0, 3, 6)]
            np.testing.assert_allclose(found, [found[0]] * 3, atol=1e-4)
            np.testing.assert_allclose(found[0] @ found[0].T, np.eye(3), atol=1e-4)
            assert np.linalg.det(found[0]) > 0
            turns.append(found[0])
        angles += [np.degrees(np.arccos((np.trace(turn) - 1) / 2)) for turn in turns]
        assert np.abs(turns[0] - turns[1]).max() > 1e-3
    assert max(angles) <= 30.01 and max(angles) > 25 and min(angles) < 5


def test_everything_is_stronger_or_weaker_alike_and_logarithms_by_its_logarithm():
    x, scaled = measured(), changed(logs=18, scale=0.2)
    factors = (scaled[:, :18] / x[:, :18]).reshape(len(x), -1)
    np.testing.assert_allclose(factors, factors[:, :1].repeat(factors.shape[1], axis=1), rtol=1e-4)
    np.testing.assert_allclose(scaled[:, 18:] - x[:, 18:], np.log(factors[:, :1, None]) + 0 * x[:, 18:], atol=1e-5)
    assert 0.8 <= factors.min() < 0.85 and 1.15 < factors.max() <= 1.2001


def test_windows_are_shifted_around_by_up_to_the_share():
    x, shifted = measured(), changed(shift=0.25)
    found = [
        [later for later in range(-10, 10) if np.array_equal(np.roll(old, later, axis=1), new)]
        for old, new in zip(x, shifted, strict=True)
    ]
    assert all(len(one) == 1 for one in found)
    assert {one[0] for one in found} == set(range(-5, 6))


def test_noise_is_a_share_of_each_channels_own_spread():
    x = measured(steps=2000) * np.linspace(0, 3, 36, dtype=np.float32)[:, None]  # the first channel is at rest
    noise = augment(x, np.random.default_rng(1), replace(NOTHING, noise=0.1)) - x
    np.testing.assert_allclose(noise.std(axis=2), 0.1 * x.std(axis=2), rtol=0.15)
    assert not noise[:, 0].any()


def test_views_are_fixed_differ_from_each_other_and_leave_their_input_alone():
    x = measured()
    before = x.copy()
    assert view(x, 0, 7, WHOLE) is x
    copies = [view(x, index, seed, WHOLE) for index in (1, 2) for seed in (7, 8)]
    assert len({digest(copy) for copy in copies}) == 4
    assert all(copy.shape == x.shape and copy.dtype == np.float32 and np.isfinite(copy).all() for copy in copies)
    np.testing.assert_array_equal(copies[0], view(x, 1, 7, WHOLE))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("augmentation", [SensorAugmentation(), WHOLE])
def test_an_empty_batch_stays_one(augmentation):
    assert augment(measured(count=0), np.random.default_rng(0), augmentation).shape == (0, 36, 20)

"""Raw inputs for models: standardised by channel; the running maximum is the formula and causal; one code for all."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.inputs import FRONT_ENDS, after, normalise

MEAN, STD = (1.0, -2.0, 0.5), (2.0, 0.5, 1.0)


def series(count=4, steps=11):
    return np.random.default_rng(0).normal(0, 2, (count, 3, steps)).astype(np.float32)


def ensemble(front_end=None):
    return ProgressiveEnsemble(c=1.0, classes="ab", mean=MEAN, std=STD, input_shape=(3, 11), front_end=front_end)


def by_hand(x):
    """The running maximum, value by value."""
    x = (x - np.array(MEAN)[:, None]) / np.array(STD)[:, None]
    out = np.empty_like(x)
    for example, t, band in np.ndindex(len(x), x.shape[2], x.shape[1]):
        largest = x[example, :, : t + 1].max(axis=1)
        out[example, band, t] = x[example, band, t] - max(0.5 * largest[band] + 0.5 * largest.mean(), -1)
    return out


def test_the_running_maximum_is_the_formula():
    x = series()
    x[0] = -9  # a recording that stays quiet is moved by −1 at most
    made = normalise(x, MEAN, STD, "running-maximum")
    np.testing.assert_allclose(made, by_hand(x.astype(np.float64)), rtol=1e-5, atol=1e-5)
    standardised = (-9 - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(made[0, :, 0], standardised + 1, rtol=1e-6)


@given(st.integers(0, 10), st.floats(-100, 100, width=32))
def test_no_step_depends_on_a_later_one(step, value):
    x = series()
    later = x.copy()
    later[:, :, step + 1 :] = value
    for front_end in (None, *FRONT_ENDS):
        before, now = (normalise(given, MEAN, STD, front_end)[:, :, : step + 1] for given in (x, later))
        assert torch.equal(before, now)


@pytest.mark.parametrize("front_end", [None, *FRONT_ENDS])
def test_students_and_teachers_read_the_same(front_end):
    assert torch.equal(ensemble(front_end).normalise(series()), normalise(series(), MEAN, STD, front_end))


def test_pictures_lie_channels_last_and_series_as_they_are():
    pictures = normalise(np.zeros((2, 3, 4, 5), np.uint8), MEAN, STD)
    assert pictures.is_contiguous(memory_format=torch.channels_last) and normalise(series(), MEAN, STD).is_contiguous()


def test_the_front_end_is_saved_and_an_older_ensemble_has_none(tmp_path):
    ensemble("running-maximum").save(tmp_path / "new")
    loaded = ProgressiveEnsemble.load(tmp_path / "new")
    assert loaded.front_end == "running-maximum"
    assert torch.equal(loaded.normalise(series()), ensemble("running-maximum").normalise(series()))
    document = json.loads((tmp_path / "new" / "ensemble.json").read_text())
    del document["front_end"]
    (tmp_path / "new" / "ensemble.json").write_text(json.dumps(document))
    assert ProgressiveEnsemble.load(tmp_path / "new").front_end is None


@pytest.mark.parametrize("makes", [ensemble, lambda name: after(torch.zeros(1, 3, 4), name)])
def test_an_unknown_front_end_is_refused(makes):
    with pytest.raises(UserError, match="^There is no front end called mean: choose running-maximum, or none.$"):
        makes("mean")

from dataclasses import replace

import numpy as np

from bdistil.data import Dataset, dataset, info

SIZES = {"train": 40, "validation": 12, "test": 12}


def test_a_thinned_data_set_keeps_some_training_examples_and_everything_else():
    rng = np.random.default_rng(0)
    splits = {name: (rng.integers(0, 17, (n, 1, 8, 8)), np.arange(n) % 10) for name, n in SIZES.items()}
    people = {name: np.arange(n) for name, n in SIZES.items()}
    whole = Dataset.of(replace(info("digits"), train=40), splits, people)
    some = whole.thinned(15)
    assert some.info.train == len(some.x_train) == len(some.y_train) == 15
    assert np.array_equal(some.x_train, whole.x_train[some.people_train])
    assert np.array_equal(some.x_test, whole.x_test) and np.array_equal(some.y_validation, whole.y_validation)
    assert len(set(some.y_train.tolist())) > 2, "not the first ones alone"
    assert some.checksum == whole.thinned(15).checksum != whole.checksum


def test_moments_of_pictures_are_exact_however_many_are_counted_at_a_time(monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (10, 2, 8, 8), dtype=np.uint8)
    splits = dict.fromkeys(SIZES, (x, np.zeros(10, int)))
    for pixels in (1, 200, 10_000):
        monkeypatch.setattr(dataset, "_PIXELS", pixels)
        data = Dataset.of(info("digits"), splits)
        np.testing.assert_allclose(data.mean, x.mean(axis=(0, 2, 3)), rtol=1e-12)
        np.testing.assert_allclose(data.std, x.std(axis=(0, 2, 3)), rtol=1e-12)

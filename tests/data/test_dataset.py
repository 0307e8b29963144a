from dataclasses import replace

import numpy as np

from bdistil.data import Dataset, dataset, info

SIZES = {"train": 40, "validation": 12, "test": 12}


def test_a_thinned_data_set_keeps_some_training_examples_and_everything_else():
    rng = np.random.default_rng(0)
    # Class by class, so that the first examples are of few classes; the other splits are larger than what is kept.
    splits = {name: (rng.integers(0, 17, (n, 1, 8, 8)), np.arange(n) * 10 // n) for name, n in SIZES.items()}
    people = {name: np.arange(n) for name, n in SIZES.items()}
    whole = Dataset.of(replace(info("digits"), train=40), splits, people)
    some = whole.thinned(10)
    assert some.info.train == len(some.x_train) == len(some.y_train) == 10
    assert np.array_equal(some.x_train, whole.x_train[some.people_train])
    assert np.array_equal(some.y_train, whole.y_train[some.people_train])
    for array in ("x_test", "y_test", "people_test", "x_validation", "y_validation", "people_validation"):
        assert np.array_equal(getattr(some, array), getattr(whole, array)), array
    assert some.people_train.tolist() == sorted(some.people_train) and some.people_train.max() > 20
    assert len(set(some.y_train.tolist())) > 4, "not the first ones alone"
    assert some.checksum == whole.thinned(10).checksum != whole.checksum


def test_checksums_tell_inputs_and_labels_of_the_splits_apart():
    x, y = np.zeros((4, 1, 8, 8), np.uint8), np.arange(4)
    splits = dict.fromkeys(SIZES, (x, y))
    data = Dataset.of(info("digits"), splits)
    others = [Dataset.of(info("digits"), {**splits, name: (x, y[::-1])}) for name in SIZES]
    others += [Dataset.of(info("digits"), {**splits, name: (x + 1, y)}) for name in SIZES]
    assert len({data.checksum, *(other.checksum for other in others)}) == 7
    assert [other.test_checksum == data.test_checksum for other in others] == [True, True, False] * 2


def test_the_persons_of_the_test_split_count_only_where_it_holds_them_out():
    splits = dict.fromkeys(SIZES, (np.zeros((4, 1, 8, 8), np.uint8), np.arange(4)))
    data = Dataset.of(info("digits"), splits, dict.fromkeys(SIZES, np.arange(4)))
    assert data.people_test is not None and data.test_persons is None
    held_out = replace(data, info=replace(data.info, people="subject"))
    assert held_out.test_persons.tolist() == [0, 1, 2, 3]


def test_a_channel_that_stands_still_but_for_rounding_is_not_scaled():
    x = np.random.default_rng(0).normal(5, 2, (6, 3, 50)).astype(np.float32)
    x[:, 1] = 1000.0
    x[0, 1, 0] = np.nextafter(np.float32(1000), np.float32(2000))  # what rounding leaves of a constant
    x[:, 2] = x[:, 0] * 1e-3  # small, and a signal all the same
    data = Dataset.of(info("watch"), dict.fromkeys(SIZES, (x, np.zeros(6, int))))
    assert data.std[1] == 1.0
    np.testing.assert_allclose([data.std[0], data.std[2]], x.std(axis=(0, 2), dtype=np.float64)[[0, 2]], rtol=1e-6)


def test_moments_of_pictures_are_exact_however_many_are_counted_at_a_time(monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (10, 2, 8, 8), dtype=np.uint8)
    splits = dict.fromkeys(SIZES, (x, np.zeros(10, int)))
    for pixels in (1, 200, 10_000):
        monkeypatch.setattr(dataset, "_PIXELS", pixels)
        data = Dataset.of(info("digits"), splits)
        np.testing.assert_allclose(data.mean, x.mean(axis=(0, 2, 3)), rtol=1e-12)
        np.testing.assert_allclose(data.std, x.std(axis=(0, 2, 3)), rtol=1e-12)

"""Digits: the bundled images, split without overlap, the same every time."""

import numpy as np
from sklearn.datasets import load_digits

from bdistil.data import fetch, load_dataset
from bdistil.data.dataset import SPLITS


def test_the_splits_are_the_bundled_images_each_once():
    """Every (image, label) of scikit-learn's set is in exactly one split."""
    bundled = load_digits()
    expected = np.column_stack([bundled.images.reshape(1797, 64), bundled.target])
    digits = load_dataset("digits")
    found = np.concatenate([np.column_stack([x.reshape(len(x), 64), y]) for x, y in map(digits.split, SPLITS)])
    np.testing.assert_array_equal(np.unique(found, axis=0), np.unique(expected, axis=0))
    assert len(found) == len(expected) == len(np.unique(expected, axis=0))


def test_the_split_never_changes():
    """Teachers and sample runs that ship were made with this split."""
    assert load_dataset("digits").checksum == "3ab3aa5ee57d3296b0e09b0fc32e9b720baea386077c700cc047b46a020fb9be"


def test_pixels_run_from_0_to_16():
    x = load_dataset("digits").x_train
    assert (x.min(), x.max()) == (0, 16)


def test_the_folder_holds_the_bundled_file():
    assert list(fetch("digits").glob("digits.csv*"))

"""Augmentation does what its fields say, from the generator alone; views are fixed."""

import numpy as np
import pytest

from bdistil.data.views import Augmentation, augment, digest, view


def images(count=200, channels=1, height=8, width=6, seed=0):
    """Random pixels 1 … 255, so that a 0 afterwards was filled in."""
    return np.random.default_rng(seed).integers(1, 256, (count, channels, height, width), dtype=np.uint8)


def shifts_that_explain(original, changed, largest):
    """All (down, right) with which `original` (C, H, W), shifted and filled with 0, becomes `changed`."""
    _, height, width = original.shape
    found = []
    for down in range(-largest, largest + 1):
        for right in range(-largest, largest + 1):
            moved = np.zeros_like(original)
            for row in range(max(0, down), min(height, height + down)):
                for column in range(max(0, right), min(width, width + right)):
                    moved[:, row, column] = original[:, row - down, column - right]
            if np.array_equal(moved, changed):
                found.append((down, right))
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_shift_moves_whole_images_and_fills_with_zero(channels):
    x = images(channels=channels)
    changed = augment(x, np.random.default_rng(0), Augmentation(shift=2))
    assert changed.shape == x.shape and changed.dtype == np.uint8
    explained = [shifts_that_explain(original, moved, 2) for original, moved in zip(x, changed, strict=True)]
    assert all(len(shifts) == 1 for shifts in explained)
    assert len({shifts[0] for shifts in explained}) == 25  # every shift of −2 … 2 in both directions occurs


def test_flip_mirrors_about_half_left_to_right():
    x = images(count=400, channels=3)
    changed = augment(x, np.random.default_rng(0), Augmentation(flip=True))
    mirrored = (changed == x[:, :, :, ::-1]).all(axis=(1, 2, 3))
    same = (changed == x).all(axis=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 160 <= mirrored.sum() <= 240


def test_cutout_blanks_one_square_in_all_channels():
    x = images(count=500, channels=3, height=9, width=9)
    changed = augment(x, np.random.default_rng(0), Augmentation(cutout=3))
    blank = changed == 0
    assert (changed[~blank] == x[~blank]).all()
    assert (blank == blank[:, :1]).all()
    whole = 0
    for mask in blank[:, 0]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns)  # a rectangle …
        assert 2 <= len(rows) <= 3 and 2 <= len(columns) <= 3  # … of side 3, or cut at the edge
        whole += mask.sum() == 9
    assert whole > 250
    assert blank[:, 0].any(axis=0).all()  # and every place is reached


def test_no_augmentation_is_an_equal_copy():
    x = images()
    changed = augment(x, np.random.default_rng(0), Augmentation())
    np.testing.assert_array_equal(changed, x)
    assert not np.shares_memory(changed, x)


ALL = Augmentation(shift=2, flip=True, cutout=3)


def test_augment_leaves_its_input_and_other_generators_alone():
    x = images()
    before, global_state = x.copy(), np.random.get_state()[1].copy()
    augment(x, np.random.default_rng(0), ALL)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(np.random.get_state()[1], global_state)


def test_augment_takes_an_empty_batch():
    assert augment(images(count=0), np.random.default_rng(0), ALL).shape == (0, 1, 8, 6)


def test_view_zero_is_the_input_itself_and_others_are_fixed_and_differ():
    x = images()
    assert view(x, 0, 7, ALL) is x
    np.testing.assert_array_equal(view(x, 1, 7, ALL), view(x, 1, 7, ALL))
    copies = {digest(view(x, index, seed, ALL)) for index in (0, 1, 2) for seed in (7, 8)}
    assert len(copies) == 5  # the two clean ones are one


def test_view_is_the_same_on_every_machine():
    """Cached teacher logits are keyed by a view's digest: another numpy must not silently mean another view."""
    x = np.arange(240, dtype=np.uint8).reshape(5, 1, 8, 6)
    assert digest(view(x, 1, 0, ALL)) == "1ace51554febb1ab"


def test_digest_tells_values_shapes_and_types_apart():
    x = images()
    altered = x.copy()
    altered[0, 0, 0, 0] ^= 1
    different = [x, altered, x.reshape(200, 1, 6, 8), x.view(np.int8), x.transpose(0, 1, 3, 2)]
    assert len({digest(array) for array in different}) == len(different)
    assert digest(x) == digest(x.copy()) == digest(x[::-1][::-1])
    assert len(digest(x)) == 16 and int(digest(x), 16) >= 0

"""Series cut into windows: where each begins, whose it is, and what is left out at the end."""

import numpy as np
import pytest

from bdistil.data.windows import cut, held, sentence
from bdistil.errors import UserError

SERIES = [np.arange(10.0)[None], 100 + np.arange(5.0)[None]]


@pytest.mark.parametrize(
    ("overlap", "starts", "of"),
    [
        (None, [0, 2, 4, 6, 100], [0, 0, 0, 0, 1]),  # half
        (0.75, [0, 1, 2, 3, 4, 5, 6, 100, 101], [0] * 7 + [1] * 2),
        (0.25, [0, 3, 6, 100], [0, 0, 0, 1]),
        (0.0, [0, 4, 100], [0, 0, 1]),
        (0.99, [0, 1, 2, 3, 4, 5, 6, 100, 101], [0] * 7 + [1] * 2),  # a step at least
    ],
)
def test_windows_begin_where_their_overlap_says(overlap, starts, of):
    windows, number = cut(SERIES, 4, overlap, "series {}".format)
    assert windows.shape == (len(starts), 1, 4) and number.tolist() == of
    np.testing.assert_array_equal(windows[:, 0], np.array(starts)[:, None] + np.arange(4))


def test_a_series_shorter_than_a_window_is_named():
    with pytest.raises(UserError, match="^series 1 has 5 steps, a window has 6: choose a shorter window, or remove it"):
        cut(SERIES, 6, None, "series {}".format)


def test_a_shorter_series_holds_its_last_step():
    np.testing.assert_array_equal(held(SERIES)[1, 0], [100, 101, 102, 103, 104, 104, 104, 104, 104, 104])


def test_the_overlap_is_told():
    assert sentence(20, None) == "windows of 20 steps that overlap by 50 %."
    assert sentence(20, 0.25) == "windows of 20 steps that overlap by 25 %."

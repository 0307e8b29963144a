"""Series of any length as examples of one length: cut into windows, or whole."""

from collections.abc import Callable, Sequence

import numpy as np

from bdistil.errors import UserError

_OVERLAP = 0.5


def cut(
    series: Sequence[np.ndarray], length: int, overlap: float | None, where: Callable[[int], str]
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts each (channels, steps) into windows of `length` steps; `overlap` is the share that two have in common.

    Returns (N, channels, length) and int64 (N,), which series each is of. What is left at an end is no whole window and
    is left out. where: names a series in a sentence. Raises UserError for one that is shorter than a window.
    """
    every = max(1, round(length * (1 - (_OVERLAP if overlap is None else overlap))))
    windows = []
    for number, each in enumerate(series):
        if each.shape[1] < length:
            raise UserError(
                f"{where(number)} has {each.shape[1]} steps, a window has {length}: choose a shorter "
                "window, or remove it."
            )
        mine = np.lib.stride_tricks.sliding_window_view(each, length, axis=1)[:, ::every]
        windows.append(mine.transpose(1, 0, 2))
    return np.concatenate(windows), np.repeat(np.arange(len(windows)), list(map(len, windows)))


def sentence(length: int, overlap: float | None) -> str:
    """The end of a sentence on windows."""
    return f"windows of {length} steps that overlap by {100 * (_OVERLAP if overlap is None else overlap):g} %."


def held(series: Sequence[np.ndarray]) -> np.ndarray:
    """(channels, steps) each -> (N, channels, longest): the last step of a shorter one is held."""
    longest = max(each.shape[1] for each in series)
    return np.stack([np.pad(each, ((0, 0), (0, longest - each.shape[1])), mode="edge") for each in series])

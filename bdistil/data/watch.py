"""Watch: seven shoulder exercises of ten persons, by a watch's accelerometer and gyroscope at 50 Hz.

D. Burns, N. Leung, M. Hardisty, C. Whyne, P. Henry, S. McLachlin, 2018: 140 recordings of twenty repetitions, of each
person, exercise and arm. Ships with the product.
"""

from pathlib import Path

import numpy as np

from bdistil.data import embedded
from bdistil.data.dataset import DatasetInfo
from bdistil.data.embedded import fetch, is_here

__all__ = ["INFO", "fetch", "is_here", "read"]

INFO = DatasetInfo(
    name="watch",
    title="Watch",
    modality="sensor",
    classes=(
        "Pendulum",
        "Abduction",
        "Forward elevation",
        "Internal rotation",
        "External rotation",
        "Trapezius extension",
        "Upright row",
    ),
    input_shape=(6, 100),
    train=2_669,
    validation=1_006,
    test=1_002,
    split="Persons 1 to 6 train, 7 and 8 are held out for validation, 9 and 10 for the test; each recording is cut "
    "into windows of 2 s that overlap by half.",
    licence="BSD 3-Clause",
    source="https://github.com/dmbee/seglearn",
    download_bytes=0,
    preview=True,
    channels=(
        "acceleration x",
        "acceleration y",
        "acceleration z",
        "rotation x",
        "rotation y",
        "rotation z",
    ),
    rate_hz=50.0,
    people="subject",
)
_SHA256 = "5fb5db3f19b0a6cdfec3d562da16204fc2720fac0d81ab21e16b99d5cf8876de"
_PEOPLE = {"train": (1, 2, 3, 4, 5, 6), "validation": (7, 8), "test": (9, 10)}
# Two seconds are about one repetition of an exercise, and as long as people wait for an answer.
_STEPS, _EVERY = 100, 50


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 6, 100), y int64 (N,), persons int64 (N,)) of each split; the data home is not used."""
    arrays = embedded.read_arrays(INFO.name, _SHA256)
    windows = [_windows(recording) for recording in np.split(_values(arrays), np.cumsum(arrays["lengths"])[:-1])]
    counts = [len(cut) for cut in windows]
    x = np.concatenate(windows)
    y, people = (np.repeat(arrays[name], counts).astype(np.int64) for name in ("label", "subject"))
    rows = {name: np.isin(people, who) for name, who in _PEOPLE.items()}
    return {name: (x[chosen], y[chosen], people[chosen]) for name, chosen in rows.items()}


def _values(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """All recordings one after the other, float32 (Σ steps, 6).

    They are float16, kept as the first bytes of all values and then the second ones, which packs better by a fifth.
    """
    halves = np.ascontiguousarray(arrays["values_by_byte"].transpose(2, 1, 0)).view("<f2")  # (Σ steps, 6, 1)
    return halves[:, :, 0].astype(np.float32)


def _windows(recording: np.ndarray) -> np.ndarray:
    """(steps, channels) -> (windows, channels, 100); what is left at the end is no whole window and is left out."""
    return np.lib.stride_tricks.sliding_window_view(recording, _STEPS, axis=0)[::_EVERY]

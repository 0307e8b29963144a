"""Free Spoken Digit Dataset with its authors' test split: takes 0 … 4 of each word test, every speaker on both sides.

The authors name no validation split: takes 5 … 9 of their training part are held out here.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bdistil.data import free_spoken_digits
from bdistil.data.dataset import Splits

INFO = replace(
    free_spoken_digits.INFO,
    name="free-spoken-digits-official",
    title="Free Spoken Digits, official split",
    train=2_400,
    validation=300,
    test=300,
    split="The official test split, takes 0 to 4 of each word; takes 5 to 9 are held out of the official training part "
    "for validation. Every speaker is on both sides.",
    people=None,
)
is_here, fetch = free_spoken_digits.is_here, free_spoken_digits.fetch
_PARTS = Splits(train=range(10, 50), validation=range(5, 10), test=range(5))


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 32, 48), y, speaker, each int64 (N,)) of each split. Raises UserError as
    `free_spoken_digits.read`."""
    x, y, speaker, take = free_spoken_digits.read_all(home)
    splits = {name: np.isin(take, part) for name, part in _PARTS.items()}
    return {name: (x[rows], y[rows], speaker[rows]) for name, rows in splits.items()}


def recordings(home: Path) -> list[Path]:
    """Returns the recordings of the test split, in its order."""
    speakers = [free_spoken_digits.recordings(home, rotation) for rotation in range(len(free_spoken_digits.SPEAKERS))]
    takes = len(speakers[0]) // len(INFO.classes)
    return [
        words[digit * takes + take] for digit in range(len(INFO.classes)) for words in speakers for take in _PARTS.test
    ]

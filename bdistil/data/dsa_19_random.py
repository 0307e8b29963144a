"""Daily and Sports Activities, split at random as much of the literature does: every person is on all sides.

Windows of one person doing one thing are cut from one recording, so that nearly the same is trained on and tested: a
model seems better here than it is for anyone new.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bdistil.data import dsa_19
from bdistil.data.holding_out import hold_out

INFO = replace(
    dsa_19.INFO,
    name="dsa-19-random",
    title="Daily and Sports Activities, random split",
    train=6_384,
    validation=912,
    test=1_824,
    split="70/10/20 of all windows at random, each activity in the same proportion, with a fixed seed. Every person is "
    "on all sides with windows of the same recordings, so that accuracies are those for known persons.",
    people=None,
)
is_here, fetch = dsa_19.is_here, dsa_19.fetch


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 90, 25), y int64 (N,), persons int64 (N,)) of each split. Raises as `dsa_19.read`."""
    x, y, people = dsa_19.read_all(home)
    kept, test = hold_out(np.arange(len(y)), y, INFO.test)
    train, validation = hold_out(kept, y, INFO.validation)
    rows = {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}
    return {name: (x[chosen], y[chosen], people[chosen]) for name, chosen in rows.items()}

"""Daily and Sports Activities, split at random as much of the literature does: every person is on all sides.

Windows of one person doing one thing are cut from one recording, so that nearly the same is trained on and tested: a
model seems better here than it is for anyone new.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bdistil.data import dsa_19

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
_SEED = 0


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 90, 25), y int64 (N,), persons int64 (N,)) of each split. Raises as `dsa_19.read`."""
    # Imported here because scikit-learn takes a second, and listing the data sets must not.
    from sklearn.model_selection import train_test_split

    x, y, people = dsa_19.read_all(home)
    kept, test = train_test_split(np.arange(len(y)), test_size=INFO.test, stratify=y, random_state=_SEED)
    train, validation = train_test_split(kept, test_size=INFO.validation, stratify=y[kept], random_state=_SEED)
    rows = {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}
    return {name: (x[chosen], y[chosen], people[chosen]) for name, chosen in rows.items()}

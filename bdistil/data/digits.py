"""Digits: 1,797 handwritten digits of 8×8 pixels with values 0 … 16, bundled with scikit-learn. Needs no download."""

from pathlib import Path

import numpy as np

from bdistil.data.dataset import DatasetInfo
from bdistil.data.holding_out import hold_out

INFO = DatasetInfo(
    name="digits",
    title="Digits",
    modality="image",
    classes=tuple("0123456789"),
    input_shape=(1, 8, 8),
    train=1077,
    validation=360,
    test=360,
    split="60/20/20 of all 1,797 images, each class in the same proportion, with a fixed seed.",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/80",
    download_bytes=0,
    preview=True,
)

# scikit-learn is imported where it is used: that takes a second, and listing the data sets must not.


def is_here(home: Path) -> bool:
    """Says that nothing has to be downloaded; the data home is not used."""
    return True


def fetch(home: Path, progress: bool) -> Path:
    """Returns the folder in which scikit-learn keeps the images; the data home is not used."""
    import sklearn.datasets

    return Path(sklearn.datasets.__file__).parent / "data"


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (x uint8 (N, 1, 8, 8), y int64 (N,)) of each split; the data home is not used."""
    from sklearn.datasets import load_digits

    bundled = load_digits()
    x, y = bundled.images.astype(np.uint8)[:, None], bundled.target.astype(np.int64)
    kept, test = hold_out(np.arange(len(y)), y, INFO.test)
    train, validation = hold_out(kept, y, INFO.validation)
    splits = {"train": train, "validation": validation, "test": test}
    return {name: (x[np.sort(rows)], y[np.sort(rows)]) for name, rows in splits.items()}

"""Digits: 1,797 handwritten digits of 8×8 pixels with values 0 … 16, bundled with scikit-learn. Needs no download."""

from pathlib import Path

import numpy as np

from bdistil.data.dataset import DatasetInfo

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
_SEED = 0


def read(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (x uint8 (N, 1, 8, 8), y int64 (N,)) of each split. `folder` is not used: the images come with a package."""
    # Imported here because scikit-learn takes a second, and listing the data sets must not.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits().images, load_digits().target
    kept, test = train_test_split(np.arange(len(labels)), test_size=INFO.test, stratify=labels, random_state=_SEED)
    train, validation = train_test_split(kept, test_size=INFO.validation, stratify=labels[kept], random_state=_SEED)
    x = images.astype(np.uint8)[:, None]
    chosen = {"train": train, "validation": validation, "test": test}
    return {name: (x[np.sort(rows)], labels[np.sort(rows)].astype(np.int64)) for name, rows in chosen.items()}

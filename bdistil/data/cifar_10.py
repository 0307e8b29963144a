"""CIFAR-10: 60,000 pictures of ten kinds of things, 32×32 pixels in colour (A. Krizhevsky, 2009).

Read from the official binary version, `cifar-10/cifar-10-batches-bin`, which is downloaded where it is missing.
"""

from pathlib import Path

import numpy as np

from bdistil.data import cifar
from bdistil.data.dataset import DatasetInfo

INFO = DatasetInfo(
    name="cifar-10",
    title="CIFAR-10",
    modality="image",
    classes=("Airplane", "Automobile", "Bird", "Cat", "Deer", "Dog", "Frog", "Horse", "Ship", "Truck"),
    input_shape=cifar.SHAPE,
    train=45_000,
    validation=5_000,
    test=10_000,
    split="The official test pictures; 500 official training pictures of each class are held out for validation.",
    licence="none stated",
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    download_bytes=170_052_171,
    preview=False,
)
_ARCHIVE, _MD5 = "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"
_FOLDER, _RECORDS = "cifar-10-batches-bin", 10_000
_TRAIN, _TEST = tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"


def is_here(home: Path) -> bool:
    """Says whether all six files are in the data home; their content is checked by `read`."""
    return all((home / INFO.name / _FOLDER / file).exists() for file in (*_TRAIN, _TEST))


def fetch(home: Path, progress: bool) -> Path:
    """Downloads and unpacks the archive where a file is missing, and returns the folder of the files."""
    sizes = dict.fromkeys((*_TRAIN, _TEST), _RECORDS * (1 + 3 * 32 * 32))
    return cifar.fetch_files(INFO.name, home, _ARCHIVE, _MD5, _FOLDER, sizes, progress)


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (x uint8 (N, 3, 32, 32), y int64 (N,)) of each split."""
    return read_files(home / INFO.name / _FOLDER, _RECORDS)


def read_files(folder: Path, records: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """As `read`, of files that hold so many records each."""
    kinds = (len(INFO.classes),)
    pictures, labels = zip(*(cifar.read_records(folder / file, records, kinds) for file in _TRAIN), strict=True)
    x_test, y_test = cifar.read_records(folder / _TEST, records, kinds)
    return cifar.split(np.concatenate(pictures), np.concatenate(labels)[:, 0], x_test, y_test[:, 0], *kinds, INFO.title)

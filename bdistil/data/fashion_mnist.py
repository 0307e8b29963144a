"""Fashion-MNIST: 70,000 pictures of clothes, 28×28 grey values, in ten classes (H. Xiao, K. Rasul, R. Vollgraf, 2017).

Reads the official gzip-compressed idx files from `FashionMNIST/raw`, torchvision's layout, and downloads what is
missing from the official source.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bdistil.data.dataset import DatasetInfo
from bdistil.data.download import download
from bdistil.data.holding_out import hold_out
from bdistil.data.idx import read_idx

INFO = DatasetInfo(
    name="fashion-mnist",
    title="Fashion-MNIST",
    modality="image",
    classes=("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
    input_shape=(1, 28, 28),
    train=55_000,
    validation=5_000,
    test=10_000,
    split="The official test images; 500 official training images of each class are held out for validation.",
    licence="MIT",
    source="https://github.com/zalandoresearch/fashion-mnist",
    download_bytes=30_878_645,
    preview=True,
)
URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


@dataclass(frozen=True)
class _File:
    """One official file: its shape, SHA-256 of its uncompressed content, MD5 of the file as it is downloaded."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    md5: str

    def read(self, folder: Path) -> np.ndarray:
        return read_idx(folder / self.name, self.shape, self.sha256)


_TRAIN_IMAGES = _File(
    "train-images-idx3-ubyte.gz",
    (60_000, 28, 28),
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
)
_TRAIN_LABELS = _File(
    "train-labels-idx1-ubyte.gz",
    (60_000,),
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "25c81989df183df01b3e8a0aad5dffbe",
)
_TEST_IMAGES = _File(
    "t10k-images-idx3-ubyte.gz",
    (10_000, 28, 28),
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "bef4ecab320f06d8554ea6380940ec79",
)
_TEST_LABELS = _File(
    "t10k-labels-idx1-ubyte.gz",
    (10_000,),
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "bb300cfdad3c16e7a12a480ee83cd310",
)
_FILES = (_TRAIN_IMAGES, _TRAIN_LABELS, _TEST_IMAGES, _TEST_LABELS)


def is_here(home: Path) -> bool:
    """Says whether all four files are in the data home; their content is checked by `read`."""
    return all((_folder(home) / file.name).exists() for file in _FILES)


def fetch(home: Path, progress: bool) -> Path:
    """Downloads the files that are missing and returns their folder."""
    if not is_here(home):
        download(INFO.name, URL, _folder(home), {file.name: file.md5 for file in _FILES}, progress)
    return _folder(home)


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (x uint8 (N, 1, 28, 28), y int64 (N,)) of each split."""
    folder = _folder(home)
    x, y = _TRAIN_IMAGES.read(folder)[:, None], _TRAIN_LABELS.read(folder).astype(np.int64)
    train, validation = hold_out(np.arange(len(y)), y, INFO.validation)
    train, validation = np.sort(train), np.sort(validation)
    return {
        "train": (x[train], y[train]),
        "validation": (x[validation], y[validation]),
        "test": (_TEST_IMAGES.read(folder)[:, None], _TEST_LABELS.read(folder).astype(np.int64)),
    }


def _folder(home: Path) -> Path:
    return home / "FashionMNIST" / "raw"

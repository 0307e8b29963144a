"""What a data set is: `DatasetInfo`, known without reading it, and `Dataset`, its three splits in memory."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is read.

    input_shape: (channels, height, width) of one example.
    train, validation, test: examples in each split. split: one sentence on how they were split.
    source: URL. download_bytes: size of the download, 0 if nothing has to be downloaded.
    preview: whether the licence permits to ship pictures of test examples.
    """

    name: str
    title: str
    modality: str
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    train: int
    validation: int
    test: int
    split: str
    licence: str
    source: str
    download_bytes: int
    preview: bool


@dataclass(frozen=True)
class Dataset:
    """A data set in memory, raw and unnormalised.

    x_…: uint8 (N, C, H, W). y_…: int64 (N,), positions in `info.classes`.
    mean, std: one float a channel, of the train split, in raw units.
    checksum: SHA-256 over the bytes of all splits, as 64 hexadecimal digits.
    """

    info: DatasetInfo
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]
    checksum: str

    @classmethod
    def of(cls, info: DatasetInfo, splits: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> "Dataset":
        """Makes a data set of the (x, y) of each of `SPLITS`, and works out its mean, deviation and checksum."""
        hashed = hashlib.sha256()
        arrays = {}
        for name in SPLITS:
            x, y = splits[name]
            arrays[f"x_{name}"] = np.ascontiguousarray(x, dtype=np.uint8)
            arrays[f"y_{name}"] = np.ascontiguousarray(y, dtype=np.int64)
            hashed.update(arrays[f"x_{name}"])
            hashed.update(arrays[f"y_{name}"])
        mean, std = _moments(arrays["x_train"])
        return cls(info=info, mean=mean, std=std, checksum=hashed.hexdigest(), **arrays)

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns (x uint8 (N, C, H, W), y int64 (N,)) of the split `train`, `validation` or `test`."""
        if name not in SPLITS:
            raise ValueError(f"There is no split {name!r}.")
        return getattr(self, f"x_{name}"), getattr(self, f"y_{name}")


def _moments(x: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the exact mean and standard deviation of each channel of uint8 (N, C, H, W), without a float copy."""
    values = np.arange(256)
    means, deviations = [], []
    for channel in range(x.shape[1]):
        share = np.bincount(x[:, channel].ravel(), minlength=256) / x[:, channel].size
        mean = float(share @ values)
        means.append(mean)
        deviations.append(float(np.sqrt(share @ (values - mean) ** 2)))
    return tuple(means), tuple(deviations)

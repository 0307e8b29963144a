"""What a data set is: `DatasetInfo`, known without reading it, and `Dataset`, its three splits in memory."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

import numpy as np

Modality = Literal["image", "speech", "sensor"]
SPLITS = ("train", "validation", "test")
_STILL = 1e-6  # of a mean: a deviation below it is rounding, and dividing by it would make it the signal
_BLOCK = 4096  # series whose moments are taken at a time, in double precision
_PIXELS = 2**22  # that are counted at a time, as eight bytes each
_THINNING = 0  # the seed of the choice
T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class Splits(Generic[T]):
    """One value for each split, such as the teacher's logits (N, L). `[name]` is for names known at run time only."""

    train: T
    validation: T
    test: T

    @classmethod
    def of(cls, make: Callable[[str], S]) -> "Splits[S]":
        """What `make` returns for the name of each split, called in the order of `SPLITS`."""
        return Splits(*map(make, SPLITS))

    def map(self, change: Callable[[T], S]) -> "Splits[S]":
        """What `change` returns for the value of each split."""
        return Splits(change(self.train), change(self.validation), change(self.test))

    def items(self) -> Iterator[tuple[str, T]]:
        """Name and value of each split, in the order of `SPLITS`."""
        return zip(SPLITS, (self.train, self.validation, self.test), strict=True)

    def __getitem__(self, name: str) -> T:
        return dict(self.items())[name]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is read.

    modality: `image`, `speech` or `sensor`; the last two are series.
    input_shape: of one example, (channels, height, width) of a picture or (channels, steps) of a series.
    train, validation, test: examples in each split. split: one sentence on how they were split.
    source: URL. download_bytes: size of the download, 0 if nothing has to be downloaded.
    preview: whether the licence permits to ship test examples.
    channels: names of a series' channels; none for the bands of a spectrogram.
    rate_hz: steps a second of a series. sampling_hz: samples a second of the recordings behind a spectrogram.
    people: what the split holds out whole, `speaker` or `subject`; None where it holds out nobody.
    front_end: what follows standardising, one of `bdistil.inputs.FRONT_ENDS`; None for nothing.
    checksum: of one's own data, `Dataset.checksum` of these splits; None where the name alone says what they are.
    counts: of one's own data, examples of each class in each of `SPLITS`, 3 x L.
    """

    name: str
    title: str
    modality: Modality
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    train: int
    validation: int
    test: int
    split: str
    licence: str
    source: str
    download_bytes: int
    preview: bool
    channels: tuple[str, ...] = ()
    rate_hz: float | None = None
    sampling_hz: int | None = None
    people: str | None = None
    front_end: str | None = None
    checksum: str | None = None
    counts: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A data set in memory, raw and unnormalised.

    x_…: uint8 (N, C, H, W) of pictures; float32 (N, C, S) of series, the steps last. y_…: int64 (N,), positions in
    `info.classes`. mean, std: one float a channel, of the train split, in raw units; 1 where nothing changes.
    checksum: SHA-256 over the bytes of all splits, as 64 hexadecimal digits.
    people_…: int64 (N,), the number of the person that an example is of; None where persons are not known.
    files_…: text (N,), the path of each example below the data's folder; None where examples have no files.
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
    people_train: np.ndarray | None = None
    people_validation: np.ndarray | None = None
    people_test: np.ndarray | None = None
    files_train: np.ndarray | None = None
    files_validation: np.ndarray | None = None
    files_test: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        info: DatasetInfo,
        splits: Mapping[str, tuple[np.ndarray, ...]],
        people: Mapping[str, np.ndarray] | None = None,
        files: Mapping[str, np.ndarray] | None = None,
    ) -> "Dataset":
        """Makes a data set of the (x, y) of each of `SPLITS`, and works out its mean, deviation and checksum.

        Persons are given by split in `people`, or as a third array beside x and y; paths by split in `files`.
        """
        people = people or {name: given[2] for name, given in splits.items() if len(given) == 3}
        hashed = hashlib.sha256()
        kind = np.uint8 if info.modality == "image" else np.float32
        x = Splits.of(lambda name: np.ascontiguousarray(splits[name][0], dtype=kind))
        y = Splits.of(lambda name: np.ascontiguousarray(splits[name][1], dtype=np.int64))
        arrays: dict[str, np.ndarray] = {}
        for name in SPLITS:
            arrays |= {f"x_{name}": x[name], f"y_{name}": y[name]}
            hashed.update(x[name].data)
            hashed.update(y[name].data)
            if people:
                arrays[f"people_{name}"] = np.ascontiguousarray(people[name], dtype=np.int64)
            if files:
                arrays[f"files_{name}"] = files[name]
        moments = _moments_of_bytes if info.modality == "image" else _moments_of_floats
        mean, std = moments(x.train)
        std = tuple(wide if wide > _STILL * abs(middle) else 1.0 for wide, middle in zip(std, mean, strict=True))
        return cls(info=info, mean=mean, std=std, checksum=hashed.hexdigest(), **arrays)

    def thinned(self, count: int) -> "Dataset":
        """Returns it with `count` of the training examples, always the same ones, in their order."""
        kept = np.sort(np.random.default_rng(_THINNING).permutation(len(self.x_train))[:count])

        def picked(train: np.ndarray | None, *others: np.ndarray | None) -> dict[str, np.ndarray] | None:
            if train is None:
                return None
            return {
                name: array for name, array in zip(SPLITS, (train[kept], *others), strict=True) if array is not None
            }

        splits = {
            "train": (self.x_train[kept], self.y_train[kept]),
            "validation": (self.x_validation, self.y_validation),
            "test": (self.x_test, self.y_test),
        }
        info = replace(self.info, train=len(kept), checksum=None, counts=())
        people = picked(self.people_train, self.people_validation, self.people_test)
        files = picked(self.files_train, self.files_validation, self.files_test)
        return Dataset.of(info, splits, people, files)

    @property
    def test_checksum(self) -> str:
        """SHA-256 of the test split alone, as 64 hexadecimal digits: thinning leaves it as it is."""
        hashed = hashlib.sha256(self.x_test.data)
        hashed.update(self.y_test.data)
        return hashed.hexdigest()

    @property
    def test_persons(self) -> np.ndarray | None:
        """Whose each test example is, int64 (N,), where the split holds out whole persons; None elsewhere."""
        return self.people_test if self.info.people else None

    @property
    def counts(self) -> dict[str, list[int]]:
        """Examples of each class, in the order of the classes, in each of `SPLITS`."""
        size = len(self.info.classes)
        return {name: np.bincount(self.split(name)[1], minlength=size).tolist() for name in SPLITS}

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns (x, y) of the split `train`, `validation` or `test`."""
        if name not in SPLITS:
            raise ValueError(f"There is no split {name!r}.")
        return getattr(self, f"x_{name}"), getattr(self, f"y_{name}")


def _moments_of_bytes(x: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the exact mean and standard deviation of each channel of uint8 (N, C, H, W), without a float copy."""
    values, block = np.arange(256), max(1, _PIXELS // x[0, 0].size)
    means, deviations = [], []
    for channel in range(x.shape[1]):
        blocks = (x[at : at + block, channel].ravel() for at in range(0, len(x), block))
        share = sum(np.bincount(pixels, minlength=256) for pixels in blocks) / x[:, channel].size
        mean = float(share @ values)
        means.append(mean)
        deviations.append(float(np.sqrt(share @ (values - mean) ** 2)))
    return tuple(means), tuple(deviations)


def _moments_of_floats(x: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the mean and standard deviation of each channel of float32 (N, C, S), without a copy of all of it."""
    count = x.shape[0] * x.shape[2]
    blocks = range(0, len(x), _BLOCK)
    mean = sum(x[at : at + _BLOCK].sum(axis=(0, 2), dtype=np.float64) for at in blocks) / count
    centred = (x[at : at + _BLOCK] - mean[:, None] for at in blocks)  # double precision, as `mean` is
    variance = sum((block**2).sum(axis=(0, 2)) for block in centred) / count
    return tuple(mean.tolist()), tuple(np.sqrt(variance).tolist())

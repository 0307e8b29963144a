"""Examples as pages draw them: pictures or series in an NPZ file, of a test split (previews/NAME.npz) or of a round.

Pictures: `images` uint8 (N, H, W) or (N, H, W, 3), `max` the value shown as white or full ink. Series: `series` float16
(N, C, S), raw, `modality` "speech" or "sensor", `channels` (C,) their names or none (bands of a spectrogram), `rate_hz`
steps a second (0: unknown), `mean` and `std` (C,) of the train split; and of the examples whose recordings are at hand,
`audio` int16, one after the other, with `audio_index` and `audio_lengths`, at `sampling_hz`. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.paths import ASSETS, home, open_regular

LARGEST = 20_000_000  # bytes of series in a file


@dataclass(frozen=True, eq=False)
class Pictures:
    """images: uint8 (N, H, W) or (N, H, W, 3); white: the value shown as white or full ink."""

    images: np.ndarray
    white: float

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Series:
    """values: (N, C, S), raw; modality: speech or sensor; mean, std: (C,) of the train split; channels: C names or
    none; rate_hz: steps a second.

    recordings: int16 samples by example, at sampling_hz, of the examples that have one.
    """

    values: np.ndarray
    modality: str
    mean: np.ndarray
    std: np.ndarray
    channels: tuple[str, ...] = ()
    rate_hz: float | None = None
    recordings: Mapping[int, np.ndarray] = field(default_factory=dict)
    sampling_hz: int | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def seconds(self) -> float | None:
        """How long an example is; None where the steps have no rate."""
        return self.values.shape[2] / self.rate_hz if self.rate_hz else None


Examples = Pictures | Series


def arrays(data: Dataset, x: np.ndarray, recordings: Mapping[int, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """What a file holds of x, some examples of the data set, raw: see the module's docstring.

    recordings: int16 samples by place in x, at the data set's `sampling_hz`. Series of more than `LARGEST` bytes are
    thinned: steps are averaged two by two, and their rate is halved, until they fit.
    """
    if data.info.modality == "image":
        return {"images": x[:, 0] if x.shape[1] == 1 else x.transpose(0, 2, 3, 1), "max": np.array(data.x_train.max())}
    rate = data.info.rate_hz or 0.0
    while 2 * x.size > LARGEST:
        even = x[:, :, : x.shape[2] // 2 * 2]
        x, rate = (even[:, :, ::2] + even[:, :, 1::2]) / 2, rate / 2
    stored = {
        "series": x.astype(np.float16),
        "modality": np.array(data.info.modality),
        "channels": np.array(data.info.channels, dtype=str),
        "rate_hz": np.array(rate),
        "mean": np.array(data.mean, np.float32),
        "std": np.array(data.std, np.float32),
    }
    return stored | (sound(recordings, data.info.sampling_hz) if recordings and data.info.sampling_hz else {})


def preview_recordings(info: DatasetInfo, paths: Sequence[Path]) -> dict[int, np.ndarray]:
    """As many recordings as fit `LARGEST`, evenly spaced, each as long as an example: int16 samples by place.

    paths: a recording an example. Raises UserError for one that cannot be read.
    """
    from bdistil.data.audio import read_recording  # it takes torch

    if not paths or not info.rate_hz or not info.sampling_hz:
        return {}
    seconds = info.input_shape[-1] / info.rate_hz
    most = max(1, int(LARGEST / (2 * seconds * info.sampling_hz)))
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).round().astype(int)).tolist()
    samples = (read_recording(paths[place], info.sampling_hz, seconds) for place in chosen)
    return {place: (32767 * each.clip(-1, 1)).astype(np.int16) for place, each in zip(chosen, samples, strict=True)}


def sound(recordings: Mapping[int, np.ndarray], sampling_hz: int) -> dict[str, np.ndarray]:
    """The arrays of at least one recording, int16 samples by place."""
    return {
        "audio": np.concatenate(list(recordings.values())),
        "audio_index": np.array(list(recordings)),
        "audio_lengths": np.array([len(samples) for samples in recordings.values()]),
        "sampling_hz": np.array(sampling_hz),
    }


def origin(checksum: str) -> dict[str, np.ndarray]:
    """The array that says which test split (`Dataset.test_checksum`) a file's examples are."""
    return {"test_checksum": np.array(checksum)}


def is_of(path: Path, checksum: str | None) -> bool:
    """Whether a file says that its examples are those of this test split; False where it is missing or says nothing."""
    return checksum is not None and _origin(path) == checksum


def may_be_of(path: Path, checksum: str | None) -> bool:
    """Whether nothing speaks against it; runs and files of earlier versions do not say what they are of."""
    return None in (found := (_origin(path), checksum)) or found[0] == found[1]


def _origin(path: Path) -> str | None:
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as kept:
            return str(kept["test_checksum"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
        return None


def stored(kept: Mapping[str, np.ndarray]) -> Examples:
    """The examples that a file's arrays hold. Raises KeyError, ValueError or TypeError where they hold none."""
    if "series" not in kept:
        images = kept["images"]
        # Rounds of the first versions kept one channel, ahead of height and width.
        return Pictures(images[:, 0] if images.ndim == 4 and images.shape[3] != 3 else images, float(kept["max"]))
    values, mean, std = kept["series"], kept["mean"], kept["std"]
    channels = tuple(kept["channels"].tolist())
    if values.ndim != 3 or not len(mean) == len(std) == values.shape[1] or len(channels) not in (0, len(mean)):
        raise ValueError("The shapes of these series do not fit.")
    recordings, sampling_hz = {}, None
    if "audio" in kept:
        *pieces, rest = np.split(kept["audio"], np.cumsum(kept["audio_lengths"]))
        if len(rest):
            raise ValueError("The lengths of these recordings do not add up.")
        recordings = dict(zip(kept["audio_index"].tolist(), pieces, strict=True))
        sampling_hz = int(kept["sampling_hz"])
    rate_hz, modality = float(kept["rate_hz"]) or None, str(kept["modality"])
    return Series(values, modality, mean, std, channels, rate_hz, recordings, sampling_hz)


def read(path: Path) -> Examples | None:
    """The examples of a file; None where it is damaged."""
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as kept:
            return stored(kept)
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, BadZipFile):
        return None


def previews(dataset: str) -> Path | None:
    """The file with the test split of that data set, one's own before the shipped one; None where there is none."""
    paths = (folder / "previews" / f"{dataset}.npz" for folder in (home(), ASSETS))
    return next((path for path in paths if path.is_file()), None)

"""What the invented runs are about: data sets as far as a run tells of them, and examples that look the part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bdistil.runs.previews import sound

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Invented:
    """A data set as a run tells of it. shape: of one example, (height, width) of a picture, (channels, steps) of a
    series; white: the largest value of a picture; rate_hz: steps a second; sampling_hz: of recordings.
    """

    title: str
    classes: tuple[str, ...]
    teacher: str
    student: str
    shape: tuple[int, int]
    modality: str = "image"
    people: str | None = None
    white: int = 255
    channels: tuple[str, ...] = ()
    rate_hz: float = 0.0
    sampling_hz: int = 0


DATASETS = {
    "digits": Invented("Digits", tuple("0123456789"), "digits-resnet-s", "cnn-xs", (8, 8), white=16),
    "fashion-mnist": Invented(
        "Fashion-MNIST",
        ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
        "fashion-mnist-resnet-m",
        "cnn-m",
        (28, 28),
    ),
    "free-spoken-digits": Invented(
        "Free Spoken Digits",
        DIGITS,
        "free-spoken-digits-tcn",
        "gru-s",
        (32, 48),
        "speech",
        "speaker",
        rate_hz=50.0,
        sampling_hz=8000,
    ),
    "watch": Invented(
        "Watch",
        ("pendulum", "abduction", "elevation", "inner rotation", "outer rotation", "trapezius", "rowing"),
        "watch-tcn",
        "gru-xs",
        (6, 100),
        "sensor",
        "subject",
        channels=tuple(f"{what} {axis}" for what in ("acceleration", "rotation") for axis in "xyz"),
        rate_hz=50.0,
    ),
    "dsa-19": Invented(
        "Daily and Sports Activities",
        ("sitting", "standing", "lying on the back", "climbing stairs", "rowing"),
        "dsa-19-tcn",
        "gru-xs",
        (45, 125),
        "sensor",
        "subject",
        channels=tuple(
            f"{place} {what} {axis}"
            for place in ("torso", "right arm", "left arm", "right leg", "left leg")
            for what in ("acceleration", "rotation", "magnetism")
            for axis in "xyz"
        ),
        rate_hz=25.0,
    ),
}


def arrays(dataset: str, numbers: np.ndarray, recorded: int = 0) -> dict[str, np.ndarray]:
    """The arrays of an examples file (`bdistil.runs.previews`): what example number … of a data set looks like.

    recorded: how many of them, from the first on, have a recording.
    """
    known = DATASETS[dataset]
    if known.modality == "image":
        return {"images": pictures(numbers, *known.shape, known.white), "max": np.array(known.white)}
    series = np.stack([_series(known, number) for number in numbers])
    stored = {
        "series": series.astype(np.float16),
        "modality": np.array(known.modality),
        "channels": np.array(known.channels, dtype=str),
        "rate_hz": np.array(known.rate_hz),
        "mean": series.mean(axis=(0, 2)),
        "std": series.std(axis=(0, 2)),
    }
    recordings = {place: _recording(known, numbers[place]) for place in range(recorded)}
    return stored | (sound(recordings, known.sampling_hz) if recordings else {})


def pictures(numbers: np.ndarray, height: int, width: int, white: int) -> np.ndarray:
    """A square that wanders with the example's number, uint8 (n, height, width)."""
    images = np.zeros((len(numbers), height, width), np.uint8)
    for number, image in zip(numbers, images, strict=True):
        left = number % (width // 2)
        image[height // 4 : 3 * height // 4, left : left + width // 2] = 0.8 * white
    return images


def _series(known: Invented, number: int) -> np.ndarray:
    """Speech: a band of energy that glides, over a floor. Sensors: sines about a level of their own, with noise."""
    channels, steps = known.shape
    rng, time, place = np.random.default_rng(number), np.arange(steps), np.arange(channels)[:, None]
    noise = rng.normal(0, 1, known.shape)
    if known.modality == "speech":
        pitch = channels * (0.3 + 0.2 * np.sin(2 * np.pi * (time / steps + number / 7)))
        spoken = np.clip(np.minimum(time, 0.7 * steps - time), 0, 6) / 6
        return (-6 + 0.5 * noise + 7 * spoken * np.exp(-(((place - pitch) / 4) ** 2))).astype(np.float32)
    swing = np.sin(2 * np.pi * (time / steps * (1 + number % 4) + place / 7))
    return ((place % 3 - 1) / 2 + (1 + place // 3) * swing + 0.05 * noise).astype(np.float32)


def _recording(known: Invented, number: int) -> np.ndarray:
    """Seven tenths of the window: a tone that swells and fades, int16."""
    length = int(0.7 * known.shape[1] / known.rate_hz * known.sampling_hz)
    time = np.arange(length)
    swell = np.sin(np.pi * time / length) ** 2
    return (9000 * swell * np.sin(2 * np.pi * (150 + 10 * (number % 9)) * time / known.sampling_hz)).astype(np.int16)


def build_previews(home: Path, dataset: str, examples: int = 400, recorded: int = 0) -> Path:
    """Write the examples of a test split into a home; recorded: how many of them have a recording."""
    path = home / "previews" / f"{dataset}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays(dataset, np.arange(examples), recorded))
    return path

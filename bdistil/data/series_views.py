"""How series are changed: a recording's spectrogram as if the word had been said otherwise, elsewhere; what sensors
measure as if they had been worn askew and started at another moment."""

from dataclasses import dataclass

import numpy as np

from bdistil.data.audio import FRAMES_HZ, SILENCE

_DECIBEL = np.log(10) / 10  # one decibel of power on the natural log's scale


@dataclass(frozen=True)
class SpeechAugmentation:
    """How strongly log-mel features are changed; each amount is drawn anew, evenly, for each recording.

    early, late: the word begins up to so much earlier or later, in seconds. speed: it is said faster or slower by up to
    this share. warp: its bands move up or down by up to this share, as in a shorter or longer throat. gain: it is up to
    so many decibels louder or softer. noise: hiss, so many decibels below the loudest band, from … to; None for none.
    bands, frames: up to so many bands next to each other, and so many frames, are silenced.
    """

    early: float = 0.06
    late: float = 0.12
    speed: float = 0.15
    warp: float = 0.10
    gain: float = 6.0
    noise: tuple[float, float] | None = (20.0, 50.0)
    bands: int = 4
    frames: int = 6

    def apply(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Returns one randomly changed copy of each recording.

        x: raw log-mel features, float32 (N, bands, frames), `SILENCE` where there is nothing. Returns the same shape
        and type; `x` itself is left as it is.
        """
        count, bands, frames = x.shape
        drawn = (count, 1)
        start = generator.uniform(-self.early, self.late, drawn) * FRAMES_HZ
        pace = 1 + generator.uniform(-self.speed, self.speed, drawn)
        throat = 1 + generator.uniform(-self.warp, self.warp, drawn)
        changed = _read_at(x, ((np.arange(frames) - start) * pace)[:, None, :], axis=2)
        changed = _read_at(changed, (np.arange(bands) * throat).clip(max=bands - 1)[:, :, None], axis=1)
        louder = generator.uniform(-self.gain, self.gain, (count, 1, 1)) * _DECIBEL
        changed = np.where(changed > SILENCE, changed + louder.astype(np.float32), changed)
        if self.noise is not None:
            below = generator.uniform(*self.noise, (count, 1, 1)) * _DECIBEL
            level = changed.max(axis=(1, 2), keepdims=True) - below.astype(np.float32)
            # The power of noise in one frame of one band is distributed exponentially.
            hiss = np.log(generator.standard_exponential(x.shape, dtype=np.float32).clip(min=1e-6))
            changed = np.logaddexp(changed, level + hiss)
        silenced = _span(generator, count, bands, self.bands)[:, :, None]
        silenced = silenced | _span(generator, count, frames, self.frames)[:, None, :]
        return np.where(silenced, np.float32(SILENCE), changed.clip(min=SILENCE)).astype(np.float32)


@dataclass(frozen=True)
class SensorAugmentation:
    """How strongly what sensors measure is changed; each amount is drawn anew, evenly, for each example.

    axes: the first so many channels are axes x, y, z of sensors, which turn; 0 for none. unit: so many of them, a
    multiple of three, are in one box and turn together. logs: the last so many channels are logarithms.
    angle: a box is worn askew by up to so many degrees about any axis; logarithms, of which only spread is known, stay.
    scale: everything is up to this share stronger or weaker. shift: the window begins up to this share of its length
    earlier or later, what leaves on one side coming in on the other. noise: deviation of white noise, as a share of the
    channel's own in this example.
    """

    axes: int = 0
    unit: int = 3
    logs: int = 0
    angle: float = 15.0
    scale: float = 0.1
    shift: float = 0.5
    noise: float = 0.05

    def apply(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Returns one randomly changed copy of each example.

        x: raw float32 (N, channels, steps). Returns the same shape and type; `x` itself is left as it is.
        """
        count, channels, steps = x.shape
        boxes, plain = self.axes // self.unit, channels - self.logs
        changed = x.copy()
        turns = _rotations(generator, (count, boxes, 1), np.radians(self.angle))
        sensors = x[:, : self.axes].reshape(count, boxes, self.unit // 3, 3, steps)
        changed[:, : self.axes] = (turns @ sensors).reshape(count, self.axes, steps)
        stronger = 1 + generator.uniform(-self.scale, self.scale, (count, 1, 1)).astype(np.float32)
        changed[:, :plain] *= stronger
        changed[:, plain:] += np.log(stronger)
        later = np.rint(generator.uniform(-self.shift, self.shift, (count, 1, 1)) * steps).astype(np.int64)
        changed = np.take_along_axis(changed, (np.arange(steps) - later) % steps, axis=2)
        spread = np.float32(self.noise) * changed.std(axis=2, keepdims=True)
        return changed + spread * generator.standard_normal(x.shape, dtype=np.float32)


def _rotations(generator: np.random.Generator, shape: tuple[int, ...], largest: float) -> np.ndarray:
    """Draws rotations by up to `largest` radians about any axis: float32 (*shape, 3, 3), by Rodrigues' formula."""
    angle = generator.uniform(-largest, largest, (*shape, 1, 1))
    x, y, z = _directions(generator, shape)
    nought = np.zeros(shape)
    cross = np.stack([nought, -z, y, z, nought, -x, -y, x, nought], axis=-1).reshape(*shape, 3, 3)
    return (np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)).astype(np.float32)


def _directions(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draws directions, each equally likely: (3, *shape), of length 1."""
    vectors = generator.standard_normal((3, *shape))
    return vectors / np.linalg.norm(vectors, axis=0)


def _read_at(x: np.ndarray, position: np.ndarray, axis: int) -> np.ndarray:
    """Reads x (N, bands, frames) at fractional positions along an axis, between two neighbours; silence lies outside.

    position: float, one of its axes being 1 long.
    """
    below = np.floor(position).astype(np.int64)
    share = (position - below).astype(np.float32)
    padded = np.pad(x, [(0, 0)] + [(1, 1) if a == axis else (0, 0) for a in (1, 2)], constant_values=SILENCE)
    at, next_one = ((below + 1 + step).clip(0, padded.shape[axis] - 1) for step in (0, 1))
    here, there = (np.take_along_axis(padded, places, axis) for places in (at, next_one))
    return here + (there - here) * share  # exactly SILENCE between two that are


def _span(generator: np.random.Generator, count: int, length: int, longest: int) -> np.ndarray:
    """Returns bool (count, length), true on one span of 0 … longest places, wherever it fits."""
    span = generator.integers(0, min(longest, length) + 1, (count, 1))
    start = generator.integers(0, length - span + 1)
    place = np.arange(length)
    return (place >= start) & (place < start + span)

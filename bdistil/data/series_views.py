"""How series are changed: a recording's spectrogram as if the word had been said otherwise, elsewhere."""

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

"""Augmented copies of examples, and the digests by which cached teacher logits are keyed.

A teacher's training draws a fresh augmentation for every batch (`augment`); a run keeps a fixed number of views of
each example (`view`), each with its own cached teacher logits. Both work on raw inputs: the uint8 pixels of pictures,
where what moves in from outside is 0, the background of digits and of Fashion-MNIST; series as `series_views` says.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from bdistil.data.series_views import SensorAugmentation, SpeechAugmentation


@dataclass(frozen=True)
class Augmentation:
    """How strongly images are changed. `Augmentation()` changes nothing.

    shift: largest shift in each direction, in pixels (every shift is equally likely).
    flip: whether half of the images are mirrored left to right.
    cutout: side of one square that is blanked at a random place, in pixels; 0 for none.
    crop: side of a square window at a random place that alone is kept, in pixels; 0 for the whole image.
    """

    shift: int = 0
    flip: bool = False
    cutout: int = 0
    crop: int = 0

    def apply(self, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Returns one randomly changed copy of each image.

        x: uint8 (N, C, H, W). Returns uint8 (N, C, H, W), or (N, C, crop, crop); `x` itself is left as it is.
        """
        count, _, height, width = x.shape
        changed = x.copy()
        if self.flip:
            mirrored = generator.random(count) < 0.5
            changed[mirrored] = changed[mirrored, :, :, ::-1]
        if self.shift:
            changed = _shifted(changed, generator, self.shift)
        if self.cutout:
            inside_rows = _square_span(count, height, generator, self.cutout)
            inside_columns = _square_span(count, width, generator, self.cutout)
            square = inside_rows[:, :, None] & inside_columns[:, None, :]  # (N, H, W)
            changed *= ~square[:, None]
        if self.crop:
            changed = _window(changed, generator, self.crop, self.crop)
        return changed


AnyAugmentation = Augmentation | SpeechAugmentation | SensorAugmentation


def augment(x: np.ndarray, generator: np.random.Generator, augmentation: AnyAugmentation) -> np.ndarray:
    """Returns one randomly changed copy of each example of x, which is left as it is.

    x: uint8 (N, C, H, W) of pictures, float32 (N, C, S) of series, as the augmentation says.
    """
    return augmentation.apply(x, generator)


def view(x: np.ndarray, index: int, seed: int, augmentation: AnyAugmentation) -> np.ndarray:
    """Returns fixed view number `index` of examples, as `augment` takes them: 0 is `x` itself, others changed copies.

    The same arguments always give the same bytes, so that a view's teacher logits can be cached. An example's copy
    depends on its place in `x`: pass a split as a whole.
    """
    if index == 0:
        return x
    return augment(x, np.random.default_rng([seed, index]), augmentation)


def digest(array: np.ndarray) -> str:
    """Returns 16 hexadecimal digits of the SHA-256 of an array's dtype, shape and values."""
    array = np.ascontiguousarray(array)
    hashed = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    hashed.update(array.data)
    return hashed.hexdigest()[:16]


def _shifted(x: np.ndarray, generator: np.random.Generator, largest: int) -> np.ndarray:
    """Shifts each image of (N, C, H, W) by whole pixels drawn from −largest … largest, filling with 0."""
    padded = np.pad(x, ((0, 0), (0, 0), (largest, largest), (largest, largest)))
    return _window(padded, generator, *x.shape[2:])


def _window(x: np.ndarray, generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Cuts a window (N, C, height, width) out of each image of (N, C, H, W), every place being equally likely."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(2, 3))
    down = generator.integers(0, windows.shape[2], size=len(x))
    right = generator.integers(0, windows.shape[3], size=len(x))
    return windows[np.arange(len(x)), :, down, right]


def _square_span(count: int, length: int, generator: np.random.Generator, side: int) -> np.ndarray:
    """Draws a centre in each of `count` rows of pixels; returns bool (count, length), true within `side` of pixels."""
    start = generator.integers(0, length, size=(count, 1)) - side // 2
    position = np.arange(length)
    return (position >= start) & (position < start + side)

"""Picture files as uint8 arrays of one size: any format that Pillow reads, and nothing that could fill the memory."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from bdistil.errors import UserError

_AVIF = {".avif"} if "avif" in features.modules and features.check("avif") else set()  # since Pillow 11.3
SUFFIXES = frozenset(
    {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp", *_AVIF}
)
_LEAST_SIDE = 2
_MOST_PIXELS = 50_000_000  # a picture of 7,000 × 7,000 takes 150 MB once it is unpacked
_GREY = frozenset({"1", "L", "LA", "I;16", "I;16B", "I;16L", "I", "F"})


@dataclass(frozen=True)
class Shape:
    """What a picture's header says: its shorter side in pixels, and whether it is in colour."""

    side: int
    colour: bool


def look(path: Path, name: str) -> Shape:
    """Reads a picture's header. Raises UserError, one sentence, for what is no picture, is too small or too large."""
    with _opened(path, name) as image:
        return Shape(min(image.size), image.mode not in _GREY)


def read_picture(path: Path, name: str, side: int, colour: bool) -> np.ndarray:
    """Reads a picture as uint8 (3 or 1, side, side): its middle square, resized; upright; white where it is clear.

    Raises UserError as `look` does, and for a picture that is cut off or damaged.
    """
    with _opened(path, name) as image:
        image.draft(image.mode, (2 * side, 2 * side))  # a large JPEG is unpacked no larger than is needed
        upright = ImageOps.exif_transpose(image)
        square = ImageOps.fit(_plain(upright, colour), (side, side), Image.Resampling.BICUBIC)
        pixels = np.asarray(square)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)) if colour else pixels[None].copy()


@contextmanager
def bombs_refused() -> Iterator[None]:
    """Makes Pillow refuse the pictures that it would only warn of; around all threads, because warnings are global."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, which is not used
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                raise _too_large(name)
            if min(width, height) < _LEAST_SIDE:
                raise UserError(f"{name} is {width}×{height} pixels, too small to show anything: move it away.")
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_large(name) from None
    except UserError:
        raise
    except Exception:  # Pillow's readers raise whatever comes to their mind: SyntaxError, struct.error, EOFError, …
        raise UserError(f"{name} is no intact picture: save it anew, or move it away.") from None


def _plain(image: Image.Image, colour: bool) -> Image.Image:
    """In mode RGB or L."""
    if image.mode.startswith("I"):  # 16 bits
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image))
        values = values * 255 if values.max() <= 1 else values  # 0 … 1, as programs for science write it
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("RGB" if colour else "L")


def _too_large(name: str) -> UserError:
    return UserError(
        f"{name} has more than {_MOST_PIXELS // 1_000_000} million pixels: make it smaller, or move it away."
    )

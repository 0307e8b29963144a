"""Reads gzip-compressed idx files, the format of MNIST and its kin, with strict checks.

An idx file is: two zero bytes, one byte for the type (8 = unsigned bytes, the only one read here), one for the number
of dimensions, then each dimension as a big-endian 32-bit integer, then the values (http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np

from bdistil.errors import UserError

_UNSIGNED_BYTES = 8


def read_idx(path: Path, shape: tuple[int, ...], sha256: str) -> np.ndarray:
    """Reads the file at `path` and returns its values, uint8 of the given `shape`.

    sha256: expected checksum of the *uncompressed* file, so that it holds however the file was packed.
    Raises UserError if the file is missing, cut off, of another format or shape, or differs from its checksum.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path.name} is missing from {path.parent}. Put it there or start again with a network.") from None
    except EOFError:
        raise _damaged(path, "it is cut off") from None
    except (gzip.BadGzipFile, zlib.error):
        raise _damaged(path, "it is no valid gzip file") from None
    values = _parse(path, content, shape)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _damaged(path, "checksum differs")
    return values


def _parse(path: Path, content: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the uint8 values of the uncompressed idx file `content`, which must be of exactly this `shape`."""
    header = 4 + 4 * len(shape)
    if content[:4] != bytes([0, 0, _UNSIGNED_BYTES, len(shape)]):
        raise _damaged(path, f"it is no idx file of unsigned bytes in {len(shape)} dimensions")
    found = tuple(int(size) for size in np.frombuffer(content[:header], dtype=">u4", offset=4))
    if found != shape:
        raise _damaged(path, f"its shape is {found} instead of {shape}")
    if len(content) - header != np.prod(shape):
        raise _damaged(path, f"it holds {len(content) - header:,} values instead of {np.prod(shape):,}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"{path.name} is damaged ({reason}). Delete it and start again.")

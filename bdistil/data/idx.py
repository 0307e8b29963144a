"""Reads gzip-compressed idx files, the format of MNIST and its kin, with strict checks.

An idx file is: two zero bytes, one byte for the type (8 = unsigned bytes, the only one read here), one for the number
of dimensions, then each dimension as a big-endian 32-bit integer, then the values (http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from bdistil.errors import UserError

_UNSIGNED_BYTES = 8


def read_idx(path: Path, shape: tuple[int, ...], sha256: str) -> np.ndarray:
    """Reads the file at `path` and returns its values, uint8 of exactly the given `shape`.

    sha256: expected checksum of the *uncompressed* file, so that it holds however the file was packed.
    Raises UserError if the file can't be read, is cut off, of another format or shape, or differs from its checksum.
    """
    header_bytes = 4 + 4 * len(shape)
    content = _uncompressed(path, at_most=header_bytes + math.prod(shape) + 1)
    if content[:4] != bytes([0, 0, _UNSIGNED_BYTES, len(shape)]):
        raise _damaged(path, f"it is no idx file of unsigned bytes in {len(shape)} dimensions")
    found = tuple(int.from_bytes(content[at : at + 4]) for at in range(4, header_bytes, 4))
    if found != shape:
        raise _damaged(path, f"its dimensions are {found} instead of {shape}")
    values = content[header_bytes:]
    if len(values) != math.prod(shape):
        raise _damaged(path, f"it holds {'fewer' if len(values) < math.prod(shape) else 'more'} values than it says")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _damaged(path, "checksum differs")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape).copy()  # a buffer of bytes is read-only


def _uncompressed(path: Path, at_most: int) -> bytes:
    """Returns the content of a gzip file, only its first `at_most` bytes so that no file can fill the memory."""
    try:
        with gzip.open(path) as file:
            return file.read(at_most)
    except EOFError:
        raise _damaged(path, "it is cut off") from None
    except (gzip.BadGzipFile, zlib.error):
        raise _damaged(path, "it is no intact gzip file") from None
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}). Make it readable or start again.") from None


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"{path.name} is damaged ({reason}). Delete it and start again.")

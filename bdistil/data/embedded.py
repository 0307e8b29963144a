"""Data sets that ship with the product, in `assets/data`: NPZ files of plain arrays, checked as a whole."""

import hashlib
import io
from pathlib import Path

import numpy as np

from bdistil.errors import UserError
from bdistil.paths import ASSETS

FOLDER = ASSETS / "data"


def read_arrays(name: str, sha256: str) -> dict[str, np.ndarray]:
    """Returns the arrays of `assets/data/NAME.npz` by name.

    sha256: of the file, as 64 hexadecimal digits. Raises UserError if the file is missing or another one.
    """
    path = FOLDER / f"{name}.npz"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}). Install bdistil again.") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{path} is damaged (checksum differs). Install bdistil again.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def is_here(home: Path) -> bool:
    """Says that nothing has to be downloaded; the data home is not used."""
    return True


def fetch(home: Path, progress: bool) -> Path:
    """Returns the folder of the embedded data sets; the data home is not used."""
    return FOLDER

"""Arrays from NPZ files that somebody else has written: nothing is unpickled, nothing fills the memory."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from bdistil.errors import UserError, quoted
from bdistil.paths import open_regular

MOST_BYTES = 2e9  # of an array, unpacked
MOST_NAMES = 5  # that an error lists


def read_npz(path: str | Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns those of the named arrays that the file holds.

    Raises UserError, one sentence, for an array that is too large, OSError for a file that can't be opened, and
    ValueError for one that is no intact NPZ file of plain arrays.
    """
    with open_regular(path) as content:
        try:
            with NpzFile(content, allow_pickle=False) as archive:
                chosen = [name for name in names if name in archive.files]
                for name in chosen:
                    assert archive.zip  # it is open
                    size = archive.zip.getinfo(f"{name}.npy").file_size
                    if size > MOST_BYTES:
                        excess = f"{size / 1e9:.1f} GB, the limit is {MOST_BYTES / 1e9:.0f} GB"
                        raise UserError(f"{name} in {path} takes {excess}: give fewer rows, or narrower numbers.")
                arrays = {name: archive[name] for name in chosen}
                if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                    raise ValueError("numpy gives a member that is no array as bytes")
                return arrays
        except UserError:
            raise
        except Exception:  # damaged, encrypted and unknown archives raise what their readers please
            raise ValueError(f"{path} is no intact NPZ file.") from None


def listed(path: str | Path) -> str:
    """The names of the arrays in an NPZ file for an error, at most `MOST_NAMES` of them; "no arrays" if it is empty.

    Raises OSError and ValueError as `read_npz` does.
    """
    with open_regular(path) as content:
        try:
            with NpzFile(content, allow_pickle=False) as archive:
                names = sorted(archive.files)
        except Exception:
            raise ValueError(f"{path} is no intact NPZ file.") from None
    more = len(names) - MOST_NAMES
    return ", ".join(quoted(name, 40) for name in names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "") or (
        "no arrays"
    )

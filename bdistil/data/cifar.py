"""What CIFAR-10 and CIFAR-100 share: their binary files, and the archive that brings them (A. Krizhevsky, 2009).

A file is records one after the other: one or two bytes of labels, then 1,024 red, 1,024 green and 1,024 blue bytes of a
picture, row by row (https://www.cs.toronto.edu/~kriz/cifar.html). Nothing is unpickled.
"""

import gzip
import tarfile
import zlib
from pathlib import Path

import numpy as np

from bdistil.data.download import download
from bdistil.data.holding_out import hold_out
from bdistil.errors import UserError

URL = "https://www.cs.toronto.edu/~kriz/"
SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


def fetch_files(
    name: str, home: Path, archive: str, md5: str, folder: str, sizes: dict[str, int], progress: bool
) -> Path:
    """Returns the folder of the data set's files, after downloading and unpacking the archive where one is missing.

    The archive holds the `folder`, in which are the files of these names and sizes in bytes. Raises UserError as
    `download` does, or if the archive lacks one of them.
    """
    here = home / name / folder
    if not all((here / file).exists() for file in sizes):
        download(name, URL, home / name, {archive: md5}, progress)
        unpack(home / name / archive, here, sizes)
    return here


def unpack(archive: Path, folder: Path, sizes: dict[str, int]) -> None:
    """Takes files out of an archive that has them in a folder of the same name; those that are there stay untouched.

    sizes: in bytes, by file name. Files alone are taken that are named here, and each is written under that name, so
    that nothing in the archive decides where anything is written. Raises UserError if one is missing or of another
    size, or the archive is damaged.
    """
    from bdistil.atomic import write_bytes  # here because runs know the data sets

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as packed:
            for name in (name for name in sizes if not (folder / name).exists()):
                member = packed.getmember(f"{folder.name}/{name}")
                content = packed.extractfile(member)
                if content is None or member.size != sizes[name]:
                    raise KeyError(name)
                write_bytes(folder / name, content.read())
    except KeyError:
        raise _damaged(archive, f"it lacks {folder.name}/{name} of {sizes[name]:,} bytes") from None
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error):
        raise _damaged(archive, "it is no intact archive") from None
    except OSError as error:
        raise UserError(
            f"{archive} can't be unpacked into {folder} ({error.strerror or error}). Make room, or set BDISTIL_DATA."
        ) from None


def read_records(path: Path, count: int, classes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns (pictures uint8 (count, 3, 32, 32), labels int64 (count, kinds)) of a file.

    classes: how many there are of each kind of label. Raises UserError if the file can't be read, holds another number
    of records, or a label out of its range.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}). Make it readable or start again.") from None
    wanted = count * (len(classes) + _PIXELS)
    if len(content) != wanted:
        raise _damaged(path, f"{len(content):,} bytes instead of {wanted:,}")
    records = np.frombuffer(content, dtype=np.uint8).reshape(count, -1)
    labels = records[:, : len(classes)].astype(np.int64)
    wrong = np.flatnonzero((labels >= classes).any(axis=1))
    if wrong.size:
        raise _damaged(path, f"record {wrong[0] + 1:,} has a label that there is not")
    return records[:, len(classes) :].reshape(count, *SHAPE), labels


def split(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    classes: int,
    name: str,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (x, y) of each split: a tenth of the training pictures, alike of each class, is held out for validation.

    Raises UserError unless all classes are equally many on both official sides: the files then are other ones.
    """
    for labels, side in ((y, "training"), (y_test, "test")):
        counts = np.bincount(labels, minlength=classes)
        if counts.min() != counts.max():
            raise UserError(
                f"The {side} files of {name} are not the official ones (some classes have more pictures than others). "
                "Delete them and start again."
            )
    train, validation = hold_out(np.arange(len(y)), y, len(y) // 10)
    train, validation = np.sort(train), np.sort(validation)
    return {"train": (x[train], y[train]), "validation": (x[validation], y[validation]), "test": (x_test, y_test)}


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"{path.name} is damaged ({reason}). Delete it and start again.")

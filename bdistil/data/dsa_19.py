"""Daily and Sports Activities: 19 activities of eight persons, by five sensor units of nine axes at 25 Hz.

B. Barshan, K. Altun, 2010. Read from the official layout, `data/aXX/pY/sZZ.txt`: a file for each window of five
seconds, 125 rows of 45 numbers. A window becomes 25 steps of five samples: the mean of each axis, and the logarithm of
its standard deviation within the step, so that a step depends on no other one. Windows of one person are much alike:
whole persons are held out here. `dsa_19_random` splits at random, as much of the literature does.

Rowing and jumping of persons 4 and 8 are the same recordings, ten samples apart: these two are held out together.
"""

import io
from itertools import product
from pathlib import Path

import numpy as np

from bdistil.data.cache import cached, identity
from bdistil.data.dataset import DatasetInfo, Splits
from bdistil.errors import UserError

ACTIVITIES, PEOPLE, SEGMENTS = 19, 8, 60
_ROWS, _SAMPLES = 125, 5  # samples of a window, and of a step
_FLOOR = 0.01  # of the standard deviations (m/s², rad/s, none): what is below is mostly the sensors' noise
_AXES = tuple(
    f"{unit} {sensor} {axis}"
    for unit in ("torso", "right arm", "left arm", "right leg", "left leg")
    for sensor in ("acceleration", "rotation", "magnetic field")
    for axis in "xyz"
)
INFO = DatasetInfo(
    name="dsa-19",
    title="Daily and Sports Activities",
    modality="sensor",
    classes=(
        "Sitting",
        "Standing",
        "Lying on back",
        "Lying on right side",
        "Ascending stairs",
        "Descending stairs",
        "Standing in lift",
        "Moving in lift",
        "Walking in car park",
        "Treadmill, flat",
        "Treadmill, inclined",
        "Running",
        "Stepper",
        "Cross trainer",
        "Bike, horizontal",
        "Bike, vertical",
        "Rowing",
        "Jumping",
        "Basketball",
    ),
    input_shape=(90, 25),
    train=4_560,
    validation=2_280,
    test=2_280,
    split="By person: 1, 2, 4 and 8 train, 3 and 5 are held out for validation, 6 and 7 for the test.",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/256",
    download_bytes=0,
    preview=True,
    channels=(*_AXES, *(f"{axis}, log deviation" for axis in _AXES)),
    rate_hz=5.0,
    people="subject",
)
ARCHIVE = "https://archive.ics.uci.edu/static/public/256/daily+and+sports+activities.zip"
_PAIRS = ((6, 7), (3, 5), (1, 2), (4, 8))


def is_here(home: Path) -> bool:
    """Says whether the data home has the folder of the windows; its files are checked by `read`."""
    return (_folder(home) / "data").is_dir()


def fetch(home: Path, progress: bool) -> Path:
    """Returns the folder that holds `data`. Raises UserError where there is none: no checksum of the archive is known,
    and nothing is downloaded that can't be checked."""
    if not is_here(home):
        raise UserError(
            f"{INFO.title} isn't here, and is not downloaded because its source gives no checksum: unpack {ARCHIVE} "
            f"into {_folder(home)}, so that {_folder(home) / 'data' / 'a01' / 'p1' / 's01.txt'} is there."
        )
    return _folder(home)


def read(home: Path, rotation: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 90, 25), y int64 (N,), persons int64 (N,)) of each split.

    rotation: 0 … 3, which two persons are held out for the test: 6 and 7, 3 and 5, 1 and 2, 4 and 8; for validation the
    next two in that order, of which 6 and 7 follow on 4 and 8. Raises UserError if a file is missing or damaged.
    """
    x, y, people = read_all(home)
    validation, test = np.isin(people, _PAIRS[(rotation + 1) % 4]), np.isin(people, _PAIRS[rotation % 4])
    rows = Splits(~(validation | test), validation, test)
    return {name: (x[chosen], y[chosen], people[chosen]) for name, chosen in rows.items()}


def read_all(home: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (x float32 (9120, 90, 25), activity 0 … 18, person 1 … 8) of all windows, activity by activity."""
    folder = _folder(home)
    files = [
        [folder / "data" / f"a{a:02d}" / f"p{p}" / f"s{s:02d}.txt" for s in range(1, SEGMENTS + 1)]
        for a, p in product(range(1, ACTIVITIES + 1), range(1, PEOPLE + 1))
    ]
    every = sum(files, [])
    _require(every, folder)
    key = {"features": [_SAMPLES, _FLOOR], "files": identity(every, folder)}
    (x,) = cached("dsa-19", key, lambda: {"x": np.concatenate([features(_windows(some)) for some in files])}).values()
    activity, person, _ = (axis.ravel() for axis in np.indices((ACTIVITIES, PEOPLE, SEGMENTS)))
    return x, activity, person + 1


def features(windows: np.ndarray) -> np.ndarray:
    """Raw windows (N, 125, 45) -> float32 (N, 90, 25): means of the 45 axes, then logarithms of their deviations."""
    steps = windows.reshape(len(windows), -1, _SAMPLES, windows.shape[2]).astype(np.float64)
    made = [steps.mean(axis=2), np.log(np.maximum(steps.std(axis=2), _FLOOR))]
    return np.concatenate(made, axis=2).transpose(0, 2, 1).astype(np.float32)


def _require(files: list[Path], folder: Path) -> None:
    """Raises UserError that names the first missing file, unless all are there."""
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"{len(missing):,} of {len(files):,} files are missing in {folder}, the first is "
            f"{missing[0].relative_to(folder)}: unpack {ARCHIVE} anew."
        )


def _windows(files: list[Path]) -> np.ndarray:
    """Reads some windows together, which is faster than one by one: (files, 125, 45). Raises UserError as `read`."""
    import pandas  # here because it takes a second, and listing the data sets must not

    texts = [_text(file) for file in files]
    try:
        table = pandas.read_csv(
            io.BytesIO(b"\n".join(texts)), header=None, dtype=np.float32, skip_blank_lines=False
        ).to_numpy()
    except ValueError:  # a number that is none, or a row that is too long
        raise _damaged(files, texts) from None
    if table.shape[1] != len(_AXES) or not np.isfinite(table).all():
        raise _damaged(files, texts)
    return table.reshape(len(files), _ROWS, -1)


def _text(file: Path) -> bytes:
    """Returns the content of a file of 125 rows. Raises UserError if it has another number, or can't be read."""
    try:
        content = file.read_bytes().strip()
    except OSError as error:
        raise UserError(f"{file} can't be read ({error.strerror}). Make it readable.") from None
    rows = content.count(b"\n") + 1 if content else 0
    if rows != _ROWS:
        raise UserError(f"{file} is damaged ({rows} rows instead of {_ROWS}): unpack {ARCHIVE} anew.")
    return content


def _damaged(files: list[Path], texts: list[bytes]) -> UserError:
    """Says which row of which file isn't 45 finite numbers."""
    for file, text in zip(files, texts, strict=True):
        for number, row in enumerate(text.split(b"\n"), start=1):
            if not _is_whole(row.split(b",")):
                return UserError(
                    f"{file} is damaged (row {number} is not {len(_AXES)} finite numbers): unpack {ARCHIVE} anew."
                )
    return UserError(f"{files[0].parent} holds numbers that can't be read: unpack {ARCHIVE} anew.")


def _is_whole(fields: list[bytes]) -> bool:
    try:
        return len(fields) == len(_AXES) and bool(np.isfinite([float(field) for field in fields]).all())
    except ValueError:
        return False


def _folder(home: Path) -> Path:
    return home / "dsa-19"

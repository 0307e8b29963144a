"""Free Spoken Digit Dataset: the English digits, each said 50 times by each of six speakers (Z. Jackson et al., 2018).

3,000 recordings of one word, trimmed, 8 kHz mono, read from `free-spoken-digits/recordings` as log-mel features of
their first 0.96 s. Words of one speaker are much alike, so that whole speakers are held out here: four train, one
validates, one tests. `free_spoken_digits_official` has the authors' own split, in which every speaker is on both sides.
"""

from pathlib import Path

import numpy as np

from bdistil.data.audio import BANDS, FRAMES_HZ, features
from bdistil.data.dataset import DatasetInfo, Splits
from bdistil.errors import UserError

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGITS = tuple("0123456789")
SAMPLING_HZ = 8_000
FRAMES = 48
_TAKES = 50
INFO = DatasetInfo(
    name="free-spoken-digits",
    title="Free Spoken Digits",
    modality="speech",
    classes=DIGITS,
    input_shape=(BANDS, FRAMES),
    train=2_000,
    validation=500,
    test=500,
    split="By speaker: four train, one validates and one tests; none is on two sides.",
    licence="CC BY-SA 4.0",
    source="https://github.com/Jakobovski/free-spoken-digit-dataset",
    download_bytes=0,
    preview=True,
    rate_hz=FRAMES_HZ,
    sampling_hz=SAMPLING_HZ,
    people="speaker",
    front_end="running-maximum",
)


def is_here(home: Path) -> bool:
    """Says whether there are recordings in the data home; their names are checked by `read`."""
    return any(_folder(home).glob("*.wav"))


def fetch(home: Path, progress: bool) -> Path:
    """Returns the folder of the recordings. Raises UserError where there are none: its source, an archive that GitHub
    packs anew for everyone, has no checksum that a download could be held against."""
    if not is_here(home):
        raise UserError(
            f"The recordings of {INFO.title} are not here: unpack {INFO.source}/archive/refs/tags/v1.0.10.zip and move "
            f"its folder recordings to {_folder(home)}."
        )
    return _folder(home)


def read(home: Path, rotation: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 32, 48), y int64 (N,), speaker int64 (N,)) of each split.

    rotation: the speaker who tests, 0 … 5; the next one validates. Raises UserError if a recording is missing, unknown
    or damaged.
    """
    x, y, speaker, _ = read_all(home)
    test, validation = speaker == rotation % len(SPEAKERS), speaker == (rotation + 1) % len(SPEAKERS)
    rows = Splits(~(validation | test), validation, test)
    return {name: (x[mine], y[mine], speaker[mine]) for name, mine in rows.items()}


def recordings(home: Path, rotation: int = 0) -> list[Path]:
    """Returns the recordings of the test split, in its order."""
    speaker = SPEAKERS[rotation % len(SPEAKERS)]
    return [_folder(home) / f"{digit}_{speaker}_{take}.wav" for digit in DIGITS for take in range(_TAKES)]


def read_all(home: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns (x float32 (3000, 32, 48), digit, speaker, take, each int64 (3000,)) of all recordings."""
    digit, speaker, take = (axis.ravel() for axis in np.indices((len(DIGITS), len(SPEAKERS), _TAKES)))
    names = [f"{DIGITS[d]}_{SPEAKERS[s]}_{t}.wav" for d, s, t in zip(digit, speaker, take, strict=True)]
    folder = _folder(home)
    _check(folder, names)
    x = features([folder / name for name in names], folder, SAMPLING_HZ, FRAMES)
    return x, digit, speaker, take


def _check(folder: Path, names: list[str]) -> None:
    """Raises UserError unless exactly these recordings are there."""
    found = {path.name for path in folder.glob("*.wav")}
    missing, unknown = sorted(set(names) - found), sorted(found - set(names))
    if missing:
        raise UserError(
            f"{len(missing)} of {len(names)} recordings are missing in {folder}, the first is {missing[0]}: unpack the "
            "archive anew."
        )
    if unknown:
        raise UserError(f"{unknown[0]} in {folder} is no recording of {INFO.title}: move it elsewhere.")


def _folder(home: Path) -> Path:
    return home / "free-spoken-digits" / "recordings"

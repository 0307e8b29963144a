"""Speech Commands v0.02, as 12 classes: a second each of 35 English words, said by 2,618 people (P. Warden, 2018).

Ten commands, `unknown` (other words, drawn so that they are a tenth as many as the commands) and `silence` (as many
seconds cut out of the recordings of background noise), as in the literature. `speech_commands_13` and
`speech_commands_35` give the same recordings other labels.

Read from `SpeechCommands/speech_commands_v0.02`, torchaudio's layout of the official archive, as log-mel features. The
official lists of validation and test recordings keep each speaker on one side.
"""

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bdistil.data.audio import BANDS, FRAMES_HZ, SILENCE, VERSION, features, log_mel, read_recording
from bdistil.data.cache import cached, identity
from bdistil.data.dataset import SPLITS, DatasetInfo
from bdistil.data.download import download
from bdistil.data.imported import numbered
from bdistil.errors import UserError

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
WORDS = (
    "backward",
    "bed",
    "bird",
    "cat",
    "dog",
    "down",
    "eight",
    "five",
    "follow",
    "forward",
    "four",
    "go",
    "happy",
    "house",
    "learn",
    "left",
    "marvin",
    "nine",
    "no",
    "off",
    "on",
    "one",
    "right",
    "seven",
    "sheila",
    "six",
    "stop",
    "three",
    "tree",
    "two",
    "up",
    "visual",
    "wow",
    "yes",
    "zero",
)
SAMPLING_HZ, FRAMES = 16_000, 50
INFO = DatasetInfo(
    name="speech-commands",
    title="Speech Commands, 12 classes",
    modality="speech",
    classes=(*COMMANDS, "unknown", "silence"),
    input_shape=(BANDS, FRAMES),
    train=36_923,
    validation=4_445,
    test=4_890,
    split="The official lists, which keep each speaker on one side; unknown words and seconds of silence, a tenth of "
    "the commands each, are drawn with a fixed seed, silence for each side out of a part of the noise of its own.",
    licence="CC BY 4.0",
    source="https://arxiv.org/abs/1804.03209",
    download_bytes=2_428_923_189,
    preview=True,
    rate_hz=FRAMES_HZ,
    sampling_hz=SAMPLING_HZ,
    people="speaker",
    front_end="running-maximum",
)
URL = "http://download.tensorflow.org/data/"
ARCHIVE = "speech_commands_v0.02.tar.gz"
MD5 = "6b74f3901214cb2c2934e98196829835"
RECORDINGS = 105_829
_LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
_NOISE = "_background_noise_"
_NOISE_PARTS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
_SEED = 0


@dataclass(frozen=True)
class Recordings:
    """All recordings, by word and file name.

    names: text (N,), below the folder. x: float32 (N, 32, 50). word: int64 (N,), positions in `WORDS`. speaker, split:
    int64 (N,), numbers, and positions in `SPLITS`.
    """

    names: np.ndarray
    x: np.ndarray
    word: np.ndarray
    speaker: np.ndarray
    split: np.ndarray


def is_here(home: Path) -> bool:
    """Says whether the lists are in the data home; what they list is checked by `read`."""
    return all((_folder(home) / name).exists() for name in _LISTS.values())


def fetch(home: Path, progress: bool) -> Path:
    """Returns the folder of the recordings, after downloading and unpacking the official archive if it is not there.

    Raises UserError as `download` does, or if the archive cannot be unpacked.
    """
    if not is_here(home):
        archive = _folder(home).parent / ARCHIVE
        download(INFO.name, URL, archive.parent, {ARCHIVE: MD5}, progress)
        _unpack(archive, _folder(home))
        archive.unlink()
    return _folder(home)


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 32, 50), y int64 (N,), speaker int64 (N,)) of each split. Silence of a split counts as the
    words of one more speaker. Raises UserError if a file is missing, unknown or damaged."""
    every = read_all(home)
    label = np.array([INFO.classes.index(word if word in COMMANDS else "unknown") for word in WORDS])[every.word]
    silence = INFO.classes.index("silence")
    splits = {}
    for number, name in enumerate(SPLITS):
        rows, count, generator = _drawn(every, number)
        quiet = _silence(_folder(home), count, *_NOISE_PARTS[name], generator)
        splits[name] = (
            np.concatenate([every.x[rows], quiet]),
            np.concatenate([label[rows], np.full(count, silence)]),
            np.concatenate([every.speaker[rows], np.full(count, every.speaker.max() + 1 + number)]),
        )
    return splits


def recordings(home: Path) -> list[Path]:
    """Returns the recordings of the test split, in its order, without silence, which comes last."""
    every = read_all(home)
    return [_folder(home) / name for name in every.names[_drawn(every, SPLITS.index("test"))[0]]]


def _drawn(every: Recordings, number: int) -> tuple[np.ndarray, int, np.random.Generator]:
    """The places of a split's commands and of some other words, a tenth as many, which is returned; and what drew them.

    number: the split's, in `SPLITS`.
    """
    command = np.isin(np.array(WORDS), COMMANDS)[every.word]
    mine = every.split == number
    commands, others = np.flatnonzero(mine & command), np.flatnonzero(mine & ~command)
    count = -(-len(commands) // 10)
    generator = np.random.default_rng([_SEED, number])
    unknown = generator.choice(others, min(count, len(others)), replace=False)
    return np.sort([*commands, *unknown]), count, generator


def by_word(home: Path, label: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All recordings of each split, with the label (35,) of their word; as `read` returns them."""
    every = read_all(home)
    rows = {name: np.flatnonzero(every.split == number) for number, name in enumerate(SPLITS)}
    return {name: (every.x[mine], label[every.word[mine]], every.speaker[mine]) for name, mine in rows.items()}


def recordings_by_word(home: Path) -> list[Path]:
    """Returns the recordings of the test split as `by_word` orders them."""
    every = read_all(home)
    return [_folder(home) / name for name in every.names[every.split == SPLITS.index("test")]]


def read_all(home: Path) -> Recordings:
    """Reads all recordings of words. Raises UserError as `read`."""
    folder = _folder(home)
    names = [f"{word}/{path.name}" for word in WORDS for path in sorted((folder / word).glob("*.wav"))]
    if len(names) != RECORDINGS:
        raise UserError(
            f"{folder} has {len(names):,} recordings of the {len(WORDS)} words instead of {RECORDINGS:,}: "
            "delete it and start again."
        )
    odd = next((name for name in names if not re.fullmatch(r"\w+/[0-9a-f]{8}_nohash_\d+\.wav", name)), None)
    if odd:
        raise UserError(f"{odd} in {folder} is no recording of Speech Commands: move it elsewhere.")
    split = np.zeros(len(names), np.int64)
    place = {name: at for at, name in enumerate(names)}
    for name, file in _LISTS.items():
        split[[place[listed] for listed in _listed(folder / file, place)]] = SPLITS.index(name)
    return Recordings(
        names=np.array(names),
        x=features([folder / name for name in names], folder, SAMPLING_HZ, FRAMES),
        word=np.array([WORDS.index(name.split("/")[0]) for name in names]),
        speaker=numbered([name.split("/")[1].split("_")[0] for name in names])[0],
        split=split,
    )


def _listed(path: Path, known: dict[str, int]) -> list[str]:
    """The names in an official list. Raises UserError at the first that is no recording."""
    try:
        names = path.read_text().split()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} can't be read: delete {path.parent} and start again.") from None
    missing = next((row for row, name in enumerate(names, start=1) if name not in known), None)
    if missing:
        raise UserError(f"{path}, row {missing}: there is no recording {names[missing - 1]}: unpack the archive anew.")
    return names


def _silence(folder: Path, count: int, first: float, last: float, generator: np.random.Generator) -> np.ndarray:
    """Features (count, 32, 50) of seconds, of any loudness, cut out of a part of each recording of noise."""
    files = sorted((folder / _NOISE).glob("*.wav"))
    if not files:
        raise UserError(f"{folder / _NOISE} holds no recording of noise: delete {folder} and start again.")
    chosen = generator.integers(0, len(files), count)
    at, loudness = generator.random(count), generator.random(count).astype(np.float32)

    def make() -> dict[str, np.ndarray]:
        x = np.full((count, BANDS, FRAMES), SILENCE, np.float32)
        for number in np.unique(chosen):
            file = files[number]
            samples = read_recording(file, SAMPLING_HZ)
            begin, end = round(first * len(samples)), round(last * len(samples)) - SAMPLING_HZ
            if end < begin:
                raise UserError(f"{file} is too short for a second of silence: delete {folder} and start again.")
            mine = np.flatnonzero(chosen == number)
            starts = (begin + at[mine] * (end - begin)).astype(np.int64)
            cut = samples[starts[:, None] + np.arange(SAMPLING_HZ)] * loudness[mine, None]
            x[mine] = log_mel(cut, SAMPLING_HZ, FRAMES)
        return {"x": x}

    return cached("features", ["silence", VERSION, count, first, last, _SEED, identity(files, folder)], make)["x"]


def _unpack(archive: Path, folder: Path) -> None:
    from bdistil.atomic import new_folder  # here because runs know the data sets

    try:
        with tarfile.open(archive) as packed, new_folder(folder) as made:
            packed.extractall(made, filter="data")
    except (tarfile.TarError, EOFError):
        raise UserError(f"{archive} is damaged. Delete it and start again.") from None
    except OSError as error:
        raise UserError(
            f"{archive} can't be unpacked into {folder} ({error.strerror or error}). Make room, or set BDISTIL_DATA."
        ) from None


def _folder(home: Path) -> Path:
    return home / "SpeechCommands" / "speech_commands_v0.02"

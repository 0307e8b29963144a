"""Speech Commands v0.02 as 13 classes: twelve words, and the rest, as D. Dennis et al. have them (2018)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bdistil.data import speech_commands

_CHOSEN = ("go", "no", "on", "up", "bed", "cat", "dog", "off", "one", "six", "two", "yes")
INFO = replace(
    speech_commands.INFO,
    name="speech-commands-13",
    title="Speech Commands, 13 classes",
    classes=(*_CHOSEN, "other"),
    train=84_843,
    validation=9_981,
    test=11_005,
    split="The official lists, which keep each speaker on one side.",
)
is_here, fetch, recordings = speech_commands.is_here, speech_commands.fetch, speech_commands.recordings_by_word


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 32, 50), y int64 (N,), speaker int64 (N,)) of each split. Raises UserError as
    `speech_commands.read`."""
    chosen = [word if word in _CHOSEN else "other" for word in speech_commands.WORDS]
    return speech_commands.by_word(home, np.array([INFO.classes.index(word) for word in chosen]))

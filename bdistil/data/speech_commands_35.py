"""Speech Commands v0.02 with all of its 35 words as classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bdistil.data import speech_commands, speech_commands_13

INFO = replace(
    speech_commands_13.INFO,
    name="speech-commands-35",
    title="Speech Commands, 35 classes",
    classes=speech_commands.WORDS,
)
is_here, fetch, recordings = speech_commands.is_here, speech_commands.fetch, speech_commands.recordings_by_word


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 32, 50), y int64 (N,), speaker int64 (N,)) of each split. Raises UserError as
    `speech_commands.read`."""
    return speech_commands.by_word(home, np.arange(len(speech_commands.WORDS)))

"""Recordings: reading them at a wanted rate, and the log-mel features that students and teachers of speech read.

Features are causal: frame t is computed from the samples up to its own end, 20·(t + 1) ms after the start, and from no
statistics of the recording, so that a student can answer while the word is still being spoken.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.data.cache import cached, identity
from bdistil.errors import UserError

FRAMES_HZ = 50
BANDS = 32
_WINDOW_SECONDS = 0.032
_FLOOR = 1e-6  # of a band's power, where full scale is 1: below what a room or 16 bits leave in a pause
SILENCE = float(np.log(np.float32(_FLOOR)))  # the feature of a band in which there is nothing
_RATES_HZ = (1_000, 384_000)
_RATE_STEP_HZ = 25  # rates are rounded to it: the resampling filter of two rates with no common divisor takes gigabytes
_UNKNOWN_LENGTH = 0x7FFFF000  # or more: what programs write that do not know yet how long a recording will be
VERSION = 1  # raised whenever the same recordings would get other features
FEATURES = [VERSION, FRAMES_HZ, BANDS, _WINDOW_SECONDS, _FLOOR, _RATE_STEP_HZ]  # whatever those depend on

# torch, torchaudio and soundfile are imported where they are used: they take seconds, and listing data must not.


def length(path: Path, name: str) -> tuple[int, float]:
    """Returns a recording's samples a second and its seconds, from its header. Raises UserError as `read_recording`."""
    with _opened(path, name) as file:
        return file.samplerate, file.frames / file.samplerate


def read_recording(path: Path, sampling_hz: int, seconds: float | None = None, name: str | None = None) -> np.ndarray:
    """Reads a WAV or FLAC file of any rate, width and number of channels; returns float32 (samples,) in −1 … 1.

    Channels are averaged, then resampled to `sampling_hz` by a windowed sinc, which looks ahead less than a
    millisecond. seconds: how much of the start is wanted, None for all. name: what errors call the file.
    Raises UserError, one sentence, for a file that is no recording, is cut off, or holds no samples.
    """
    import torch
    from torchaudio.functional import resample

    name = name or path.name
    with _opened(path, name) as file:
        rate = file.samplerate
        wanted = file.frames if seconds is None else min(file.frames, int(np.ceil(seconds * rate)))
        samples = file.read(wanted, dtype="float32", always_2d=True)
    if len(samples) < wanted:
        raise UserError(f"{name} is cut off after {len(samples)} of {wanted} samples, so copy it anew.")
    if not np.isfinite(samples).all():
        raise UserError(f"{name} holds samples that are no numbers: save it anew, or move it away.")
    mono = samples.mean(axis=1)
    rounded = round(rate / _RATE_STEP_HZ) * _RATE_STEP_HZ
    if rounded == sampling_hz:
        return mono
    return resample(torch.from_numpy(mono), rounded, sampling_hz).numpy()


def log_mel(samples: np.ndarray, sampling_hz: int, frames: int) -> np.ndarray:
    """Log-mel features of the first `frames` frames of 20 ms.

    samples: float32 (…, samples); beyond their ends there is silence. Returns float32 (…, 32, frames): the natural log
    of each band's power in a Hann window of 32 ms that ends where its frame ends, and `SILENCE` at least.
    """
    import torch

    hop, window = sampling_hz // FRAMES_HZ, round(sampling_hz * _WINDOW_SECONDS)
    heard = torch.from_numpy(samples)[..., : frames * hop]
    padded = torch.nn.functional.pad(heard, (window - hop, frames * hop - heard.shape[-1]))
    with torch.inference_mode():
        power = _spectrogram(sampling_hz, hop, window)(padded)
        return torch.log(power.clamp_min(_FLOOR)).clamp_min(SILENCE).numpy()


def features(paths: Sequence[Path], root: Path, sampling_hz: int, frames: int) -> np.ndarray:
    """Returns the log-mel features of recordings below the folder `root`, float32 (N, 32, frames), cached on disk.

    Recordings longer than the frames are cut, shorter ones go on with silence. Raises UserError as `read_recording`.
    """

    def make() -> dict[str, np.ndarray]:
        read = (read_recording(path, sampling_hz, frames / FRAMES_HZ) for path in paths)
        return {"x": np.stack([log_mel(samples, sampling_hz, frames) for samples in read])}

    return cached("features", [VERSION, sampling_hz, frames, identity(paths, root)], make)["x"]


@lru_cache
def _spectrogram(sampling_hz: int, hop: int, window: int):
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(sampling_hz, n_fft=window, hop_length=hop, n_mels=BANDS, center=False)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Any]:
    """A recording that is open, has samples, and has a rate that can be."""
    import soundfile

    try:
        if _cut_off(path):
            raise UserError(f"{name} is cut off: its header promises more than the file holds, so copy it anew.")
        with soundfile.SoundFile(path) as file:
            if not _RATES_HZ[0] <= file.samplerate <= _RATES_HZ[1]:
                raise UserError(f"{name} has {file.samplerate} samples a second: save it with 8,000 to 192,000.")
            if not file.frames:
                raise UserError(f"{name} holds no samples: record it anew, or move it away.")
            yield file
    except soundfile.LibsndfileError:
        raise UserError(f"{name} is no intact WAV or FLAC recording: save it anew as one, or move it away.") from None
    except OSError as error:
        raise UserError(f"{name} can't be read ({error.strerror}): make it readable, or move it away.") from None


def _cut_off(path: Path) -> bool:
    """Whether a WAV file is shorter than its header says; libsndfile reads such a file without a word."""
    with open(path, "rb") as file:
        header = file.read(8)
    promised = int.from_bytes(header[4:], "little")
    return header[:4] == b"RIFF" and promised < _UNKNOWN_LENGTH and promised + 8 > path.stat().st_size + 1

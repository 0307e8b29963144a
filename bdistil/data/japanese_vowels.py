"""Japanese Vowels: 640 utterances of /ae/ by nine men, as 7 to 29 steps of 12 cepstrum coefficients; who speaks?

M. Kudo, J. Toyama, M. Shimbo, 1999. Ships with the product.
"""

from pathlib import Path

import numpy as np

from bdistil.data import embedded
from bdistil.data.dataset import DatasetInfo
from bdistil.data.embedded import fetch, is_here
from bdistil.data.holding_out import hold_out

__all__ = ["INFO", "fetch", "is_here", "read"]

INFO = DatasetInfo(
    name="japanese-vowels",
    title="Japanese Vowels",
    modality="speech",
    classes=tuple(f"speaker {number}" for number in range(1, 10)),
    input_shape=(12, 29),
    train=216,
    validation=54,
    test=370,
    split="The official test utterances; six official training utterances of each speaker are held out for "
    "validation. Who speaks is the label, so that every speaker is on all sides.",
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/128",
    download_bytes=0,
    preview=True,
    channels=tuple(f"LPC cepstrum {number}" for number in range(1, 13)),
)
_SHA256 = "f3d3e360ec80c7a2132b51e024a0d3821c1330f4f4258a3ce0c0996c8851bc66"


def read(home: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns (x float32 (N, 12, 29), y int64 (N,)) of each split; the data home is not used."""
    arrays = embedded.read_arrays(INFO.name, _SHA256)
    x, y = _padded(arrays["values"], arrays["lengths"]), arrays["label"].astype(np.int64)
    official, test = (np.flatnonzero(arrays["split"] == name) for name in ("train", "test"))
    train, validation = hold_out(official, y, INFO.validation)
    return {
        "train": (x[np.sort(train)], y[np.sort(train)]),
        "validation": (x[np.sort(validation)], y[np.sort(validation)]),
        "test": (x[test], y[test]),
    }


def _padded(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Utterances one after the other, (Σ steps, channels), of so many steps each -> (N, channels, longest).

    The vowel's last step is held: the file has no silence that could follow it, coefficients of 0 would be a sound of
    their own, and a step that is held says nothing new of the speaker.
    """
    starts = np.cumsum(lengths) - lengths
    steps = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
    return values[starts[:, None] + steps].transpose(0, 2, 1)

"""Japanese Vowels: the embedded utterances on the official split, each once, padded by holding the last step."""

import numpy as np
import pytest

from bdistil.data import embedded, fetch, load_dataset
from bdistil.data.dataset import SPLITS
from bdistil.errors import UserError


def utterances():
    """The shipped utterances (steps, 12), their labels and their official split."""
    with np.load(embedded.FOLDER / "japanese-vowels.npz", allow_pickle=False) as stored:
        ends = np.cumsum(stored["lengths"])[:-1]
        return np.split(stored["values"], ends), stored["label"], stored["split"]


def held(utterance):
    return np.concatenate([utterance, np.repeat(utterance[-1:], 29 - len(utterance), axis=0)]).T


def test_it_is_the_official_split_and_validation_is_a_fifth_of_each_speakers_training_utterances():
    data = load_dataset("japanese-vowels")
    series, labels, split = utterances()
    rows = {(held(one).tobytes(), int(label)): where for one, label, where in zip(series, labels, split, strict=True)}
    found = {name: [rows.pop((x.tobytes(), int(y))) for x, y in zip(*data.split(name), strict=True)] for name in SPLITS}
    assert not rows
    assert {name: set(where) for name, where in found.items()} == {
        "train": {"train"},
        "validation": {"train"},
        "test": {"test"},
    }
    np.testing.assert_array_equal(np.bincount(data.y_validation), [6] * 9)
    assert data.people_train is None and "every speaker is on all sides" in data.info.split


def test_the_split_never_changes():
    """Teachers and sample runs that ship were made with this split."""
    expected = "feb2847d96928b00a97db6f64755e212595a4b94590b38babd62d93091729e31"
    assert load_dataset("japanese-vowels").checksum == expected


def test_the_folder_holds_the_shipped_file():
    assert (fetch("japanese-vowels", progress=False) / "japanese-vowels.npz").is_file()


@pytest.mark.parametrize(
    "damage, reason", [("changed", "is damaged \\(checksum differs\\)"), ("gone", "can't be read")]
)
def test_a_damaged_file_is_named(tmp_path, monkeypatch, damage, reason):
    content = bytearray((embedded.FOLDER / "japanese-vowels.npz").read_bytes())
    content[1000] ^= 1
    if damage == "changed":
        (tmp_path / "japanese-vowels.npz").write_bytes(content)
    monkeypatch.setattr(embedded, "FOLDER", tmp_path)
    with pytest.raises(UserError, match=f"japanese-vowels.npz {reason}.*\\. Install bdistil again\\.$"):
        load_dataset("japanese-vowels")

"""Watch: windows cut within each recording, whole persons held out."""

import numpy as np
import pytest

from bdistil.data import embedded, load_dataset
from bdistil.data.dataset import SPLITS


@pytest.fixture(scope="module")
def data():
    return load_dataset("watch")


@pytest.fixture(scope="module")
def recordings():
    """Of each shipped recording, in order: (person, label, steps)."""
    with np.load(embedded.FOLDER / "watch.npz", allow_pickle=False) as stored:
        return list(zip(*(stored[name].tolist() for name in ("subject", "label", "lengths")), strict=True))


def test_each_recording_gives_every_whole_window_and_neighbours_share_one_second(data, recordings):
    for name in SPLITS:
        x, y = data.split(name)
        people = getattr(data, f"people_{name}")
        at = 0
        for person, label, steps in (one for one in recordings if one[0] in set(people)):
            count = (steps - 100) // 50 + 1
            windows = x[at : at + count]
            assert set(people[at : at + count]) == {person} and set(y[at : at + count]) == {label}
            np.testing.assert_array_equal(windows[1:, :, :50], windows[:-1, :, 50:])
            at += count
        assert at == len(x)


def test_persons_are_held_out_whole(data):
    found = [sorted(set(getattr(data, f"people_{name}").tolist())) for name in SPLITS]
    assert found == [[1, 2, 3, 4, 5, 6], [7, 8], [9, 10]]


def test_values_are_accelerations_in_g_and_turns_in_radians_a_second(data):
    """A watch at rest feels 1 g, and no arm turns at 30 radians a second."""
    felt = np.linalg.norm(data.x_train[:, :3], axis=1)
    assert 0.9 < np.median(felt) < 1.1 and np.abs(data.x_train[:, 3:]).max() < 30


def test_the_split_never_changes():
    """Teachers and sample runs that ship were made with this split."""
    assert load_dataset("watch").checksum == "f75c052cc303f6bc23893666c1cce94171a84f88efa7d8ddbef81b6af4c741cb"

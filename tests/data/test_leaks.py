"""Leaks: planted ones are found and counted; those of the data sets at hand are the known ones."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdistil.data import CATALOGUE, load_dataset
from bdistil.data.dataset import SPLITS, Dataset
from bdistil.data.leaks import leaks
from bdistil.report.data_text import describe
from tests.data.conftest import DATA_SETS

# Data sets in which something is on two sides: their splits say so, and are there because the literature has them.
# Of persons 4 and 8 some recordings are the same, so that the random split shares stretches beside persons.
KNOWN = {
    "free-spoken-digits-official": {("person", sides, 6) for sides in combinations(SPLITS, 2)},
    "dsa-19-random": {("person", sides, 8) for sides in combinations(SPLITS, 2)}
    | {("recording", *found) for found in zip(combinations(SPLITS, 2), (18, 32, 6), strict=True)},
}
INFO = replace(CATALOGUE["watch"], input_shape=(2, 3))


def made(people=(range(0, 4), range(4, 6), range(6, 8))):
    """A data set of series of one person each, all different."""
    x = np.random.default_rng(0).normal(size=(8, 2, 3)).astype(np.float32)
    cuts = (slice(0, 4), slice(4, 6), slice(6, 8))
    splits = {name: (x[cut], np.zeros(len(x[cut]), int)) for name, cut in zip(SPLITS, cuts, strict=True)}
    return Dataset.of(INFO, splits, dict(zip(SPLITS, map(np.array, people), strict=True)))


def test_where_nothing_leaks_nothing_is_found():
    assert leaks(made()) == []
    assert describe(made())[:6] == [
        "Watch: 4 train, 2 validation, 2 test examples of 7 classes.",
        INFO.split,
        "Nothing leaks: no person and no example is on two sides.",
        "Series of 2 channels and 3 steps at 50 Hz (0.06 s).",
        f"Classes: {', '.join(INFO.classes)}.",
        f"Channels: {', '.join(INFO.channels)}.",
    ]


@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=3, max_size=3))
def test_every_person_on_two_sides_is_counted(people):
    train, validation, test = people
    found = {leak.sides: leak.count for leak in leaks(made((train * 2, validation, test)))}
    both = {
        ("train", "validation"): (train, validation),
        ("train", "test"): (train, test),
        ("validation", "test"): (validation, test),
    }
    assert found == {sides: len(set(a) & set(b)) for sides, (a, b) in both.items() if set(a) & set(b)}


def test_a_planted_person_and_a_planted_example_are_told():
    data = made((range(0, 4), (3, 4), (5, 6)))
    data.x_test[:] = data.x_train[2]
    found = leaks(data)
    assert [(leak.kind, leak.count, leak.sides) for leak in found] == [
        ("person", 1, ("train", "validation")),
        ("example", 2, ("train", "test")),
    ]
    assert describe(data)[2:4] == [
        "Leak: 1 person is in train and validation.",
        "Leak: 2 of 2 test examples are in train too.",
    ]


def test_one_changed_value_makes_another_example():
    data = made()
    data.x_validation[0] = data.x_train[0]
    assert [leak.sentence for leak in leaks(data)] == ["Leak: 1 of 2 validation examples is in train too."]
    data.x_validation[0, 1, 1] += 1e-3  # the middle one of three steps: no two in a row are the same any more
    assert leaks(data) == []


def windows(recordings=30, steps=70, length=20, every=10):
    """Windows cut with overlap from recordings that end in silence: (x, the recording of each)."""
    made = np.random.default_rng(0).normal(size=(recordings, 2, steps)).astype(np.float32)
    made[:, :, 50:] = -3.0
    x = np.lib.stride_tricks.sliding_window_view(made, length, axis=2)[:, :, ::every].swapaxes(1, 2)
    return x.reshape(-1, 2, length), np.repeat(np.arange(recordings), x.shape[1])


def cut_into(x, where):
    """A data set of x, whose split number is `where` (N,)."""
    splits = {name: (x[where == side], np.zeros((where == side).sum(), int)) for side, name in enumerate(SPLITS)}
    return Dataset.of(replace(INFO, input_shape=x.shape[1:]), splits)


def test_overlapping_windows_of_one_recording_on_two_sides_are_counted():
    x, recording = windows()
    where = np.random.default_rng(1).integers(0, 3, len(x))
    found = {leak.sides: leak.count for leak in leaks(cut_into(x, where)) if leak.kind == "recording"}
    place = np.tile(np.arange(6), 30)
    for sides in combinations(range(3), 2):
        # Neighbours share ten steps; those of the last two windows are silence.
        mine, other = where == sides[1], where == sides[0]
        shares = [
            (other & (recording == recording[row]) & (abs(place - place[row]) == 1) & (place + place[row] < 9)).any()
            for row in np.flatnonzero(mine)
        ]
        assert found[SPLITS[sides[0]], SPLITS[sides[1]]] == sum(shares)


def test_whole_recordings_held_out_share_nothing_though_all_end_in_silence():
    x, recording = windows()
    kept = np.tile(np.arange(6), 30) < 5  # the last window is silence alone, and the same in all recordings
    assert leaks(cut_into(x[kept], recording[kept] % 3)) == []
    same = {leak.kind for leak in leaks(cut_into(x, recording % 3))}
    assert same == {"example"}


def test_a_recording_on_two_sides_is_told():
    x, _ = windows(recordings=1, steps=50)
    assert describe(cut_into(x, np.array([0, 0, 2, 1])))[2:4] == [
        "Leak: 1 of 1 test examples is of a recording that train has too: 5 steps or more are the same.",
        "Leak: 1 of 1 test examples is of a recording that validation has too: 5 steps or more are the same.",
    ]


def test_where_persons_are_not_known_nothing_is_said_of_them():
    data = replace(made(), people_train=None, people_validation=None, people_test=None)
    assert describe(data)[2].startswith("No identical example is on two sides; who the examples are of is not known")


def test_many_classes_are_told_by_the_first_ones():
    data = replace(made(), info=replace(INFO, classes=tuple(f"c{number}" for number in range(23)), channels=()))
    assert describe(data)[4:5] == [f"Classes: {', '.join(data.info.classes[:20])} and 3 more."]


def test_series_of_one_step_leak_as_examples_alone():
    x = np.random.default_rng(0).normal(size=(6, 2, 1)).astype(np.float32)
    x[5] = x[0]
    found = leaks(cut_into(x, np.array([0, 0, 1, 1, 2, 2])))
    assert [(leak.kind, leak.count, leak.sides) for leak in found] == [("example", 1, ("train", "test"))]


@pytest.mark.parametrize("name", DATA_SETS)
def test_what_leaks_in_the_data_sets_is_known(name):
    found = {(leak.kind, leak.sides, leak.count) for leak in leaks(load_dataset(name))}
    assert found == KNOWN.get(name, set())


def test_classes_that_a_split_lacks_or_has_few_of_are_named():
    y = np.repeat([0, 1], [12, 9])
    names = INFO.classes
    arrays = {"x": np.zeros((21, 2, 3), np.float32), "y": y}
    sides = {f"{array}_{name}": value for name in SPLITS for array, value in arrays.items()}
    said = describe(replace(made(), **sides))
    rows = [line.split() for line in said]
    assert ["Examples", "of", *SPLITS] in rows
    assert [names[0], "12", "12", "12"] in rows and [*names[2].split(), "0", "0", "0"] in rows
    assert f"No test examples of 5 of 7 classes: {', '.join(names[2:])}." in said
    assert f"Fewer than 10 train examples of 1 of 7 classes: {names[1]}." in said

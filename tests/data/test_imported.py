"""Splits of own data: no group is ever torn apart, every class is trained on, and what was found survives the disk."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdistil.data.imported import TEST, TRAIN, VALIDATION, ImportedData, numbered, split_anew, split_validation
from bdistil.errors import UserError

CLASSES = ("a", "b", "c")


@st.composite
def grouped(draw):
    """(y, groups): examples of up to three classes, of up to twenty groups, in any order."""
    count = draw(st.integers(1, 60))
    y = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    groups = draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))
    return np.array(y), np.array(groups)


@settings(deadline=None, max_examples=50)  # of a dozen groups all assignments are tried
@given(grouped())
def test_no_group_is_torn_apart_and_every_class_is_trained_on(data):
    y, groups = data
    y, names = numbered(y)
    classes = CLASSES[: len(names)]
    try:
        split = split_anew(y, groups, "persons", classes, "mine")
    except UserError as error:
        assert " persons to hold some out, and has " in str(error) or "no example left to train on" in str(error)
        return
    for group in set(groups.tolist()):
        assert len(set(split[groups == group].tolist())) == 1
    assert set(split.tolist()) == {TRAIN, VALIDATION, TEST}
    assert set(y[split == TRAIN].tolist()) == set(y.tolist())
    np.testing.assert_array_equal(split, split_anew(y, groups, "persons", classes, "mine"))


@given(st.lists(st.integers(3, 40), min_size=1, max_size=3))
def test_examples_are_split_60_20_20_within_each_class(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    split = split_anew(y, np.arange(len(y)), "files", CLASSES[: len(counts)], "mine")
    for label, count in enumerate(counts):
        held_out = [int((split[y == label] == side).sum()) for side in (VALIDATION, TEST)]
        assert all(abs(number - 0.2 * count) <= 1 and number >= 1 for number in held_out)


def test_where_test_is_given_only_train_is_split():
    y = np.arange(120) % 3
    given_split = np.where(np.arange(120) < 90, TRAIN, TEST)
    split = split_validation(given_split, y, np.arange(120), "files", CLASSES, "mine")
    np.testing.assert_array_equal(split == TEST, given_split == TEST)
    assert np.bincount(y[split == VALIDATION]).tolist() == [3, 3, 3] and (given_split == VALIDATION).sum() == 0


def test_a_class_that_one_person_alone_has_is_trained_on():
    """Ten persons say everything but b, which one of them says alone: whoever that is, train gets that person."""
    y = np.array([0, 2] * 10 + [1])
    for person in range(10):
        split = split_anew(y, np.array([*np.repeat(np.arange(10), 2), person]), "persons", CLASSES, "mine")
        assert split[-1] == TRAIN


def test_classes_and_shares_are_balanced_where_persons_have_several_classes():
    """Five persons each do one of five pairs of classes: only 3, 1 and 1 of each five are balanced, 1 draw in 250."""
    persons = np.repeat(np.arange(25), 8)
    y = 2 * (persons % 5) + np.arange(200) % 2
    split = split_anew(y, persons, "persons", tuple("abcdefghij"), "mine")
    for place, count in ((TRAIN, 12), (VALIDATION, 4), (TEST, 4)):
        assert np.bincount(y[split == place], minlength=10).tolist() == [count] * 10


def test_no_class_of_three_persons_is_absent_where_few_persons_leave_a_way():
    """Nine persons, all of whom say c, f and g; e is said by three of them, the other three classes by two each.

    Draws that fill splits to their shares of examples never hold out the persons 6 and 0 together, though e needs it.
    """
    said = ("acdfg", "bcfg", "acefg", "bcfg", "cfg", "cdfg", "cefg", "cfg", "cefg")
    y, persons = (
        np.repeat(column, 6)
        for column in zip(
            *(("abcdefg".index(name), person) for person, names in enumerate(said) for name in names),
            strict=True,
        )
    )
    split = split_anew(y, persons, "persons", tuple("abcdefg"), "mine")
    absent = {side: {"abcdefg"[label] for label in range(7) if label not in y[split == side]} for side in range(3)}
    assert absent[TRAIN] == set() and len(absent[VALIDATION]) + len(absent[TEST]) == 3  # one for each of two persons
    assert not (absent[VALIDATION] | absent[TEST]) & set("cefg")
    assert all(0.15 < (split == side).mean() < 0.3 for side in (VALIDATION, TEST))


def test_a_dozen_persons_are_split_within_seconds():
    persons = np.repeat(np.arange(12), 60)
    y = np.arange(720) % 30
    started = time.perf_counter()
    split = split_anew(y, persons, "persons", tuple(map(str, range(30))), "mine")
    assert np.bincount(split, minlength=3).max() < 0.7 * 720 and time.perf_counter() - started < 20


def test_thousands_of_persons_are_split_within_seconds():
    persons = np.repeat(np.arange(5000), 4)
    y = np.arange(20_000) % 4
    started = time.perf_counter()
    split = split_anew(y, persons, "persons", tuple("abcd"), "mine")
    assert time.perf_counter() - started < 10
    assert [(split == place).mean() for place in (TRAIN, VALIDATION, TEST)] == pytest.approx([0.6, 0.2, 0.2], abs=1e-3)


@pytest.mark.parametrize("people", [None, np.arange(4)])
def test_what_was_found_survives_the_disk(tmp_path, people):
    found = ImportedData(
        x=np.zeros((4, 2, 3), np.float32),
        y=np.arange(4) % 2,
        split=np.array([0, 0, 1, 2]),
        people=people,
        classes=("é", "b"),
        modality="sensor",
        how="So.",
        channels=("x", "y"),
        rate_hz=25.0,
        unreadable=("One.",),
        files=np.array(["a/1", "a/2", "b/1", "b/2"]),
    )
    np.savez(tmp_path / "found.npz", **found.pack())
    with np.load(tmp_path / "found.npz", allow_pickle=False) as stored:
        again = ImportedData.unpack(dict(stored))
    for name in ("x", "y", "split", "people", "files"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    for name in ("classes", "modality", "how", "channels", "rate_hz", "sampling_hz", "front_end", "unreadable"):
        assert getattr(again, name) == getattr(found, name)

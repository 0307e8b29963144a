"""Leaks: planted ones are found and counted; those of the data sets at hand are the known ones."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdistil.data import CATALOGUE, is_here, load_dataset
from bdistil.data.dataset import SPLITS, Dataset
from bdistil.data.leaks import describe, leaks

# Data sets in which something is on two sides: their splits say so, and are there because the literature has them.
KNOWN = {"dsa-19-random": {("person", sides, 8) for sides in combinations(SPLITS, 2)}}
INFO = replace(CATALOGUE["watch"], input_shape=(2, 3))


def made(people=(range(0, 4), range(4, 6), range(6, 8))):
    """A data set of series of one person each, all different."""
    x = np.random.default_rng(0).normal(size=(8, 2, 3)).astype(np.float32)
    cuts = (slice(0, 4), slice(4, 6), slice(6, 8))
    splits = {name: (x[cut], np.zeros(len(x[cut]), int)) for name, cut in zip(SPLITS, cuts, strict=True)}
    return Dataset.of(INFO, splits, dict(zip(SPLITS, map(np.array, people), strict=True)))


def test_where_nothing_leaks_nothing_is_found():
    assert leaks(made()) == []
    assert describe(made()) == [
        "Watch: 4 train, 2 validation, 2 test examples of 7 classes.",
        INFO.split,
        "Nothing leaks: no person and no example is on two sides.",
    ]


@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=3, max_size=3))
def test_every_person_on_two_sides_is_counted(people):
    train, validation, test = people
    found = {leak.sides: leak.count for leak in leaks(made((train * 2, validation, test)))}
    both = {("train", "validation"): (train, validation), ("train", "test"): (train, test),
            ("validation", "test"): (validation, test)}  # fmt: skip
    assert found == {sides: len(set(a) & set(b)) for sides, (a, b) in both.items() if set(a) & set(b)}


def test_a_planted_person_and_a_planted_example_are_told():
    data = made((range(0, 4), (3, 4), (5, 6)))
    data.x_test[:] = data.x_train[2]
    found = leaks(data)
    assert [(leak.kind, leak.count, leak.sides) for leak in found] == [
        ("person", 1, ("train", "validation")),
        ("example", 2, ("train", "test")),
    ]
    assert describe(data)[2:] == [
        "Leak: 1 person is in train and validation.",
        "Leak: 2 of 2 test examples are in train too.",
    ]


def test_one_changed_value_makes_another_example():
    data = made()
    data.x_validation[0] = data.x_train[0]
    assert [leak.sentence for leak in leaks(data)] == ["Leak: 1 of 2 validation examples is in train too."]
    data.x_validation[0, 1, 2] += 1e-3
    assert leaks(data) == []


def test_where_persons_are_not_known_nothing_is_said_of_them():
    data = replace(made(), people_train=None, people_validation=None, people_test=None)
    assert describe(data)[2] == "Nothing leaks: no example is on two sides."


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_leaks_in_the_data_sets_is_known(name):
    if not is_here(name):
        pytest.skip(f"{name} is not in BDISTIL_DATA.")
    found = {(leak.kind, leak.sides, leak.count) for leak in leaks(load_dataset(name))}
    assert found == KNOWN.get(name, set())

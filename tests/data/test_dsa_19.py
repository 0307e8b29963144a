"""Daily and Sports Activities: small trees in the official layout, whole, damaged and incomplete; the real files."""

import hashlib
import os
import re

import numpy as np
import pytest

from bdistil.data import data_home, dsa_19, dsa_19_random, fetch, is_here, load_dataset
from bdistil.data.dataset import SPLITS, Dataset
from bdistil.data.leaks import leaks
from bdistil.errors import UserError

PAIRS = {(1, 2), (3, 5), (4, 8), (6, 7)}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A data home with two activities and three windows of each; returns the home and the values (2, 8, 3, 125, 45)."""
    monkeypatch.setattr(dsa_19, "ACTIVITIES", 2)
    monkeypatch.setattr(dsa_19, "SEGMENTS", 3)
    values = np.random.default_rng(0).normal(0, 5, (2, 8, 3, 125, 45)).round(3)
    values[0, 0, 0, :10] = 1.5  # a sensor at rest: its deviation is 0
    for activity, person, segment in np.ndindex(2, 8, 3):
        file = tmp_path / "dsa-19" / "data" / f"a{activity + 1:02d}" / f"p{person + 1}" / f"s{segment + 1:02d}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(file, values[activity, person, segment], fmt="%.6g", delimiter=",")
    return tmp_path, values


def test_a_step_is_the_mean_and_the_log_deviation_of_its_five_samples(tree):
    home, values = tree
    x, y, people = dsa_19.read_all(home)
    assert x.shape == (48, 90, 25) and x.dtype == np.float32
    np.testing.assert_array_equal(y, np.repeat([0, 1], 24))
    np.testing.assert_array_equal(people, np.tile(np.repeat(np.arange(1, 9), 3), 2))
    for row, window in enumerate(values.reshape(48, 125, 45)):
        for step in range(25):
            samples = window[5 * step : 5 * step + 5]
            np.testing.assert_allclose(x[row, :45, step], samples.mean(axis=0), rtol=1e-5, atol=1e-5)
            deviation = np.maximum(samples.std(axis=0), 0.01)
            np.testing.assert_allclose(x[row, 45:, step], np.log(deviation), rtol=1e-5, atol=1e-5)


def test_no_step_depends_on_another_steps_samples():
    windows = np.random.default_rng(0).normal(size=(1, 125, 45))
    changed = windows.copy()
    changed[0, 60] += 1
    differs = (dsa_19.features(windows) != dsa_19.features(changed)).any(axis=(0, 1))
    np.testing.assert_array_equal(np.flatnonzero(differs), [12])


def test_each_pair_of_persons_tests_once_and_validates_once(tree):
    pairs = {"validation": set(), "test": set()}
    for rotation in range(4):
        splits = dsa_19.read(tree[0], rotation)
        people = {name: set(splits[name][2].tolist()) for name in SPLITS}
        assert len(people["train"]) == 4 and set.union(*people.values()) == set(range(1, 9))
        assert sum(map(len, people.values())) == 8 and sum(len(splits[name][0]) for name in SPLITS) == 48
        for name, found in pairs.items():
            found.add(tuple(sorted(people[name])))
    assert pairs == {"validation": PAIRS, "test": PAIRS}


def test_files_are_parsed_once_and_again_when_one_changes(tree, monkeypatch):
    home, _ = tree
    first, _, _ = dsa_19.read_all(home)
    parse, parsed = dsa_19._windows, []
    monkeypatch.setattr(dsa_19, "_windows", lambda files: parsed.append(files) or parse(files))
    np.testing.assert_array_equal(dsa_19.read_all(home)[0], first)
    assert not parsed
    file = home / "dsa-19" / "data" / "a02" / "p3" / "s02.txt"
    rows = file.read_text().splitlines()
    rows[0] = ",".join(["9.25"] * 45)
    file.write_text("\n".join(rows))
    os.utime(file, ns=(1, 1))
    again, _, _ = dsa_19.read_all(home)
    assert len(parsed) == 16
    np.testing.assert_array_equal(np.flatnonzero((again != first).any(axis=(1, 2))), [24 + 2 * 3 + 1])


ROW = b",".join([b"1"] * 45)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "0 rows instead of 125"),
        (b"\n".join([ROW] * 124), "124 rows instead of 125"),
        (b"\n".join([ROW] * 126) + b"\n", "126 rows instead of 125"),
        (b"\n".join([ROW] * 124 + [ROW + b",1"]), "row 125 is not 45 finite numbers"),
        (b"\n".join([ROW, ROW[2:]] + [ROW] * 123), "row 2 is not 45 finite numbers"),
        (b"\n".join([ROW[2:]] * 125), "row 1 is not 45 finite numbers"),
        (b"\n".join([ROW] * 9 + [b"nan" + ROW[1:]] + [ROW] * 115), "row 10 is not 45 finite numbers"),
        (b"\n".join([ROW] * 9 + [b"1e999" + ROW[1:]] + [ROW] * 115), "row 10 is not 45 finite numbers"),
        (b"\n".join([ROW] * 9 + [b"one" + ROW[1:]] + [ROW] * 115), "row 10 is not 45 finite numbers"),
        (b"\n".join([ROW] * 9 + [b'"1' + ROW[1:]] + [ROW] * 115), "row 10 is not 45 finite numbers"),
        (b"\n".join([ROW] * 9 + [b""] + [ROW] * 115), "row 10 is not 45 finite numbers"),
        (b"\n".join([ROW] * 9 + [b"\xff\0" + ROW[1:]] + [ROW] * 115), "row 10 is not 45 finite numbers"),
    ],
)
def test_a_damaged_file_is_named_with_its_row(tree, content, reason):
    file = tree[0] / "dsa-19" / "data" / "a02" / "p3" / "s02.txt"
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(file))} is damaged \\({reason}\\): unpack https.* anew\\.$"):
        dsa_19.read_all(tree[0])


def test_rows_may_end_as_on_windows(tree):
    home, values = tree
    for file in (home / "dsa-19" / "data" / "a01" / "p1").iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    np.testing.assert_allclose(dsa_19.read_all(home)[0][0, :45, 2], values[0, 0, 0, 10:15].mean(axis=0), rtol=1e-5)


def test_missing_files_are_counted_and_the_first_is_named(tree):
    for name in ("a02/p3/s02.txt", "a02/p8/s01.txt"):
        (tree[0] / "dsa-19" / "data" / name).unlink()
    with pytest.raises(UserError, match=r"^2 of 48 files are missing in .*, the first is data/a02/p3/s02\.txt: unpack"):
        dsa_19.read_all(tree[0])


@pytest.mark.parametrize("name", ["dsa-19", "dsa-19-random"])
def test_where_it_is_not_here_one_sentence_says_where_to_unpack_it(tmp_path, monkeypatch, name):
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    assert not is_here(name)
    for asks in (fetch, load_dataset):
        with pytest.raises(UserError, match=r"isn't here, and is not downloaded .* unpack https://.*s01\.txt is there"):
            asks(name)


def rows(data):
    """What identifies the windows of each split whatever precision the values were written with."""
    chosen = [np.stack([data.split(name)[1], getattr(data, f"people_{name}")]) for name in SPLITS]
    return hashlib.sha256(np.concatenate(chosen, axis=1).tobytes()).hexdigest()[:16]


@pytest.mark.data("dsa-19")
def test_the_splits_never_change():
    """Teachers and figures were made with these splits."""
    random = load_dataset("dsa-19-random")
    assert rows(load_dataset("dsa-19")) == "bd346bf1611980e1" and rows(random) == "5bfae16a43fc9953"
    assert random.info.people is None and "Every person is on all sides" in dsa_19_random.INFO.split
    for name in SPLITS:
        np.testing.assert_array_equal(np.unique(getattr(random, f"people_{name}")), np.arange(1, 9))


@pytest.mark.data("dsa-19")
def test_no_rotation_leaks_though_persons_4_and_8_share_recordings():
    for rotation in range(4):
        assert leaks(Dataset.of(dsa_19.INFO, dsa_19.read(data_home(), rotation))) == []
    x, y, people = dsa_19.read_all(data_home())
    sides = {"train": people == 4, "validation": people == 1, "test": people == 8}
    found = leaks(Dataset.of(dsa_19.INFO, {name: (x[rows], y[rows]) for name, rows in sides.items()}))
    assert [(leak.kind, leak.count, leak.sides) for leak in found] == [("recording", 120, ("train", "test"))]

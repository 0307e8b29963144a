"""Answers instead of a teacher: what is wrong with them is one sentence with file and row, what is right is matched."""

import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bdistil.config import DistilConfig
from bdistil.data import CATALOGUE, info, load_dataset
from bdistil.errors import UserError
from bdistil.runs.jobs import distillation_data
from bdistil.teachers import card_for, card_of
from bdistil.teachers.black_box import (
    GivenLogits,
    are_probabilities,
    as_logits,
    logits_card,
    match,
    measured,
    most_shift,
    no_better_than_chance,
    read_answers,
)
from bdistil.teachers.card import GivenAnswers

ROWS, CLASSES = 7, 3


def logits(rows=ROWS, classes=CLASSES, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, classes)).astype(np.float32)


def spoilt(value):
    answers = logits()
    answers[4, 1] = value
    return answers


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Writes an NPZ of arrays, or a file of bytes; returns its path."""
    monkeypatch.chdir(tmp_path)

    def save(content=None, /, name="train.npz", **arrays):
        path = tmp_path / name
        if content is None:
            np.savez(path, **arrays)
        else:
            path.write_bytes(content)
        return str(path)

    return save


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"logits": np.arange(21).reshape(7, 3)}, "The logits in {} are int64: give floating-point numbers"),
        ({"logits": np.ones((7, 3), bool)}, "The logits in {} are bool: give floating-point numbers"),
        ({"logits": np.ones((7, 3), complex)}, "The logits in {} are complex128: give floating-point numbers"),
        ({"logits": spoilt(np.nan)}, "{}, row 5: the logits hold NaN."),
        ({"logits": spoilt(np.inf)}, "{}, row 5: the logits hold infinite values."),
        ({"logits": spoilt(-np.inf)}, "{}, row 5: the logits hold infinite values."),
        ({"logits": np.full((7, 3), 1e300)}, "{}, row 1: the logits hold infinite values."),
        ({"logits": logits(classes=4)}, "The logits in {} have shape (7, 4), the dataset has 3 classes"),
        ({"logits": logits().ravel()}, "The logits in {} have shape (21,), the dataset has 3 classes"),
        ({"logits": logits()[..., None]}, "The logits in {} have shape (7, 3, 1), the dataset has 3 classes"),
        ({"answers": logits()}, "{} holds no array called logits, it holds "),
        ({"logits": logits(), "files": np.arange(7)}, "The files in {} are int64 of shape (7,): give one relative"),
        ({"logits": logits(), "files": np.array(["a"] * 6)}, "The files in {} are <U1 of shape (6,): give one"),
    ],
)
def test_answers_that_cannot_be_are_one_sentence(saved, arrays, sentence):
    path = saved(**arrays)
    with pytest.raises(UserError) as error:
        read_answers(path, CLASSES)
    assert str(error.value).startswith(sentence.format(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", pickle.dumps({"logits": [[1.0]]})])
def test_a_file_that_is_no_npz_is_one_sentence(saved, content):
    path = saved(content)
    with pytest.raises(UserError, match="is no NPZ file of plain numbers and fixed-width strings"):
        read_answers(path, CLASSES)


def test_a_bare_array_is_no_npz(tmp_path):
    with open(tmp_path / "train.npz", "wb") as file:
        np.save(file, logits())
    with pytest.raises(UserError, match="is no NPZ file"):
        read_answers(str(tmp_path / "train.npz"), CLASSES)


@pytest.mark.parametrize("name", ["logits", "files"])
def test_nothing_is_unpickled(saved, tmp_path, name):
    objects = np.array([Bomb()] * ROWS, dtype=object)
    np.savez(tmp_path / "train.npz", allow_pickle=True, **{"logits": logits(), name: objects})
    with pytest.raises(UserError, match="is no NPZ file of plain numbers"):
        read_answers(str(tmp_path / "train.npz"), CLASSES)
    assert not (tmp_path / "exploded").exists()


def test_a_cut_file_is_one_sentence(saved):
    path = saved(logits=logits(rows=500))
    content = Path(path).read_bytes()
    for length in range(0, len(content), 97):
        with pytest.raises(UserError, match="is no NPZ file"):
            read_answers(saved(content[:length]), CLASSES)


def test_what_would_fill_the_memory_is_not_unpacked(saved, monkeypatch):
    monkeypatch.setattr("bdistil.data.npz.MOST_BYTES", 1000)
    path = saved(logits=logits(rows=500))
    with pytest.raises(UserError, match=r"logits in .* takes 0.0 GB, the limit is"):
        read_answers(path, CLASSES)


def test_a_directory_or_nothing_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="There is no file .*nothing.npz"):
        read_answers(str(tmp_path / "nothing.npz"), CLASSES)
    with pytest.raises(UserError, match="is no NPZ file"):
        read_answers(str(tmp_path), CLASSES)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(UserError, match="is no NPZ file"):
        read_answers(str(tmp_path / "pipe.npz"), CLASSES)


def test_an_encrypted_file_is_one_sentence(saved):
    content = Path(saved(logits=logits())).read_bytes()
    marked = content.replace(b"PK\x03\x04\x2d\x00\x00", b"PK\x03\x04\x2d\x00\x01")
    place = content.index(b"PK\x01\x02") + 8
    marked = marked[:place] + b"\x01" + marked[place + 1 :]
    with pytest.raises(UserError, match="is no NPZ file of plain numbers"):
        read_answers(saved(marked), CLASSES)


@pytest.mark.parametrize("kind", ["e", "f", "d"])
def test_floats_of_any_width_and_strings_of_any_kind_are_read(saved, kind):
    path = saved(logits=logits().astype(kind), files=np.array([b"\xc3\xa9.png"] * ROWS))
    answers, files = read_answers(path, CLASSES)
    assert answers.dtype == np.float32 and answers == pytest.approx(logits(), abs=0.01)
    assert files.tolist() == ["é.png"] * ROWS


@given(st.lists(st.text(max_size=5), unique=True, min_size=1), st.randoms(use_true_random=False))
def test_rows_are_found_wherever_they_are(files, random):
    """Whatever order and whatever else a file holds, each wanted path gets its own row."""
    wanted = random.sample(files, random.randint(0, len(files)))
    places = match(files, wanted, "train.npz")
    assert places.dtype == np.int64 and [files[place] for place in places] == wanted


def test_paths_that_are_there_twice_or_not_at_all_are_one_sentence():
    with pytest.raises(UserError, match=r"^t.npz, row 3: a/1.png is there already, in row 1. Give one row a file.$"):
        match(["a/1.png", "a/2.png", "a/1.png"], ["a/2.png"], "t.npz")
    with pytest.raises(UserError, match=r"^t.npz has no row for b.png: give the relative path of every file.$"):
        match(["a.png"], ["a.png", "b.png"], "t.npz")
    with pytest.raises(UserError, match="has no row for b.png and 2 more of the dataset’s files"):
        match(["a.png"], ["b.png", "c.png", "d.png"], "t.npz")


@pytest.fixture
def data():
    """A data set of files: four to train with, two to validate, three to test, named in no order."""
    files = {"train": ["t/d", "t/a", "t/e", "t/b"], "validation": ["t/f", "t/c"], "test": ["s/b", "s/a", "s/c"]}
    y = {name: np.zeros(len(own)) for name, own in files.items()}
    return SimpleNamespace(
        split=lambda name: (None, y[name]), **{f"files_{name}": np.array(own) for name, own in files.items()}
    )


def given_by(saved, train, test, files=True, probabilities=False):
    names = [{"files": np.array(own)} if files else {} for own in (train, test)]
    value = {name: np.full(CLASSES, ord(name[-1]), np.float32) for name in (*train, *test)}
    answers = [
        saved(name=f"{name}.npz", logits=np.stack([value[file] for file in own]), **extra)
        for name, own, extra in zip(("train", "test"), (train, test), names, strict=True)
    ]
    known = {
        "name": "train.npz",
        "dataset": "d",
        "classes": tuple("abc"),
        "input_shape": (1,),
        "weights_sha256": "",
        "macs": None,
    }
    return GivenAnswers(**known, answers=tuple(answers), probabilities=probabilities)


@pytest.mark.parametrize("files", [True, False])
def test_validation_rows_come_from_the_training_answers(saved, data, files):
    """Matched by path where the file names them, whatever their order; else in the order of sorted paths."""
    train, test = ["t/a", "t/b", "t/c", "t/d", "t/e", "t/f"], ["s/a", "s/b", "s/c"]
    if files:
        train, test = [*train[::-1], "t/unused"], [*test[::-1], "s/x"]
    ask = GivenLogits(given_by(saved, train, test, files), data)
    for split in ("train", "validation", "test"):
        rows = ask(None, split)[:, 0].astype(int)
        assert [chr(row) for row in rows] == [file[-1] for file in getattr(data, f"files_{split}")]


def test_a_wrong_number_of_rows_is_one_sentence(saved, data):
    with pytest.raises(UserError, match=r"train.npz has 5 rows, the dataset has 4 train and 2 validation examples"):
        GivenLogits(given_by(saved, ["t/a"] * 5, ["s/a"] * 3, files=False), data)
    with pytest.raises(UserError, match=r"test.npz has 4 rows, the dataset has 3 test examples"):
        GivenLogits(given_by(saved, ["t/a"] * 6, ["s/a"] * 4, files=False), data)


def test_files_of_a_data_set_without_files_are_of_no_account(saved, data):
    for split in ("train", "validation", "test"):
        setattr(data, f"files_{split}", None)
    ask = GivenLogits(given_by(saved, ["t/d", "t/a", "t/e", "t/b", "t/f", "t/c"], ["s/b", "s/a", "s/c"]), data)
    assert [chr(int(row)) for row in ask(None, "validation")[:, 0]] == ["f", "c"]


# ------------------------------------------------------------------------------------------------- what they say


def softmax(values):
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["e", "f", "d"])
def test_probabilities_are_recognised_and_become_logarithms(kind):
    shares = softmax(30 * logits(rows=200)).astype(kind)
    assert are_probabilities(shares) and not are_probabilities(logits()) and not are_probabilities(shares[:0])
    assert not are_probabilities(np.full((2, CLASSES), 0.5)) and not are_probabilities(spoilt(np.nan))
    found = as_logits(shares)
    assert found.dtype == np.float32 and found.min() == pytest.approx(np.log(1e-7)) and np.isfinite(found).all()
    assert np.exp(found) == pytest.approx(shares, abs=1e-6)


KNOWN = replace(CATALOGUE["digits"], classes=("a", "b", "c"), train=5, validation=2, test=4)


def test_a_card_says_what_is_known_and_no_more(saved):
    files = [saved(logits=logits()), saved(name="test.npz", logits=logits(rows=4))]
    card = logits_card(files, KNOWN)
    assert (card.name, card.kind, card.answers) == ("train.npz", "logits", tuple(files))
    assert {card.macs, card.parameters, card.bytes, card.accuracy} == {None} and not card.macs_stated
    assert card.notices == () and card.probabilities is False
    stated = logits_card(files, KNOWN, 10**6)
    assert (stated.macs, stated.macs_stated) == (10**6, True)


def test_probabilities_are_noticed_and_must_be_in_both_files(saved):
    shares, plain = softmax(logits()), logits(rows=4)
    files = [saved(logits=shares), saved(name="test.npz", logits=softmax(plain))]
    assert logits_card(files, KNOWN).notices == (
        "train.npz gives probabilities, not logits: they are taken as log(max(p, 1e-7)).",
    )
    saved(name="test.npz", logits=plain)
    with pytest.raises(UserError, match=r"train.npz holds probabilities and .*test.npz does not"):
        logits_card(files, KNOWN)


def test_a_wrong_number_of_rows_is_told_before_any_data_are_read(saved):
    files = [saved(logits=logits()), saved(name="test.npz", logits=logits(rows=5))]
    with pytest.raises(UserError, match=r"test.npz has 5 rows, the dataset has 4 test examples"):
        logits_card(files, KNOWN)


def test_answers_worse_than_a_guess_are_doubted():
    labels = np.arange(9) % 3
    right = np.eye(3)[labels]
    assert no_better_than_chance(right, labels) is None and measured(right, labels).accuracy == 1.0
    assert "are right for 0.0 % of the training examples" in no_better_than_chance(right[:, [1, 2, 0]], labels)
    many = np.random.default_rng(0).choice(3, 3000, p=[0.8, 0.1, 0.1])
    for shuffled in (np.roll(many, 1000), np.zeros(3000, int)):  # right for two thirds, or for four fifths
        assert "check the order of its rows" in no_better_than_chance(np.eye(3)[shuffled], many)
    half = np.where(np.arange(3000) % 2, many, np.roll(many, 1000))
    assert no_better_than_chance(np.eye(3)[half], many) is None
    _, low, high = measured(right, labels)
    assert 0.6 < low < 0.8 and high == 1.0
    of_two = measured(np.eye(3)[[0, 1, 2, 1, 1, 2, 0, 0, 2]], labels, np.array([5, 5, 5, 5, 5, 5, 8, 8, 8]))
    assert of_two[1:] == pytest.approx((2 / 3, 5 / 6))


# ---------------------------------------------------------------------------------------------------- in a run


@pytest.fixture
def digits(saved):
    """Answers for digits that are right, in the data set's order."""
    data = load_dataset("digits")
    rows = [np.concatenate([data.y_train, data.y_validation]), data.y_test]
    return [
        saved(name=f"{name}.npz", logits=10 * np.eye(10)[labels])
        for name, labels in zip(("train", "test"), rows, strict=True)
    ]


def config(paths, **given):
    return DistilConfig.create("digits", teacher="train.npz", teacher_logits=paths, **given)


def test_views_get_their_originals_answers(digits):
    chosen = config(digits, views=3)
    task = distillation_data(chosen, card_for(None, "digits", teacher_logits=digits))
    assert task.view_logits.shape == (3, info("digits").train, 10)
    assert all(np.array_equal(view, task.teacher.train) for view in task.view_logits)
    assert not np.array_equal(task.views[1], task.views[0])
    for split, rows in task.teacher.items():
        assert (rows.argmax(axis=1) == task.dataset.split(split)[1]).all()


@pytest.mark.parametrize("named", [True, False])
def test_a_folders_rows_are_matched_by_their_paths(saved, tmp_path, named):
    """In any order where the paths are given, sorted where they are not; validation is split off train."""
    generator, folder = np.random.default_rng(0), tmp_path / "pictures"
    for split, count in (("train", 20), ("test", 4)):
        for number, label in enumerate(("cat", "dog", "owl")):
            (folder / split / label).mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 256, (8, 8, 3), np.uint8)
                pixels[0, 0] = number
                Image.fromarray(pixels).save(folder / split / label / f"{index}.png")
    paths = []
    for split in ("train", "test"):
        files = sorted(str(path.relative_to(folder)) for path in (folder / split).glob("*/*.png"))
        files = list(generator.permutation(files)) if named else files
        rows = np.eye(3)[[("cat", "dog", "owl").index(file.split("/")[1]) for file in files]]
        paths.append(saved(name=f"{split}.npz", logits=rows, **({"files": np.array(files)} if named else {})))
    chosen = DistilConfig.create(str(folder), teacher="train.npz", teacher_logits=paths, student="cnn-xs", views=2)
    task = distillation_data(chosen, card_of(chosen))
    assert len(task.dataset.y_validation) > 0
    for split, rows in task.teacher.items():
        assert (rows.argmax(axis=1) == task.dataset.split(split)[1]).all()
        assert (task.dataset.split(split)[0][:, 0, 0, 0] == task.dataset.split(split)[1]).all()


def test_answers_hold_for_pictures_that_are_hardly_moved(digits):
    assert config(digits).shift == 1 and config(digits).views > 1
    with pytest.raises(UserError, match="hold for pictures moved by 1 pixel at most: set the shift to 1"):
        config(digits, shift=2)
    assert config(digits, shift=2, views=1).views == 1


def test_series_are_not_changed_at_all():
    from bdistil.teachers.black_box import given_logits

    assert given_logits({"views": 5, "shift": 1}, "image") == {"views": 5, "shift": 1}
    assert given_logits({"views": 5, "shift": 0}, "speech") == {"views": 1, "shift": 0}
    assert [most_shift(info(name)) for name in ("digits", "fashion-mnist", "cifar-10")] == [1, 3, 4]


def test_options_that_are_for_other_teachers_are_one_sentence(digits):
    with pytest.raises(UserError, match="`teacher_input` says what an ONNX file reads"):
        card_for(None, "digits", teacher_logits=digits, teacher_input="raw")
    with pytest.raises(UserError, match="`teacher_input` says what an ONNX file reads"):
        card_for(None, "digits", teacher_input="raw")
    with pytest.raises(UserError, match="`teacher_macs` states what a black box costs"):
        card_for(None, "digits", teacher_macs=5)


def test_zip_members_are_read_by_name_alone(saved, tmp_path):
    """A member whose name leads out of the folder is neither written nor read."""
    path = saved(logits=logits())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../escaped.npy", b"x")
    assert read_answers(path, CLASSES)[1] is None and not (tmp_path.parent / "escaped.npy").exists()

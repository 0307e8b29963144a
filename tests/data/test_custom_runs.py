"""Own data end to end: a teacher is trained on a path, distilled, resumed, and the run keeps how the data is read."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from bdistil.config import DistilConfig, TeachConfig
from bdistil.data import fetch, info, is_here, load_dataset
from bdistil.data.reading import OwnData
from bdistil.errors import UserError
from bdistil.paths import home
from bdistil.runs.launch import start_worker
from bdistil.teachers import card_for
from bdistil.teachers.black_box import UNKNOWN_SPLIT
from tests.workers import finished, started, told, until

NAMED = ("--series", "series", "--label", "label")


@pytest.fixture
def digits_folder(tmp_path):
    """Digits, as a user's folder of class folders."""
    x, y = load_dataset("digits").split("train")
    root = tmp_path / "Own digits"
    for place, (picture, label) in enumerate(zip(x, y, strict=True)):
        folder = root / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[0] * 15).save(folder / f"{place:04}.png")
    return root


def test_a_folder_is_taught_distilled_stopped_and_resumed(digits_folder):
    data = OwnData(side=8)
    taught = TeachConfig.create(str(digits_folder), data=data, architecture="resnet-s", epochs=1, threads=1)
    assert taught.dataset == str(digits_folder)
    teacher = finished(started(taught)).info().teacher_name
    assert teacher.startswith("own-digits-") and "--side 8" in card_for(teacher, str(digits_folder), data).command
    config = DistilConfig.create(
        str(digits_folder),
        data=data,
        teacher=card_for(None, str(digits_folder), data).name,
        method="b-distil",
        student="cnn-xs",
        rounds=2,
        epochs=2,
        views=2,
        threads=1,
    )
    run = started(config)
    until(lambda: told(run, "round_finished"))
    run.request_stop()
    until(lambda: not run.is_alive())
    assert run.info().config == config
    stored = json.loads((run.path / "run.json").read_text())["config"]
    assert DistilConfig.build(**stored) == DistilConfig.create(**stored) == config and stored["data"]["side"] == 8
    if run.state() != "finished":
        start_worker(run)
    name = finished(run).info().dataset.name
    assert name == info(str(digits_folder), data).name and len(run.rounds()) == 2
    assert (home() / "previews" / f"{name}.npz").exists()
    assert not list(digits_folder.parent.glob("*.npz"))  # nothing is written beside the user's data


def test_leaks_are_told_by_runs_as_well(bdistil, tmp_path):
    generator, y = np.random.default_rng(0), np.arange(60) % 2
    x = (generator.integers(0, 99, (60, 1, 8, 8)) + 99 * y[:, None, None, None]).astype(np.uint8)
    x[59] = x[1]
    split = np.repeat(["train", "validation", "test"], [40, 10, 10])
    np.savez(tmp_path / "own.npz", x=x, y=y, split=split)
    for name, rows in (("train", split != "test"), ("test", split == "test")):
        np.savez(tmp_path / f"{name}.npz", logits=4 * np.eye(2)[y[rows]])
    how = ("--dataset", tmp_path / "own.npz", "--epochs", "1", "--threads", "1", "--quiet")
    answers = ("--teacher-logits", tmp_path / "train.npz", tmp_path / "test.npz")
    students = ("--student", "cnn-xs", "--rounds", "1", "--method", "b-distil", "--no-meet-condition")
    for words in (("teach", *how, "--teacher", "resnet-s"), ("run", *how, *answers, *students)):
        status, _, err = bdistil(*words)
        unknown = f"{UNKNOWN_SPLIT}\n" if words[0] == "run" else ""  # the split that answers were trained on
        # After one epoch the student may be far below its teacher, which is told as well.
        assert status == 0 and err.startswith(f"Leak: 1 of 10 test examples is in train too.\n{unknown}")


def test_notes_on_the_data_are_told_by_runs_as_well(bdistil, tmp_path):
    for number in range(40):
        path = tmp_path / "pets" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, np.uint8) + np.eye(8, dtype=np.uint8)).save(path)
    Image.new("L", (8, 8), 77).save(tmp_path / "pets" / "b" / "blank.png")
    (tmp_path / "pets" / "__MACOSX").mkdir()
    how = ("--dataset", tmp_path / "pets", "--epochs", "1", "--threads", "1", "--quiet", "--teacher", "resnet-s")
    status, _, err = bdistil("teach", *how)
    assert status == 0 and err.splitlines() == [
        "Passed over as hidden, or left behind by archives, editors or systems: 1 file or folder, such as __MACOSX.",
        "Notice: 1 of 41 pictures is one colour, such as b/blank.png; transparent parts are read as white.",
    ]


def test_data_that_has_changed_is_no_longer_that_of_the_run(digits_folder):
    data = OwnData(side=8)
    taught = TeachConfig.create(str(digits_folder), data=data, architecture="resnet-s", epochs=1, threads=1)
    before = taught.data_info
    next(digits_folder.glob("3/*.png")).unlink()
    assert taught.data_info.train == before.train - 1 and taught.data_info.name != before.name


def test_data_checks_a_path_and_says_what_it_found(bdistil, digits_folder, walks):
    next(digits_folder.glob("3/*.png")).write_text("no picture")
    status, out, err = bdistil("data", digits_folder)
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == "Own digits: 642 train, 218 validation, 216 test examples of 10 classes."
    assert "1 unreadable file was skipped" in lines[1] and "is no intact picture" in lines[-2]
    assert lines[-1] == str(digits_folder)
    options = ("--series", "series", "--label", "label", "--subject", "who", "--window", "20")
    status, out, err = bdistil("data", walks, *options)
    assert (status, err) == (0, "") and "Nothing leaks: no person and no example is on two sides." in out
    assert "\nClasses: falls, rises.\nChannels: height.\n" in out
    assert is_here(str(walks)) and not is_here(str(walks.with_name("gone.csv")))
    assert fetch(str(walks), options=OwnData(series="series", label="label", subject="who", window=20)) == walks


def test_a_file_whose_name_is_not_utf_8_is_told(digits_folder):
    name = os.fsencode(digits_folder / "3") + b"/caf\xe9.png"
    with open(name, "wb") as file:
        file.write(b"no picture")
    command = [sys.executable, "-m", "bdistil", "data", str(digits_folder)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=False)
    assert done.returncode == 0 and rb"3/caf\udce9.png is no intact picture" in done.stdout


def test_a_leak_in_own_data_is_told(bdistil, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (30, 1, 8, 8), dtype=np.uint8)
    x[29] = x[0]
    split = np.array(["train"] * 20 + ["validation"] * 4 + ["test"] * 6)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(30) % 2, subject=np.arange(30) // 5, split=split)
    status, out, _ = bdistil("data", tmp_path / "own.npz")
    assert status == 0 and "Leak: 1 of 6 test examples is in train too." in out
    assert "Leak: 1 person is in validation and test." in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("data", "digits", "--window", "5"), "Options for own data do not go with digits: leave them out."),
        (("data", "gone.csv"), "There is no file or folder"),
        (("data", "WALKS"), "walks.csv is read as a table: say what to read with --series, --label and --window."),
        (
            ("teach", "--dataset", "WALKS", "--window", "x"),
            "--window must be a whole number of steps from 2 to 100000; got “x”.",
        ),
        (("run", "--dataset", "WALKS", *NAMED, "--window", "20"), "the column who is the same for all of a series"),
        (("data", "WALKS", *NAMED, "--subject", "who", "--window", "41"), "has 40 steps"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_2(bdistil, own_home, walks, words, sentence):
    status, out, err = bdistil(*(str(walks) if word == "WALKS" else word for word in words))
    assert (status, out) == (2, "") and err.count("\n") == 1 and sentence in err
    assert not (own_home / "runs").exists()


def test_options_are_kept_as_they_are_written_on_the_command_line():
    data = OwnData.create(series="the series", channels="a,b", window=8, overlap=0.25)
    assert data.arguments() == ["--series", "the series", "--channels", "a,b", "--window", "8", "--overlap", "0.25"]
    assert OwnData.given(data.model_dump()) == OwnData.given(data) == data and OwnData.given(None) is None
    for wrong in ("text", {"windows": 3}):
        with pytest.raises(
            UserError,
            match=r"^There is no option called windows\. Did you mean window\?$|^`data` must be|^Own data must be",
        ):
            OwnData.given(wrong)

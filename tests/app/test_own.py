"""One's own data and black boxes on Distil's form: named by paths, read by a process of its own, told in sentences."""

import json
import shutil
import time

import engine
import estimate
import numpy as np
import own
import pandas as pd
import pytest
from PIL import Image

from bdistil.config import DistilConfig
from bdistil.data import info
from bdistil.errors import UserError
from bdistil.paths import home
from bdistil.runs import list_runs
from bdistil.teachers.snippet import snippet
from tests.app.conftest import button, copyable, once_answered, written
from tests.app.test_distil import asked, started  # noqa: F401


@pytest.fixture
def own_page(open_page):
    """Distil's form with one's own data chosen."""
    page = open_page("distil")
    return page.selectbox(key="dataset").set_value("own").run()


@pytest.fixture
def pictures(tmp_path):
    """60 pictures of 8 x 8 in three classes, twelve for validation and twelve for test, and answers for them."""
    generator = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = generator.integers(0, 200, (60, 1, 8, 8)).astype(np.uint8)
    split = np.repeat(["train", "validation", "test"], [36, 12, 12])
    np.savez(tmp_path / "mine.npz", x=x, y=y, split=split)
    for name, rows in (("train", split != "test"), ("test", split == "test")):
        np.savez(tmp_path / f"{name}.npz", logits=4 * np.eye(3)[y[rows]])
    return tmp_path


def fill(page, **values):
    for key, value in values.items():
        page.text_input(key=key).set_value(str(value))
    return page.run()


def once_read(page):
    """The page when its data has been read."""
    return once_answered(page, "Reading …", seconds=60)


def test_first_comes_what_to_distil(asked, own_page):  # noqa: F811
    assert "A folder of class folders of pictures or recordings" in written(own_page)
    assert "First comes what to distil" in written(own_page)
    assert "Start distilling" not in [each.label for each in own_page.button]


def test_examples_of_each_class_and_split_are_a_table(own_page, pictures):
    html = written(once_read(fill(own_page, **{"own-path": pictures / "mine.npz"})))
    assert "Examples of each class and split" in html and "Examples of each class (" not in html
    for name in "012":
        assert f"<td>{name}</td><td class=number>12</td><td class=number>4</td><td class=number>4</td>" in html
    assert "Fewer than 10 validation examples of 3 of 3 classes: 0, 1, 2." in html


def test_teachers_of_this_very_split_are_offered(own_page, pictures):
    """The first of two teachers of one file, before and after a row of it was moved into the test split."""
    path = pictures / "mine.npz"
    data_info = info(str(path))
    for name, checksum in (("of-this-split", data_info.checksum), ("of-another", "0" * 64)):
        folder = home() / "teachers" / name
        folder.mkdir(parents=True)
        card = {
            "schema": 1,
            "dataset": str(path),
            "architecture": "resnet-s",
            "classes": list(data_info.classes),
            "input_shape": list(data_info.input_shape),
            "mean": [0.0],
            "std": [1.0],
            "macs": 1000,
            "accuracy": 0.9,
            "name": name,
            "weights_sha256": "0" * 64,
            "data_checksum": checksum,
        }
        (folder / "card.json").write_text(json.dumps(card))
    page = once_read(fill(own_page, **{"own-path": path}))
    options = page.selectbox(key=f"teacher-{path}").options
    assert options[0].startswith("of-this-split: 90.0") and not any("of-another" in option for option in options)
    shutil.rmtree(home() / "teachers" / "of-this-split")
    assert page.run().selectbox(key=f"teacher-{path}").options[0] == "none yet for this split: train one below"


def test_own_pictures_and_answers_for_them_are_distilled(asked, started, own_page, pictures):  # noqa: F811
    page = once_read(fill(own_page, **{"own-path": pictures / "mine.npz"}))
    assert "mine: 36 train, 12 validation, 12 test examples of 3 classes." in written(page)
    assert f"There is no teacher for {pictures / 'mine.npz'} yet. Train one first." in written(page)
    teacher = f"teacher-{pictures / 'mine.npz'}"
    assert page.selectbox(key=teacher).options[0] == "none yet: train one below"
    page.selectbox(key=teacher).set_value("logits").run()
    assert "First comes what to distil" in written(page)
    page.number_input(key="black-box-macs").set_value(2.5)
    fill(page, **{"logits-train": pictures / "train.npz", "logits-test": pictures / "test.npz"})
    assert (asked.config.dataset, asked.config.teacher_macs) == (str(pictures / "mine.npz"), 2_500_000)
    command = copyable(page, "bdistil run")
    assert f"--teacher-logits {pictures / 'train.npz'} {pictures / 'test.npz'}" in command
    assert "--teacher " not in command and "--teacher-macs 2500000" in command
    button(page, "Start distilling").click().run()
    (summary,) = list_runs()
    config = summary.info.config
    assert started == [summary.id] and (config.teacher, config.teacher_macs) == ("train.npz", 2_500_000)


def test_a_teacher_for_own_data_is_trained_on_the_same_page(asked, started, own_page, pictures):  # noqa: F811
    page = once_read(fill(own_page, **{"own-path": pictures / "mine.npz"}))
    assert page.selectbox(key="teach-own").value == str(pictures / "mine.npz")
    button(page, "Start training").click().run()
    (summary,) = list_runs()
    assert summary.info.kind == "teach" and summary.info.config.dataset == str(pictures / "mine.npz")


def test_a_black_box_comes_with_the_program_that_writes_it(asked, own_page, pictures):  # noqa: F811
    """Filled in for the data that is chosen; that it runs is tested where it is made."""
    page = once_read(fill(own_page, **{"own-path": pictures / "mine.npz"}))
    for kind in ("logits", "onnx"):
        page.selectbox(key=f"teacher-{pictures / 'mine.npz'}").set_value(kind).run()
        assert copyable(page) == snippet(str(pictures / "mine.npz"))
    page.selectbox(key="dataset").set_value("japanese-vowels").run()
    page.selectbox(key="teacher-japanese-vowels").set_value("onnx").run()
    assert copyable(page) == snippet("japanese-vowels")


def test_a_table_asks_for_its_columns_and_says_what_leaks(asked, own_page, tmp_path):  # noqa: F811
    rows = [(f"s{n}", n % 2, n // 4, float(n * t % 7)) for n in range(24) for t in range(20)]
    pd.DataFrame(rows, columns=["walk", "activity", "person", "ax"]).to_csv(tmp_path / "walks.csv", index=False)
    page = fill(own_page, **{"own-path": tmp_path / "walks.csv"})
    assert "Name the columns that tell series and labels" in written(page)
    page.number_input(key="own-window").set_value(10)
    page = once_read(fill(page, **{"own-series": "walk", "own-label": "activity", "own-subject": "person"}))
    assert "examples of 2 classes" in written(page) and "Leak: " in written(page)
    assert "Channels: ax." in written(page)
    page.selectbox(key=f"teacher-{tmp_path / 'walks.csv'}").set_value("onnx")
    page = fill(page.run(), **{"onnx-path": tmp_path / "teacher.onnx"})
    assert (asked.config.teacher, asked.config.teacher_input) == (str(tmp_path / "teacher.onnx"), "normalised")
    assert "Each student reads" in [each.label for each in page.selectbox]
    page.number_input(key="own-window").set_value(21).run()
    page = once_read(page)
    assert page.text_input(key="own-series").value == "walk"
    assert "has 20 steps" in written(page)


def test_a_clock_that_nobody_named_is_asked_about_on_the_form(asked, own_page, tmp_path):  # noqa: F811
    rows = [(f"s{n};{n % 2};{t / 25}".replace(".", ",") + f";{n * t % 7}") for n in range(24) for t in range(20)]
    (tmp_path / "walks.csv").write_text("\n".join(["walk;activity;clock;ax", *rows]))
    page = fill(own_page, **{"own-path": tmp_path / "walks.csv"})
    page = fill(page, **{"own-series": "walk", "own-label": "activity"})
    page.number_input(key="own-window").set_value(10)
    page = once_read(page.run())
    assert "the column clock looks like a clock or a counter" in written(page)
    assert "name a time with the field “Column of times”, or list the columns of values with the field" in written(page)
    page = once_read(fill(page, **{"own-time": "clock"}))
    assert "Channels: ax." in written(page)
    assert "Recognised: semicolons between the columns, decimal commas." in written(page)


def test_masks_blank_pictures_and_leftovers_are_told_on_the_form(asked, own_page, tmp_path):  # noqa: F811
    for number in range(24):
        folder = tmp_path / "pets" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.jpg")
        Image.new("L", (8, 8)).save(folder / f"{number:02}.png")
    (tmp_path / "pets" / "__MACOSX").mkdir()
    page = once_read(fill(own_page, **{"own-path": tmp_path / "pets"}))
    assert "24 pairs like 00.jpg and 00.png count as two examples each" in written(page)
    assert "choose a kind of files with the field “Kind of files”, such as jpg" in written(page)
    assert "24 of 48 pictures are one colour, such as a/00.png" in written(page)
    assert "1 file or folder, such as __MACOSX." in written(page)
    assert "<td>a</td><td class=number>14</td><td class=number>5</td><td class=number>5</td>" in written(page)
    page = once_read(fill(page, **{"own-kind": "jpg"}))
    assert "Left out, as of another kind than was asked for: 24 files, such as a/00.png." in written(page)
    assert "24 pairs" not in written(page) and "one colour" not in written(page)
    page = once_read(fill(page, **{"own-kind": "exe"}))
    assert "Kind of files must be an ending of pictures or recordings" in written(page) and not page.exception


def test_a_folder_of_tables_and_ts_files_have_fields_of_their_own(asked, own_page, tmp_path):  # noqa: F811
    for n in range(20):
        folder = tmp_path / "walks" / "ab"[n % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"t": range(20), "ax": np.arange(20) * n % 7}).to_csv(folder / f"p{n // 4}-{n}.csv", index=False)
    page = fill(own_page, **{"own-path": tmp_path / "walks"})
    page = fill(page, **{"own-subject_pattern": r"(p\d)", "own-time": "t"})
    page.number_input(key="own-window").set_value(10)
    page = once_read(page.run())
    assert "Channels: ax." in written(page) and "12 test" in written(page) and "own-side" not in page.session_state
    lines = [f"{','.join(str(n * t % 7) for t in range(9))}:{'ab'[n % 2]}" for n in range(30)]
    (tmp_path / "walks.ts").write_text("\n".join(["@classLabel true a b", "@data", *lines]))
    page.number_input(key="own-window").set_value(None)
    page = once_read(fill(page, **{"own-path": tmp_path / "walks.ts"}))
    assert "walks: 18 train, 6 validation, 6 test examples of 2 classes." in written(page) and not page.exception


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nowhere", "There is no file or folder"), ("a.xlsx", "is no folder"), ("a.txt", "Name the columns")],
)
def test_what_cannot_be_used_is_a_sentence(asked, own_page, tmp_path, name, sentence):  # noqa: F811
    for file in ("a.txt", "a.xlsx"):
        (tmp_path / file).write_text("text")
    page = once_read(fill(own_page, **{"own-path": tmp_path / name}))
    assert sentence in written(page) and not page.exception
    assert "Start distilling" not in [each.label for each in page.button]


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "x" * 300])
def test_a_path_that_cannot_be_is_a_sentence(asked, own_page, path):  # noqa: F811
    page = once_read(fill(own_page, **{"own-path": path}))
    assert not page.exception and ("names no place on" in written(page) or "There is no file or" in written(page))


def test_data_that_was_mended_is_read_again_and_what_was_written_is_kept(asked, own_page, pictures):  # noqa: F811
    path = pictures / "later.npz"
    page = once_read(fill(own_page, **{"own-path": path}))
    assert "There is no file or folder" in written(page)
    path.write_bytes((pictures / "mine.npz").read_bytes())
    page = once_read(page.run())
    assert "later: 36 train" in written(page)
    page.selectbox(key=f"teacher-{path}").set_value("onnx").run()
    fill(page, **{"onnx-path": pictures / "teacher.onnx"})
    assert asked.config.teacher == str(pictures / "teacher.onnx")
    path.unlink()
    assert "There is no file or folder" in written(once_read(page.run()))
    path.write_bytes((pictures / "mine.npz").read_bytes())
    page = once_read(page.run())
    assert page.text_input(key="onnx-path").value == str(pictures / "teacher.onnx")
    fill(page, **{"onnx-path": pictures / "teacher.pt"})
    assert "does not end in .onnx" in written(page) and not page.exception


def test_a_picture_that_was_mended_at_its_place_is_read_again(asked, own_page, tmp_path, monkeypatch):  # noqa: F811
    for place in range(12):
        folder = tmp_path / "pets" / "train" / "ab"[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), place).save(folder / f"{place}.png")
    shutil.copytree(tmp_path / "pets" / "train", tmp_path / "pets" / "test")
    broken = tmp_path / "pets" / "train" / "a" / "4.png"
    content = broken.read_bytes()
    broken.write_bytes(content[:40])
    page = once_read(fill(own_page, **{"own-path": tmp_path / "pets"}))
    assert "a/4.png is no intact picture" in written(page)
    broken.write_bytes(content)
    time.sleep(own.FRESH)
    page = once_read(page.run())
    assert "examples of 2 classes" in written(page) and "intact" not in written(page)


def test_files_of_answers_that_were_mended_make_another_estimate(pictures):
    files = [str(pictures / f"{name}.npz") for name in ("train", "test")]
    config = DistilConfig.create(str(pictures / "mine.npz"), teacher="train.npz", teacher_logits=files)
    before = estimate._known_by(config)
    assert estimate._known_by(config) == before
    np.savez(files[1], logits=np.zeros((12, 3)))
    assert estimate._known_by(config) != before


def test_a_refusal_is_not_kept_for_who_comes_back(monkeypatch):
    told = []

    def work(question, wanted):
        told.append(question)
        raise UserError("No.")

    def refusal():
        with pytest.raises(UserError, match=r"No\."):
            while answers.ask("question") is None:
                time.sleep(0.01)

    answers = engine.Answers(work)
    refusal()
    refusal()
    assert len(told) == 1
    monkeypatch.setattr(engine, "FORGOTTEN", 0.1)
    time.sleep(0.2)
    refusal()
    assert len(told) == 2
    answers.close()


def test_a_short_series_has_no_more_rounds_than_steps(asked, own_page, tmp_path):  # noqa: F811
    np.savez(tmp_path / "short.npz", x=np.random.default_rng(0).normal(size=(60, 3, 2)), y=np.arange(60) % 3)
    page = once_read(fill(own_page, **{"own-path": tmp_path / "short.npz"}))
    assert not page.exception and page.slider(key=f"rounds-{tmp_path / 'short.npz'}").value == 3

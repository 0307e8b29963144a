"""Class folders of tables, a file a series: windows, splits by file, person or folder, and refusals."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bdistil.data import custom
from bdistil.data.dataset import SPLITS
from bdistil.data.reading import OwnData
from bdistil.errors import UserError


def series(number, steps=30):
    """Values from which file and step can be told; they go up and down."""
    step = np.arange(steps)
    return pd.DataFrame(
        {"t": step / 10, "ax": 1000.0 * number + step * 7 % steps, "ay": -number - step * 7 % steps / 100}
    )


def filled(root, files=10, name="p{person}-{number}.csv", write=pd.DataFrame.to_csv, parts=("",), **options):
    """Files of two classes, of five persons; each has the same value in `number`."""
    number = 0
    for part in parts:
        for label in ("rest", "run"):
            folder = root / part / label
            folder.mkdir(parents=True)
            for person in range(files):
                write(series(number), folder / name.format(person=person % 5, number=number), index=False, **options)
                number += 1
    return root


def load(root, **options):
    return custom.load(str(root), OwnData.create(**options))


def refused(root, **options):
    with pytest.raises(UserError) as caught:
        load(root, **options)
    return str(caught.value)


def test_each_file_is_a_series_that_is_cut_and_stays_on_one_side(tmp_path):
    data = load(filled(tmp_path / "walks"), window=10, time="t")
    info = data.info
    assert (info.modality, info.channels, info.input_shape) == ("sensor", ("ax", "ay"), (2, 10))
    assert (info.classes, info.rate_hz, info.people) == (("rest", "run"), 10.0, None)
    assert (info.train, info.validation, info.test) == (60, 20, 20)  # 5 windows of each of 20 files
    assert info.split == (
        "60/20/20 of the files of each class, with a fixed seed; windows of 10 steps that overlap by 50 %."
    )
    numbers = []
    for name in SPLITS:
        x, y = data.split(name)
        number = (x[:, 0] // 1000).astype(int)
        assert (number == number[:, :1]).all() and (y == (number[:, 0] >= 10)).all()
        assert [int(file.split("-")[1].split(".")[0]) for file in getattr(data, f"files_{name}")] == number[
            :, 0
        ].tolist()
        numbers.append(set(number[:, 0].tolist()))
        whole = np.concatenate([series(n)["ax"].to_numpy()[None] for n in number[:, 0]])
        starts = np.array([np.flatnonzero(row == part[0])[0] for row, part in zip(whole, x[:, 0], strict=True)])
        assert set(starts.tolist()) == {0, 5, 10, 15, 20}
    assert list(map(len, numbers)) == [12, 4, 4] and len(set.union(*numbers)) == 20


def test_files_of_one_length_may_be_examples_as_they_are(tmp_path):
    data = load(filled(tmp_path / "walks"), channels="ay")
    assert data.info.input_shape == (1, 30) and data.info.train == 12
    assert data.info.split.endswith("; each series of 30 steps is one example.")
    shorter = tmp_path / "walks" / "run" / "p0-10.csv"
    series(10, 25).to_csv(shorter, index=False)
    assert "walks has series of 25 to 30 steps: say how many a window has, with `window`." in refused(
        tmp_path / "walks", channels="ax"
    )
    assert "run/p0-10.csv: has 25 steps, a window has 26" in refused(tmp_path / "walks", channels="ax", window=26)


def test_persons_in_file_names_are_held_out_whole(tmp_path):
    data = load(filled(tmp_path / "walks"), window=10, time="t", subject_pattern=r"(p\d)")
    people = [set(getattr(data, f"people_{name}").tolist()) for name in SPLITS]
    assert data.info.people == "subject" and sorted(map(len, people)) == [1, 1, 3] and len(set.union(*people)) == 5


def test_folders_of_splits_are_kept(tmp_path):
    data = load(filled(tmp_path / "walks", parts=("train", "test")), channels="ax", window=30)
    assert (data.info.train, data.info.validation, data.info.test) == (18, 2, 20)
    assert set((data.x_test[:, 0, 0] // 1000).tolist()) == set(range(20, 40))


@pytest.mark.parametrize(
    ("name", "write", "options"),
    [
        ("{person}-{number}.csv", pd.DataFrame.to_csv, dict(sep=";", decimal=",")),
        ("{person}-{number}.tsv", pd.DataFrame.to_csv, dict(sep="\t", encoding="utf-16")),
        ("{person}-{number}.txt", pd.DataFrame.to_csv, dict(sep="\t")),
        ("{person}-{number}.csv.gz", pd.DataFrame.to_csv, {}),
        ("{person}-{number}.parquet", pd.DataFrame.to_parquet, {}),
    ],
)
def test_tables_of_all_kinds_are_read_to_the_same_bits(tmp_path, name, write, options):
    plain = load(filled(tmp_path / "plain", name="{person}-{number}.csv"), time="t", window=10)
    assert (
        load(filled(tmp_path / "walks", name=name, write=write, **options), time="t", window=10).checksum
        == plain.checksum
    )


def test_one_column_and_columns_of_text_are_read(tmp_path):
    root = tmp_path / "walks"
    for number in range(10):
        folder = root / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        series(number)[["ax"]].to_csv(folder / f"{number}.csv", index=False, sep=";", decimal=",")
    assert load(root, window=10).info.channels == ("ax",)
    for number in range(10):
        series(number)[["ax"]].assign(device="left").to_csv(root / "ab"[number % 2] / f"{number}.csv", index=False)
    options = OwnData.create(window=10)
    assert custom.info(str(root), options).channels == ("ax",)
    assert custom.unreadable(str(root), options) == ("Left out, as they hold no numbers: device.",)


def test_notes_lie_beside_tables_and_tables_beside_pictures(tmp_path):
    root = filled(tmp_path / "walks")
    (root / "rest" / "readme.txt").write_text("what this is")
    (root / "about.csv").write_text("not, a, class")
    assert load(root, channels="ax").info.train == 12
    for path in (root / "rest").glob("*.csv"):
        path.rename(path.with_suffix(".heic"))
    assert "The class folder rest of" in refused(root)
    Image.new("L", (8, 8)).save(root / "rest" / "a.png")
    assert "The class folder run of" in refused(root)  # a folder of pictures, in which tables are notes


def _no_header(path):
    path.write_text("1,2,3\n4,5,6\n")


def _other_columns(path):
    series(1).rename(columns={"ay": "az"}).to_csv(path, index=False)


def _word(path):
    lines = path.read_text().splitlines()
    lines[17] = "1.6,fast,0"
    path.write_text("\n".join(lines))


def _binary(path):
    path.write_bytes(b"\x00secret")


def _jump(path):
    frame = series(1)
    frame.loc[20:, "t"] += 60
    frame.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (
            _no_header,
            "1 file of 20 in ROOT can't be read, more than one in a hundred: rest/p1-1.csv has a number in its ",
        ),
        (_binary, "more than one in a hundred: rest/p1-1.csv is no readable table"),
        (_other_columns, "rest/p0-0.csv has the column ay and rest/p1-1.csv has not: give all files the same columns"),
        (_word, "rest/p1-1.csv, row 18: the column ax holds “fast” where a number must be"),
        (_jump, "rest/p1-1.csv, row 22: time jumps by 60.1 s in the series rest/p1-1.csv"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, spoil, expected):
    root = filled(tmp_path / "walks")
    spoil(root / "rest" / "p1-1.csv")
    found = refused(root, window=10, time="t").replace(str(root), "ROOT")
    assert expected in found and "\n" not in found


def test_clocks_and_ids_are_asked_about(tmp_path):
    root = filled(tmp_path / "walks")
    assert refused(root, window=10) == (
        "walks: the column t looks like a clock or a counter, and could give the label away: name a time with `time`, "
        "or list the columns of values with `channels`."
    )
    for number, path in enumerate(sorted(root.glob("*/*.csv"))):
        series(number).assign(device=number % 4).to_csv(path, index=False)
    assert "the column device is the same for all of a series, like an id" in refused(root, window=10, time="t")


def test_links_out_of_the_folder_and_options_of_others_are_refused(tmp_path):
    root = filled(tmp_path / "walks")
    shutil.move(root / "rest" / "p1-1.csv", tmp_path / "out.csv")
    os.symlink(tmp_path / "out.csv", root / "rest" / "p1-1.csv")
    assert "is a link out of the folder" in refused(root, window=10, time="t")
    for name, value in (("side", 8), ("series", "a"), ("label", "a")):
        assert f"`{name}` does not go with this kind of data" in refused(root, **{name: value})


@pytest.mark.parametrize("text", ["secret diary\nof mine\n", "secret, and\nmore\n", "secret;token\na;b\n", "secret\n"])
def test_no_sentence_shows_what_files_that_are_no_tables_hold(tmp_path, text):
    for label in ("rest", "run"):
        (tmp_path / "notes" / label).mkdir(parents=True)
        for number in range(5):
            (tmp_path / "notes" / label / f"{number}.txt").write_text(text)
    for options in ({}, dict(channels="ax"), dict(time="t", window=3)):
        told = refused(tmp_path / "notes", **options)
        assert "can't be read" in told and "secret" not in told and "token" not in told


def test_data_that_changes_is_read_again(tmp_path):
    root = filled(tmp_path / "walks")
    before = custom.info(str(root), OwnData.create(channels="ax"))
    (root / "rest" / "p0-0.csv").unlink()
    assert custom.info(str(root), OwnData.create(channels="ax")).name != before.name

"""Tables of series and NPZ files: windows, persons held out, and one sentence, with the row, for what can't be used."""

import re

import numpy as np
import pandas as pd
import pytest

from bdistil.data import custom
from bdistil.data.dataset import SPLITS
from bdistil.data.reading import OwnData
from bdistil.errors import UserError

COLUMNS = dict(series="walk", label="activity", window=20, channels="ax,ay")


def table(people=5, series_each=4, steps=50, rate=25.0):
    """A row per time step; each value tells its series, its step and its channel."""
    rows = []
    for person in range(people):
        for number in range(series_each):
            series = 100 * person + number
            for step in range(steps):
                rows.append(
                    (
                        f"s{series}",
                        ["rest", "run"][number % 2],
                        person,
                        step / rate,
                        1000.0 * series + step,
                        -1000.0 * series - step,
                    )
                )
    return pd.DataFrame(rows, columns=["walk", "activity", "who", "t", "ax", "ay"])


def saved(folder, frame, name="walks.csv"):
    path = folder / name
    frame.to_csv(path, index=False) if name.endswith("csv") else frame.to_parquet(path)
    return path


def refused(path, sentence, **options):
    with pytest.raises(UserError) as caught:
        custom.info(str(path), OwnData.create(**options))
    assert re.fullmatch(sentence, str(caught.value)), caught.value
    assert str(caught.value).count(". ") == 0  # one sentence


@pytest.mark.parametrize("name", ["walks.csv", "walks.parquet"])
def test_series_are_cut_into_windows_and_persons_held_out_whole(tmp_path, name):
    path = saved(tmp_path, table(), name)
    data = custom.load(str(path), OwnData.create(**COLUMNS, subject="who", time="t"))
    info = data.info
    assert (info.modality, info.input_shape, info.channels) == ("sensor", (2, 20), ("ax", "ay"))
    assert (info.rate_hz, info.people, info.classes) == (25.0, "subject", ("rest", "run"))
    assert info.train + info.validation + info.test == 5 * 4 * 4  # of 50 steps: from step 0, 10, 20 and 30
    people = [set(getattr(data, f"people_{name}").tolist()) for name in SPLITS]
    assert sorted(map(len, people)) == [1, 1, 3] and len(set.union(*people)) == 5
    for name in SPLITS:
        x, y = data.split(name)
        series, step = np.divmod(x[:, 0], 1000)
        np.testing.assert_array_equal(x[:, 1], -x[:, 0])
        assert (series == series[:, :1]).all() and (np.diff(step) == 1).all()  # no window over two series
        np.testing.assert_array_equal(y, series[:, 0] % 2)
        np.testing.assert_array_equal(getattr(data, f"people_{name}"), series[:, 0] // 100)


def test_without_persons_whole_series_are_held_out(tmp_path):
    frame = table().drop(columns=["who", "t"])
    data = custom.load(str(saved(tmp_path, frame)), OwnData.create(**COLUMNS, overlap=0.75))
    series = [set((data.split(name)[0][:, 0, 0] // 1000).tolist()) for name in SPLITS]
    assert sorted(map(len, series)) == [4, 4, 12] and len(set.union(*series)) == 20
    assert data.info.people is None and data.info.rate_hz is None


def test_rows_of_series_may_be_mixed_and_channels_be_chosen(tmp_path):
    frame = table().sort_values("t", kind="stable")
    chosen = OwnData.create(**COLUMNS | dict(channels="ay, ax"), overlap=0)
    data = custom.load(str(saved(tmp_path, frame)), chosen)
    assert data.info.channels == ("ay", "ax") and (data.x_test[:, 0] == -data.x_test[:, 1]).all()
    assert (np.diff(data.x_test[:, 1]) == 1).all() and (data.x_test[:, 1, 0] % 1000 % 20 == 0).all()


def test_times_may_be_dates(tmp_path):
    frame, begin = table(), pd.Timestamp("2026-01-01", tz="UTC")
    for told, name in [(pd.Timestamp.isoformat, "walks.csv"), (lambda time: time, "walks.parquet")]:
        dated = frame.assign(t=[told(begin + pd.Timedelta(seconds=seconds)) for seconds in frame["t"]])
        assert custom.info(str(saved(tmp_path, dated, name)), OwnData.create(**COLUMNS, time="t")).rate_hz == 25.0


def test_a_channel_that_never_changes_is_no_division_by_zero(tmp_path):
    data = custom.load(
        str(saved(tmp_path, table().assign(still=0.1, none=0.0))),
        OwnData.create(**COLUMNS | dict(channels="ax,ay,still,none"), subject="who"),
    )
    assert data.info.channels == ("ax", "ay", "still", "none") and data.std[2:] == (1.0, 1.0)


def _cell(row, column, value):
    def spoil(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value

    return spoil


def _dates(frame):
    frame["t"] = "2026-01-01T00:00:00"
    frame.loc[3, "t"] = "soon"


def _slow(frame):
    frame.loc[frame["walk"] == "s100", "t"] *= 2


def _gap(frame):
    frame.loc[230:249, "t"] += 60


def _back(frame):
    frame.loc[230, "t"] = -1.0


def _short(frame):
    return frame.drop(index=range(210, 250))


def _one_class(frame):
    frame["activity"] = "rest"


def _no_rows(frame):
    return frame[:0]


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (_cell(17, "ax", None), r"walks\.csv, row 19: the column ax is empty where a number must be: .*\."),
        (_cell(17, "ay", "inf"), r"walks\.csv, row 19: the column ay is inf where a number must be: .*\."),
        (_cell(17, "ax", -1e39), r"walks\.csv, row 19: the column ax is -1e\+39 where a number below 3e38 must .*\."),
        (_cell(17, "ax", "NA"), r"walks\.csv, row 19: the column ax holds “NA” where a number must be: .*\."),
        (_cell(17, "ax", "fast"), r"walks\.csv, row 19: the column ax holds “fast” where a number must be: .*\."),
        (
            _cell(3, "activity", "run"),
            r"walks\.csv, row 5: the column activity says run where the series s0 began with "
            r"rest: give one of them a series of its own\.",
        ),
        (_cell(3, "who", 4), r"walks\.csv, row 5: the column who says 4 where the series s0 began with 0: .*\."),
        (_cell(3, "activity", None), r"walks\.csv, row 5: the column activity is empty: fill it in\."),
        (_cell(3, "walk", None), r"walks\.csv, row 5: the column walk is empty: fill it in\."),
        (_cell(3, "t", "soon"), r"walks\.csv, row 5: the column t holds “soon” where a number must be: fix it\."),
        (_dates, r"walks\.csv, row 5: the column t holds “soon”, which is neither seconds nor .*\."),
        (_slow, r"walks\.csv, row 202: the series s100 has 12\.5 steps a second where most have 25: resample it, .*\."),
        (_gap, r"walks\.csv, row 232: time jumps by 60\.04 s in the series s100: fix it, or give what follows a .*\."),
        (_back, r"walks\.csv, row 232: time does not go on in the series s100: fix it, or give what follows a .*\."),
        (_short, r"walks\.csv, row 202: the series s100 has 10 steps, a window has 20: choose a shorter .*\."),
        (_one_class, r"walks\.csv has the one class rest in its column activity: 2 at least are needed\."),
        (_no_rows, r"walks\.csv has no rows: give a table that has some\."),
    ],
)
def test_rows_that_cannot_be_used_are_named_in_one_sentence(tmp_path, spoil, sentence):
    frame = table()
    spoilt = spoil(frame)
    refused(saved(tmp_path, frame if spoilt is None else spoilt), sentence, **COLUMNS, subject="who", time="t")


@pytest.mark.parametrize(
    "options, sentence",
    [
        (dict(), r"walks\.csv is read as a table: say what to read with `series`, `label` and `window`\."),
        (COLUMNS | dict(label="what"), r"walks\.csv has no column what: it has walk, activity, who, t, ax, ay\."),
        (COLUMNS | dict(channels="ax,az"), r"walks\.csv has no column az: it has walk, activity, who, t, ax, ay\."),
        (COLUMNS | dict(channels="ax,activity"), r"walks\.csv: the column activity says what a series is, .*\."),
        (COLUMNS | dict(window=51), r"walks\.csv, row 2: the series s0 has 50 steps, a window has 51: choose .*\."),
        (
            COLUMNS | dict(window="many"),
            r"`window` must be a whole number of steps from 2 to 100000; got the text “many”\.",
        ),
        (COLUMNS | dict(overlap=1), r"`overlap` must be a number from 0 to 0\.99; got “1”\."),
        (COLUMNS | dict(channels=""), r"`channels` must be columns' names with commas between them; got “”\."),
        (COLUMNS | dict(side=8), r"`side` does not go with this kind of data: leave it out\."),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_sentence(tmp_path, options, sentence):
    refused(saved(tmp_path, table()), sentence, **options)


def test_only_an_empty_cell_is_empty(tmp_path):
    frame = table()
    frame["activity"] = frame["activity"].map({"rest": "null", "run": "None"})
    frame["who"] = frame["who"].map(dict(enumerate(["NA", "nan", "NULL", "N/A", "<NA>"])))
    frame["walk"] = frame["walk"].replace("s0", "NaN")
    known = custom.info(str(saved(tmp_path, frame)), OwnData.create(**COLUMNS, subject="who"))
    assert (known.classes, known.people) == (("None", "null"), "subject")


def test_blank_lines_do_not_shift_the_rows(tmp_path):
    frame = table()
    frame["ax"] = frame["ax"].astype(object)
    frame.loc[17, "ax"] = "fast"
    lines = saved(tmp_path, frame).read_text().splitlines()
    (tmp_path / "walks.csv").write_text("\n".join([*lines[:5], "", "  ", *lines[5:]]))
    refused(tmp_path / "walks.csv", r"walks\.csv, row 21: the column ax holds “fast” where .*\.", **COLUMNS)


def test_an_index_is_no_channel(tmp_path):
    frame = table().drop(columns=["who", "t"])
    frame["ax"], frame["ay"] = frame["ax"] % 7, frame["ay"] % 5
    frame.to_csv(tmp_path / "walks.csv")
    frame[frame["walk"] != "s0"].to_parquet(tmp_path / "walks.parquet")
    for name in ("walks.csv", "walks.parquet"):
        data = OwnData.create(**COLUMNS | dict(channels=None))
        assert custom.info(str(tmp_path / name), data).channels == ("ax", "ay")


@pytest.mark.parametrize(
    "column, sentence",
    [
        (lambda rows: [[0.5, 2.5]] * rows, r"walks\.parquet: the column more holds lists or records, not values: .*\."),
        (lambda rows: [{"x": 0.5}] * rows, r"walks\.parquet: the column more holds lists or records, not values: .*\."),
        (lambda rows: pd.to_timedelta(range(rows), "ms"), r"walks\.parquet: the column more holds times, not .*\."),
        (lambda rows: pd.date_range("2026", periods=rows, tz="UTC"), r"walks\.parquet: the column more holds times.*"),
    ],
)
def test_columns_that_are_no_values_are_refused(tmp_path, column, sentence):
    frame = table()
    refused(
        saved(tmp_path, frame.assign(more=column(len(frame))), "walks.parquet"),
        sentence,
        **COLUMNS | dict(channels="ax,more"),
    )


@pytest.mark.parametrize("name", ["walks.csv", "walks.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe\x80binary", b"a,b\n1,2\n3,4,5,6\n", b"PAR1 but none PAR1"])
def test_a_file_that_is_no_table_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    told = r"( is no readable table: .*| is empty: .*| is not a table: .*| has no column walk and hardly looks like .*)"
    refused(tmp_path / name, rf"{re.escape(name)}{told}\.", **COLUMNS)


def test_a_path_that_is_not_there_and_a_file_of_another_kind_are_named(tmp_path):
    refused(tmp_path / "walks.csv", r"There is no file or folder .*walks\.csv: check the path\.")
    (tmp_path / "walks.xlsx").write_text("x")
    refused(tmp_path / "walks.xlsx", r".*walks\.xlsx is no folder of class folders and no \.csv, .* file: .*\.")


GENERATOR = np.random.default_rng(0)
PICTURES = GENERATOR.integers(0, 256, (30, 3, 6, 6), dtype=np.uint8)
SERIES = GENERATOR.normal(size=(30, 9, 2))
LABELS = np.arange(30) % 2


def npz(folder, **arrays):
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def test_an_npz_of_pictures_is_split_in_every_class(tmp_path):
    data = custom.load(str(npz(tmp_path, x=PICTURES, y=np.array(["no", "yes"])[LABELS])))
    assert data.info.modality == "image" and data.info.classes == ("no", "yes") and data.info.input_shape == (3, 6, 6)
    assert [np.bincount(data.split(name)[1]).tolist() for name in SPLITS] == [[9, 9], [3, 3], [3, 3]]
    for name in SPLITS:
        for x, y in zip(*data.split(name), strict=True):
            assert LABELS[(x == PICTURES).all(axis=(1, 2, 3))].tolist() == [y]


def test_an_npz_of_series_has_its_steps_last_and_keeps_its_split(tmp_path):
    split = np.array(["train"] * 20 + ["val"] * 4 + ["test"] * 6)
    path = npz(tmp_path, x=SERIES, y=LABELS, subject=np.arange(30) // 5, split=split)
    data = custom.load(str(path))
    assert data.info.modality == "sensor" and data.info.input_shape == (2, 9)
    np.testing.assert_array_equal(data.x_test, SERIES[24:].transpose(0, 2, 1).astype(np.float32))
    np.testing.assert_array_equal(data.people_validation, [4, 4, 4, 4])
    assert data.info.people is None  # the fifth person validates and tests
    assert custom.info(str(npz(tmp_path, x=SERIES, y=LABELS, subject=np.arange(30) // 5))).people == "subject"


@pytest.mark.parametrize(
    "changed, sentence",
    [
        (dict(y=LABELS[:29]), r"data\.npz has y of shape \(29,\) for 30 examples in x: give one for each\."),
        (dict(y=LABELS.astype(float)), r"data\.npz has y of type float64: give whole numbers or text\."),
        (dict(y=LABELS * 0), r"data\.npz has the one class 0 in y: 2 at least are needed\."),
        (dict(x=SERIES[:0], y=LABELS[:0]), r"data\.npz has no example in x: give some\."),
        (dict(x=np.where(np.arange(30)[:, None, None] == 7, np.nan, SERIES)), r"data\.npz, row 8 of x holds .*\."),
        (dict(x=np.where(np.arange(30)[:, None, None] == 7, 1e300, SERIES)), r"data\.npz, row 8 of x holds .*\."),
        (dict(x=PICTURES / 255), r"data\.npz has x of shape \(30, 3, 6, 6\) and type float64: give uint8 .*\."),
        (dict(x=PICTURES.transpose(0, 2, 3, 1)), r"data\.npz has x of shape \(30, 6, 6, 3\) and type uint8: give .*\."),
        (dict(split=np.array(["dev"] * 30)), r"data\.npz, row 1 of split is “dev”: it must be train, .*\."),
        (dict(split=np.array(["train"] * 30)), r"data\.npz has no test in split: add some, or leave split out\."),
        (dict(subject=LABELS), r"The class 0 of data\.npz needs 3 persons to hold some out, and has 1: add more\."),
        (dict(y=np.array([0] * 29 + [1])), r"The class 1 of data\.npz needs 3 examples to hold some out, .*\."),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_sentence(tmp_path, changed, sentence):
    refused(npz(tmp_path, **{"x": SERIES, "y": LABELS, **changed}), sentence)


def test_nothing_in_an_npz_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("It was executed.",))

    for name in ("x", "y"):
        np.savez(tmp_path / "data.npz", **{"x": SERIES, "y": LABELS, name: np.array([Trap()] * 30, dtype=object)})
        refused(tmp_path / "data.npz", r"data\.npz is no intact NPZ file of plain arrays: save it with numpy\.savez\.")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text"])
def test_what_is_no_npz_is_named(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    refused(tmp_path / "data.npz", r"data\.npz is no intact NPZ file of plain arrays: save it with numpy\.savez\.")


def test_what_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("bdistil.data.npz.MOST_BYTES", 1000)
    refused(npz(tmp_path, x=SERIES, y=LABELS), r"x in .*data\.npz takes 0\.0 GB, the limit is 0 GB: give fewer .*\.")


def _damaged(path):
    """What is compressed no longer unpacks."""
    content = bytearray(path.read_bytes())
    content[100:140] = bytes(40)
    path.write_bytes(content)


def _marked(entry, at, value):
    """A zip file's entries say that they are encrypted, or compressed by a method that nobody knows."""

    def spoil(path):
        content = path.read_bytes()
        for signature, place in ((b"PK\x03\x04", entry), (b"PK\x01\x02", at)):
            begins = content.index(signature) + place
            content = content[:begins] + value + content[begins + 2 :]
        path.write_bytes(content)

    return spoil


@pytest.mark.parametrize("spoil", [_damaged, _marked(6, 8, b"\x01\x00"), _marked(8, 10, b"\x63\x00")])
def test_a_damaged_an_encrypted_and_an_unknown_npz_are_named(tmp_path, spoil):
    np.savez_compressed(tmp_path / "data.npz", x=SERIES, y=LABELS)
    spoil(tmp_path / "data.npz")
    refused(tmp_path / "data.npz", r"data\.npz is no intact NPZ file of plain arrays: save it with numpy\.savez\.")


def test_arrays_that_are_missing_are_named(tmp_path):
    refused(npz(tmp_path, x=SERIES, labels=LABELS), r"data\.npz has no array y: it holds labels, x\.")

"""Series in .ts files: the official test part is kept, lengths may differ, and the rest is refused in a sentence."""

import numpy as np
import pytest

from bdistil.data import custom
from bdistil.data.reading import OwnData
from bdistil.errors import UserError

HEAD = """# A comment, as the archives have it
@problemName Walks
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength true
@seriesLength 6
@classLabel true rest run
@data
"""


def case(number, label, steps=6):
    values = [[1000 * dimension + 10 * number + step for step in range(steps)] for dimension in range(2)]
    return ":".join([*(",".join(map(str, each)) for each in values), label])


def cases(begin, count, steps=lambda number: 6):
    return "\n".join(case(number, ["rest", "run"][number % 2], steps(number)) for number in range(begin, begin + count))


@pytest.fixture
def pair(tmp_path):
    (tmp_path / "Walks_TRAIN.ts").write_text(HEAD + cases(0, 20) + "\n")
    (tmp_path / "Walks_TEST.ts").write_text(HEAD + cases(20, 10) + "\n")
    return tmp_path


def load(path, **options):
    return custom.load(str(path), OwnData.create(**options))


@pytest.mark.parametrize("name", ["Walks_TRAIN.ts", "Walks_TEST.ts", ""])
def test_a_pair_is_one_data_set_whose_test_part_is_kept(pair, name):
    data = load(pair / name)
    assert (data.info.modality, data.info.classes, data.info.input_shape) == ("sensor", ("rest", "run"), (2, 6))
    assert (data.info.train, data.info.validation, data.info.test) == (18, 2, 10)
    assert sorted(np.bincount(data.y_validation).tolist()) == [1, 1]
    assert data.info.split == (
        "As Walks_TRAIN.ts and Walks_TEST.ts say; a tenth of the series is held out of train for validation; each case "
        "of 6 steps is one example."
    )
    np.testing.assert_array_equal(data.x_test[:, 0, 0], 10 * np.arange(20, 30))
    np.testing.assert_array_equal(data.x_test[:, 1], data.x_test[:, 0] + 1000)
    np.testing.assert_array_equal(data.y_test, np.arange(20, 30) % 2)
    assert (np.diff(data.x_train, axis=2) == 1).all()


def test_one_file_is_split_here(tmp_path):
    (tmp_path / "walks.ts").write_text(HEAD + cases(0, 30))
    data = load(tmp_path / "walks.ts")
    assert (data.info.train, data.info.validation, data.info.test) == (18, 6, 6)


def test_cases_of_several_lengths_hold_their_last_step(pair):
    (pair / "Walks_TEST.ts").write_text(
        HEAD.replace("Length true", "Length false") + cases(20, 10, lambda n: 3 + n % 6)
    )
    data = load(pair)
    assert (
        data.info.input_shape == (2, 8) and "cases have 3 to 8 steps, and the last step of shorter" in data.info.split
    )
    np.testing.assert_array_equal(data.x_test[4, 0], 240 + np.array([0, 1, 2, 2, 2, 2, 2, 2]))


def test_one_long_case_does_not_fill_the_memory(pair, monkeypatch):
    monkeypatch.setattr("bdistil.data.ts_files.MOST_BYTES", 1e6)
    (pair / "Walks_TEST.ts").write_text(HEAD + cases(20, 9) + "\n" + case(29, "run", 10**4))
    with pytest.raises(
        UserError,
        match="cases of up to 10000 steps, which are too many .*: say how many steps an example has with `window`",
    ):
        load(pair)


def test_cases_are_cut_into_windows(pair):
    data = load(pair, window=3, overlap=0)
    assert data.info.input_shape == (2, 3) and (data.info.train, data.info.validation, data.info.test) == (36, 4, 20)
    np.testing.assert_array_equal(data.x_test[:2, 0], [[200, 201, 202], [203, 204, 205]])
    with pytest.raises(UserError, match=r"Walks_TRAIN.ts, case 1 has 6 steps, a window has 7: choose a shorter"):
        load(pair, window=7)


def test_tags_may_be_in_any_case_and_the_file_in_utf_16(pair):
    before = load(pair).checksum
    text = (
        (pair / "Walks_TRAIN.ts").read_text().replace("@classLabel true", "@CLASSLABEL  True").replace("@data", "@Data")
    )
    (pair / "Walks_TRAIN.ts").write_text(text, encoding="utf-16")
    assert load(pair).checksum == before


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("@missing false", "@missing true", "has @missing values: fill them in, and save it without."),
        ("@timeStamps false", "@timeStamps true", "has @timeStamps: resample it to even steps"),
        ("@classLabel true rest run", "@classLabel false", "lists no classes in @classLabel"),
        ("@classLabel true rest run", "@targetLabel true", "lists no classes in @classLabel"),
        ("@classLabel true rest run", "@classLabel true walk", "line 11: the class is none of those that @classLabel"),
        ("@dimensions 2", "@dimensions 3", "line 11 does not hold the 3 dimensions that @dimensions says: fix it."),
        ("@dimensions 2", "@dimensions two", "has @dimensions that are no whole number: fix it."),
        (",15:", ",?:", "line 12 has a missing value: fill it in, or remove the case."),
        (",15:", ",NaN:", "line 12 has a missing value: fill it in, or remove the case."),
        (",15:", ",:", "line 12 has a missing value: fill it in, or remove the case."),
        (",15:", ",secret:", "line 12 has a value that is no number: fix it."),
        (",15:", ",1e60:", "line 12 has a value that is no number below 3e38: fix it."),
        (",15:", ":", "line 12 has dimensions of different lengths: make them as long as each other."),
        ("@data\n", "", "is no .ts file: its line 10 is no @tag, and no @data stands above it."),
        (cases(0, 20), "", "is no .ts file with cases: lines of values must follow a line @data."),
        ("run\n", "rest\n", "line"),
    ],
)
def test_what_does_not_fit_is_one_sentence(pair, old, new, expected):
    path = pair / "Walks_TRAIN.ts"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    if old == "run\n":
        (pair / "Walks_TEST.ts").write_text((pair / "Walks_TEST.ts").read_text().replace("run", "rest"))
        path.write_text(path.read_text().replace("rest run", "rest").replace(":run", ":rest"))
        expected = "Walks_TRAIN.ts has cases of the one class rest: 2 at least are needed."
    with pytest.raises(UserError) as caught:
        load(pair)
    told = str(caught.value)
    assert told.startswith("Walks_TRAIN.ts") and expected in told and "secret" not in told and "\n" not in told


def test_parts_that_do_not_belong_together_are_named(pair):
    (pair / "Walks_TEST.ts").write_text("@dimensions 1\n@classLabel true rest run\n@data\n1,2:rest\n1,3:run\n")
    with pytest.raises(UserError, match="Walks_TRAIN.ts and Walks_TEST.ts have different numbers of dimensions"):
        load(pair)
    for name in ("side", "series", "subject_pattern"):
        with pytest.raises(UserError, match="does not go with this kind of data"):
            load(pair, **{name: 8 if name == "side" else "(a)"})

"""Clocks, counters and ids that nobody named are asked about, and rows that are there twice are noticed."""

import numpy as np
import pandas as pd
import pytest

from bdistil.data import custom
from bdistil.data.reading import OwnData
from bdistil.errors import UserError

COLUMNS = dict(series="walk", label="activity", window=10)
COUNT = 5 * 4 * 20


def frame():
    """Twenty series of twenty steps; `t` are their seconds."""
    generator = np.random.default_rng(0)
    rows = [
        (f"s{person}-{number}", ["rest", "run"][number % 2], person, *generator.normal(0, 3, 2).round(3), step / 25)
        for person in range(5)
        for number in range(4)
        for step in range(20)
    ]
    return pd.DataFrame(rows, columns=["walk", "activity", "who", "ax", "ay", "t"])


def saved(folder, table, name="walks.csv"):
    table.to_csv(folder / name, index=False) if name.endswith("csv") else table.to_parquet(folder / name)
    return str(folder / name)


def info(path, **options):
    return custom.info(path, OwnData.create(**{"subject": "who"} | COLUMNS | options))


def notes(path, **options):
    info(path, **options)
    return custom.unreadable(path, OwnData.create(**{"subject": "who"} | COLUMNS | options))


STEP = np.arange(COUNT) % 20
SERIES = np.arange(COUNT) // 20


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("clock", STEP / 25),
        ("clock", 1.7e9 + np.arange(COUNT) / 1000),  # no two of these are apart in 32 bits
        ("clock", -STEP),
        ("counter", STEP // 3),
        ("row", np.arange(COUNT)),
        ("timestamp", STEP * 7 % 20),  # by its name
        ("Time (s)", STEP * 7 % 20),
    ],
)
def test_a_clock_or_a_counter_that_nobody_named_is_asked_about(tmp_path, name, values):
    path = saved(tmp_path, frame().drop(columns="t").assign(**{name: values}))
    with pytest.raises(UserError) as caught:
        info(path)
    assert str(caught.value) == (
        f"walks.csv: the column {name} looks like a clock or a counter, and could give the label away: name a time "
        "with `time`, or list the columns of values with `channels`."
    )
    assert info(path, channels="ax,ay").channels == ("ax", "ay")


def test_a_time_that_is_named_is_no_channel_and_one_that_is_listed_is_told(tmp_path):
    path = saved(tmp_path, frame())
    assert info(path, time="t").channels == ("ax", "ay") and notes(path, time="t") == ()
    assert info(path, channels="ax,t").channels == ("ax", "t")
    assert notes(path, channels="ax,t") == (
        "Notice: t could give the label away, as a clock, a counter or an id does.",
    )


@pytest.mark.parametrize("name", ["walks.csv", "walks.parquet"])
def test_what_never_changes_within_a_series_is_asked_about(tmp_path, name):
    path = saved(tmp_path, frame().drop(columns="t").assign(device=SERIES % 3, run=SERIES), name)
    with pytest.raises(UserError) as caught:
        info(path)
    assert str(caught.value) == (
        f"{name}: the columns device, run are the same for all of a series, like ids, and could give the label away: "
        "name a time with `time`, a person with `subject`, or list the columns of values with `channels`."
    )


def test_persons_that_nobody_named_are_asked_about(tmp_path):
    path = saved(tmp_path, frame().drop(columns="t"))
    with pytest.raises(UserError, match="the column who is the same for all of a series"):
        info(path, subject=None)


def test_a_column_with_one_value_is_no_leak_and_is_told(tmp_path):
    path = saved(tmp_path, frame().drop(columns="t").assign(gain=2.5))
    assert info(path).channels == ("ax", "ay", "gain")
    assert notes(path) == ("Constant in all rows: gain.",)


def test_signals_that_rise_in_some_series_and_fall_in_others_are_channels(tmp_path):
    path = saved(tmp_path, frame().drop(columns="t").assign(height=STEP * np.where(SERIES % 2, 1, -1)))
    assert info(path).channels == ("ax", "ay", "height") and notes(path) == ()


def test_a_clock_is_found_though_rows_are_there_twice(tmp_path):
    path = saved(tmp_path, pd.concat([frame(), frame()]))
    with pytest.raises(UserError, match="the column t looks like a clock or a counter"):
        info(path)


@pytest.mark.parametrize("column", ["t", "time"])
def test_rows_that_are_there_twice_are_noticed(tmp_path, column):
    table = frame().rename(columns={"t": column})
    once = info(saved(tmp_path, table), channels="ax,ay")
    path = saved(tmp_path, pd.concat([table, table]), "twice.csv")
    twice = info(path, channels="ax,ay")
    assert twice.train + twice.validation + twice.test == 20 * 7 > once.train + once.validation + once.test == 20 * 3
    (note,) = notes(path, channels="ax,ay")
    expected = {
        "t": "Notice: 400 rows repeat earlier rows in all columns, and make windows as all others do: remove them if "
        "they were recorded once.",
        "time": "Notice: 400 rows have a time in the column time that their series had before, and make windows as all "
        "others do: remove them, or name the column with `time`.",
    }
    assert note == expected[column]
    with pytest.raises(UserError, match="row 22: time does not go on in the series s0-0"):
        info(saved(tmp_path, pd.concat([table, table]).sort_values("walk", kind="stable"), "twice.csv"), time=column)


def test_values_that_repeat_as_sensors_at_rest_do_are_no_rows_twice(tmp_path):
    table = frame().drop(columns="t").round(0)
    table.loc[STEP < 9, ["ax", "ay"]] = 1.0
    assert table.duplicated().sum() > 100 and notes(saved(tmp_path, table)) == ()
    table["ax"] = table["ay"] = STEP * SERIES % 7
    assert table.duplicated().sum() > 200 and notes(saved(tmp_path, table)) == ()


def test_dates_that_nobody_named_are_asked_about(tmp_path):
    dates = pd.Timestamp("2026-01-01") + pd.to_timedelta(STEP, "s")
    path = saved(tmp_path, frame().assign(t=[date.isoformat() for date in dates]))
    with pytest.raises(UserError, match="row 2: the column t holds a time, not a value: name it with `time`, or list"):
        info(path)
    assert info(path, time="t").rate_hz == 1.0

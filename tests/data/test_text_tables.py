"""Text tables as spreadsheets and loggers write them: all read to the same bits, and the rest refused in a sentence."""

import gzip
import os
import re

import numpy as np
import pandas as pd
import pytest

from bdistil.data import custom, text_tables
from bdistil.data.reading import OwnData
from bdistil.errors import UserError

COLUMNS = dict(series="walk", label="activity", subject="who", window=10)


def frame(decimals=3):
    generator = np.random.default_rng(0)
    rows = [
        (f"s{person}-{number}", ["café", "run"][number % 2], f"p{person}", *generator.normal(0, 3, 2).round(decimals))
        for person in range(5)
        for number in range(4)
        for _ in range(20)
    ]
    return pd.DataFrame(rows, columns=["walk", "activity", "who", "ax", "ay"])


@pytest.fixture
def plain(tmp_path):
    """The table as CSV in UTF-8."""
    frame().to_csv(tmp_path / "plain.csv", index=False)
    return tmp_path / "plain.csv"


def load(path, **options):
    return custom.load(str(path), OwnData.create(**COLUMNS | options))


def sentence(path, **options):
    with pytest.raises(UserError) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    return str(caught.value)


def written(folder, text, name="walks.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def noted(path):
    return custom.unreadable(str(path), OwnData.create(**COLUMNS))


@pytest.mark.parametrize(
    ("name", "options", "recognised"),
    [
        ("walks.csv", dict(sep=";", decimal=","), "semicolons between the columns, decimal commas"),
        ("walks.csv", dict(sep=";"), "semicolons between the columns"),
        ("walks.csv", dict(sep=",", decimal=","), "decimal commas"),  # quoted, as they have the separator in them
        ("walks.csv", dict(sep="|"), "bars (|) between the columns"),
        ("walks.tsv", dict(sep="\t"), "tabs between the columns"),
        ("walks.txt", dict(sep="\t", decimal=","), "tabs between the columns, decimal commas"),
        ("walks.TXT", dict(sep=","), ""),
        ("walks.csv", dict(sep="\t", encoding="utf-16"), "tabs between the columns, the encoding UTF-16"),
        ("walks.csv", dict(encoding="utf-8-sig"), ""),
        ("walks.csv", dict(encoding="cp1252"), "the encoding Windows-1252"),
        (
            "walks.csv",
            dict(encoding="latin-1", sep=";", decimal=","),
            "semicolons between the columns, decimal commas, the encoding Windows-1252",
        ),
        ("walks.csv", dict(lineterminator="\r\n"), ""),
        ("walks.csv", dict(quoting=1), ""),
        ("walks.csv.gz", {}, ""),
        ("walks.tsv.gz", dict(sep="\t"), "tabs between the columns"),
    ],
)
def test_common_ways_to_write_a_table_are_read_to_the_same_bits(tmp_path, plain, name, options, recognised):
    frame().to_csv(tmp_path / name, index=False, **options)
    data = load(tmp_path / name)
    assert data.checksum == load(plain).checksum
    assert data.info.classes == ("café", "run") and data.info.channels == ("ax", "ay")
    assert noted(tmp_path / name) == ((f"Recognised: {recognised}.",) if recognised else ())


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_both_byte_orders_of_utf_16_are_read(tmp_path, plain, order):
    path = written(tmp_path, "\ufeff" + plain.read_text(encoding="utf-8"), encoding=order)
    assert load(path).checksum == load(plain).checksum


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "sep=,\n" + text,
        lambda text: '"sep=,"\r\n' + text,
        lambda text: '# from logger 5", at 25 Hz\n#\n\n' + text,
        lambda text: "\ufeff\ufeff" + text,
        lambda text: "\n  \n" + text.replace("\n", "\n\n", 30),
        lambda text: text.replace("\n", ",\n"),
        lambda text: "\n".join(line + "," * (at > 0) for at, line in enumerate(text.splitlines())),
        lambda text: text.replace(",", ", "),
        lambda text: text.replace("activity", '"acti\nvity"').replace("café", '"café"'),
        lambda text: text.replace("walk,activity", 'walk, "acti\nvity"'),
        lambda text: text.replace("activity", '" activity "'),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\n", "\r"),
    ],
    ids=[
        "sep",
        "quoted sep",
        "comments",
        "two marks",
        "blank lines",
        "trailing commas",
        "trailing in rows",
        "spaces",
        "quoted newline",
        "space before quoted newline",
        "spaces in a name",
        "no last newline",
        "carriage returns",
    ],
)
def test_what_surrounds_the_values_does_not_matter(tmp_path, plain, change):
    path = written(tmp_path, change(plain.read_text(encoding="utf-8")))
    label = "acti\nvity" if '"acti\n' in path.read_text(encoding="utf-8") else "activity"
    data = load(path, label=label)
    assert data.checksum == load(plain).checksum and data.info.channels == ("ax", "ay")


def test_rows_are_counted_below_comments_and_quoted_newlines(tmp_path, plain):
    lines = plain.read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ",fast"
    text = "\n".join(["# two", "# comments", lines[0].replace("walk", '"wa\nlk"'), *lines[1:]])
    assert sentence(written(tmp_path, text), series="wa\nlk").startswith("walks.csv, row 7: the column ay holds “fast”")


@pytest.mark.parametrize("cell", ["-", "NaN", "nan", "", "NA", "1 234", "1.5.2"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_cell_without_a_number_is_named_with_its_row(tmp_path, plain, cell, separator):
    lines = plain.read_text(encoding="utf-8").splitlines()
    lines[15] = lines[15].rsplit(",", 1)[0] + "," + cell
    found = sentence(written(tmp_path, "\n".join(lines).replace(",", separator)))
    assert re.match(r"walks\.csv, row 16: the column ay (is|holds) .* where a number must be: fix it", found)


THREE = "walk{0}activity{0}who{0}ax\n" + "".join(f"s1{{0}}run{{0}}p{{0}}{{{n}}}\n" for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "walks.csv is empty: give a table that has a header and rows."),
        ("\n \n# nothing\n", "walks.csv is empty: give a table that has a header and rows."),
        ("walk,activity,who,ax\n", "walks.csv has no rows: give a table that has some."),
        ("walk;activity;who;ax\n", "walks.csv has no rows: give a table that has some."),
        (THREE.format(";", "1,234", "5,678", "9,123"), "numbers like 1,234, which may be 1.234 or 1234"),
        (THREE.format(";", "1,234", "5.5", "9"), "both decimal commas and decimal points"),
        (THREE.format(";", "1.234,5", "5", "9"), "has thousands separators in its numbers"),
        (THREE.format(";", "1,234,567", "5", "9"), "has thousands separators in its numbers"),
        (THREE.format("\t", "1,234.5", "5", "9"), "has thousands separators in its numbers"),
        (THREE.format(",", "1,5", "2,5", "3,5"), "row 2 has more values than there are columns: fix it (where numbers"),
        ("walk,activity,who,ax,\ns1,run,p,0,5\n", "has values in column 5, which has no name"),
        ("walk,activity,who,ax,ax\ns1,run,p,1,2\n", "has more than one column called ax: rename all but one."),
        ("s1,run,p1,0.5\ns1,run,p1,0.7\n", "has a number in its first row, where a header must be"),
        ("s1;run;p1;0,5\ns1;run;p1;0,7\n", "has a number in its first row, where a header must be"),
        ("walk;who,x;activity,y\n1;2,5;3,5\n", "can be read with commas or semicolons between the columns"),
        ("walk activity who ax\ns1 run p 1\n", "walks.csv is not a table: neither commas, semicolons, tabs nor bars"),
        ("a,b\n1,2\n", "walks.csv has no column walk: it has a, b."),
    ],
)
def test_what_is_empty_or_has_two_readings_is_refused(tmp_path, text, expected):
    assert expected in sentence(written(tmp_path, text))


def test_rows_wider_than_the_header_are_named(tmp_path, plain):
    lines = plain.read_text(encoding="utf-8").splitlines()
    lines[300] += ",9"
    assert sentence(written(tmp_path, "\n".join(lines))).startswith("walks.csv, row 301 has more values than there are")


def test_a_header_is_quoted_up_to_80_characters(tmp_path):
    names = [f"column number {number}" for number in range(60)]
    text = ",".join(names) + "\n" + ",".join("1" * 60) + "\n"
    found = sentence(written(tmp_path, text))
    shown = found.removeprefix("walks.csv has no column walk: it has ").removesuffix(".")
    assert len(shown) == 80 and shown.startswith("column number 0, ") and shown.endswith("column number 59")


SECRETS = [
    "root:x:0:0:secret:/root:/bin/bash\ndaemon:x:1:1:secret:/usr/sbin:/usr/sbin/nologin\n",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n",
    "secret, and\tmore;\nsecret: a, b\n",
    "secret,secret\n",
    "secret,12\nuser,13\n",
    "# secret\npassword = secret, secret\n",
    "secret,user,secret\nsecret,user,pass\n",
    "secret,token\n1,2,3\n",
]


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("name", ["walks.csv", "walks.txt", "walks.ts", "walks.parquet", "linked.csv"])
def test_no_sentence_shows_what_a_file_that_is_no_table_holds(tmp_path, text, name):
    path = written(tmp_path, text, "secrets" if name == "linked.csv" else name)
    if name == "linked.csv":
        os.symlink(path, tmp_path / name)
    with pytest.raises(UserError) as caught:
        custom.info(str(tmp_path / name), OwnData.create(**{"window": 10} if name.endswith(".ts") else COLUMNS))
    told = str(caught.value).replace(str(tmp_path), "")
    assert told.startswith(name) and not any(word in told for word in ("secret", "root", "KEY", "token", "user"))


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" * 50, bytes(range(256)), b"a,b\n\x00\n", b"caf\x81\n", b"\xff\xfea"]
)
def test_what_is_no_text_is_refused(tmp_path, content):
    (tmp_path / "walks.csv").write_bytes(content)
    assert "no readable table" in sentence(tmp_path / "walks.csv")


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", gzip.compress(b"a,b\n" * 999, mtime=0)[:30], b""])
def test_what_is_no_gzip_file_is_refused(tmp_path, content):
    (tmp_path / "walks.csv.gz").write_bytes(content)
    assert re.search(r"no intact gzip file|is empty", sentence(tmp_path / "walks.csv.gz"))


def test_a_table_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_tables, "MOST_BYTES", 1e6)
    (tmp_path / "walks.csv.gz").write_bytes(gzip.compress(b"walk,activity,who,ax\n" * 200_000))
    assert "unpacks to more than" in sentence(tmp_path / "walks.csv.gz")


def test_one_long_line_is_no_table(tmp_path):
    assert "walks.csv is " in sentence(written(tmp_path, "a," * 2_000_000))


def test_columns_of_one_name_are_refused_in_parquet_too(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame(), preserve_index=False)
    pq.write_table(table.append_column("ax", table["ax"]), tmp_path / "walks.parquet")
    assert sentence(tmp_path / "walks.parquet") == (
        "walks.parquet has more than one column called ax: rename all but one."
    )


def test_nested_columns_of_parquet_are_left_out_and_named(tmp_path, plain):
    more = frame().assign(meta=[{"a": 1}] * 400, tags=[["x"]] * 400)
    more.to_parquet(tmp_path / "walks.parquet")
    assert load(tmp_path / "walks.parquet").checksum == load(plain).checksum
    assert noted(tmp_path / "walks.parquet") == ("Left out, as they hold lists or records: meta, tags.",)


@pytest.mark.parametrize("name", ["walks.csv", "walks.tsv", "walks.csv.gz", "walks.parquet"])
def test_damaged_tables_are_read_or_refused_in_one_sentence(tmp_path, name):
    generator = np.random.default_rng(0)
    if name.endswith("parquet"):
        frame().to_parquet(tmp_path / name)
    else:
        frame().to_csv(tmp_path / name, index=False, **(dict(sep="\t", encoding="utf-16") if "tsv" in name else {}))
    content = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
    for _ in range(20):
        damaged, places = content.copy(), generator.integers(0, len(content), generator.integers(1, 20))
        damaged[places] = generator.integers(0, 256, len(places))
        (tmp_path / name).write_bytes(damaged[: generator.integers(1, 2 * len(content))].tobytes())
        try:
            load(tmp_path / name)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 400

"""Paths named in the browser are followed to files and folders of the user's, and nothing looks at others."""

import os
from pathlib import Path

import pytest
from places import followed

from bdistil.errors import UserError, quoted
from bdistil.paths import DATA_ROOTS
from tests.app.conftest import written


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A folder for each root, with a file in it, and one that is none: `outside`."""
    for name in ("user", "data", "runs", "start", "more", "further", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.csv").write_text("secret of the file\n")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BDISTIL_HOME", str(tmp_path / "runs"))
    monkeypatch.setenv(DATA_ROOTS, f"{tmp_path / 'more'}{os.pathsep}{tmp_path / 'further'}")
    monkeypatch.chdir(tmp_path / "start")
    return tmp_path


@pytest.mark.parametrize("root", ["user", "data", "runs", "start", "more", "further"])
def test_files_below_each_root_are_followed(disk, root):
    for path in (disk / root, disk / root / "mine.csv", disk / root / "not there.csv"):
        assert followed(str(path)) == path
    assert followed("mine.csv") == disk / "start" / "mine.csv"
    assert followed("~/mine.csv") == disk / "user" / "mine.csv"
    link = disk / root / "link.csv"
    link.symlink_to("mine.csv")
    assert followed(str(link)) == link


def refused(path):
    with pytest.raises(UserError) as error:
        followed(path)
    return str(error.value)


def test_nothing_outside_is_followed(disk):
    (disk / "user" / "link.csv").symlink_to(disk / "outside" / "mine.csv")
    (disk / "user" / "folder").symlink_to(disk / "outside")
    outside = [
        "/etc/passwd",
        "/etc/not-there",
        "/dev/zero",
        "/dev/stdin",
        "/",
        str(disk),
        str(disk / "user2"),
        str(disk / "user" / ".." / "outside" / "mine.csv"),
        "../outside/mine.csv",
        "~/../outside",
        str(disk / "user" / "link.csv"),
        str(disk / "user" / "folder" / "mine.csv"),
    ]
    for path in outside:
        assert refused(path).startswith(f"{path[:20]}") and "lies outside the folders" in refused(path)


def test_neither_pipes_nor_loops_nor_names_that_cannot_be_are_followed(disk):
    os.mkfifo(disk / "user" / "pipe.csv")
    (disk / "user" / "pipe-link.csv").symlink_to("pipe.csv")
    (disk / "user" / "null.csv").symlink_to("/dev/null")
    for name in ("pipe.csv", "pipe-link.csv"):
        assert "neither a regular file nor a folder" in refused(f"~/{name}")
    assert "lies outside" in refused("~/null.csv")
    (disk / "user" / "loop").symlink_to("loop")
    for path in ("~/a\0b", "~/loop", "~nobody-at-all/x"):
        assert refused(path).count("\n") == 0
    assert "\x1b" not in refused("/etc/\x1b[31m")


def test_the_whole_disk_is_a_root_only_where_it_was_named(disk, monkeypatch):
    monkeypatch.chdir("/")
    assert "lies outside" in refused("etc/passwd")
    monkeypatch.setenv(DATA_ROOTS, "/")
    assert followed("etc/passwd") == Path("/etc/passwd")


def test_the_form_looks_at_no_path_outside(open_page, disk, monkeypatch):
    """Of any field; what would look at a path is never asked."""
    page, looked = open_page("distil"), []
    monkeypatch.setenv(DATA_ROOTS, "")
    for name in ("own.files_of", "own.kinds_of_tables", "own.is_table", "own.checks", "own.stamp"):
        monkeypatch.setattr(name, lambda *given: looked.append(given))
    page.selectbox(key="dataset").set_value("own").run()
    for path in ("/etc/passwd", "/dev/zero", disk / "outside" / "mine.csv"):
        page.text_input(key="own-path").set_value(str(path)).run()
        assert not page.exception and not looked
        assert f"{quoted(path)} lies outside the folders that this dashboard reads" in written(page)
    page.selectbox(key="dataset").set_value("digits").run()
    page.selectbox(key="teacher-digits").set_value("onnx").run()
    page.text_input(key="onnx-path").set_value("/etc/teacher.onnx").run()
    assert "/etc/teacher.onnx lies outside" in written(page)
    page.selectbox(key="teacher-digits").set_value("logits").run()
    page.text_input(key="logits-train").set_value("/etc/train.npz")
    page.text_input(key="logits-test").set_value("/etc/test.npz").run()
    assert "/etc/train.npz lies outside" in written(page)
    page.selectbox(key="architecture-digits").set_value("torchvision:").run()
    page.text_input(key="torchvision-name").set_value("resnet18")
    page.text_input(key="torchvision-weights").set_value("/etc/weights.safetensors").run()
    assert "/etc/weights.safetensors lies outside" in written(page)


def test_the_address_names_data_sets_and_teachers_only(open_page, disk):
    """A path in it is no choice of the lists: the first ones are."""
    usual = open_page("distil")
    page = open_page("distil", dataset="/etc/passwd", teacher="/etc")
    assert page.selectbox(key="dataset").value == usual.selectbox(key="dataset").value
    assert "/etc" not in written(page)
    page = open_page("distil", run=str(disk / "user"))
    assert "There is no run called" in written(page)

"""A file or folder is written whole or not at all, and a failure leaves nothing behind."""

import errno
import os

import pytest

from bdistil import atomic


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "run.json"
    atomic.write_json(path, {"state": "queued"})
    atomic.write_json(path, {"state": "running"})
    assert path.read_text() == '{\n "state": "running"\n}'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch, broken):
    path = tmp_path / "run.json"
    atomic.write_bytes(path, b"old")
    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_document_that_json_cannot_say_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.json"
    atomic.write_bytes(path, b"old")
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(path, {"loss": float("inf")})
    assert path.read_bytes() == b"old"


def test_a_folder_appears_whole_and_replaces_its_predecessor(tmp_path):
    path = tmp_path / "rounds" / "01"
    for content in ("one", "two"):
        with atomic.new_folder(path) as folder:
            (folder / "round.json").write_text(content)
            assert not path.exists() or (path / "round.json").read_text() == "one"
    assert (path / "round.json").read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_fails_halfway_never_appears(tmp_path):
    path = tmp_path / "rounds" / "01"
    with pytest.raises(OSError, match="No space"), atomic.new_folder(path) as folder:
        (folder / "round.json").write_text("half")
        full()
    assert list(path.parent.iterdir()) == []

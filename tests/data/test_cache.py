"""Arrays are made once, anew when their key or the stored copy is another one, and no disk can stop it."""

import json

import numpy as np
import pytest

from bdistil.data.cache import cached, identity


@pytest.fixture
def made():
    """Counts how often arrays are made."""
    return []


def make(made):
    def of() -> dict[str, np.ndarray]:
        made.append(1)
        return {"x": np.arange(6).reshape(2, 3), "names": np.array(["é", "b"])}

    return of


def test_arrays_are_made_once_for_a_key_and_a_kind(made):
    for key in ({"a": 1, "b": [2]}, {"b": [2], "a": 1}):
        got = cached("features", key, make(made))
        np.testing.assert_array_equal(got["x"], [[0, 1, 2], [3, 4, 5]])
        assert got["names"].tolist() == ["é", "b"] and len(made) == 1
    cached("features", {"a": 2, "b": [2]}, make(made))
    cached("own", {"a": 1, "b": [2]}, make(made))
    assert len(made) == 3


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array"])
def test_a_damaged_copy_is_made_anew(made, own_home, content):
    cached("own", 1, make(made))
    (stored,) = (own_home / "cache" / "own").iterdir()
    (stored / "x.npy").write_bytes(content)
    np.testing.assert_array_equal(cached("own", 1, make(made))["x"][1], [3, 4, 5])
    cached("own", 1, make(made))
    assert len(made) == 2 and [path.name for path in (own_home / "cache" / "own").iterdir()] == [stored.name]


def test_a_home_that_cannot_be_written_costs_only_time(made, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("BDISTIL_HOME", str(tmp_path / "file"))
    for times in (1, 2):
        assert cached("own", 1, make(made))["x"].shape == (2, 3) and len(made) == times


def test_what_fails_to_be_made_leaves_nothing(own_home):
    def fails():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached("own", 1, fails)
    assert not (own_home / "cache").exists()


def test_files_are_known_by_name_size_and_time(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("12")
    (tmp_path / "c").symlink_to("nowhere")
    paths = [tmp_path / name for name in "abc"]
    first = identity(paths, tmp_path)
    assert [name for name, _, _ in first] == ["a", "b", "c"] and json.dumps(first)
    (tmp_path / "a").write_text("123")
    second = identity(paths, tmp_path)
    assert second[0] != first[0] and second[1:] == first[1:]


def test_outdated_arrays_go_when_new_ones_are_written(made, own_home):
    for key in (1, 2):
        cached("own/mine", key, make(made), alone=True)
        cached("own/yours", key, make(made))
    counts = {name: len(list((own_home / "cache" / "own" / name).iterdir())) for name in ("mine", "yours")}
    assert counts == {"mine": 1, "yours": 2}
    cached("own/mine", 2, make(made), alone=True)
    assert len(made) == 4

"""Reading one's own data says how far it is, once: what has been read before is there at once."""

import pytest
from PIL import Image

from bdistil.data import custom
from bdistil.data.catalogue import fetch


@pytest.fixture
def pictures(tmp_path):
    """Two class folders of twelve pictures each."""
    for label in ("one", "two"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (8, 8), 20 * number).save(tmp_path / "mine" / label / f"{number}.png")
    return tmp_path / "mine"


def test_every_file_is_counted(pictures):
    told = []
    assert custom.read(str(pictures), tick=lambda done, total: told.append((done, total))) == pictures
    assert told == [(done, 24) for done in range(1, 25)] * 2  # looked at first, then read
    told.clear()
    custom.read(str(pictures), tick=lambda done, total: told.append((done, total)))
    assert told == []


def test_where_standard_error_is_no_terminal_nothing_is_drawn(pictures, capsys):
    assert fetch(str(pictures)) == pictures and fetch("watch").is_dir()
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_a_bar_is_drawn(pictures, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for a terminal
    fetch(str(pictures))
    assert "24 of 24 files" in capsys.readouterr().err
    fetch(str(pictures), progress=False)
    assert capsys.readouterr().err == ""

"""Saved teachers are found by name or folder, and one that is damaged or does not fit is met with a sentence."""

import json
import shutil
from importlib import import_module

import pytest

from bdistil.cli.output import with_command
from bdistil.errors import UserError
from bdistil.paths import home
from bdistil.teachers import card, card_for, cards
from tests.builders.records import CARD

HELD = {"weights_sha256": "0" * 64, "accuracy": 0.97}  # what saving adds to a card


def save(folder, **changes):
    folder.mkdir(parents=True)
    content = {name: value for name, value in {**CARD, **HELD, **changes}.items() if value is not ...}
    (folder / "card.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(autouse=True)
def shipped(tmp_path, monkeypatch):
    """Assets with one teacher for digits."""
    monkeypatch.setattr(import_module("bdistil.teachers.cards"), "ASSETS", tmp_path / "assets")
    return save(tmp_path / "assets" / "teachers" / "digits-resnet-s")


def test_shipped_teachers_come_first_and_the_folder_is_the_name(shipped):
    save(home() / "teachers" / "a-first")
    save(home() / "teachers" / "other", dataset="fashion-mnist", input_shape=[1, 28, 28])
    assert [c.name for c in cards()] == ["digits-resnet-s", "a-first", "other"]
    assert [c.name for c in cards("digits")] == ["digits-resnet-s", "a-first"]
    assert card_for(None, "digits").name == "digits-resnet-s" and card_for(None, "fashion-mnist").name == "other"
    assert card("digits-resnet-s").path == str(shipped)


def test_the_default_teacher_and_its_name_mean_the_same_one(shipped):
    save(home() / "teachers" / "digits-resnet-s", accuracy=0.5)
    assert card(card_for(None, "digits").name) == card_for(None, "digits") == cards("digits")[0]


def test_a_folder_names_a_teacher_from_wherever_one_is(tmp_path, monkeypatch):
    folder = save(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    found = card("mine")
    monkeypatch.chdir("/")
    assert card(found.name) == found and found.path == str(folder)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UserError, match=r"^There is no teacher called digits-resnet\. Did you mean digits-resnet-s\?$"):
        card("digits-resnet")


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 5000, "a\0b"])
def test_odd_names_are_unknown(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="There is no teacher called"):
        card(name)


def test_without_a_teacher_the_sentence_says_how_to_train_one(shipped):
    shutil.rmtree(shipped)
    with pytest.raises(UserError, match="^There is no teacher for digits yet. Train one first[.]$") as refused:
        card_for(None, "digits")
    assert refused.value.command == ("teach", "--dataset", "digits")
    assert with_command(refused.value).endswith("Train one first: bdistil teach --dataset digits.")


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ...},
        {"weights_sha256": ...},
        {"mean": 4.9},
        {"input_shape": "1x8x8"},
        {"schema": ...},
        {"schema": "1"},
        {"dataset": None},
    ],
)
def test_a_damaged_card_is_left_out_and_named_it_is_a_sentence(changes):
    save(home() / "teachers" / "bad", **changes)
    assert [c.name for c in cards()] == ["digits-resnet-s"]
    with pytest.raises(UserError, match="The teacher bad cannot be read: its card.json is incomplete"):
        card("bad")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\x00"])
def test_a_card_that_is_no_card_is_a_sentence(content):
    (save(home() / "teachers" / "bad") / "card.json").write_bytes(content)
    assert len(cards()) == 1
    with pytest.raises(UserError, match="cannot be read"):
        card("bad")


def test_a_newer_card_says_to_update():
    (save(home() / "teachers" / "new") / "card.json").write_text('{"schema": 2, "all": "else is new"}')
    with pytest.raises(UserError, match="The teacher new was written by a newer version; update to use it"):
        card("new")


def test_a_teacher_that_does_not_fit_the_data_is_a_sentence():
    save(home() / "teachers" / "few", classes=["a", "b", "c"])
    save(home() / "teachers" / "large", input_shape=[1, 28, 28])
    with pytest.raises(
        UserError, match="This teacher answers 3 classes, the dataset has 10. Choose one trained on digits"
    ):
        card_for("few", "digits")
    with pytest.raises(UserError, match=r"reads inputs of shape \(1, 28, 28\), those of digits have \(1, 8, 8\)"):
        card_for("large", "digits")


def test_a_teacher_without_known_costs_is_still_a_teacher():
    save(home() / "teachers" / "black-box", macs=None)
    assert card_for("black-box", "digits").macs is None

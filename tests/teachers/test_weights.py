"""A saved network comes back bit for bit, or a sentence says what is wrong with its file. Nothing is unpickled."""

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from bdistil.errors import UserError
from bdistil.paths import home
from bdistil.teachers import card
from bdistil.teachers.card import SavedTeacher
from bdistil.teachers.catalogue import ARCHITECTURES, names
from bdistil.teachers.logits import TeacherLogits
from bdistil.teachers.weights import load_teacher, save_teacher
from bdistil.teachers.zoo import build_teacher
from tests.builders.records import CARD


@pytest.fixture
def saved():
    """A network with fresh weights, and its card."""
    model = build_teacher("resnet-s", input_shape=(1, 8, 8), classes=10).eval()
    return model, card(save_teacher(model, SavedTeacher(**CARD)))


def replaced(known, content, **changes):
    """The card after its weights were replaced by others, checksum included."""
    folder = Path(known.path)
    (folder / "model.safetensors").write_bytes(content)
    stored = json.loads((folder / "card.json").read_text())
    stored |= {"weights_sha256": hashlib.sha256(content).hexdigest(), **changes}
    (folder / "card.json").write_text(json.dumps(stored))
    return card(known.name)


def test_a_saved_teacher_comes_back_bit_for_bit_frozen_and_in_evaluation_mode(saved):
    model, known = saved
    loaded = load_teacher(known)
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_no_saved_teacher_is_overwritten(saved):
    model, known = saved
    assert [save_teacher(model, SavedTeacher(**CARD)) for _ in range(2)] == ["mine-2", "mine-3"]
    assert card("mine") == known


def test_missing_and_damaged_weights_are_a_sentence(saved):
    file = Path(saved[1].path) / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="The weights of the teacher mine are damaged .checksum differs."):
        load_teacher(saved[1])
    file.unlink()
    with pytest.raises(UserError, match="The teacher mine has no model.safetensors"):
        load_teacher(saved[1])


@pytest.mark.parametrize("architecture,classes", [("resnet-m", 10), ("resnet-s", 3)])
def test_weights_of_another_architecture_or_class_count_are_a_sentence(saved, architecture, classes):
    other = build_teacher(architecture, input_shape=(1, 8, 8), classes=classes)
    known = replaced(saved[1], save({name: t.contiguous() for name, t in other.state_dict().items()}))
    with pytest.raises(UserError, match="are not those of a resnet-s with 10 classes. Choose another teacher"):
        load_teacher(known)


def test_a_pickle_is_never_opened(saved, tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    with pytest.raises(UserError, match="are not those of"):
        load_teacher(replaced(saved[1], pickle.dumps(Bomb())))
    assert not (tmp_path / "exploded").exists()


def test_an_unknown_architecture_is_a_sentence(saved):
    content = (Path(saved[1].path) / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match="There is no teacher architecture called resnet-x"):
        load_teacher(replaced(saved[1], content, architecture="resnet-x"))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_answers_for_every_input(name):
    series = [((1, 5), 2), ((12, 29), 9)]
    pictures = [((1, 8, 8), 10), ((3, 15, 9), 4)]
    for shape, classes in pictures if name in names("image") else series:
        model = build_teacher(name, input_shape=shape, classes=classes)
        logits = model(torch.randn(2, *shape))
        assert logits.shape == (2, classes)
        logits.sum().backward()
        assert all(p.grad is not None for p in model.parameters())


def test_every_architecture_reads_one_modality_or_all_series():
    assert names("speech") == names("sensor")
    assert names() == tuple(ARCHITECTURES) == (*names("image"), *names("speech"))


def test_logits_are_kept_and_never_answer_for_another_input_or_teacher(saved, monkeypatch):
    model, known = saved
    x = np.random.default_rng(0).integers(0, 17, (7, 1, 8, 8)).astype(np.uint8)
    shares = []
    first = TeacherLogits(known)(x, tick=shares.append)
    expected = model((torch.from_numpy(x).float() - 4.9) / 6.0).detach().numpy()
    assert first.dtype == np.float32 and shares == [0.0]
    np.testing.assert_allclose(first, expected, atol=1e-5)

    def asked(_):
        raise AssertionError("the teacher was asked again")

    assert np.array_equal(TeacherLogits(known)(x, tick=asked), first)
    assert not np.array_equal(TeacherLogits(known)(x[::-1], tick=shares.append), first)
    other = card(save_teacher(build_teacher("resnet-s", input_shape=(1, 8, 8), classes=10), SavedTeacher(**CARD)))
    assert not np.array_equal(TeacherLogits(other)(x, tick=shares.append), first)
    assert len(shares) == 3


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00cut"])
def test_a_damaged_cache_is_asked_for_again(saved, content):
    x = np.zeros((3, 1, 8, 8), np.uint8)
    first = TeacherLogits(saved[1])(x)
    (file,) = (home() / "cache" / "teacher-logits").iterdir()
    file.write_bytes(content)
    assert np.array_equal(TeacherLogits(saved[1])(x), first)
    assert np.array_equal(np.load(file), first)

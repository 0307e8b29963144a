"""Files that a user supplies: pipes and devices are not waited for, and what cannot be read is a sentence."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.paths import ASSETS, open_regular, read_json, read_regular
from bdistil.report.documents import report
from bdistil.results import load
from bdistil.runs import open_run
from bdistil.teachers.black_box import read_answers
from bdistil.teachers.cards import card
from bdistil.teachers.onnx_teacher import _content
from bdistil.teachers.torchvision_models import _found
from bdistil.teachers.weights import load_teacher

BAD = {
    "pipe": os.mkfifo,
    "device": lambda path: os.symlink("/dev/zero", path),
    "folder": os.mkdir,
    "deep": lambda path: Path(path).write_text("[" * 200_000),
    "empty": lambda path: Path(path).touch(),
    "number": lambda path: Path(path).write_text("5"),
    "large": lambda path: Path(path).touch() or os.truncate(path, 3_000_000_000),
}


@pytest.fixture(params=BAD)
def bad(request):
    """Puts something in a file's place that is not it."""

    def replace(path):
        Path(path).unlink(missing_ok=True)
        BAD[request.param](path)
        return Path(path)

    return replace


@pytest.mark.parametrize("what", ["pipe", "device", "folder"])
def test_only_regular_files_are_opened(tmp_path, what):
    BAD[what](tmp_path / "file")
    for read in (open_regular, read_regular, read_json):
        with pytest.raises(OSError):
            read(tmp_path / "file")


def test_a_file_is_read_up_to_its_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"[1, 2]")
    assert read_regular(tmp_path / "file", most=6) == b"[1, 2]" and read_json(tmp_path / "file", most=6) == [1, 2]
    with pytest.raises(OSError):
        read_regular(tmp_path / "file", most=5)


def test_a_teacher_of_ones_own_is_a_sentence(bad, tmp_path):
    folder = tmp_path / "teacher"
    shutil.copytree(ASSETS / "teachers" / "digits-resnet-s", folder)
    bad(folder / "model.safetensors")
    with pytest.raises(UserError, match="has no model.safetensors|checksum differs"):
        load_teacher(card(str(folder)))
    bad(folder / "card.json")
    with pytest.raises(UserError, match="its card.json is incomplete|There is no teacher"):
        card(str(folder))


def test_answers_onnx_files_and_weights_are_a_sentence(bad, tmp_path):
    with pytest.raises(UserError, match="is no NPZ file"):
        read_answers(str(bad(tmp_path / "train.npz")), 3)
    with pytest.raises(UserError, match="is no readable safetensors file"):
        _found("resnet18", str(bad(tmp_path / "weights.safetensors")))


@pytest.mark.parametrize("what", ["pipe", "device", "folder", "large"])
def test_an_onnx_file_that_is_none_is_a_sentence(tmp_path, what):
    BAD[what](tmp_path / "teacher.onnx")
    with pytest.raises(UserError, match="cannot be read|the limit is"):
        _content(str(tmp_path / "teacher.onnx"))


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "events.jsonl",
        "rounds/02/round.json",
        "targets.npz",
        "ensemble/ensemble.json",
        "heartbeat.json",
        "worker.log",
    ],
)
def test_a_run_folder_of_somebody_elses_is_read_or_a_sentence(bad, tmp_path, name):
    folder = tmp_path / "run"
    shutil.copytree(ASSETS / "runs" / "digits-frozen", folder)
    bad(folder / name)
    for read in (report, load, lambda run: (run.is_alive(), run.log_tail(), run.heartbeat())):
        try:
            read(open_run(folder))
        except UserError as error:
            assert str(error).count("\n") == 0
    if name.startswith("ensemble"):
        with pytest.raises(UserError):
            ProgressiveEnsemble.load(folder / "ensemble")


def test_the_last_lines_of_a_log_are_those_of_its_end(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(ASSETS / "runs" / "digits-frozen", folder)
    (folder / "worker.log").write_text("a line\n" * 50_000 + "the end\n")
    assert open_run(folder).log_tail(2) == ["a line", "the end"]


def test_an_npz_that_claims_more_than_it_holds_is_no_npz(tmp_path):
    np.savez(tmp_path / "train.npz", logits=np.zeros((4, 3), np.float32))
    content = (tmp_path / "train.npz").read_bytes().replace(b"(4, 3), ", b"(4" + b"0" * 3 + b",3")
    (tmp_path / "train.npz").write_bytes(content)
    with pytest.raises(UserError, match="is no NPZ file"):
        read_answers(str(tmp_path / "train.npz"), 3)

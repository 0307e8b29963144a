"""Runs of black boxes from the command line to the finished ensemble, on digits."""

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from bdistil.data import load_dataset
from bdistil.runs import open_run
from bdistil.teachers import card
from bdistil.teachers.black_box import UNKNOWN_SPLIT
from bdistil.teachers.logits import TeacherLogits
from bdistil.teachers.weights import load_teacher
from tests.workers import polished_config, started, told, until

SMALL = ("--rounds", "2", "--epochs", "1", "--polish-epochs", "2", "--views", "2", "--threads", "1", "--quiet")
SPLITS = (("train", ("train", "validation")), ("test", ("test",)))


def bdistil(*words):
    """Exit status, standard output and standard error of the real program."""
    ended = subprocess.run(
        [sys.executable, "-m", "bdistil", *map(str, words)], capture_output=True, text=True, timeout=500
    )
    return ended.returncode, ended.stdout, ended.stderr


def shipped_logits():
    ask, data = TeacherLogits(card("digits-resnet-s")), load_dataset("digits")
    return {name: np.concatenate([ask(data.split(split)[0]) for split in splits]) for name, splits in SPLITS}


def write(folder, answers):
    for name, logits in answers.items():
        np.savez(folder / f"{name}.npz", logits=logits)
    return folder / "train.npz", folder / "test.npz"


def shown(name):
    return json.loads(bdistil("show", name, "--json")[1])


def test_answers_alone_make_an_ensemble(own_home, tmp_path):
    """Their accuracy is measured on the test split, and what they cost nobody knows."""
    answers, data = shipped_logits(), load_dataset("digits")
    status, out, err = bdistil("run", "--dataset", "digits", "--teacher-logits", *write(tmp_path, answers), *SMALL)
    assert (status, err) == (0, f"{UNKNOWN_SPLIT}\n")
    document, teacher = shown(out.strip()), shown(out.strip())["teacher"]
    assert teacher["accuracy"] == pytest.approx((answers["test"].argmax(axis=1) == data.y_test).mean())
    assert teacher["accuracy_low"] < teacher["accuracy"] <= teacher["accuracy_high"]
    assert {teacher[key] for key in ("macs", "parameters", "bytes")} == {None}
    assert (teacher["name"], teacher["kind"], teacher["approximate_views"]) == ("train.npz", "logits", True)
    assert document["config"]["teacher_logits"] == [str(tmp_path / "train.npz"), str(tmp_path / "test.npz")]
    assert [row["macs_ratio"] for row in document["frontier"]] == [None, None]
    assert document["frontier"][-1]["accuracy"] > 0.7
    lines = bdistil("show", out.strip())[1]
    assert "M MACs" in lines and "of the teacher" not in lines
    # The stored configuration is the run: it is tried, and names the same answers.
    (tmp_path / "config.json").write_text(json.dumps(document["config"]))
    status, out, _ = bdistil("run", "--config", tmp_path / "config.json", "--dry-run")
    assert status == 0 and out.startswith("teacher train.npz\n")


def test_stated_macs_are_shown_as_stated(own_home, tmp_path):
    paths = write(tmp_path, shipped_logits())
    given = ("run", "--dataset", "digits", "--teacher-logits", *paths, "--teacher-macs", "1000000", *SMALL)
    assert "of the teacher (its MACs as stated)" in bdistil(*given, "--dry-run")[1]
    name = bdistil(*given, "--views", "1")[1].strip()
    teacher, frontier = shown(name)["teacher"], shown(name)["frontier"]
    assert (teacher["macs"], teacher["macs_stated"], teacher["approximate_views"]) == (1_000_000, True, False)
    assert [row["macs_ratio"] for row in frontier] == [row["macs"] / 1e6 for row in frontier]
    assert bdistil("show", name)[1].count("of the teacher, as stated") == 2


def test_probabilities_and_doubtful_answers_are_told_once(own_home, tmp_path):
    """On standard error and in the run's events, again after an interruption no second time."""
    shares = {
        name: np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) for name, logits in shipped_logits().items()
    }
    paths = write(tmp_path, {name: np.roll(rows, 1, axis=1) for name, rows in shares.items()})
    status, out, err = bdistil("run", "--dataset", "digits", "--teacher-logits", *paths, *SMALL)
    first, unknown, second = err.splitlines()
    assert unknown == UNKNOWN_SPLIT
    assert status == 0 and first == "train.npz gives probabilities, not logits: they are taken as log(max(p, 1e-7))."
    assert "% of the training examples, hardly more often than in a random order" in second
    assert [event.text for event in told(open_run(out.strip()), "notice")] == [first, unknown, second]


def test_answers_that_changed_since_a_run_began_are_one_sentence(own_home, tmp_path):
    """A run goes on with the teacher that it began with or not at all."""
    answers = shipped_logits()
    paths = tuple(map(str, write(tmp_path, answers)))
    run = started(polished_config(teacher="train.npz", teacher_logits=paths))
    until(lambda: told(run, "round_finished", round=1))
    run.request_stop()
    until(lambda: not run.is_alive())
    write(tmp_path, {name: 2 * logits for name, logits in answers.items()})
    status, _, err = bdistil("resume", run.id, "--quiet")
    changed = "The teacher or the dataset has changed since this run began. Start a new run."
    assert (status, err.splitlines()) == (2, [UNKNOWN_SPLIT, changed])
    write(tmp_path, answers)
    assert bdistil("resume", run.id, "--quiet")[0] == 0 and open_run(run.id).state() == "finished"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows[1:], "train.npz has 1436 rows, the dataset has 1077 train and 360 validation examples"),
        (lambda rows: rows[:, :9], "have shape (1437, 9), the dataset has 10 classes"),
        (lambda rows: rows.astype(int), "train.npz are int64: give floating-point numbers"),
        (lambda rows: rows * 1e-6, "all classes are equally likely: multiply them by about"),
        (lambda rows: rows * 1e30, "one class has all the probability: multiply them by about"),
        (lambda rows: rows * 0, "are the same for every class, in every row"),
        (lambda rows: np.where(np.arange(len(rows))[:, None] == 5, np.nan, rows), "row 6: the logits hold NaN"),
    ],
)
def test_unusable_answers_are_one_sentence_and_leave_no_run(own_home, tmp_path, change, sentence):
    answers = shipped_logits()
    paths = write(tmp_path, {**answers, "train": change(answers["train"])})
    for more in ((), ("--dry-run",)):
        status, out, err = bdistil("run", "--dataset", "digits", "--teacher-logits", *paths, *SMALL, *more)
        assert (status, out, err.count("\n")) == (2, "", 1) and sentence in err
    assert not (own_home / "runs").exists()


def test_a_teacher_and_answers_are_one_too_many(own_home, tmp_path):
    words = ("run", "--dataset", "digits", "--teacher", "digits-resnet-s", "--teacher-logits", "a.npz", "b.npz")
    status, _, err = bdistil(*words)
    assert status == 2 and err.startswith("Give a teacher or its answers, not both")


def test_an_onnx_file_makes_an_ensemble(own_home, tmp_path, monkeypatch):
    """Exported here from the shipped teacher; its dry run tells what it reads, and its answers are cached."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            load_teacher(card("digits-resnet-s")),
            (torch.zeros(2, 1, 8, 8),),
            tmp_path / "mine.onnx",
            dynamo=True,
            external_data=False,
            input_names=["x"],
            output_names=["logits"],
            verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    monkeypatch.chdir(tmp_path)
    given = ("run", "--dataset", "digits", "--teacher", "mine.onnx", "--teacher-input", "normalised", *SMALL)
    status, out, _ = bdistil(*given, "--dry-run")
    assert status == 0
    assert "x float32 (batch, 1, 8, 8) normalised → logits float32 (batch, 10)" in out
    status, out, err = bdistil(*given)
    assert (status, err) == (0, f"{UNKNOWN_SPLIT}\n")
    document = shown(out.strip())
    assert document["config"]["teacher"] == document["teacher"]["name"] == str(tmp_path / "mine.onnx")
    assert document["teacher"]["accuracy"] == pytest.approx(card("digits-resnet-s").accuracy, abs=0.003)
    assert (document["teacher"]["kind"], document["teacher"]["approximate_views"]) == ("onnx", False)
    assert document["frontier"][-1]["macs_ratio"] is None and document["frontier"][-1]["accuracy"] > 0.7
    assert f"\n{document['teacher']['signature']}\n" in bdistil("show", out.strip())[1]
    assert len(list((own_home / "cache" / "teacher-logits").iterdir())) == 4  # three splits, and a second view


def test_permuted_rows_are_noticed_by_the_dry_run_and_the_run(own_home, tmp_path):
    """Half of the training rows in another order: the teacher is better on the test split than on its own."""
    answers = shipped_logits()
    rows, generator = np.arange(len(answers["train"])), np.random.default_rng(0)
    moved = generator.permutation(rows)[: len(rows) // 2]
    rows[np.sort(moved)] = moved
    paths = write(tmp_path, answers | {"train": answers["train"][rows]})
    given = ("run", "--dataset", "digits", "--teacher-logits", *paths, *SMALL)
    sentence = "better on examples that it was not trained on is unusual"
    assert sentence in bdistil(*given, "--dry-run")[1]
    status, out, _ = bdistil(*given)
    assert status == 0 and any(sentence in event.text for event in told(open_run(out.strip()), "notice"))


def linear(path, shape, kind):
    """Writes a linear classifier of digits, right for nine in ten as they are, as an ONNX file; returns its path."""
    import onnx

    data = load_dataset("digits")
    x = data.x_train.reshape(len(data.x_train), -1).astype(np.float64)
    means = np.stack([x[data.y_train == label].mean(axis=0) for label in range(10)], axis=1) / 10
    arrays = {"weight": means, "bias": -5 * (means**2).sum(axis=0)}
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node("Flatten", ["x"], ["flat"]), node("Gemm", ["flat", "weight", "bias"], ["logits"])],
        "linear",
        [value("x", kind, shape)],
        [value("logits", kind, ("N", 10))],
        [
            onnx.numpy_helper.from_array(array.astype(onnx.helper.tensor_dtype_to_np_dtype(kind)), name)
            for name, array in arrays.items()
        ],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("shape", "kind", "notice"), [(("N", 1, 8, 8), 1, None), (("N", 8, 8, 1), 11, "channels last")]
)
def test_a_linear_onnx_teacher_trains_students_from_end_to_end(own_home, tmp_path, shape, kind, notice):
    """In the data set's layout without a word on it; with channels last and float64 the same, and said."""
    path = linear(tmp_path / "linear.onnx", shape, kind)
    more = ("--epochs", "4", "--student", "cnn-s")
    status, out, err = bdistil("run", "--dataset", "digits", "--teacher", path, "--teacher-input", "raw", *SMALL, *more)
    assert status == 0, err
    document = shown(out.strip())
    assert document["teacher"]["accuracy"] > 0.85 and document["frontier"][-1]["accuracy"] > 0.7
    notices = [event.text for event in told(open_run(out.strip()), "notice")]
    if notice:
        assert notice in notices[0] and "float64" in notices[1]
    else:
        assert notices == [UNKNOWN_SPLIT] and err == f"{UNKNOWN_SPLIT}\n"


def test_the_wrong_scaling_and_a_student_far_below_are_noticed_in_the_run(own_home, tmp_path):
    """One step of training leaves the first student near chance; before it, raw is named instead of maximum."""
    path = linear(tmp_path / "linear.onnx", ("N", 1, 8, 8), 1)
    given = ("run", "--dataset", "digits", "--teacher", path, *SMALL, "--rounds", "1", "--polish-epochs", "0")
    assert "set --teacher-input to raw" in bdistil(*given, "--teacher-input", "maximum", "--dry-run")[1]
    status, out, err = bdistil(*given, "--teacher-input", "raw", "--learning-rate", "1e-6")
    assert status == 0, err
    unknown, far_below = [event.text for event in told(open_run(out.strip()), "notice")]
    assert unknown == UNKNOWN_SPLIT and far_below.startswith("After round 1 the student")

"""Wherever two artefacts meet, their checksums are compared: no teacher, parent, preview or cached logits of other data
is taken for one of this data, and a teacher's figures are those on the run's own splits."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from bdistil.config import DistilConfig, TeachConfig
from bdistil.data import load_dataset
from bdistil.data.custom import info
from bdistil.data.dataset import Dataset
from bdistil.data.reading import OwnData
from bdistil.errors import UserError
from bdistil.paths import ASSETS, home
from bdistil.report import formats
from bdistil.report.estimate_text import describe
from bdistil.report.text import describe_run
from bdistil.results.loading import load
from bdistil.runs import create_run, delete_run, open_run, previews
from bdistil.runs.estimate import estimate
from bdistil.runs.extend import extend_run
from bdistil.runs.jobs import CHANGED, distillation_data
from bdistil.runs.jobs import describe as describe_data
from bdistil.runs.launch import start_worker
from bdistil.teachers import card, card_for, cards, cards_for
from bdistil.teachers.logit_cache import kept
from bdistil.teachers.logits import TeacherLogits
from bdistil.teachers.zoo import build_teacher
from bdistil.training.teacher import finish_teacher
from tests.builders import build_run
from tests.workers import distil_config, finished, started, until

OTHER = "was trained on other data, or on another split of it"
UNKNOWN = "The teacher was trained on a split that is not known"
BY_SERIES = OwnData(series="series", label="label", channels=("height",), window=20)
BY_PERSON = OwnData(series="series", label="label", subject="who", channels=("height",), window=20)


def save_teacher(dataset, data=None, weights=None, **changes):
    """A teacher that has learnt nothing, saved as `teach` saves one; returns its card."""
    config = TeachConfig.create(str(dataset), data=data, epochs=1)
    read = load_dataset(str(dataset), data)
    torch.manual_seed(0)
    model = build_teacher(config.architecture, input_shape=read.info.input_shape, classes=len(read.info.classes)).eval()
    name = finish_teacher(config, read, model, 0.5, {}, 1.0).name
    saved = home() / "teachers" / name / "card.json"
    saved.write_text(json.dumps(json.loads(saved.read_text()) | changes))
    return card(name)


def fail(run):
    """The error of a run whose worker has ended."""
    until(lambda: not run.is_alive())
    assert run.state() == "failed"
    return run.info().error


def change(run, **fields):
    file = run.path / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


# Teachers and data


def test_the_checksum_of_own_data_is_known_without_loading_it(walks, tmp_path):
    np.savez(
        tmp_path / "own.npz",
        x=np.random.default_rng(0).integers(0, 9, (30, 1, 8, 8)).astype(np.uint8),
        y=np.arange(30) % 2,
    )
    for path, options in ((walks, BY_SERIES), (walks, BY_PERSON), (tmp_path / "own.npz", None)):
        assert info(str(path), options).checksum == load_dataset(str(path), options).checksum
    assert info(str(walks), BY_SERIES).checksum != info(str(walks), BY_PERSON).checksum


def test_a_teacher_of_another_split_is_neither_offered_nor_taken(bdistil, walks):
    """A teacher of a split by person, and a run that splits by series: its test series may be ones that it has seen."""
    other = save_teacher(walks, BY_PERSON)
    how = f"bdistil teach --dataset {walks} --series series --label label --channels height --window 20"
    assert cards_for(str(walks), BY_SERIES) == [] and cards_for(str(walks), BY_PERSON) == [other]
    words = (
        "run",
        "--dataset",
        walks,
        "--series",
        "series",
        "--label",
        "label",
        "--channels",
        "height",
        "--window",
        "20",
    )
    status, out, err = bdistil(*words)
    assert (status, out) == (2, "") and err == (
        f"There is no teacher for this split of {walks} yet: {other.name} was trained on another one, or before the "
        f"data changed. Train one first: {how}.\n"
    )
    status, out, err = bdistil(*words, "--teacher", other.name)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err == (
        f"The teacher {other.name} {OTHER}, and may have seen test examples of this one. Train one for this split: "
        f"{how}.\n"
    )
    own = save_teacher(walks, BY_SERIES)
    assert card_for(None, str(walks), BY_SERIES) == own and card_for(None, str(walks), BY_PERSON) == other


def test_a_table_that_was_moved_finds_its_teacher(walks):
    saved = save_teacher(walks, BY_PERSON)
    moved = shutil.move(walks, walks.with_name("renamed.csv"))
    assert card_for(None, str(moved), BY_PERSON) == saved
    table = pd.read_csv(moved)
    table.loc[0, "height"] += 1
    table.to_csv(moved, index=False)
    with pytest.raises(UserError, match=OTHER):
        card_for(saved.name, str(moved), BY_PERSON)


def test_a_teacher_of_another_split_of_a_named_data_set_is_refused():
    name = save_teacher("digits").name
    file = home() / "teachers" / name / "card.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"dataset": "digits-by-writer"}))
    saved = card(name)
    assert saved not in cards_for("digits")
    with pytest.raises(UserError, match=OTHER):
        card_for(saved.name, "digits")


def test_named_data_that_is_other_than_the_teacher_s_is_refused_once_it_is_read():
    saved = save_teacher("digits", data_checksum="0" * 64)
    with pytest.raises(UserError, match=f"^The teacher {saved.name} {OTHER}.* Train one for this split[.]$"):
        distillation_data(distil_config(teacher=saved.name), saved)


@pytest.mark.parametrize("name", ["digits-resnet-s", "japanese-vowels-conv1d-s", "watch-conv1d-m"])
def test_shipped_teachers_are_of_the_data_that_ships(name):
    shipped = card(name)
    assert shipped.data_checksum == load_dataset(shipped.dataset).checksum
    assert shipped.split_known and shipped.notices == ()
    assert shipped in cards_for(shipped.dataset)


@pytest.mark.parametrize("folder", sorted((ASSETS / "runs").iterdir()), ids=lambda folder: folder.name)
def test_samples_show_what_their_stored_logits_say(folder):
    results, info = load(open_run(folder.name)), open_run(folder.name).info()
    right = float((results.teacher.argmax(axis=1) == results.labels).mean())
    assert info.teacher.accuracy == results.run.teacher.accuracy == right
    saved = {each.name: each for each in cards()}.get(info.teacher.name)
    if saved and not info.config.examples:
        assert (saved.data_checksum, saved.accuracy) == (info.dataset.checksum, right)


def test_a_run_on_fewer_examples_takes_the_teacher_of_all_of_them():
    """It holds the same test split out: thinning leaves validation and test as they are."""
    task = distillation_data(distil_config(examples=50), card("digits-resnet-s"))
    whole = load_dataset("digits")
    assert len(task.dataset.x_train) == 50 and task.dataset.checksum != whole.checksum
    assert task.dataset.test_checksum == whole.test_checksum and task.dataset.info.checksum is None


# A split that is not known


def black_boxes(folder):
    """Two files of logits for digits that know every answer."""
    data = load_dataset("digits")
    labels = {"train": np.concatenate([data.y_train, data.y_validation]), "test": data.y_test}
    for name, y in labels.items():
        np.savez(folder / f"{name}.npz", logits=np.eye(10, dtype=np.float32)[y] * 4)
    return tuple(str(folder / f"{name}.npz") for name in labels)


def test_answers_say_that_their_split_is_not_known(tmp_path):
    files = black_boxes(tmp_path)
    given = card_for(None, "digits", teacher_logits=files)
    assert not given.split_known and given.notices[-1] == formats.UNKNOWN_SPLIT
    config = DistilConfig.create(
        "digits",
        teacher="train.npz",
        teacher_logits=files,
        method="b-distil",
        rounds=1,
        epochs=1,
        views=1,
        student="cnn-xs",
        meet_condition=False,
        threads=1,
    )
    assert formats.UNKNOWN_SPLIT in describe(estimate(config))
    run = finished(started(config))
    assert describe_run(run).count(formats.UNKNOWN_SPLIT) == 1
    assert formats.black_box(load(run).run.teacher)[0] == formats.UNKNOWN_SPLIT
    change(run, teacher=run.stored().teacher.document() | {"split_known": True})
    assert formats.UNKNOWN_SPLIT not in formats.black_box(run.info().teacher)


def test_pretrained_weights_say_that_their_split_is_not_known():
    saved = save_teacher("digits")
    assert saved.split_known and saved.notices == ()
    folder = home() / "teachers" / saved.name
    content = json.loads((folder / "card.json").read_text())
    assert content["split_known"] is True
    del content["split_known"]  # as a version without this field has saved it
    content["config"]["weights"] = "mine.safetensors"
    (folder / "card.json").write_text(json.dumps(content))
    found = card(saved.name)
    assert not found.split_known and found.notices == (formats.UNKNOWN_SPLIT,)
    assert "".join(describe(estimate(distil_config(teacher=saved.name, meet_condition=False)))).count(UNKNOWN) == 1


def test_a_card_that_does_not_say_on_what_is_taken_by_name_alone(walks):
    saved = save_teacher(walks, BY_PERSON, data_checksum=None)
    assert cards_for(str(walks), BY_PERSON) == []
    named = card_for(saved.name, str(walks), BY_PERSON)
    assert not named.split_known and named.notices == (formats.UNKNOWN_SPLIT,)


def test_older_runs_of_a_black_box_say_it_too(tmp_path):
    run = open_run(build_run(tmp_path / "r", rounds=2))
    assert not any(UNKNOWN in line for line in describe_run(run))
    change(run, teacher=run.stored().teacher.document() | {"kind": "onnx"})
    assert sum(UNKNOWN in line for line in describe_run(run)) == 1


# Figures


def test_the_figures_of_a_teacher_are_those_on_the_run_s_own_splits():
    saved = save_teacher("digits", accuracy=0.123, accuracy_low=0.1, accuracy_high=0.2)
    run = finished(started(distil_config(teacher=saved.name, rounds=1, epochs=1, meet_condition=False)))
    data, known, ask = load_dataset("digits"), run.stored().teacher, TeacherLogits(saved)
    right = {
        split: float((ask(data.split(split)[0]).argmax(1) == data.split(split)[1]).mean())
        for split in ("train", "validation", "test")
    }
    assert known.splits == pytest.approx(right) and known.accuracy == pytest.approx(right["test"])
    assert known.accuracy_low < known.accuracy < known.accuracy_high
    assert known.weights_sha256 == saved.weights_sha256
    results = load(run)
    for point in results.points:
        assert point.points_lost == pytest.approx(100 * (results.run.known_teacher.accuracy - point.accuracy))
    line = next(line for line in describe_run(run) if line.startswith("the teacher on this run’s splits: train "))
    assert line.endswith(f"test {formats.percent(right['test'])}")


def test_an_older_run_s_figures_are_counted_from_its_stored_logits(tmp_path):
    run = open_run(build_run(tmp_path / "r", rounds=2))
    teacher = run.stored().teacher
    change(run, teacher=teacher.document() | {"accuracy": 0.01, "accuracy_low": 0.0, "accuracy_high": 0.02})
    results = load(run)
    right = float((results.teacher.argmax(axis=1) == results.labels).mean())
    assert run.info().teacher.accuracy == results.run.teacher.accuracy == right != 0.01
    assert any(line.startswith(f"teacher {teacher.name}: {formats.percent(right)}") for line in describe_run(run))
    assert run.stored().teacher.accuracy == 0.01  # reading changes nothing
    (run.path / "targets.npz").write_bytes(b"damaged")
    assert run.info().teacher.accuracy == 0.01


# Runs, their parents, and what changed meanwhile


def test_a_teacher_s_run_is_not_resumed_on_other_data(walks):
    run = create_run(TeachConfig.create(str(walks), data=BY_PERSON, epochs=1, threads=1))
    other = describe_data(load_dataset(str(walks), BY_PERSON)).model_copy(update={"checksum": "0" * 64})
    run.update(dataset=other, state="stopped")
    start_worker(run)
    assert fail(run) == CHANGED


@pytest.mark.parametrize("changed", ["dataset", "teacher"])
def test_a_run_is_not_resumed_with_another_teacher_or_other_data(trained, changed):
    parent = next(iter((trained / "runs").glob("digits-*")))
    run = extend_run(open_run(parent.name), 1)
    key = {"dataset": "checksum", "teacher": "weights_sha256"}[changed]
    change(run, **{changed: getattr(run.stored(), changed).document() | {key: "0" * 64}})
    start_worker(run)
    assert fail(run) == CHANGED
    delete_run(run)


def test_a_run_whose_data_has_changed_is_not_extended(walks):
    teacher = save_teacher(walks, BY_PERSON).name
    config = DistilConfig.create(
        str(walks),
        data=BY_PERSON,
        teacher=teacher,
        method="b-distil",
        rounds=1,
        epochs=1,
        views=1,
        student="gru-xs",
        mode="full",
        meet_condition=False,
        threads=1,
    )
    run = finished(started(config))
    assert extend_run(run, 1).stored().parent == run.id
    table = pd.read_csv(walks)
    table.loc[0, "height"] += 1
    table.to_csv(walks, index=False)
    with pytest.raises(UserError, match="^The data has changed since this run was trained, so it cannot be extended"):
        extend_run(run, 1)


# What is cached


def test_cached_logits_are_of_the_same_weights_and_the_same_normalisation():
    """Pretrained weights taken as they are have one checksum, whatever the train split that they are normalised by."""
    saved, x = save_teacher("digits"), load_dataset("digits").x_test[:20]
    first = TeacherLogits(saved)(x)
    other = TeacherLogits(saved.model_copy(update={"mean": (0.0,), "std": (1.0,)}))(x)
    assert np.abs(first - other).max() > 1e-3
    assert np.array_equal(TeacherLogits(saved)(x), first)


def test_cached_logits_of_another_number_of_rows_are_made_anew(own_home):
    x = np.zeros((4, 2))
    kept("t", x, lambda batch: np.ones((4, 3)))
    (file,) = (own_home / "cache" / "teacher-logits").glob("*.npy")
    np.save(file, np.ones((3, 3)))
    assert kept("t", x, lambda batch: np.full((4, 3), 2.0)).tolist() == [[2.0] * 3] * 4


def test_previews_are_of_the_run_s_own_test_split(own_home):
    data = load_dataset("digits")
    path = own_home / "previews" / "digits.npz"
    path.parent.mkdir()
    wrong = previews.arrays(data, np.zeros_like(data.x_test)) | previews.origin("0" * 64)
    np.savez(path, **wrong)
    assert not previews.may_be_of(path, data.test_checksum) and previews.may_be_of(path, None)
    run = finished(started(distil_config(rounds=1, epochs=1, examples=60, meet_condition=False)))
    dataset = run.stored().dataset
    assert dataset.test_checksum == data.test_checksum
    assert dataset.counts["test"] == tuple(np.bincount(data.y_test).tolist())
    assert dataset.counts["validation"] == tuple(data.counts["validation"])
    assert sum(dataset.counts["train"]) == 60 and len(dataset.counts["train"]) == 10
    assert previews.is_of(path, data.test_checksum) and previews.may_be_of(path, data.test_checksum)
    assert np.array_equal(previews.read(path).images, data.x_test[:, 0])
    np.savez(path, **previews.arrays(data, data.x_test))  # as earlier versions have written it
    assert previews.may_be_of(path, data.test_checksum) and not previews.is_of(path, data.test_checksum)


def test_the_checksum_of_the_test_split_is_of_nothing_else():
    data = load_dataset("digits")
    splits = {name: data.split(name) for name in ("train", "validation", "test")}
    other = Dataset.of(data.info, splits | {"train": splits["validation"]})
    assert other.test_checksum == data.test_checksum and other.checksum != data.checksum
    x, y = splits["test"]
    assert Dataset.of(data.info, splits | {"test": (x, y[::-1])}).test_checksum != data.test_checksum

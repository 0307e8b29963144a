"""A teacher's training: on the train split alone, resumable, and ending in a card whose figures hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdistil.config import TeachConfig
from bdistil.data import load_dataset
from bdistil.inputs import normalise
from bdistil.paths import home
from bdistil.records import EpochRecord
from bdistil.statistics import accuracy_interval
from bdistil.teachers import card, cards
from bdistil.teachers.weights import load_teacher
from bdistil.training import teacher
from bdistil.training.loop import Callbacks, Checkpoint, Stopped, predict
from bdistil.training.teacher import command, finish_teacher, teach
from tests.workers import teach_config


@pytest.fixture(scope="module")
def data():
    """A third of digits."""
    whole = load_dataset("digits")
    return replace(whole, x_train=whole.x_train[:360], y_train=whole.y_train[:360])


def weights(model):
    return {name: tensor.contiguous().numpy().tobytes() for name, tensor in model.state_dict().items()}


def test_a_trained_teacher_is_saved_with_a_card_that_holds(data):
    config = teach_config(epochs=6)
    model, validation = teach(config, data)
    finished = finish_teacher(config, data, model, validation, {"torch": "x"}, 12.5)
    name = finished.name
    saved = card(name)
    assert saved.path == str(home() / "teachers" / name) and saved in cards("digits")
    answers = predict(load_teacher(saved), data.x_test, lambda x: normalise(x, saved.mean, saved.std)).numpy()
    assert saved.accuracy == (answers.argmax(1) == data.y_test).mean() > 0.8
    assert saved.accuracy_low < saved.accuracy < saved.accuracy_high
    assert saved.data_checksum == data.checksum and saved.config == config.model_dump(mode="json")
    rate = f"--learning-rate {config.learning_rate:g}"
    told = f"bdistil teach --dataset digits --teacher resnet-s --epochs 6 --seed 0 {rate}"
    assert saved.command == f"{told} --threads 1"
    assert command(config.model_copy(update={"label_smoothing": 0.0})) == f"{told} --label-smoothing 0 --threads 1"
    assert saved.macs > 1e6 and saved.bytes >= 4 * saved.parameters

    again = finish_teacher(config, data, model, validation, {"torch": "x"}, 12.5).name
    assert again != name and card(name) == saved  # no finished teacher is lost, and none takes a shipped one's name


def test_the_interval_of_a_teacher_is_over_the_persons_that_are_held_out(data):
    config = teach_config(epochs=1)
    model, validation = teach(config, data)
    answers = predict(model, data.x_test, lambda x: normalise(x, data.mean, data.std)).argmax(1).numpy()
    people = np.arange(len(answers)) % 4
    held_out = replace(data, info=replace(data.info, people="subject"), people_test=people)
    found = finish_teacher(config, held_out, model, validation, {}, 1.0)
    interval = accuracy_interval(answers == data.y_test, people)
    assert (found.accuracy_low, found.accuracy_high, found.persons) == (*interval, 4)
    info = replace(data, people_test=people)  # the split holds out nobody
    assert finish_teacher(config, info, model, validation, {}, 1.0).persons is None


def test_an_interrupted_teacher_comes_out_the_same(data, tmp_path):
    config = teach_config()
    whole, accuracy = teach(config, data)
    checkpoint, beats = Checkpoint(tmp_path / "checkpoint.safetensors"), []
    callbacks = Callbacks(batch=lambda _, epoch, *__: beats.append(epoch), stop=lambda: 2 in beats)
    with pytest.raises(Stopped):
        teach(config, data, checkpoint=checkpoint, callbacks=callbacks)
    resumed, again = teach(config, data, checkpoint=checkpoint)
    assert weights(resumed) == weights(whole) and again == accuracy


def test_only_the_train_split_teaches(data):
    """Other validation and test splits change no weight."""
    rng = np.random.default_rng(0)
    names = ("x_validation", "y_validation", "x_test", "y_test")
    other = replace(data, **{name: rng.permutation(getattr(data, name)) for name in names})
    config = teach_config(epochs=1)
    assert weights(teach(config, data)[0]) == weights(teach(config, other)[0])


SHORT = dict(epochs=2, batch_size=16)


@pytest.fixture(scope="module")
def little(data):
    return replace(data, x_train=data.x_train[:64], y_train=data.y_train[:64])


@pytest.fixture(scope="module")
def by_default(little):
    """The weights that `SHORT` gives."""
    return weights(teach(teach_config(**SHORT), little)[0])


def test_without_a_changed_option_the_same_is_trained(little, by_default):
    assert weights(teach(teach_config(**SHORT), little)[0]) == by_default


@pytest.mark.parametrize(
    "option",
    [
        {"seed": 1},
        {"label_smoothing": 0.3},
        {"weight_decay": 0.1},
        {"learning_rate": 0.01},
        {"batch_size": 50},
        {"shift": 0},
        {"cutout": 4},
        {"flip": True},
        {"crop": 6},
    ],
)
def test_every_option_changes_what_is_trained(little, by_default, option):
    changed = teach(teach_config(**(SHORT | option)), little)[0]
    assert weights(changed) != by_default
    assert all(torch.isfinite(tensor).all() for tensor in changed.state_dict().values())


@pytest.fixture
def epochs(monkeypatch):
    """What each epoch of a teacher's training would see: lists of (inputs, labels); nothing is trained."""

    def seen(config, data):
        given = {}

        def remember(*_, **options):
            given.update(options)
            return EpochRecord(epoch=1, epochs=1, loss=0.0, seconds=0.0, total=0.0, validation={"accuracy": 0.0})

        with monkeypatch.context() as patch:
            patch.setattr(teacher, "train", remember)
            teach(config, data)
        return [list(given["batches"](epoch)) for epoch in range(config.epochs)]

    return seen


def test_half_of_the_series_are_seen_as_they_are_each_with_its_own_label(epochs):
    data = load_dataset("watch")
    (batches,) = epochs(TeachConfig.create("watch", epochs=1, batch_size=50), data)
    whole = normalise(data.x_train, data.mean, data.std)
    places = {series.numpy().tobytes(): place for place, series in enumerate(whole)}
    found = [
        (places.get(series.numpy().tobytes()), label)
        for inputs, labels in batches
        for series, label in zip(inputs, labels.tolist(), strict=True)
    ]
    unchanged = [(place, label) for place, label in found if place is not None]
    assert len(found) == len(data.x_train) and 0.4 < len(unchanged) / len(found) < 0.6
    assert len({place for place, _ in unchanged}) == len(unchanged)
    assert all(data.y_train[place] == label for place, label in unchanged)


def test_crops_are_seen_first_and_whole_pictures_towards_the_end(data, epochs):
    sides = [batches[0][0].shape[-1] for batches in epochs(teach_config(epochs=5, crop=6), data)]
    assert sides == [6, 6, 6, 6, 8]  # up to 64 % of the epochs

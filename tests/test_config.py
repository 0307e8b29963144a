"""Every option is checked once, and what cannot be is met with one sentence."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bdistil import config as config_module
from bdistil.config import DistilConfig, TeachConfig
from bdistil.data.catalogue import CATALOGUE, info
from bdistil.data.series_views import SensorAugmentation, SpeechAugmentation
from bdistil.data.views import Augmentation
from bdistil.errors import UserError
from bdistil.method_registry import METHODS
from bdistil.recipes import RECIPES


def distil(**given):
    return DistilConfig.create(**({"dataset": "digits", "teacher": "t"} | given))


@pytest.mark.parametrize("dataset", CATALOGUE)
def test_the_recipes_are_complete_and_stored_whole(dataset):
    presets = [distil(dataset=dataset, method=method) for method in METHODS]
    assert distil(dataset=dataset) == presets[-1] and presets[-1].polished and not presets[0].polished
    for config in (*presets, TeachConfig.create(dataset)):
        stored = config.model_dump()
        assert type(config).create(**stored) == config
        assert stored.keys() == type(config).model_fields.keys() - {"factory"}


@pytest.mark.parametrize("modality", RECIPES)
def test_data_of_which_only_the_modality_is_known_have_a_recipe(monkeypatch, modality):
    shape = (3, 32, 32) if modality == "image" else (4, 60)
    data_info = replace(info("digits"), name="mine", modality=modality, input_shape=shape)
    monkeypatch.setattr(config_module, "info", lambda name, data: data_info)
    monkeypatch.setattr(config_module, "located", lambda name: name)
    for method in METHODS:
        config = distil(dataset="mine", method=method)
        assert config.method == method and config.mode == ("full" if modality == "image" else "segments")
    assert TeachConfig.create("mine").epochs > 1


def test_a_configuration_of_the_first_version_means_what_it_did():
    stored = distil().model_dump()
    for name in ("mode", "warm_up", "clip", "dropout", "cell", "growth", "clean_epochs"):
        del stored[name]
    config = DistilConfig.build(**stored)
    assert (config.mode, config.warm_up, config.clip, config.dropout) == ("full", 0.2, None, 0.0)
    assert (config.cell, config.growth, config.clean_epochs) == ("own", 1.0, 2)
    stored = TeachConfig.create("digits").model_dump()
    del stored["optimizer"]
    assert TeachConfig.build(**stored).optimizer == "sgd"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"student": "gru-s", "composition": "add"}, "The student gru-s has no composition add: choose one of alone"),
        ({"student": "gru-s"}, "The student gru-s does not read image data: choose one of cnn-xs, cnn-s, cnn-m"),
        ({"mode": "segments"}, "Pictures have no segments: choose the mode full."),
        ({"dataset": "japanese-vowels", "student": "cnn-s"}, "The student cnn-s does not read speech data"),
        ({"dataset": "japanese-vowels", "rounds": 30}, "A series of 29 steps has no 30 segments: choose fewer rounds."),
        ({"dataset": "japanese-vowels", "mode": "parts"}, "`mode` must be one of full, segments; got “parts”."),
        ({"clip": 0}, "`clip` must be a number above 0, at most 1000; got “0”."),
        ({"dropout": 1}, "`dropout` must be a number from 0 to below 1; got “1”."),
        ({"cell": "shared"}, "One cell is shared by recurrent students that are trained together: choose a gru and"),
        ({"dataset": "japanese-vowels", "cell": "shared", "method": "b-distil"}, "or the cell own."),
        ({"dataset": "japanese-vowels", "cell": "shared", "student": "tcn-s"}, "or the cell own."),
    ],
)
def test_what_does_not_fit_together_is_a_sentence(given, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        distil(**given)


def test_a_series_may_have_as_many_segments_as_steps_and_more_rounds_than_that_that_read_all():
    assert distil(dataset="japanese-vowels", rounds=29).mode == "segments"
    assert distil(dataset="japanese-vowels", rounds=30, mode="full").rounds == 30


def test_a_teacher_reads_its_own_kind_of_data():
    with pytest.raises(UserError, match="resnet-s does not read speech data: choose one of conv1d-s, conv1d-m, gru-l"):
        TeachConfig.create("japanese-vowels", architecture="resnet-s")


def test_inputs_are_changed_as_suits_what_is_known_of_them():
    digits, vowels = info("digits"), info("japanese-vowels")
    assert distil(shift=2, flip=True).augmentation(digits) == Augmentation(2, True)
    teacher = TeachConfig.create("fashion-mnist")
    assert teacher.augmentation(digits).crop == 24 and teacher.augmentation(digits, crop=False).crop == 0
    assert teacher.augmentation(digits).cutout == 8
    assert distil().augmentation(replace(vowels, sampling_hz=8000)) == SpeechAugmentation()
    assert distil().augmentation(vowels) == SensorAugmentation(shift=0)  # coefficients that are no spectrum
    assert distil().augmentation(info("dsa-19")).logs == 45
    assert distil().augmentation(replace(info("watch"), name="mine")).axes == 0  # which channels turn is not known


def test_what_is_given_comes_before_the_recipe_and_nothing_given_does_not():
    assert distil(rounds=3).rounds == 3
    assert distil(rounds=np.int64(3), temperature=np.float32(2), learning_rate=1) == distil(rounds=3, learning_rate=1.0)
    assert distil(rounds=None, student=None) == distil()


WHOLE = "`rounds` must be a whole number from 1 to 64; got “{}”."
BAD = [
    ({"rounds": 0}, WHOLE.format(0)),
    ({"rounds": -1}, WHOLE.format(-1)),
    ({"rounds": 10**6}, WHOLE.format(10**6)),
    ({"rounds": "five"}, "`rounds` must be a whole number from 1 to 64; got the text “five”."),
    ({"rounds": "3"}, "`rounds` must be a whole number from 1 to 64; got the text “3”."),
    ({"rounds": True}, WHOLE.format(True)),
    ({"temperature": True}, "`temperature` must be a number above 0, at most 100; got “True”."),
    ({"flip": 1}, "`flip` must be true or false; got “1”."),
    ({"rounds": 2.5}, WHOLE.format(2.5)),
    ({"temperature": 0}, "`temperature` must be a number above 0, at most 100; got “0”."),
    ({"temperature": "nan"}, "`temperature` must be a number above 0, at most 100; got the text “nan”."),
    ({"learning_rate": 0}, "`learning_rate` must be a number above 0, at most 10; got “0”."),
    ({"learning_rate": "nan"}, "`learning_rate` must be a number above 0, at most 10; got the text “nan”."),
    ({"learning_rate": "inf"}, "`learning_rate` must be a number above 0, at most 10; got the text “inf”."),
    ({"learning_rate": float("nan")}, "`learning_rate` must be a number above 0, at most 10; got “nan”."),
    ({"learning_rate": 20}, "`learning_rate` must be a number above 0, at most 10; got “20”."),
    ({"learning_rate": -1}, "`learning_rate` must be a number above 0, at most 10; got “-1”."),
    ({"seed": -1}, "`seed` must be a whole number from 0 to 2147483647; got “-1”."),
    ({"label_share": 1.5}, "`label_share` must be a number from 0 to 1; got “1.5”."),
    ({"barrier": "-1"}, "`barrier` must be a number from 0 to 1000; got the text “-1”."),
    (
        {"composition": "adds"},
        "`composition` must be one of alone, add, concat, concat-all, carry-state, carry-state-pool; got “adds”.",
    ),
    ({"method": "polish"}, "`method` must be one of b-distil, b-distil+polish; got “polish”."),
    ({"head": "own"}, "`head` must be one of student, prefix; got “own”."),
    ({"retries": 11}, "`retries` must be a whole number from 0 to 10; got “11”."),
    ({"polish_epochs": "-1"}, "`polish_epochs` must be a whole number from 0 to 1000; got the text “-1”."),
    ({"meet_condition": "maybe"}, "`meet_condition` must be true or false; got the text “maybe”."),
    ({"planned_rounds": 0}, "`planned_rounds` must be a whole number from 1 to 64; got “0”."),
    ({"loss": "student"}, "Corrective rounds train prefixes: choose the loss ensemble, or the method b-distil."),
    ({"views": 0}, "`views` must be a whole number from 1 to 64; got “0”."),
    ({"batch_size": 0}, "`batch_size` must be a whole number of examples from 1 to 4096; got “0”."),
    ({"threads": 0}, "`threads` must be a whole number from 1 to 512; got “0”."),
    ({"flip": "perhaps"}, "`flip` must be true or false; got the text “perhaps”."),
    ({"teacher": 5}, "`teacher` must be a name or a folder; got “5”."),
    ({"student": ["cnn-s"]}, "`student` must be a name; got “['cnn-s']”."),
    ({"round": 5}, "There is no option called round. Did you mean rounds?"),
]


@pytest.mark.parametrize(("given", "sentence"), BAD)
def test_a_value_that_cannot_be_is_a_sentence(given, sentence):
    with pytest.raises(UserError) as error:
        distil(**given)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"dataset": "digit"}, "digits"),
        ({"dataset": "fashion-minst"}, "fashion-mnist"),
        ({"student": "cnn-sx"}, "cnn-s"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(given, nearest):
    with pytest.raises(UserError, match=f"There is no .*Did you mean {nearest}"):
        distil(**given)


@pytest.mark.parametrize("dataset", [["digits"], {"a": 1}, 5, None, ""])
def test_a_data_set_that_is_no_name_is_a_sentence(dataset):
    with pytest.raises(UserError, match="There is no dataset called"):
        distil(dataset=dataset)


def test_a_teachers_options_are_checked_too():
    with pytest.raises(UserError, match=r"no teacher architecture called resnet-x\. Did you mean resnet-"):
        TeachConfig.create("digits", architecture="resnet-x")
    with pytest.raises(UserError, match=r"`epochs` must be a whole number from 0 to 1000; got the text “many”\."):
        TeachConfig.create("digits", epochs="many")


def test_a_stored_configuration_of_another_version_is_a_sentence():
    stored = distil().model_dump()
    with pytest.raises(UserError, match="another version: check its option polish"):
        DistilConfig.build(**stored, polish=True)
    del stored["views"]
    with pytest.raises(UserError, match="another version: check its option views"):
        DistilConfig.build(**stored)


def test_titles_say_what_a_run_is():
    assert distil(rounds=1).title() == "Digits, 1 student" and distil(rounds=3).title() == "Digits, 3 students"
    assert TeachConfig.create("fashion-mnist").title() == "Teacher for Fashion-MNIST"


def test_the_last_student_may_have_64_times_the_firsts_channels():
    def grown(growth, rounds):
        return DistilConfig.create("digits", teacher="t", growth=growth, rounds=rounds)

    assert grown(2, 7).growth ** 6 == grown(4, 4).growth ** 3 == 64
    with pytest.raises(UserError, match="64 times"):
        grown(2.01, 7)

"""Real small distillations: rounds come closer to the teacher, every certificate holds, and replay equals."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bdistil.config import DistilConfig, TeachConfig
from bdistil.data import Dataset, load_dataset
from bdistil.data.dataset import SPLITS, Splits
from bdistil.inputs import normalise
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.frozen import distil
from bdistil.records import RoundRecord
from bdistil.scale import B
from bdistil.training.loop import Callbacks, Checkpoint, Stopped, predict
from bdistil.training.teacher import teach
from tests.tasks import digits_task, one_thread  # noqa: F401
from tests.workers import distil_config


@pytest.fixture(scope="module")
def task() -> DistillationData:
    """All of digits with the shipped teacher's answers, in two views."""
    return digits_task()


@pytest.fixture(scope="module")
def little() -> DistillationData:
    """Its first 150 training examples."""
    return digits_task(150)


def run(config: DistilConfig, task: DistillationData, **options):
    """The ensemble and the rounds of a whole distillation."""
    ensemble = task.ensemble()
    return ensemble, list(distil(Distillation(config, task, ensemble, **options)))


def prefixes(task: DistillationData, rounds, split: str) -> np.ndarray:
    """c·F_t (T, N, L)."""
    sums = np.cumsum([r.outputs[split].astype(np.float64) for r in rounds], axis=0)
    return task.c * sums / np.arange(1, len(rounds) + 1)[:, None, None]


def timeless(record: RoundRecord) -> RoundRecord:
    return record.model_copy(update={"seconds": 0.0, "correction_seconds": 0.0})


def certificate_holds(record: RoundRecord) -> bool:
    """Whether both sides of the certificate stand as they must, for every class."""
    return all(m <= b for m, b in zip(record.measured_by_class, record.bound_by_class, strict=True))


def test_rounds_come_closer_to_the_teacher_and_are_right_more_often(task):
    ensemble, rounds = run(distil_config(epochs=3, batch_size=96), task)
    answers = prefixes(task, rounds, "test")
    accuracy = (answers.argmax(2) == task.dataset.y_test).mean(1)
    assert accuracy[0] > 0.8 and accuracy[-1] > 0.9 and accuracy[-1] > accuracy[0]
    divergence = [r.record.kl_after for r in rounds]
    assert divergence[2] < divergence[1] < divergence[0]
    for t, r in enumerate(rounds, start=1):
        assert r.record.round == t and certificate_holds(r.record)
        assert np.abs(r.outputs.train - task.g_hat).max() <= B
        assert r.record.composition == ("alone" if t == 1 else "add",) and r.record.barrier == 0.3
        assert r.record.condition_met and min(r.record.edges) >= 0
    # What is saved is what the ensemble says.
    with torch.no_grad():
        np.testing.assert_allclose(ensemble(task.dataset.x_test), answers, atol=1e-4)


@pytest.mark.parametrize(
    ("composition", "loss", "divergence", "label_share", "barrier"),
    [
        ("alone", "student", "kl", 0.0, 0.3),
        ("alone", "ensemble", "squared", 0.5, 0.0),
        ("add", "student", "squared", 0.0, 0.3),
        ("add", "ensemble", "kl", 1.0, 30.0),
        ("concat", "student", "kl", 0.5, 0.3),
        ("concat", "ensemble", "squared", 0.0, 0.3),
        ("concat-all", "ensemble", "kl", 0.0, 0.3),
    ],
)
def test_every_way_to_train_a_round_is_certified(little, composition, loss, divergence, label_share, barrier):
    config = distil_config(
        rounds=2,
        epochs=1,
        retries=0,
        composition=composition,
        loss=loss,
        divergence=divergence,
        label_share=label_share,
        barrier=barrier,
    )
    ensemble, rounds = run(config, little)
    assert len(ensemble) == 2 and all(certificate_holds(r.record) for r in rounds)
    assert all(np.isfinite(r.outputs[split]).all() for r in rounds for split in SPLITS)
    assert bool(ensemble.students[1].reads) == (composition != "alone")


SHORT = dict(rounds=2, epochs=1, batch_size=48, retries=0)


@pytest.fixture(scope="module")
def by_default(little):
    """The rounds of `SHORT`."""
    return run(distil_config(**SHORT), little)[1]


@pytest.mark.parametrize(
    "option",
    [
        {"loss": "student"},
        {"head": "prefix"},
        {"meet_condition": False},
        {"divergence": "squared"},
        {"label_share": 0.5},
        {"temperature": 5.0},
        {"barrier": 30.0},
        {"composition": "concat"},
        {"seed": 1},
        {"weight_decay": 1.0},
        {"learning_rate": 1e-3},
        {"batch_size": 16},
    ],
)
def test_every_option_changes_what_is_trained(little, by_default, option):
    _, changed = run(distil_config(**(SHORT | option)), little)
    assert not np.array_equal(by_default[1].outputs.test, changed[1].outputs.test)


def test_without_a_changed_option_the_same_is_trained(little, by_default):
    _, again = run(distil_config(**SHORT), little)
    assert np.array_equal(by_default[1].outputs.test, again[1].outputs.test)


@pytest.mark.parametrize("composition", ["alone", "add", "concat", "concat-all"])
def test_interrupted_between_and_inside_rounds_it_gives_the_same(little, tmp_path, composition):
    config = distil_config(**SHORT | {"rounds": 3, "epochs": 2}, composition=composition)
    _, whole = run(config, little)

    ensemble, first = little.ensemble(), []
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors")
    beats = []
    callbacks = Callbacks(
        batch=lambda position, epoch, *_: beats.append((position.round, epoch)), stop=lambda: (2, 2) in beats
    )
    with pytest.raises(Stopped):
        for done in distil(Distillation(config, little, ensemble, checkpoint, callbacks)):
            first.append(done)
    assert len(first) == 1

    resumed = list(distil(Distillation(config, little, ensemble, checkpoint), [r.outputs.train for r in first]))
    rounds = first + resumed
    for mine, theirs in zip(rounds, whole, strict=True):
        assert mine.student.weights() == theirs.student.weights()
        assert all(np.array_equal(mine.outputs[split], theirs.outputs[split]) for split in SPLITS)
        assert timeless(mine.record) == timeless(theirs.record)


def test_the_records_are_a_function_of_the_saved_logits(little):
    _, rounds = run(distil_config(rounds=3, epochs=1), little)
    certificate = Certificate(little.g_hat, 3)
    for r in rounds:
        for name, values in certificate.heaviest().items():  # what weighed most in the round, so before it ends
            assert np.array_equal(r.heaviest[name], values), name
        assert dict(certificate.update(r.outputs.train)).items() <= dict(r.record).items()


@pytest.mark.data("fashion-mnist")
def test_fashion_mnist_on_a_subset_is_learnt(own_home):
    """2,000 pictures, a teacher of two epochs, two rounds: far above chance, and near the teacher."""
    data = subset(load_dataset("fashion-mnist"), 2000, 300)
    plain = dict(shift=0, flip=False, cutout=0, crop=0)
    teaching = TeachConfig.create(
        "fashion-mnist", architecture="resnet-s", epochs=2, batch_size=32, learning_rate=0.05, **plain
    )
    teacher, _ = teach(teaching, data)
    answers = Splits.of(
        lambda s: predict(teacher, data.split(s)[0], lambda x: normalise(x, data.mean, data.std)).numpy()
    )
    config = DistilConfig.create(
        "fashion-mnist", teacher="t", method="b-distil", student="cnn-xs", rounds=2, epochs=4, views=1
    )
    task = DistillationData(data, answers, data.x_train[None], answers.train[None])
    _, rounds = run(config, task)
    labels = data.y_test
    accuracy = (prefixes(task, rounds, "test").argmax(2) == labels).mean(1)
    assert accuracy[-1] > 0.65
    assert accuracy[-1] > (answers.test.argmax(1) == labels).mean() - 0.1
    assert rounds[1].record.kl_after < rounds[0].record.kl_after
    assert all(certificate_holds(r.record) for r in rounds)


def subset(data: Dataset, train: int, rest: int) -> Dataset:
    counts = {"train": train, "validation": rest, "test": rest}
    parts = {f"{axis}_{split}": getattr(data, f"{axis}_{split}")[:n] for split, n in counts.items() for axis in "xy"}
    return replace(data, **parts)


def test_more_rounds_under_the_same_horizon_begin_with_the_same_students(little):
    """What `--extend` relies on: rounds added later equal those of one longer run."""
    short = dict(epochs=1, batch_size=48)
    ensemble, first = run(distil_config(rounds=2, **short), little)
    longer = distil_config(rounds=3, planned_rounds=2, **short)
    added = list(distil(Distillation(longer, little, ensemble), [r.outputs.train for r in first]))
    _, whole = run(longer, little)
    for mine, theirs in zip(first + added, whole, strict=True):
        assert mine.student.weights() == theirs.student.weights()
        assert timeless(mine.record) == timeless(theirs.record)

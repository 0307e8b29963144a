"""Training a teacher on labels: a run like any other, which ends as a saved teacher with a card.

The teacher sees the train split only, freshly augmented for every batch, and where the recipe says so in random crops
first and whole only towards the end (progressive resizing: small pictures are cheap, and a network without a fixed
input size takes what it learnt along). Of series, half are seen as they are. Validation accuracy is told after every
epoch, and the test split is opened once, for the card.
"""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdistil.config import TeachConfig
from bdistil.cost import model_cost
from bdistil.data import Dataset
from bdistil.data.views import augment
from bdistil.inputs import normalise
from bdistil.statistics import accuracy_interval, persons
from bdistil.teachers.card import SCHEMA, SavedTeacher
from bdistil.teachers.naming import short
from bdistil.teachers.torchvision_models import Torchvision, load_weights
from bdistil.teachers.weights import save_teacher
from bdistil.teachers.zoo import build_teacher
from bdistil.training.loop import (
    Callbacks,
    Checkpoint,
    Position,
    batch_count,
    decayed,
    one_cycle,
    order,
    predict,
    train,
)

POSITION = Position("teacher")
UNCHANGED = 0.5  # share of series that are seen as they are: their augmentation is strong, and alone cost 2 to 4 points
CROPPED = 0.64  # share of the epochs that see random crops, where the config has them: they cost about a third less


def teach(
    config: TeachConfig,
    data: Dataset,
    *,
    checkpoint: Checkpoint | None = None,
    callbacks: Callbacks | None = None,
    device: str = "cpu",
) -> tuple[nn.Module, float]:
    """Train a teacher as the config says, going on from the checkpoint; returns it and its validation accuracy."""
    torch.manual_seed(POSITION.seed(config.seed))
    model = build_teacher(config.architecture, input_shape=data.info.input_shape, classes=len(data.info.classes))
    if config.weights and isinstance(model, Torchvision):  # as the configuration has checked
        load_weights(model, config.architecture, config.weights, data, as_is=not config.epochs)
    model = model.to(device).to(memory_format=torch.channels_last)
    groups = decayed(model, config.weight_decay)
    optimizer = (
        torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True)
        if config.optimizer == "sgd"
        else torch.optim.AdamW(groups, lr=0.0)
    )
    cropped, whole = config.augmentation(data.info), config.augmentation(data.info, crop=False)
    prepare = partial(normalise, mean=data.mean, std=data.std, front_end=data.info.front_end, device=device)

    def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = POSITION.generator(config.seed, epoch)
        augmentation = cropped if epoch < CROPPED * config.epochs else whole
        for chosen in order(generator, len(data.x_train), config.batch_size):
            inputs = augment(data.x_train[chosen], generator, augmentation)
            if data.info.modality != "image":
                unchanged = generator.random(len(chosen)) < UNCHANGED
                inputs[unchanged] = data.x_train[chosen[unchanged]]
            yield prepare(inputs), torch.from_numpy(data.y_train[chosen]).to(device)

    def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        return functional.cross_entropy(model(inputs), labels, label_smoothing=config.label_smoothing)

    def validation_accuracy() -> float:
        answers = predict(model, data.x_validation, prepare).argmax(1).cpu().numpy()
        return float((answers == data.y_validation).mean())

    if not config.epochs:
        return model, validation_accuracy()
    record = train(
        model,
        optimizer,
        position=POSITION,
        epochs=config.epochs,
        batches=batches,
        loss=loss,
        batches_per_epoch=batch_count(len(data.x_train), config.batch_size),
        rate=one_cycle(config.learning_rate, warm_up=0.2),
        seed=config.seed,
        checkpoint=checkpoint,
        callbacks=callbacks,
        evaluate=lambda: {"accuracy": validation_accuracy()},
    )
    assert record.validation  # `evaluate` gives it
    return model, record.validation["accuracy"]


def finish_teacher(
    config: TeachConfig,
    data: Dataset,
    model: nn.Module,
    validation_accuracy: float,
    versions: dict[str, str],
    seconds: float,
    device: str = "cpu",
    run: str | None = None,
) -> SavedTeacher:
    """Measure a trained teacher on the test split, save it with its card, and return the card with its final name.

    `run` is the run that trained it: one that has saved its teacher already does not save it a second time.
    """
    prepare = partial(normalise, mean=data.mean, std=data.std, front_end=data.info.front_end, device=device)
    answers = predict(model, data.x_test, prepare).argmax(1).cpu().numpy()
    right = answers == data.y_test
    low, high = accuracy_interval(right, data.test_persons)
    card = SavedTeacher(
        schema=SCHEMA,
        name=f"{data.info.name}-{short(config.architecture)}",
        architecture=config.architecture,
        dataset=config.dataset,
        classes=data.info.classes,
        input_shape=data.info.input_shape,
        mean=data.mean,
        std=data.std,
        front_end=data.info.front_end,
        accuracy=int(right.sum()) / len(right),
        accuracy_low=low,
        accuracy_high=high,
        persons=persons(data.test_persons),
        validation_accuracy=validation_accuracy,
        **dict(model_cost(model, data.info.input_shape)),
        epochs=config.epochs,
        seed=config.seed,
        data_checksum=data.checksum,
        split_known=not config.weights,
        config=config.model_dump(mode="json"),
        run=run,
        command=command(config),
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        seconds=seconds,
        versions=versions,
        weights_sha256="",  # of the file that is written
    )
    return card.model_copy(update={"name": save_teacher(model, card)})


def command(config: TeachConfig) -> str:
    """The command line that trains this teacher again."""
    smoothing = config.label_smoothing != config.options()["label_smoothing"].default
    names = ["dataset", "data", "architecture", "epochs", "seed", "learning_rate"]
    names += ["label_smoothing"] * smoothing + ["weights", "threads"]
    return shlex.join(["bdistil", "teach", *config.arguments(*names)])

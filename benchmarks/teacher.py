"""Whether the teacher is worth its size: a model of its family at 30 % of its MACs, trained on labels only.

The smaller network has the same blocks with fewer channels at every stage, and exactly the teacher's training: epochs,
augmentation, crops, learning rate, seed. Interrupted, it goes on from its last epoch. Accuracies carry 95 % Wilson
intervals, the difference a paired bootstrap on the same test examples. One seed each. Ends in the aim: at least
half a point below the teacher on the test split. Training takes about half an hour on one free core.

    python benchmarks/teacher.py --work FOLDER
"""

from functools import partial

import numpy as np
import torch
from table import publish
from work import DATASET, folder

from bdistil.config import TeachConfig
from bdistil.cost import model_cost
from bdistil.data import load_dataset
from bdistil.inputs import normalise
from bdistil.records import ModelCost
from bdistil.report import formats
from bdistil.statistics import points_lost, wilson
from bdistil.teachers.cards import cards_for
from bdistil.teachers.catalogue import ARCHITECTURES
from bdistil.teachers.logits import TeacherLogits
from bdistil.teachers.zoo import SHAPES
from bdistil.training.loop import Callbacks, Checkpoint, predict
from bdistil.training.teacher import teach

HEAD = (
    "model",
    "M MACs",
    "share of the teacher's (%)",
    "parameters (k)",
    "test accuracy (%)",
    "95 % interval",
    "points below the teacher",
    "95 % interval",
)
SMALLER = "resnet-m at 30 % of its MACs"
CHANNELS = (16, (24, 56, 88))  # of the stem and the stages; the teacher has 24 and 48, 96, 160
SHARE, LEAST_LOST = (0.29, 0.30), 0.5


def main() -> None:
    torch.set_num_threads(1)
    work, card, data = folder(__doc__.partition("\n")[0]), cards_for(DATASET)[0], load_dataset(DATASET)
    assert card.macs and card.parameters and card.bytes, f"{card.name}: a teacher of unknown cost"
    SHAPES[SMALLER] = SHAPES[card.architecture]._replace(stem=CHANNELS[0], stages=CHANNELS[1])
    ARCHITECTURES[SMALLER] = "the teacher's family with fewer channels"
    config = TeachConfig.build(**{**card.config, "architecture": SMALLER})
    callbacks = Callbacks(
        epoch=lambda position, record: print(
            f"epoch {record.epoch} of {record.epochs}: validation {(record.validation or {}).get('accuracy', 0):.4f}, "
            f"{record.seconds:.0f} s",
            flush=True,
        )
    )
    model, _ = teach(config, data, checkpoint=Checkpoint(work / "smaller-teacher.safetensors"), callbacks=callbacks)
    smaller = predict(model, data.x_test, partial(normalise, mean=data.mean, std=data.std)).numpy()
    teacher, labels = TeacherLogits(card)(data.x_test), data.y_test
    cost = model_cost(model, data.info.input_shape)
    share, lost = cost.macs / card.macs, points_lost(smaller, teacher, labels)
    gap = (f"{lost[0]:.2f}", f"{lost[1]:.2f} to {lost[2]:.2f}")
    known = ModelCost(macs=card.macs, parameters=card.parameters, bytes=card.bytes)
    publish(
        "teacher",
        HEAD,
        [
            ("teacher", *sizes(known, card.macs), *accuracy(teacher, labels), "", ""),
            (SMALLER, *sizes(cost, card.macs), *accuracy(smaller, labels), *gap),
        ],
        ("torch",),
    )
    assert SHARE[0] <= share <= SHARE[1], f"{100 * share:.1f} % of the teacher's MACs"
    assert lost[0] >= LEAST_LOST, f"the teacher gains only {lost[0]:.2f} points"


def sizes(cost: ModelCost, whole: float) -> tuple[str, str, str]:
    """The columns on MACs, share and parameters."""
    return f"{cost.macs / 1e6:.2f}", f"{100 * cost.macs / whole:.1f}", f"{cost.parameters / 1e3:.0f}"


def accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[str, str]:
    """The columns on accuracy."""
    right = int((logits.argmax(axis=1) == labels).sum())
    return f"{100 * right / len(labels):.2f}", formats.interval(*wilson(right, len(labels)))


if __name__ == "__main__":
    main()

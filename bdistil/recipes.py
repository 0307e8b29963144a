"""What a training uses where nothing else is said: by preset, by modality, and by data set.

Every value was chosen on validation data. The options themselves, and their limits, are declared in config.py.
"""

import functools
from typing import Any, TypedDict

from bdistil.data.dataset import DatasetInfo
from bdistil.data.series_views import SensorAugmentation, SpeechAugmentation
from bdistil.data.views import AnyAugmentation


class _Training(TypedDict, total=False):
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    shift: int
    flip: bool


class Recipe(_Training, total=False):
    """Options of a distillation that a recipe may set, as `DistilConfig` names them."""

    student: str
    rounds: int
    mode: str
    composition: str
    head: str
    cell: str
    views: int
    polish_epochs: int
    warm_up: float
    clip: float
    dropout: float


class TeachRecipe(_Training, total=False):
    """Options of a teacher's training that a recipe may set, as `TeachConfig` names them."""

    architecture: str
    optimizer: str
    cutout: int
    crop: int


SERIES = Recipe(mode="segments", rounds=4, learning_rate=2e-2, warm_up=0.1, clip=2.0, shift=0, flip=False)
# What a first run uses, by modality: of both presets, and of each. Frozen rounds are trained to their end one by one;
# corrective ones are short, then comes the polish. Series: chosen on validation data, as benchmarks/series.py says.
RECIPES: dict[str, Recipe] = {
    "image": Recipe(student="cnn-s", rounds=6, batch_size=128, views=5, shift=1, flip=False),
    "speech": {**SERIES, "student": "gru-m", "batch_size": 64, "views": 8, "weight_decay": 1e-3},
    "sensor": {**SERIES, "student": "gru-m", "batch_size": 128, "views": 4, "weight_decay": 0.2, "dropout": 0.3},
}
PRESETS: dict[tuple[str, str], Recipe] = {
    ("image", "b-distil"): Recipe(composition="add", head="student", epochs=8),
    ("image", "b-distil+polish"): Recipe(composition="concat-all", head="prefix", epochs=2, polish_epochs=12),
    ("speech", "b-distil"): Recipe(composition="carry-state-pool", head="student", epochs=30),
    ("speech", "b-distil+polish"): Recipe(
        composition="carry-state-pool", head="prefix", cell="shared", views=16, epochs=8, polish_epochs=40
    ),
    ("sensor", "b-distil"): Recipe(composition="carry-state", head="student", epochs=12),
    ("sensor", "b-distil+polish"): Recipe(composition="carry-state", head="student", epochs=12, polish_epochs=6),
}
# What differs for the data sets that one can name: of both presets, and of each.
DATA_SETS: dict[str, Recipe] = {
    "digits": Recipe(student="cnn-xs", rounds=5, batch_size=64, views=8),
    "fashion-mnist": Recipe(student="cnn-m"),
    "japanese-vowels": Recipe(student="gru-xs", cell="own", batch_size=16, views=4),
    "watch": Recipe(student="tcn-m", mode="full", composition="add", batch_size=64, weight_decay=0.02),
}
TRAINING: dict[tuple[str, str], Recipe] = {
    ("digits", "b-distil"): Recipe(epochs=20),
    ("digits", "b-distil+polish"): Recipe(epochs=4, polish_epochs=20),
    ("fashion-mnist", "b-distil+polish"): Recipe(epochs=1),
    ("watch", "b-distil"): Recipe(epochs=20),
    ("watch", "b-distil+polish"): Recipe(epochs=8, polish_epochs=20),
}
# Which channels are axes of one box, and which are logarithms: so that what turns with the box is known.
SENSORS: dict[str, SensorAugmentation] = {
    "watch": SensorAugmentation(axes=6, unit=6),
    "dsa-19": SensorAugmentation(axes=45, unit=9, logs=45),
    "dsa-19-random": SensorAugmentation(axes=45, unit=9, logs=45),
}
_SERIES_TEACHER = TeachRecipe(
    architecture="conv1d-m",
    epochs=20,
    batch_size=64,
    optimizer="adamw",
    learning_rate=4e-3,
    weight_decay=1e-2,
    shift=0,
    flip=False,
    cutout=0,
    crop=0,
)
TEACH_RECIPES: dict[str, TeachRecipe] = {
    "image": TeachRecipe(
        architecture="resnet-m",
        epochs=24,
        batch_size=128,
        learning_rate=0.1,
        weight_decay=5e-4,
        shift=2,
        flip=True,
        cutout=0,
        crop=0,
    ),
    "speech": _SERIES_TEACHER,
    "sensor": {**_SERIES_TEACHER, "epochs": 12},
}
TEACH_DATA_SETS: dict[str, TeachRecipe] = {
    "digits": TeachRecipe(architecture="resnet-s", epochs=60, batch_size=64, shift=1, flip=False),
    "fashion-mnist": TeachRecipe(cutout=8, crop=24),
    "japanese-vowels": TeachRecipe(architecture="conv1d-s", epochs=30, batch_size=16),
}


def series_augmentation(info: DatasetInfo) -> AnyAugmentation:
    """How series are changed: as much as is known of them permits."""
    if info.sampling_hz:
        return SpeechAugmentation()
    if info.modality == "sensor":
        return SENSORS.get(info.name, SensorAugmentation())
    return SensorAugmentation(shift=0)  # of features that are no spectrum: no word goes on where it has begun


def of_run(info: DatasetInfo, method: str) -> dict[str, Any]:
    """The options of a distillation of this data set by a preset."""
    by_modality = {**RECIPES[info.modality], **PRESETS[info.modality, method]}
    return {**by_modality, **DATA_SETS.get(info.name, {}), **TRAINING.get((info.name, method), {})}


def of_teacher(info: DatasetInfo) -> dict[str, Any]:
    """The options of a teacher's training on this data set."""
    return {**TEACH_RECIPES[info.modality], **TEACH_DATA_SETS.get(info.name, {})}


@functools.cache
def chosen_by_recipes() -> frozenset[str]:
    """Names of the options that some recipe sets: their default depends on the data set."""
    tables = (RECIPES, PRESETS, DATA_SETS, TRAINING, TEACH_RECIPES, TEACH_DATA_SETS)
    return frozenset(name for table in tables for recipe in table.values() for name in recipe)

"""Every option of a run, declared, limited and explained once.

`DistilConfig.create(...)` and `TeachConfig.create(...)` fill what is not given from the data set's recipe and raise one
sentence for what cannot be. A stored configuration has no defaults left in it: it says all that was used.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bdistil.data.catalogue import info, located
from bdistil.data.dataset import DatasetInfo
from bdistil.data.reading import OwnData
from bdistil.data.views import AnyAugmentation, Augmentation
from bdistil.errors import UserError, nearest
from bdistil.method_registry import DEFAULT_METHOD, METHODS
from bdistil.recipes import of_run, of_teacher, series_augmentation
from bdistil.students.catalogue import CELLS, COMPOSITIONS, OWN, check_composition, family, names
from bdistil.students.catalogue import check as check_student
from bdistil.teachers.black_box import given_logits, most_shift
from bdistil.teachers.catalogue import check as check_architecture
from bdistil.teachers.naming import TORCHVISION

_RATE = dict(gt=0, le=10, title="Learning rate", description="a number above 0, at most 10")
_DECAY = dict(ge=0, le=1, title="Weight decay", description="a number from 0 to 1")
MOST_GROWN = 64  # times the first student's channels


class _Config(BaseModel):
    """A validated set of options; `title` and `description` of each field word its error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str = Field(title="Dataset", description="a name, or a path of your own data")
    data: OwnData | None = Field(default=None, title="Own data", description="how to read a path, or nothing")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, title="Seed", description="a whole number from 0 to 2147483647")
    epochs: int = Field(ge=1, le=1000, title="Epochs", description="a whole number from 1 to 1000")
    batch_size: int = Field(ge=1, le=4096, title="Batch size", description="a whole number from 1 to 4096")
    shift: int = Field(ge=0, le=8, title="Shift", description="a whole number of pixels from 0 to 8")
    flip: bool = Field(title="Flip", description="true or false")
    threads: int | None = Field(
        default=None, ge=1, le=512, title="Threads", description="a whole number from 1 to 512, or nothing"
    )

    @classmethod
    def create(cls, dataset: str, **given: Any) -> Self:
        """The data set's recipe with what is given (and is not None) in its place.

        Raises UserError, one sentence, for an unknown name or a value out of its limits.
        """
        unknown = sorted(set(given) - set(cls.model_fields))
        if unknown:
            raise UserError(f"There is no option called {unknown[0]}.{nearest(unknown[0], cls.model_fields)}")
        given = {name: value for name, value in given.items() if value is not None}
        given["data"] = OwnData.given(given.get("data"))
        known = info(str(dataset), given["data"])
        return cls.build(dataset=located(str(dataset)), **{**cls.recipe(known, **given), **given}).fitting(known)

    @classmethod
    def build(cls, **values: Any) -> Self:
        """The configuration of exactly these values. Raises UserError as `create` does."""
        try:
            return cls.model_validate(values).checked()
        except ValidationError as error:
            raise UserError(cls._sentence(error)) from None

    @classmethod
    def recipe(cls, known: DatasetInfo, **given: Any) -> dict[str, Any]:
        """What a run on this data set uses where nothing else is said; it may depend on what is `given`."""
        raise NotImplementedError

    @property
    def known(self) -> DatasetInfo:
        """What is known of the data set. Raises UserError where one's own data is no longer there."""
        return info(self.dataset, self.data)

    def checked(self) -> Self:
        """Names checked against their catalogues; UserError with the nearest name."""
        return self

    def fitting(self, known: DatasetInfo) -> Self:
        """Itself, if models and data set fit; UserError where they do not."""
        return self

    @classmethod
    def _sentence(cls, error: ValidationError) -> str:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "missing" or name not in cls.model_fields:
            return f"This configuration was written by another version: check its option {name}."
        field = cls.model_fields[name]
        return f"{field.title} must be {field.description}; “{first['input']}” is not."


class TeachConfig(_Config):
    """The training of a teacher: labels, SGD with Nesterov momentum or AdamW, one cycle of the learning rate."""

    kind: ClassVar[Literal["teach"]] = "teach"

    architecture: str = Field(title="Teacher", description="a name")
    epochs: int = Field(ge=0, le=1000, title="Epochs", description="a whole number from 1 to 1000")
    weights: str | None = Field(default=None, title="Weights", description="DEFAULT, a safetensors file, or nothing")
    optimizer: Literal["sgd", "adamw"] = Field(default="sgd", title="Optimizer", description="one of sgd, adamw")
    learning_rate: float = Field(default=0.1, **_RATE)
    weight_decay: float = Field(default=5e-4, **_DECAY)
    label_smoothing: float = Field(default=0.05, ge=0, lt=1, title="Label smoothing", description="at least 0, below 1")
    cutout: int = Field(ge=0, le=16, title="Cut-out", description="a whole number of pixels from 0 to 16")
    crop: int = Field(ge=0, le=512, title="Crop", description="a whole number of pixels from 0 to 512")

    @classmethod
    def recipe(cls, known: DatasetInfo, **given: Any) -> dict[str, Any]:
        recipe = of_teacher(known)
        # Weights that have learnt already are tuned with a tenth of the learning rate.
        return recipe | ({"learning_rate": 0.01} if given.get("weights") else {})

    def checked(self) -> Self:
        check_architecture(self.architecture)
        if self.weights and not self.architecture.startswith(TORCHVISION):
            raise UserError(f"--weights are for torchvision’s models: {self.architecture} is none, leave them out.")
        if not self.epochs and not self.weights:
            raise UserError(
                "Epochs must be a whole number from 1 to 1000; “0” is for a teacher taken as it is, with --weights."
            )
        return self

    def fitting(self, known: DatasetInfo) -> Self:
        check_architecture(self.architecture, known.modality)
        if self.weights:
            from bdistil.teachers.torchvision_models import check_weights  # takes torch

            check_weights(self.architecture, self.weights, len(known.classes), as_is=not self.epochs)
        return self

    def augmentation(self, known: DatasetInfo, crop: bool = True) -> AnyAugmentation:
        """How the teacher's inputs are changed, with or without the recipe's crops of pictures."""
        if known.modality != "image":
            return series_augmentation(known)
        return Augmentation(self.shift, self.flip, self.cutout, self.crop if crop else 0)

    def title(self) -> str:
        return f"Teacher for {self.known.title}"


class DistilConfig(_Config):
    """A distillation: a teacher, a family of students, rounds, and how a round is trained (Algorithms 1 and 2)."""

    kind: ClassVar[Literal["distil"]] = "distil"

    teacher: str = Field(title="Teacher", description="a name or a folder")
    teacher_logits: tuple[str, str] | None = Field(
        default=None, title="Teacher logits", description="two NPZ files, TRAIN.npz and TEST.npz, or nothing"
    )
    teacher_input: str | None = Field(default=None, title="Teacher input", description="text, or nothing")
    teacher_output: str | None = Field(default=None, title="Teacher output", description="a name, or nothing")
    teacher_macs: int | None = Field(
        default=None, ge=1, le=10**18, title="Teacher MACs", description="a whole number above 0, or nothing"
    )
    examples: int | None = Field(
        default=None, ge=2, title="Training examples", description="a whole number of at least 2, or nothing for all"
    )
    student: str = Field(title="Student", description="a name")
    rounds: int = Field(ge=1, le=64, title="Rounds", description="a whole number from 1 to 64")
    method: Literal[tuple(METHODS)] = Field(title="Method", description=f"one of {', '.join(METHODS)}")
    composition: Literal[(*COMPOSITIONS, OWN)] = Field(
        title="Composition", description=f"one of {', '.join(COMPOSITIONS)}"
    )
    mode: Literal["full", "segments"] = Field(default="full", title="Mode", description="one of full, segments")
    head: Literal["student", "prefix"] = Field(title="Head", description="one of student, prefix")
    loss: Literal["student", "ensemble"] = Field(
        default="ensemble", title="Loss", description="one of student, ensemble"
    )
    divergence: Literal["kl", "squared"] = Field(default="kl", title="Divergence", description="one of kl, squared")
    temperature: float = Field(
        default=2.0, gt=0, le=100, title="Temperature", description="a number above 0, at most 100"
    )
    label_share: float = Field(default=0.0, ge=0, le=1, title="Label share", description="a number from 0 to 1")
    barrier: float = Field(default=0.3, ge=0, le=1000, title="Barrier", description="a number from 0 to 1000")
    meet_condition: bool = Field(default=True, title="Meet the condition", description="true or false")
    max_accuracy_drop: float = Field(
        default=0.003, ge=0, le=1, title="Largest accuracy drop", description="a number from 0 to 1"
    )
    retries: int = Field(default=3, ge=0, le=10, title="Retries", description="a whole number from 0 to 10")
    polish_epochs: int = Field(
        default=0, ge=0, le=1000, title="Polish epochs", description="a whole number from 0 to 1000"
    )
    planned_rounds: int | None = Field(
        default=None, ge=1, le=64, title="Planned rounds", description="a whole number from 1 to 64, or nothing"
    )
    learning_rate: float = Field(default=8e-3, **_RATE)
    weight_decay: float = Field(default=1e-2, **_DECAY)
    warm_up: float = Field(default=0.2, ge=0, lt=1, title="Warm-up", description="at least 0, below 1")
    clip: float | None = Field(
        default=None, gt=0, le=1000, title="Clip", description="a number above 0, at most 1000, or nothing"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, title="Dropout", description="at least 0, below 1")
    cell: Literal[CELLS] = Field(default="own", title="Cell", description=f"one of {', '.join(CELLS)}")
    growth: float = Field(default=1.0, ge=1, le=4, title="Growth", description="a number from 1 to 4")
    # From Python alone: it is no part of what is stored.
    factory: Callable[..., Any] | None = Field(
        default=None, exclude=True, title="Student", description="a name, or a function that makes one"
    )
    # The last epochs see the inputs as they are: right for small changes, wrong where views differ much from them.
    clean_epochs: int = Field(
        default=2, ge=0, le=1000, title="Clean epochs", description="a whole number from 0 to 1000"
    )
    views: int = Field(ge=1, le=64, title="Views", description="a whole number from 1 to 64")

    @classmethod
    def recipe(cls, known: DatasetInfo, **given: Any) -> dict[str, Any]:
        method = given.get("method", DEFAULT_METHOD)
        method = method if method in METHODS else DEFAULT_METHOD  # `build` words the error
        recipe = {"method": method, **of_run(known, method)}
        student = given.get("student")
        if student in names() and recipe["composition"] not in family(student).ladder:
            # A student of another family: its first connection, which convolutions have over the same steps only.
            recipe |= {"composition": family(student).ladder[1], "mode": "full", "head": "student", "cell": "own"}
        if known.modality != "image":  # of a short series no part is empty
            recipe |= {"rounds": min(recipe["rounds"], known.input_shape[-1])}
        return given_logits(recipe, known.modality) if given.get("teacher_logits") else recipe

    def checked(self) -> Self:
        if not self.factory:
            check_composition(self.composition, check_student(self.student))
        if self.growth ** (self.rounds - 1) > MOST_GROWN:
            raise UserError(
                f"The last student may have {MOST_GROWN} times the first one's channels at most: choose a "
                "smaller growth, or fewer rounds."
            )
        if self.growth > 1 and (self.cell == "shared" or self.factory):
            raise UserError(
                "Students that share a cell, or are of your own making, do not grow: choose the cell own, "
                "or set the growth to 1."
            )
        if self.teacher_logits and self.examples:
            raise UserError("Answers instead of a teacher are for all training examples: leave --examples out.")
        may_share = self.polished and self.student in names() and family(self.student).shares_cell
        if self.cell == "shared" and not may_share:
            raise UserError(
                "One cell is shared by recurrent students that are trained together: choose a gru and the "
                "method b-distil+polish, or the cell own."
            )
        if self.cell == "shared" and self.composition == "alone" and self.mode == "full":
            raise UserError(
                "Students of one cell that all read the same are alike: choose another composition, or the "
                "mode segments."
            )
        if self.polished and self.loss != "ensemble":
            raise UserError("Corrective rounds train prefixes: choose the loss ensemble, or the method b-distil.")
        return self

    def fitting(self, known: DatasetInfo) -> Self:
        if not self.factory:
            check_student(self.student, known.modality)
        if self.examples and self.examples > known.train:
            raise UserError(
                f"Training examples must be at most the {known.train} that there are; “{self.examples}” is not."
            )
        if self.teacher_logits and self.views > 1 and known.modality != "image":
            raise UserError("Answers instead of a teacher hold for series as they are: set the views to 1.")
        if self.teacher_logits and self.views > 1 and self.shift > most_shift(known):
            most = most_shift(known)
            moved = "1 pixel" if most == 1 else f"{most} pixels"
            raise UserError(
                f"Answers instead of a teacher hold for pictures moved by {moved} at most: set the shift "
                f"to {most}, or the views to 1."
            )
        if self.mode == "segments" and known.modality == "image":
            raise UserError("Pictures have no segments: choose the mode full.")
        if self.mode == "segments" and self.rounds > known.input_shape[-1]:
            raise UserError(
                f"A series of {known.input_shape[-1]} steps has no {self.rounds} segments: choose fewer rounds."
            )
        if not self.factory and self.composition not in family(self.student).compositions(self.mode):
            raise UserError("Convolutions read each other over the same steps: choose the mode full, or alone.")
        return self

    def augmentation(self, known: DatasetInfo) -> AnyAugmentation:
        """How the views of the training inputs are made."""
        return Augmentation(self.shift, self.flip) if known.modality == "image" else series_augmentation(known)

    @property
    def known(self) -> DatasetInfo:
        """What is known of the data that is trained on. Raises UserError as in any configuration."""
        known = super().known
        return replace(known, train=self.examples) if self.examples else known

    @property
    def polished(self) -> bool:
        """Whether a round trains all students so far, and a polish of all follows."""
        return METHODS[self.method].polishes

    @property
    def rounds_for_eta(self) -> int:
        """T, the rounds that η is set for: an extended run keeps its parent's."""
        return self.planned_rounds or self.rounds

    def title(self) -> str:
        students = "1 student" if self.rounds == 1 else f"{self.rounds} students"
        return f"{self.known.title}, {students}"

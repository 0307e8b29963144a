"""Every option of a run, declared, limited and explained once.

`DistilConfig.create(...)` and `TeachConfig.create(...)` fill what is not given from the data set's recipe and raise one
sentence for what cannot be. A stored configuration has no defaults left in it: it says all that was used.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from bdistil.budgets import TAKES, parse
from bdistil.data.catalogue import info, located
from bdistil.data.dataset import DatasetInfo
from bdistil.data.reading import OwnData
from bdistil.data.views import AnyAugmentation, Augmentation
from bdistil.errors import UserError
from bdistil.method_registry import DEFAULT_METHOD, METHODS
from bdistil.options import Option, Options, option
from bdistil.recipes import of_run, of_teacher, series_augmentation
from bdistil.students.catalogue import CELLS, COMPOSITIONS, HEADS, OWN, check_composition, family, names
from bdistil.students.catalogue import check as check_student
from bdistil.teachers.black_box import given_logits, most_shift
from bdistil.teachers.catalogue import check as check_architecture
from bdistil.teachers.catalogue import names as architectures
from bdistil.teachers.naming import TORCHVISION

MOST_GROWN = 64  # times the first student's channels


class _Config(Options):
    """The options of every training."""

    dataset: str = option(
        title="Dataset",
        takes="a name, or a path of your own data",
        metavar="NAME|PATH",
        group="data",
        help="What to train on: a data set of `bdistil data`, or a file or folder of your own.",
    )
    data: OwnData | None = option(None, title="Own data", takes="the options of own data by name", strict=False)
    seed: int = option(
        0,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        group="run",
        help="Start of the random numbers: the same seed gives the same students.",
        form=True,
    )
    learning_rate: float = option(
        8e-3,
        gt=0,
        le=10,
        title="Learning rate",
        step=0.001,
        group="training",
        help="The largest step size: it rises to it first, then falls to nearly 0.",
        form=True,
    )
    weight_decay: float = option(
        1e-2,
        ge=0,
        le=1,
        title="Weight decay",
        step=0.001,
        group="training",
        help="How strongly large weights are penalised.",
    )
    batch_size: int = option(
        ge=1,
        le=4096,
        title="Batch size",
        unit="examples",
        group="training",
        help="Training examples that one update of the weights is made from.",
    )
    shift: int = option(
        ge=0,
        le=8,
        title="Shift",
        unit="pixels",
        group="training",
        help="How far training pictures are moved at random, for variety.",
    )
    flip: bool = option(
        title="Flip", group="training", help="Mirror training pictures left to right at random, for variety."
    )
    threads: int | None = option(
        None,
        ge=1,
        le=512,
        title="Threads",
        group="run",
        empty="all cores but one",
        form=True,
        help="Processor threads to train with.",
    )

    @classmethod
    def create(cls, dataset: str, *, data: object = None, **given: Any) -> Self:
        """The data set's recipe with what is given (and is not None) in its place.

        Raises UserError, one sentence, for an unknown name or a value out of its limits.
        """
        cls.check_names(given)
        given = {name: value for name, value in given.items() if value is not None}
        own = OwnData.given(data)
        data_info = info(str(dataset), own)
        values = cls.recipe(data_info, **given) | given
        return cls.build(dataset=located(str(dataset)), data=own, **values).fitting(data_info)

    @classmethod
    def build(cls, **values: Any) -> Self:
        """The configuration of exactly these values. Raises UserError as `create` does."""
        return cls.checked_values(values).checked()

    @classmethod
    def recipe(cls, info: DatasetInfo, **given: Any) -> dict[str, object]:
        """What a run on this data set uses where nothing else is said; it may depend on what is `given`."""
        raise NotImplementedError

    @property
    def data_info(self) -> DatasetInfo:
        """What is known of the data set. Raises UserError where one's own data is no longer there."""
        return info(self.dataset, self.data)

    def checked(self) -> Self:
        """Names checked against their catalogues; UserError with the nearest name."""
        return self

    def fitting(self, info: DatasetInfo) -> Self:
        """Itself, if models and data set fit; UserError where they do not."""
        return self


class TeachConfig(_Config):
    """The training of a teacher: labels, SGD with Nesterov momentum or AdamW, one cycle of the learning rate."""

    kind: ClassVar[Literal["teach"]] = "teach"

    architecture: str = option(
        title="Architecture",
        takes="a name",
        metavar="NAME",
        flag="teacher",
        group="teacher",
        help=f"The kind of network: {', '.join(architectures())}, or torchvision:NAME[@SIDE] for one of torchvision's "
        "classification models, fed with pictures of SIDE pixels.",
    )
    weights: str | None = option(
        None,
        title="Weights",
        takes="DEFAULT, or the path of a safetensors file",
        metavar="DEFAULT|FILE",
        group="teacher",
        help="Weights that a torchvision model begins with: DEFAULT for torchvision's own, or a safetensors file. "
        "With 0 epochs it is taken as it is.",
    )
    epochs: int = option(
        ge=0,
        le=1000,
        title="Epochs",
        group="training",
        help="How often all training examples are gone through; 0 takes a teacher as its weights make it.",
    )
    optimizer: str = option(
        "sgd",
        title="Optimizer",
        choices={"sgd": "gradient descent with Nesterov momentum", "adamw": "Adam with decoupled weight decay"},
        group="training",
        help="How weights are updated.",
    )
    label_smoothing: float = option(
        0.05,
        ge=0,
        lt=1,
        title="Label smoothing",
        group="training",
        help="Share of each label that is spread evenly over all classes, so that the teacher is less sure of itself.",
    )
    cutout: int = option(
        ge=0,
        le=16,
        title="Cut-out",
        unit="pixels",
        group="training",
        help="Side of a square that is blanked at a random place of each training picture; 0 for none.",
    )
    crop: int = option(
        ge=0,
        le=512,
        title="Crop",
        unit="pixels",
        group="training",
        help="Side of a random square that each training picture is cut down to; 0 for the whole picture.",
    )

    @classmethod
    def recipe(cls, info: DatasetInfo, *, weights: str | None = None, **given: Any) -> dict[str, object]:
        # Weights that have learnt already are tuned with a tenth of the learning rate.
        return of_teacher(info) | ({"learning_rate": 0.01} if weights else {})

    def checked(self) -> Self:
        check_architecture(self.architecture)
        if self.weights and not self.architecture.startswith(TORCHVISION):
            raise UserError(f"`weights` can be given for torchvision’s models only; {self.architecture} is none.")
        if not self.epochs and not self.weights:
            raise UserError("`epochs` can be 0 only with `weights`, which are then taken as they are.")
        return self

    def fitting(self, info: DatasetInfo) -> Self:
        check_architecture(self.architecture, info.modality)
        if self.weights:
            from bdistil.teachers.torchvision_models import check_weights  # takes torch

            check_weights(self.architecture, self.weights, len(info.classes), as_is=not self.epochs)
        return self

    def augmentation(self, info: DatasetInfo, crop: bool = True) -> AnyAugmentation:
        """How the teacher's inputs are changed, with or without the recipe's crops of pictures."""
        if info.modality != "image":
            return series_augmentation(info)
        return Augmentation(self.shift, self.flip, self.cutout, self.crop if crop else 0)

    def title(self) -> str:
        return f"Teacher for {self.data_info.title}"


class DistilConfig(_Config):
    """A distillation: a teacher, a family of students, rounds, and how a round is trained (Algorithms 1 and 2)."""

    kind: ClassVar[Literal["distil"]] = "distil"

    teacher: str = option(
        title="Teacher",
        takes="a name or a folder",
        metavar="NAME|PATH",
        empty="the data set's own",
        group="teacher",
        help="The model to learn from: the name or folder of a saved teacher, or an ONNX file.",
    )
    teacher_logits: tuple[str, str] | None = option(
        None,
        title="Teacher logits",
        takes="two NPZ files, TRAIN.npz and TEST.npz",
        metavar="TRAIN.npz TEST.npz",
        strict=False,
        group="teacher",
        help="Answers to learn from instead of a teacher: an array of logits in each file.",
    )
    teacher_input: str | None = option(
        None,
        title="Scaling of its inputs",
        takes="the name of a scaling",
        empty="normalised",
        metavar="SCALING",
        group="teacher",
        help="How inputs are scaled for an ONNX file. raw: not at all; unit: divided by 255; maximum: divided by the "
        "largest training value; imagenet: with ImageNet's mean and standard deviation; normalised: with the "
        "data set's own. 'mean=0.5;std=0.25' gives your own figures, for pictures divided by 255.",
    )
    teacher_output: str | None = option(
        None,
        title="Its output",
        takes="a name",
        metavar="NAME",
        group="teacher",
        help="The output of an ONNX file that has the answers, where it has several.",
    )
    teacher_macs: int | None = option(
        None,
        ge=1,
        le=10**18,
        title="Teacher MACs",
        group="teacher",
        help="Multiply-accumulates that an ONNX file, or what gave the logits, takes for one example, where known.",
    )
    examples: int | None = option(
        None,
        ge=2,
        title="Training examples",
        empty="all",
        group="data",
        help="How many of the training examples are used.",
    )
    student: str = option(
        title="Student",
        takes="a name",
        metavar="NAME",
        group="students",
        help=f"The small model that each round adds: {', '.join(names())}.",
    )
    rounds: int = option(ge=1, le=64, title="Rounds", group="students", help="Each round adds one student.")
    budgets: str | None = option(
        None,
        title="Budgets",
        takes=TAKES,
        metavar="LIMIT,…",
        group="students",
        empty="students of the catalogue's sizes",
        help="Upper limits on the MACs of each prefix, rising: shares of the teacher's, such as 0.3%,1%,3%, or MACs, "
        "such as 200k,1M,5M. There is a round for each, whose student is as large as fits.",
    )
    method: str = option(
        DEFAULT_METHOD,
        title="Method",
        choices={name: method.summary for name, method in METHODS.items()},
        group="training",
        help="How the rounds are trained.",
    )
    composition: str = option(
        title="Composition",
        choices={name: each.summary for name, each in COMPOSITIONS.items()},
        unlisted=(OWN,),
        group="students",
        help="What a student reads of those before it.",
        form=True,
    )
    mode: str = option(
        "full",
        title="Each student reads",
        choices={"full": "the whole series", "segments": "its own part of the series, one after the other"},
        group="students",
        help="What each student reads of a series.",
    )
    head: str = option(
        title="Output layers", choices=HEADS, group="students", form=True, help="What a student's output layer gives."
    )
    loss: str = option(
        "ensemble",
        title="Loss",
        choices={"ensemble": "all students so far, together", "student": "the new student on its own"},
        group="training",
        help="What is compared with the teacher.",
        form=True,
    )
    divergence: str = option(
        "kl",
        title="Divergence",
        choices={"kl": "Kullback-Leibler, of probabilities", "squared": "squared error, of logits"},
        group="training",
        help="How answers are compared with the teacher's.",
        form=True,
    )
    temperature: float = option(
        2.0,
        gt=0,
        le=100,
        title="Temperature",
        step=0.5,
        group="training",
        help="By what logits are divided before kl compares them: the higher, the more unlikely classes count.",
        form=True,
    )
    label_share: float = option(
        0.0,
        ge=0,
        le=1,
        title="Share of the labels in the loss",
        step=0.1,
        group="training",
        help="How much of the loss is about the true labels; 0 learns from the teacher alone.",
        form=True,
    )
    barrier: float = option(
        0.3,
        ge=0,
        le=1000,
        title="Barrier",
        step=0.1,
        group="search",
        help="How strongly a student is pulled to correct the students before it, as boosting needs it to.",
        form=True,
    )
    meet_condition: bool = option(
        True,
        title="Correct students that miss the weak learning condition",
        group="search",
        help="Adjust the output layer of a student that does not correct the others on every class, and train it again "
        "if that costs too much.",
        form=True,
    )
    max_accuracy_drop: float = option(
        0.003,
        ge=0,
        le=1,
        title="Largest accuracy drop",
        step=0.001,
        group="search",
        help="Validation accuracy that such a correction may cost, as a share: 0.003 is 0.3 points.",
    )
    retries: int = option(
        3,
        ge=0,
        le=10,
        title="Retries",
        group="search",
        help="How often a round is trained again with a stronger barrier, before the next composition is tried.",
        form=True,
    )
    epochs: int = option(
        ge=1,
        le=1000,
        title="Epochs a round",
        group="training",
        form=True,
        help="How often a round goes through all examples.",
    )
    polish_epochs: int = option(
        0,
        ge=0,
        le=1000,
        title="Epochs of the polish",
        group="training",
        help="Epochs of the last training, of all students together, that b-distil+polish ends with.",
        form=True,
    )
    planned_rounds: int | None = option(
        None,
        ge=1,
        le=64,
        title="Planned rounds",
        help="How many rounds the boosting weights were set for; an extended run keeps its parent's.",
    )
    warm_up: float = option(
        0.2,
        ge=0,
        lt=1,
        title="Warm-up",
        step=0.1,
        group="training",
        help="Share of a training in which the learning rate rises.",
    )
    clip: float | None = option(
        None,
        gt=0,
        le=1000,
        title="Clip",
        step=0.5,
        group="training",
        help="The largest norm of a gradient; longer ones are shortened.",
    )
    dropout: float = option(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        step=0.1,
        group="training",
        help="Share of what a recurrent student takes over from the one before it that training leaves out at random.",
    )
    cell: str = option(
        "own", title="Recurrent cell", choices=CELLS, group="students", form=True, help="Whose cell a gru uses."
    )
    growth: float = option(
        1.0,
        ge=1,
        le=4,
        title="Growth from round to round",
        step=0.1,
        group="students",
        help="How many times the channels of the student before it each student has.",
        form=True,
    )
    # From Python alone: it is no part of what is stored.
    factory: Callable[..., Any] | None = option(
        None, exclude=True, title="Student", takes="a name, or a function that makes one"
    )
    # The last epochs see the inputs as they are: right for small changes, wrong where views differ much from them.
    clean_epochs: int = option(
        2,
        ge=0,
        le=1000,
        title="Clean epochs",
        group="training",
        help="How many of a training's last epochs see inputs unchanged, without shifts and the like.",
    )
    views: int = option(
        ge=1,
        le=64,
        title="Views",
        group="training",
        help="How many changed versions of each training input the teacher is asked about, the original among them.",
    )

    @classmethod
    def recipe(
        cls,
        info: DatasetInfo,
        *,
        method: str = DEFAULT_METHOD,
        student: str = "",
        budgets: str | None = None,
        teacher_logits: tuple[str, str] | None = None,
        **given: Any,
    ) -> dict[str, object]:
        method = method if method in METHODS else DEFAULT_METHOD  # `build` words the error
        usual = cls.model_construct(method=method, **of_run(info, method))  # without what no recipe says
        recipe = usual.model_dump(exclude_unset=True)
        if student in names() and usual.composition not in family(student).ladder:
            # A student of another family: its first connection, which convolutions have over the same steps only.
            recipe |= {"composition": family(student).ladder[1], "mode": "full", "head": "student", "cell": "own"}
        if isinstance(budgets, str):  # they are of predictions that read the whole input
            recipe |= {"rounds": len(parse(budgets)), "mode": "full", "cell": "own"}
        elif info.modality != "image":  # of a short series no part is empty
            recipe |= {"rounds": min(usual.rounds, info.input_shape[-1])}
        return given_logits(recipe, info.modality) if teacher_logits else recipe

    def checked(self) -> Self:
        if not self.factory:
            check_composition(self.composition, check_student(self.student))
        if self.budgets:
            self._check_budgets(self.budgets)
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
            raise UserError("Answers instead of a teacher are for all training examples: leave out `examples`.")
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

    def _check_budgets(self, text: str) -> None:
        count = len(parse(text))
        if count != self.rounds:
            raise UserError(
                f"There is a round for each of the {count} budgets, and `rounds` is {self.rounds}: leave out `rounds`."
            )
        if self.growth > 1:
            raise UserError("Sizes follow from the budgets: leave out either `budgets` or `growth`.")
        if self.factory or self.cell == "shared":
            raise UserError(
                "Students that share a cell, or are of your own making, have one size: leave out `budgets`, or choose "
                "the cell own."
            )
        if self.mode == "segments":
            raise UserError("Budgets are of predictions that read the whole series: choose the mode full.")

    def fitting(self, info: DatasetInfo) -> Self:
        if not self.factory:
            check_student(self.student, info.modality)
        if self.examples and self.examples > info.train:
            raise UserError(f"`examples` must be at most the {info.train} that there are; got “{self.examples}”.")
        if self.teacher_logits and self.views > 1 and info.modality != "image":
            raise UserError("Answers instead of a teacher hold for series as they are: set the views to 1.")
        if self.teacher_logits and self.views > 1 and self.shift > most_shift(info):
            most = most_shift(info)
            moved = "1 pixel" if most == 1 else f"{most} pixels"
            raise UserError(
                f"Answers instead of a teacher hold for pictures moved by {moved} at most: set the shift "
                f"to {most}, or the views to 1."
            )
        if self.mode == "segments" and info.modality == "image":
            raise UserError("Pictures have no segments: choose the mode full.")
        if self.mode == "segments" and self.rounds > info.input_shape[-1]:
            raise UserError(
                f"A series of {info.input_shape[-1]} steps has no {self.rounds} segments: choose fewer rounds."
            )
        if not self.factory and self.composition not in family(self.student).compositions(self.mode):
            raise UserError("Convolutions read each other over the same steps: choose the mode full, or alone.")
        return self

    def augmentation(self, info: DatasetInfo) -> AnyAugmentation:
        """How the views of the training inputs are made."""
        return Augmentation(self.shift, self.flip) if info.modality == "image" else series_augmentation(info)

    @property
    def data_info(self) -> DatasetInfo:
        """What is known of the data that is trained on. Raises UserError as in any configuration."""
        info = super().data_info
        return replace(info, train=self.examples) if self.examples else info

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
        return f"{self.data_info.title}, {students}"


# By name, for those who name them in a sentence: own data's, a teacher's training's, a distillation's.
OPTIONS: Mapping[str, Option] = {**OwnData.options(), **TeachConfig.options(), **DistilConfig.options()}

"""A teacher's card: what it is, where its figures come from, and how it is asked. Imports no torch.

`SavedTeacher` is card.json, of a teacher whose weights lie beside it; `GivenAnswers` and `OnnxFile` are black boxes, of
which only answers are known. Accuracies are on the test split of the teacher's own data set; costs are of one example.
"""

from typing import Literal

from pydantic import Field, JsonValue

from bdistil.record import Record

SCHEMA = 1


class TeacherFigures(Record):
    """A teacher in numbers. persons: how many the interval of its accuracy is over. seconds: of its training."""

    name: str
    macs: int | None = None
    parameters: int | None = None
    bytes: int | None = None
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    persons: int | None = None
    epochs: int | None = None
    seconds: float | None = None


class TeacherCard(TeacherFigures):
    """What is known of any teacher.

    weights_sha256: of its weights, of its file, or of its answers. macs_stated: whether its MACs are the user's.
    split_known: whether it is on record on which split it was trained. notices: sentences for the user.
    """

    dataset: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    weights_sha256: str
    macs: int | None
    kind: Literal["logits", "onnx"] | None = None
    macs_stated: bool = False
    signature: str | None = None
    split_known: bool | None = None
    notices: tuple[str, ...] = ()


class SavedTeacher(TeacherCard):
    """card.json. mean, std: of the train split by channel. config: the options of its training. run: that trained it.

    path: the folder that it lies in, which is not stored.
    """

    schema_: int = Field(ge=1, le=SCHEMA, alias="schema")
    architecture: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    front_end: str | None = None
    validation_accuracy: float | None = None
    seed: int | None = None
    data_checksum: str | None = None
    config: dict[str, JsonValue] = {}
    run: str | None = None
    command: str | None = None
    created: str | None = None
    versions: dict[str, str] = {}
    path: str = Field(default="", exclude=True)


class BlackBox(TeacherCard):
    """A teacher of which only answers are known. probabilities: whether they are, and are taken as logarithms."""

    probabilities: bool


class GivenAnswers(BlackBox):
    """Two files of answers, for train and validation, and for test."""

    kind: Literal["logits"] = "logits"
    answers: tuple[str, str]


class OnnxFile(BlackBox):
    """An ONNX file, whose path is its name. reads: the scaling of its inputs. output: the one that answers."""

    kind: Literal["onnx"] = "onnx"
    reads: str
    output: str

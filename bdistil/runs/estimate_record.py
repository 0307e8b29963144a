"""What an estimate says, as types: `bdistil run --dry-run --json` and `teach`'s print them. Needs no torch."""

from pydantic import Field

from bdistil.config import TeachConfig
from bdistil.records import Count, Macs, ModelCost, Number, Record


class TeacherFacts(Record):
    """What is known of a teacher before it is asked; of its card.

    kind: of a black box, `logits` or `onnx`; None of a saved teacher. signature: what an ONNX file reads and answers.
    macs_stated: whether its MACs are the user's. notices: sentences for the user.
    """

    name: str
    kind: str | None = None
    signature: str | None = None
    macs: Macs | None = None
    macs_stated: bool = False
    notices: tuple[str, ...] = ()


class StudentCost(Record):
    """One student in the middle of a run. macs_ratio: of the teacher's MACs."""

    student: str
    macs: Macs
    macs_ratio: Number | None


class TeachEstimate(ModelCost):
    """What training a teacher would take: cost of the teacher, and time and memory on this machine.

    seconds: of the whole training. memory_bytes: of the worker at its peak. busy: a sentence where other programs used
    the machine while it was timed, so that the time is too long; None else. config: all options of the training.
    """

    seconds: Number
    memory_bytes: Count
    busy: str | None
    config: TeachConfig


class Estimate(ModelCost):
    """What a distillation would take on this machine; macs, parameters and bytes are of all students, per example.

    macs_ratio: of the teacher's MACs. teacher: what is known of a black box, None else. untrained: where no teacher is
    there yet, what training the data set's own would take; the other figures are with its architecture then, and
    without this training. seconds: of the whole run, one attempt a round; first_model_seconds: until its first round
    ends. memory_bytes: of the worker at its peak; a process that has done more than this estimate overstates it.
    disk_bytes: of the finished run. busy: a sentence where other programs used the machine while it was timed, so that
    the times are too long; None else. macs_of: what each of the run's students adds. sizes: of students that grow,
    each one's channels or state; None else. students: what one student of each name would cost in this composition.
    """

    macs_ratio: Number | None
    teacher: TeacherFacts | None
    untrained: TeachEstimate | None
    seconds: Number
    first_model_seconds: Number
    memory_bytes: Count
    disk_bytes: Count
    busy: str | None
    macs_of: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...] | None
    students: tuple[StudentCost, ...] = Field(min_length=1)

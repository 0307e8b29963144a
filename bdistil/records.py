"""What the files of a run hold, as types: run.json, label.json, round.json, events.jsonl and heartbeat.json.

Each type is read by pydantic and written by it, nowhere else. A field that older versions did not write has a default
here, and a field that was renamed still answers to its old name. Values out of range (a share above 1, a time that is
none) are refused where they are read, so that whoever reads an attribute may rely on it.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    AwareDatetime,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from bdistil.config import DistilConfig, TeachConfig
from bdistil.data.dataset import Modality
from bdistil.errors import UserError
from bdistil.record import Record as Record
from bdistil.teachers.card import TeacherFigures

SCHEMA = 1
MOST_NAME, MOST_NOTE = 100, 2000  # characters
State = Literal["queued", "running", "stopped", "failed", "finished"]
Phase = Literal["teacher", "rounds", "polish", "report"]
Count = Annotated[int, Field(ge=0, le=2**53)]
Macs = Annotated[int, Field(ge=0)]  # no largest: a user may state those of a teacher
Number = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Round = Annotated[int, Field(ge=1, le=10_000)]
RENAMED_OPTIONS = {"certified": "meet_condition", "most_lost": "max_accuracy_drop", "horizon": "planned_rounds"}


# What is known of a run's data and teacher.


class DatasetRecord(Record):
    """The data set that a run is about.

    people: what the split holds out whole (`person`, `speaker`), None where examples are split one by one. train,
    validation, test: how many examples each part has. checksum: SHA-256 over all of them; test_checksum: over the test
    split. counts: examples of each class in each part.
    """

    name: str
    title: str
    modality: Modality
    people: str | None = None
    train: Count
    validation: Count
    test: Count
    classes: tuple[str, ...] = Field(min_length=1)
    split: str
    checksum: str
    test_checksum: str | None = None
    counts: dict[str, tuple[Count, ...]] = {}


class TeacherRecord(Record):
    """The teacher that a run distils. Accuracies are on the run's test split; costs are of one example.

    kind: of a black box, `logits` or `onnx`; None of a saved teacher. macs_stated: whether its MACs are the user's.
    signature: what an ONNX file reads and answers. approximate_views: whether augmented views got their original's
    logits. weights_sha256: of its weights, or of its answers. split_known: whether it is known on which split it was
    trained. splits: its accuracy on each split.
    """

    name: str
    accuracy: Share | None = None
    accuracy_low: Share | None = None
    accuracy_high: Share | None = None
    macs: Macs | None = None
    parameters: Count | None = None
    bytes: Count | None = None
    latency_ms: dict[str, JsonValue] = {}
    kind: str | None = None
    macs_stated: bool = False
    signature: str | None = None
    approximate_views: bool = False
    persons: Count | None = None
    weights_sha256: str | None = None
    split_known: bool | None = None
    splits: dict[str, Share] = {}


class MeasuredTeacher(TeacherRecord):
    """A teacher whose accuracy on the run's test split is known: that of every run with a finished round."""

    accuracy: Share


class Scale(Record):
    """c: the teacher's scale. B: the largest possible deviation. eta_B: the theory's η times B. temperature: τ."""

    c: float = Field(gt=0)
    B: float = Field(gt=0)
    eta_B: float = Field(gt=0)
    temperature: float = Field(gt=0)


# Costs, and the frontier.


class ModelCost(Record):
    """Of one example: multiply-accumulates; of the model: parameters, and bytes of weights in single precision."""

    macs: Macs
    parameters: Count
    bytes: Count


class PrefixCost(ModelCost):
    """The cost of a prefix, of all its students.

    memory_bytes: the peak of live activations. overhead_macs, carry_bytes: spent on connections, and held between two
    students. window_share: how much of a series has been read.
    """

    memory_bytes: Count
    overhead_macs: Macs
    carry_bytes: Count
    window_share: Share = 1.0


class SplitScores(Record):
    """Shares of a split's examples: answered right, and answered like the teacher."""

    accuracy: Share
    agreement: Share


class PointSummary(Record):
    """The part of a frontier's point that lists of runs need."""

    prefix: Round
    accuracy: Share
    macs: Macs
    macs_ratio: Number | None = None


class Point(PrefixCost, PointSummary):
    """A prefix on the frontier: what it reaches on the test split, and what one prediction costs in all.

    accuracy_low, accuracy_high: 95 % interval, over `persons` persons, or over examples where that is None. fixed,
    broken: test examples that the last student turned right and wrong; None in round 1. macs_ratio: of the
    teacher's MACs. budget: the limit on its MACs, where the run has budgets.
    """

    accuracy_low: Share
    accuracy_high: Share
    persons: Count | None = None
    agreement: Share
    train: SplitScores
    validation: SplitScores
    fixed: Count | None = None
    broken: Count | None = None
    budget: Macs | None = None
    latency_ms: dict[str, JsonValue] = {}


# A round.


class EpochRecord(Record):
    """The last epoch of a training. validation: metrics on that split. seconds: of the epoch; total: of all."""

    epoch: Count
    epochs: Count
    loss: float
    validation: dict[str, float] | None = None
    seconds: Number
    total: Number


class ByEta(Record):
    """The certificate at several η, each (multiples, classes) but `multiples`, which are of the theory's η."""

    multiples: tuple[float, ...]
    edges: tuple[tuple[float, ...], ...]
    second: tuple[tuple[float, ...], ...]
    relative_edges: tuple[tuple[float, ...], ...]
    bounds: tuple[tuple[float, ...], ...]


class RejectedCorrection(Record):
    """A head correction that was not taken. why: `kl`, `edge` or `none found`; the rest as it would have been."""

    why: str
    edge_min: float | None = None
    kl_after: Number | None = None
    accuracy_lost: float | None = None


class Condition(Record):
    """The weak learning condition of a student. condition_met: every class's edge is above 0 (in round 1: is 0).

    edges: by class, under the weights before its round. relative_edges: as a share of the largest possible ones.
    """

    condition_met: bool = Field(validation_alias=AliasChoices("condition_met", "certified"))
    edge_min: float
    edges: tuple[float, ...]
    relative_edges: tuple[float, ...]


class CertificateRow(Condition):
    """Both sides of the certificate after a round, on the normalised scale; *_by_class are (L,).

    measured, bound, trivial: of the class with the least slack. bound_eta: the multiple of the theory's η at which the
    bound is least. largest: by class, this student's own largest deviation. effective_examples: 1 / Σ (K⁺+K⁻)², the
    least of any class.
    """

    round: Round
    effective_examples: Number
    largest: tuple[float, ...] = ()
    measured: Number
    bound: Number
    trivial: Number
    bound_eta: float = Field(gt=0)
    measured_by_class: tuple[float, ...]
    bound_by_class: tuple[float, ...]
    trivial_by_class: tuple[float, ...]
    by_eta: ByEta | None = None


class Correction(Condition):
    """The check of a student against the weak learning condition, and what became of its head.

    edges_before: before the correction. kl_before, kl_after: of the prefix to the teacher, on the training inputs.
    accuracy_lost: on the validation split, by the correction; None in older runs. outcome: `kept`, `corrected`, or why
    not: `edge`, `kl`.
    """

    edges_before: tuple[float, ...] = ()
    corrected: bool
    kl_before: Number
    kl_after: Number
    accuracy_lost: float | None = None
    correction_seconds: Number = 0.0
    outcome: str = "kept"
    rejected: RejectedCorrection | None = Field(default=None, validation_alias=AliasChoices("rejected", "turned_down"))


class Candidate(Record):
    """A student that is to be trained for a round. rung: of the search's ladder. barrier: 1/γ."""

    round: Round
    attempt: int = 1
    composition: str
    rung: Count = 0
    student: str
    barrier: Number


class AttemptRecord(Correction, Candidate):
    """One training of a candidate. seconds: with the correction."""

    seed: int | None = None
    loss: float | None = None
    seconds: Number


class RoundRecord(CertificateRow, Correction):
    """A finished round. attempt: the one that was kept, of `attempts`. seconds: of all attempts."""

    attempt: int = 1
    attempts: int = 1
    composition: tuple[str, ...]
    rung: Count = 0
    student: str | None = None
    barrier: Number
    loss: float | None = None
    seconds: Number = 0.0


class FinishedRound(Record):
    """round.json: what a round was, and the point that it added to the frontier."""

    record: RoundRecord
    point: Point


# The event log.


class Event(Record):
    """One line of events.jsonl. v: of the format. time: ISO 8601, UTC."""

    v: int = 1
    time: AwareDatetime
    kind: str


class RunCreated(Event):
    kind: Literal["created"]
    parent: str | None = None
    rounds_done: Count = 0


class RunQueued(Event):
    kind: Literal["queued"]


class WorkerStarted(Event):
    kind: Literal["started"]
    pid: int
    host: str
    threads: int
    versions: dict[str, str] = {}
    resumed: bool = False


class PhaseBegan(Event):
    kind: Literal["phase"]
    phase: Phase


class Notice(Event):
    """A sentence for the user."""

    kind: Literal["notice"]
    text: str


class RoundStarted(Event, Candidate):
    """A training of a candidate begins."""

    kind: Literal["round_started"]
    epochs: Count


class EpochFinished(Event, EpochRecord):
    kind: Literal["epoch"]
    phase: Phase
    round: Round | None = None
    attempt: int | None = None


class AttemptFinished(Event, AttemptRecord):
    kind: Literal["attempt_finished"]


class HeadCorrected(Event, Correction):
    kind: Literal["head_corrected"]
    round: Round


class RoundUnmet(Event):
    """A round ended without the weak learning condition."""

    kind: Literal["round_unmet", "round_uncertified"]  # today's name, which is written, and an older one
    round: Round
    attempt: int = 1


class RoundFinished(Event):
    kind: Literal["round_finished"]
    round: Round
    record: RoundRecord
    point: Point


class PolishFinished(Event):
    kind: Literal["polish_finished"]
    rounds: tuple[FinishedRound, ...]


class TeacherFinished(Event):
    """card: the figures of the teacher that was saved."""

    kind: Literal["teacher_finished"]
    teacher: str
    card: TeacherFigures | None = None


class RunStopped(Event):
    kind: Literal["stopped"]
    phase: Phase | None = None
    round: Round | None = None
    epoch: Count | None = None
    update: Count | None = None


class RunFailed(Event):
    kind: Literal["failed"]
    error: str


class RunFinished(Event):
    kind: Literal["finished"]
    seconds: Number


AnyEvent = Annotated[
    RunCreated
    | RunQueued
    | WorkerStarted
    | PhaseBegan
    | Notice
    | RoundStarted
    | EpochFinished
    | AttemptFinished
    | HeadCorrected
    | RoundUnmet
    | RoundFinished
    | PolishFinished
    | TeacherFinished
    | RunStopped
    | RunFailed
    | RunFinished,
    Field(discriminator="kind"),
]
_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def read_events(lines: bytes) -> Iterator[AnyEvent]:
    """The events of whole lines; kinds that a later version has added are passed over.

    Raises ValueError for a line that is damaged.
    """
    for line in lines.splitlines():
        try:
            yield _EVENT.validate_json(line)
        except ValidationError as error:
            if error.errors()[0]["type"] != "union_tag_invalid":
                raise


# The run itself.


class Heartbeat(Record):
    """Where a worker is. fraction: of the training in progress. seconds_left: of the whole run."""

    host: str
    pid: int
    time: AwareDatetime
    phase: Phase | None = None
    round: Round | None = None
    attempt: int | None = None
    epoch: Count | None = None
    epochs: Count | None = None
    batch: Count | None = None
    batches: Count | None = None
    update: Count | None = None
    updates: Count | None = None
    fraction: Share | None = None
    seconds_left: Number | None = None


class RunRecord(Record):
    """run.json: configuration and summary of a run.

    parent: the run that it extends. error: why it failed. config: all options, as the configuration of its kind reads
    them. seconds: of training so far. rounds_done: finished rounds; points: their frontier. teacher_name: of
    the teacher that a run of the kind `teach` has saved.
    """

    schema_: int = Field(ge=1, le=SCHEMA, alias="schema")
    run: str | None
    kind: Literal["distil", "teach", "baseline"]
    parent: str | None = None
    state: State
    phase: Phase | None = None
    error: str | None = None
    exit_status: int | None = None
    created: AwareDatetime
    title: str
    dataset: DatasetRecord | None = None
    teacher: TeacherRecord | None = None
    method: str | None = None
    student: str | None = None
    mode: Literal["full", "segments"] = "full"
    config: DistilConfig | TeachConfig
    seconds: Number = 0.0
    threads: int | None = None
    versions: dict[str, str] = {}
    scale: Scale | None = None
    rounds_done: Count = 0
    points: tuple[PointSummary, ...] = ()
    teacher_name: str | None = None

    @property
    def distil_config(self) -> DistilConfig:
        """The options of a run that distils. Raises UserError for one that trains a teacher."""
        if isinstance(self.config, DistilConfig):
            return self.config
        raise UserError(f"The run {self.run} trains a teacher and has no students.")

    @property
    def known_dataset(self) -> DatasetRecord:
        """The data set, known once training has begun. Raises UserError before."""
        if self.dataset is None:
            raise UserError(f"The run {self.run} does not say what its dataset is.")
        return self.dataset

    @property
    def known_teacher(self) -> MeasuredTeacher:
        """The teacher and its accuracy, known once it has been measured. Raises UserError before."""
        if self.teacher is None or self.teacher.accuracy is None:
            raise UserError(f"The run {self.run} does not say how accurate its teacher is.")
        return MeasuredTeacher(**dict(self.teacher))

    @property
    def known_scale(self) -> Scale:
        """The scale of the run, known once the teacher has answered. Raises UserError before."""
        if self.scale is None:
            raise UserError(f"The run {self.run} does not say its scale.")
        return self.scale

    @field_validator("config", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, read: ValidationInfo) -> DistilConfig | TeachConfig:
        """The options as the configuration of the run's kind reads them; names are checked when a worker starts."""
        if isinstance(value, DistilConfig | TeachConfig):
            return value
        known_as = with_current_names(value) if isinstance(value, dict) else value
        return (TeachConfig if read.data.get("kind") == "teach" else DistilConfig).model_validate(known_as)


def with_current_names(options: dict[str, object]) -> dict[str, object]:
    """Stored options by the names that they have today."""
    return {RENAMED_OPTIONS.get(name, name): value for name, value in options.items()}


class RunLabel(Record):
    """label.json: what the user calls a run, None for its title, and a note on it."""

    name: Annotated[str, Field(min_length=1, max_length=MOST_NAME)] | None = None
    note: Annotated[str, Field(max_length=MOST_NOTE)] = ""

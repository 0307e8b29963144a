"""One run as text, what `bdistil show RUN` prints: what it is, what each prefix reaches and costs, how each round went,
and what the certificate amounts to. Imports no torch.
"""

from collections.abc import Sequence
from textwrap import wrap

from bdistil.data.dataset import SPLITS
from bdistil.errors import UserError
from bdistil.records import (
    AnyEvent,
    Notice,
    Point,
    PolishFinished,
    RoundFinished,
    RoundRecord,
    TeacherFinished,
    TeacherRecord,
)
from bdistil.report import formats
from bdistil.report.silence import silence
from bdistil.results import load
from bdistil.results.architecture import architecture, lines
from bdistil.results.scarce import largest_class, scarce_of
from bdistil.runs import Run
from bdistil.teachers.card import TeacherFigures

WIDTH, INDENT = 80, 10 * " "  # of a student's lines


def describe_run(run: Run) -> list[str]:
    """The lines of one run. Raises UserError if it cannot be read."""
    info, events, rounds = run.info(), run.events()[0], run.rounds()
    text = [f"{run.id}: {info.state}{f': {info.error}' if info.error else ''}"]
    silent = silence(run.heartbeat()) if info.state in ("queued", "running") else None
    text += [silent] if silent else []
    text += [info.title, *info.note.splitlines()]
    text.append(f"data set {info.dataset.name if info.dataset else info.config.dataset}")
    if info.parent:
        text.append(f"extends {info.parent}")
    if info.kind == "teach":
        cards = (event.card for event in events if isinstance(event, TeacherFinished) and event.card)
        return text + [_teacher(card.name, card.accuracy, card.macs) for card in cards]
    teacher = info.teacher
    if teacher:
        text += [_teacher(teacher.name, teacher.accuracy, teacher.macs), *_teacher_splits(teacher)]
        text += [teacher.signature] if teacher.signature else []
    else:
        text.append(_teacher(info.distil_config.teacher))
    text += _notices(teacher, events)
    records, points = [each.record for each in rounds], [each.point for each in rounds]
    text.append(f"method {info.method}, {_conditions_met(records)}")
    text.append(f"student {info.student}, composition {info.distil_config.composition}, mode {info.mode}")
    stated = ", as stated" if teacher and teacher.macs_stated else ""
    text += [_prefix(point, stated) for point in points]
    text += _caveats(run, points)
    later = records[1:]
    if later:
        text += [
            "rounds",
            *(_round(record, info.distil_config.composition) for record in later),
            _certificate(later[-1]),
        ]
    composed = lines(architecture(run.path, points))
    if composed:
        reads = any("<-" in line for line in composed)
        legend = " (<- reads what earlier ones left there, a size of 0 passes that on)" if reads else ""
        text += [
            f"students{legend}",
            *(part for line in composed for part in wrap(line, WIDTH, subsequent_indent=INDENT)),
        ]
    return text


def _caveats(run: Run, points: Sequence[Point]) -> list[str]:
    """Classes that a split has no example or few of, and an accuracy that always answering one class surpasses."""
    if not points:
        return []
    try:
        results = load(run)
    except UserError:  # its points can still be shown
        return []
    below = formats.below_largest(points[-1].accuracy, *largest_class(results))
    scarce = [text for split in SPLITS for text in formats.scarce(scarce_of(results, split))]
    return ([f"{formats.students(len(points))}: {below}"] if below else []) + scarce


def _teacher(name: str, accuracy: float | None = None, macs: float | None = None) -> str:
    """`teacher digits-resnet-s: 100.0 %, 1.8 M MACs`, as far as that is known."""
    facts = [] if accuracy is None else [formats.percent(accuracy)]
    facts += [f"{formats.macs(macs)} MACs"] if macs else []
    return f"teacher {name}" + (f": {', '.join(facts)}" if facts else "")


def _teacher_splits(teacher: TeacherRecord) -> list[str]:
    """`of this run's splits: train 99.9 %, validation 96.0 %, test 95.2 %`, where more than the test split is there."""
    splits = ", ".join(f"{split} {formats.percent(accuracy)}" for split, accuracy in teacher.splits.items())
    return [f"the teacher on this run’s splits: {splits}"] if len(teacher.splits) > 1 else []


def _notices(teacher: TeacherRecord | None, events: Sequence[AnyEvent]) -> list[str]:
    """What is to be known of the teacher and the data; runs of earlier versions do not record an unknown split."""
    texts = [event.text for event in events if isinstance(event, Notice)]
    unknown = teacher is not None and not formats.split_is_known(teacher) and formats.UNKNOWN_SPLIT not in texts
    return [formats.UNKNOWN_SPLIT, *texts] if unknown else texts


def describe_teaching(card: TeacherFigures) -> str:
    """What a training has made, of a teacher's card: `95.2 % of the test split (…), 24 epochs, 12 min`."""
    parts = []
    if card.accuracy is not None and card.accuracy_low is not None and card.accuracy_high is not None:
        interval = f"{formats.interval_name(card.persons)} {formats.interval(card.accuracy_low, card.accuracy_high)}"
        parts.append(f"{formats.percent(card.accuracy)} of the test split ({interval})")
    if card.epochs is not None:
        parts.append("1 epoch" if card.epochs == 1 else f"{card.epochs} epochs")
    if card.seconds is not None:
        parts.append(formats.duration(card.seconds))
    return ", ".join(parts)


def describe_round(ended: RoundFinished, rounds: int) -> str:
    """A round as it ends, of so many: `round 2 of 6: validation 95.2 %, agreement 96.1 %, cost 12 % of the teacher`."""
    return f"round {ended.round} of {rounds}: {_reached(ended.point)}"


def describe_polish(ended: PolishFinished) -> str:
    """All students together after the polish, in the words of `describe_round`."""
    return f"polish: {_reached(ended.rounds[-1].point)}"


def _reached(point: Point) -> str:
    """What a prefix reaches on the validation split, and what it costs."""
    scores, ratio = point.validation, point.macs_ratio
    price = f"{formats.macs(point.macs)} MACs" if ratio is None else f"cost {formats.share(ratio)} of the teacher"
    return f"validation {formats.percent(scores.accuracy)}, agreement {formats.percent(scores.agreement)}, {price}"


def _conditions_met(records: list[RoundRecord]) -> str:
    """In how many rounds the weak learning condition is met: `condition met in all 6 rounds`."""
    met = sum(record.condition_met for record in records)
    if not records:
        return "no round has ended yet"
    if met == len(records) > 1:
        return f"condition met in all {met} rounds"
    return f"condition met in {met} of {len(records)} rounds"


def _prefix(point: Point, stated: str) -> str:
    """What a prefix reaches and costs; of its MACs those for reading, and what its last student leaves for the next."""
    parts = []
    if point.macs_ratio is not None:
        parts.append(f"{100 * point.macs_ratio:.1f} % of the teacher{stated}")
    if point.overhead_macs:
        parts.append(f"reading {formats.macs(point.overhead_macs)}")
    if point.carry_bytes:
        parts.append(f"carries {formats.size(point.carry_bytes)}")
    return f"{point.prefix:3} {100 * point.accuracy:6.2f} % {point.macs / 1e6:7.3f} M MACs  {', '.join(parts)}"


def _round(record: RoundRecord, composition: str) -> str:
    """How the search for a student of a round after the first went; by which composition, where it is another."""
    parts = [
        f"condition {'met' if record.condition_met else 'missed'}",
        f"smallest edge {record.edge_min:.2g}",
        "1 attempt" if record.attempts == 1 else f"{record.attempts} attempts",
    ]
    parts += ["head corrected"] if record.corrected else []
    parts += [f"composition {found}" for found in record.composition if found != composition]
    return f"{record.round:3} {', '.join(parts)}"


def _certificate(record: RoundRecord) -> str:
    """Both sides of the certificate for the class with the least slack."""
    deviation, bound, trivial = (formats.decimal(value, 2) for value in (record.measured, record.bound, record.trivial))
    of = f"certificate after {record.round}, of the class with the least slack"
    return f"{of}: deviation {deviation}, bound {bound}, trivial bound {trivial}"

"""A run's events in sentences: "What happened" on Distil, the search for each student included.

Pure functions of the events that the run store gives; states are worded by `run_text`,
numbers by `bdistil.report.formats`.
"""

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from run_text import WAITING, reached

from bdistil.records import (
    AnyEvent,
    AttemptFinished,
    Correction,
    HeadCorrected,
    Notice,
    PhaseBegan,
    Point,
    PolishFinished,
    RoundFinished,
    RoundStarted,
    RoundUnmet,
    RunCreated,
    RunFailed,
    RunFinished,
    RunQueued,
    RunStopped,
    TeacherFinished,
    WorkerStarted,
)
from bdistil.report.formats import NO_BREAK, count_students, duration, kl_change, listing, percent, seconds, signed
from bdistil.students.catalogue import ALONE, COMPOSITIONS


def event_lines(
    events: Iterable[AnyEvent], classes: Sequence[str] = (), zone: tzinfo | None = None, *, polished: bool = False
) -> list[tuple[str, str]]:
    """(time, sentence) for each event worth a line, newest first; times are HH:MM in `zone`, default here.

    classes: the data set's names. polished: of a run whose students train together (method `b-distil+polish`).
    """
    lines: list[tuple[str, str]] = []
    rung, accuracy = 0, None
    sentence: str | None
    for event in events:
        match event:
            case RoundStarted():
                sentence = _round_started(event, rung, polished)
                rung = event.rung
            case RoundFinished():
                sentence = _round_finished(event.point, accuracy)
                accuracy = event.point.accuracy
            case PolishFinished():
                sentence = _polish_finished(event.rounds[-1].point, accuracy)
            case _:
                sentence = _sentence(event, classes)
        if sentence:
            lines.append((f"{event.time.astimezone(zone):%H:%M}", sentence))
    return lines[::-1]


def _sentence(event: AnyEvent, classes: Sequence[str]) -> str | None:
    """An event that stands for itself as a sentence, or None."""
    match event:
        case RunCreated():
            return _created(event)
        case AttemptFinished():
            return _attempt_finished(event, classes)
        case RoundUnmet():
            return f"Round {event.round} misses the condition: attempt {event.attempt} came closest and is kept."
        case HeadCorrected():
            return _head_corrected(event, classes)
        case PhaseBegan():
            return "The polish starts: all students train together." if event.phase == "polish" else None
        case WorkerStarted():
            return "Training goes on where it stopped." if event.resumed else "Training starts."
        case RunStopped():
            return _stopped(event)
        case RunFailed():
            return f"Failed: {event.error}"
        case RunFinished():
            return f"Everything is done, after {duration(event.seconds)}."
        case TeacherFinished():
            accuracy = event.card.accuracy if event.card else None
            reached_words = "" if accuracy is None else f": {percent(accuracy)} accuracy"
            return f"The teacher {event.teacher} is ready{reached_words}."
        case Notice():
            return event.text
        case RunQueued():
            return WAITING
    return None


def _stopped(event: RunStopped) -> str:
    place = "the polish" if event.phase == "polish" else ""
    place = f"round {event.round}" if event.round else place
    step = f"epoch {event.epoch}" if event.epoch else ""
    step = f"step {event.update} of the head correction" if event.update else step
    return f"Stopped in {', '.join(filter(None, (place, step)))}." if step else "Stopped."


def _created(event: RunCreated) -> str:
    if not event.parent:
        return "The run was created."
    count = event.rounds_done
    stay = "stays as it is" if count == 1 else "stay as they are"
    return f"The run was created: it goes on from {event.parent}, whose {count_students(count)} {stay}."


def _round_started(event: RoundStarted, rung: int, polished: bool) -> str:
    """`rung`: of the attempt before."""
    number, earlier, composition = event.round, event.round - 1, event.composition
    if event.attempt > 1 and event.rung > rung:
        climbed = f"the next rung, composition {composition}, with barrier {event.barrier:g}"
        return f"Round {number}, attempt {event.attempt}: {climbed}."
    if event.attempt > 1:
        return f"Round {number}, attempt {event.attempt}: trying again with barrier {event.barrier:g}."
    if number == 1:
        return "Round 1 starts: student 1 learns from the teacher alone."
    known = COMPOSITIONS.get(composition, ALONE)  # of one's own students nothing is known
    start = f"Round {number} starts: {known.start.format(number=number, earlier=earlier)}"
    return f"{start}, and students 1 to {number} train together." if polished else f"{start}."


def _attempt_finished(event: AttemptFinished, classes: Sequence[str]) -> str | None:
    """What became of an attempt; None for round 1, where every edge is 0."""
    number, edges, outcome = event.round, event.edges, event.outcome
    if number == 1 or not edges:
        return None
    if outcome == "kept":
        return f"{_corrects(number, edges, classes)}{_rejected(event)}"
    missed = sum(edge <= 0 for edge in event.edges_before)
    who = f"Student {number}, attempt {event.attempt},"
    if outcome == "corrected" and not missed:
        took, cost = seconds(event.correction_seconds), kl_change(event.kl_before, event.kl_after)
        prepared = f"its output layer was prepared in {took} for what student {number + 1} needs; KL {cost}"
        return f"{_corrects(number, edges, classes)[:-1]}; {prepared}."
    if outcome == "corrected":
        return f"{who} missed {missed} of {len(edges)} classes; {_met(event, seconds(event.correction_seconds))}."
    if outcome == "kl":
        cost = kl_change(event.kl_before, event.kl_after)
        return f"{who} missed {missed} of {len(edges)} classes; mending that would cost {cost} of KL, too much."
    return f"{who} misses {missed} of {len(edges)} classes, and correcting its output layer could not fix that."


def _met(event: Correction, took: str = "") -> str:
    """What a correction of its output layer did for a student; took: how long it was, where it was this one's alone."""
    cost = kl_change(event.kl_before, event.kl_after)
    return f"its output layer was corrected{took and f' in {took}'} and now meets all; KL {cost}"


def _rejected(event: Correction) -> str:
    """What is said of a correction that was tried and rejected; nothing where none was."""
    tried = event.rejected
    if not tried:
        return ""
    if tried.why == "none found":
        return " No correction of output layers was found that would do more."
    if tried.why == "edge":
        return " A correction of output layers still missed a class, and was taken back."
    change = "" if tried.kl_after is None else f" by {kl_change(event.kl_before, tried.kl_after)}"
    return f" A correction of output layers would move KL{change}, too much, and was taken back."


def _corrects(number: int, edges: Sequence[float], classes: Sequence[str]) -> str:
    """On which classes a student corrects the ones before it."""
    missed = [index for index, edge in enumerate(edges) if edge <= 0]
    start = f"Student {number} corrects the ones before it on"
    if not missed:
        return f"{start} every class."
    if len(missed) == len(edges):
        return f"{start} no class."
    if len(missed) > 3 or len(classes) != len(edges):
        return f"{start} {len(edges) - len(missed)} of {len(edges)} classes."
    return f"{start} every class but {listing([classes[index] for index in missed])}."


def _head_corrected(event: HeadCorrected, classes: Sequence[str]) -> str:
    if not event.corrected:
        return f"After the polish: {_corrects(event.round, event.edges, classes)}{_rejected(event)}"
    missed = sum(edge <= 0 for edge in event.edges_before)
    outcome = f"missed {missed} of {len(event.edges)} classes"
    return f"After the polish: student {event.round} {outcome}; {_met(event)}."


def _round_finished(point: Point, before: float | None) -> str:
    """`before`: accuracy of the prefix before this round."""
    return _compared(f"Round {point.prefix}", point, before, count_students(point.prefix - 1))


def _polish_finished(point: Point, before: float | None) -> str:
    """`before`: accuracy of the last prefix as its round ended."""
    return _compared("The polish", point, before, "before it")


def _compared(what: str, point: Point, before: float | None, than: str) -> str:
    words = reached(point).replace(f"{NO_BREAK}% at", f"{NO_BREAK}% accuracy at", 1)
    start = f"{what} is done: {words}"
    if before is None:
        return f"{start}."
    change = 100 * (point.accuracy - before)
    amount = signed(change).lstrip("+\u2212")
    if float(amount) == 0:
        return f"{start}, as accurate as {than}."
    return f"{start}, {amount} points {'more' if change > 0 else 'less'} than {than}."

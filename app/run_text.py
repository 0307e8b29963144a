"""A run's states in words: cards, the notes of Explore, the title, line and notices of Distil.

Pure functions of what the run store gives: `info` (run.json with its true state) and heartbeats. Events are worded by
`event_log`, numbers by `bdistil.report.formats`.
"""

from bdistil.config import TeachConfig
from bdistil.method_registry import polishes
from bdistil.records import Heartbeat, PointSummary
from bdistil.report.formats import count_students, duration, macs, number_word, percent, share, students
from bdistil.runs import RunInfo

WAITING = "Waiting: another run is training."
FIRST_MODEL = "the first usable model appears when round 1 ends"
STARTING = "The run is getting ready: data and the teacher’s answers."
PARTS = {1: "all", 2: "a half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 8: "an eighth"}
ORDINALS = {1: "first", 2: "second", 3: "third"}

Info = RunInfo
Beat = Heartbeat


def capital(text: str) -> str:
    """The first letter as a capital, the rest untouched."""
    return text[:1].upper() + text[1:]


def reached(point: PointSummary) -> str:
    """`92.9 % at 8 % of the teacher's cost`, or in MACs where the teacher's are unknown."""
    if point.macs_ratio is None:
        return f"{percent(point.accuracy)} at {macs(point.macs)} MACs"
    return f"{percent(point.accuracy)} at {share(point.macs_ratio)} of the teacher’s cost"


def card(info: Info) -> str:
    """The one sentence on a run's card."""
    state, done = info.state, info.rounds_done
    if state == "queued":
        return WAITING
    if state == "failed":
        return info.error or "It ended with an error."
    if info.kind == "teach":
        return {
            "running": "A teacher is training; it can be distilled when it is ready.",
            "stopped": "Stopped before the teacher was ready.",
            "finished": f"The teacher {info.teacher_name} is ready to be distilled.",
        }[state]
    if state == "finished":
        return _finished_card(info)
    if state == "stopped":
        return _stopped_card(info)
    if not info.points:
        return f"{capital(FIRST_MODEL)}."
    if polishing(info):
        return f"{capital(count_students(done))}, polished together now: {reached(info.points[-1])} so far."
    return f"{capital(count_students(done))} so far: {reached(info.points[-1])}."


def _stopped_card(info: Info) -> str:
    done, total = info.rounds_done, info.distil_config.rounds
    if not done:
        return "Stopped before the first student was ready."
    if polishing(info):
        return f"Stopped in the polish of its {count_students(done)}: {reached(info.points[-1])} so far."
    return f"Stopped after {number_word(done)} of {count_students(total)}: {reached(info.points[-1])}."


def polishing(info: Info) -> bool:
    """Whether all rounds of a run have ended and its polish is what goes on, or was interrupted."""
    polished = polishes(info.method) and info.rounds_done >= info.distil_config.rounds
    getting_ready = info.state == "running" and info.phase == "teacher"
    return polished and info.state not in ("finished", "queued") and info.phase != "report" and not getting_ready


def complete(info: Info) -> bool:
    """Whether a run has all its students, and only the last figures are missing."""
    return info.kind == "distil" and info.rounds_done >= info.distil_config.rounds and not polishing(info)


def _finished_card(info: Info) -> str:
    first, last = info.points[0], info.points[-1]
    accuracy = info.teacher.accuracy if info.teacher else None
    teacher = "." if accuracy is None else f"; the teacher: {percent(accuracy)}."
    if len(info.points) == 1:
        return f"One student: {reached(first)}{teacher}"
    if first.macs_ratio is None or last.macs_ratio is None:
        return f"From {reached(first)} to {reached(last)}{teacher}"
    start = f"From {percent(first.accuracy)} at {share(first.macs_ratio)} of the cost"
    return f"{start} to {percent(last.accuracy)} at {share(last.macs_ratio)}{teacher}"


def recipe(info: Info) -> str:
    """What a run is made of: `b-distil: cnn-xs, composition add; teacher digits-resnet-s.`"""
    config = info.config
    if isinstance(config, TeachConfig):
        return f"{config.architecture}, {config.epochs} epochs."
    parts = [f"{config.student}, composition {config.composition}"]
    parts += [f"mode {config.mode}"] if config.mode != "full" else []
    parts += ["one cell for all"] if config.cell == "shared" else []
    return f"{info.method}: {', '.join(parts)}; teacher {config.teacher}."


def explore_note(info: Info, current: int | None = None) -> str | None:
    """What Explore says while a run is not finished; `current` is the round in training. None for a finished run."""
    total, done = info.distil_config.rounds, info.rounds_done
    if polishing(info) and info.state == "running":
        return f"The {count_students(done)} are polished together; these points are as the rounds left them."
    if polishing(info) and info.state == "stopped":
        return f"Stopped in the polish; {_as_they_stood(done)}."
    if info.state == "running" and info.phase != "rounds":
        return STARTING if not done else "Computing the final results."
    if info.state == "running":
        return f"Round {current or min(done + 1, total)} of {total} is training; a new point will appear here."
    if info.state == "queued":
        return WAITING
    if info.state == "stopped":
        kept = {0: "", 1: "; this one is complete"}.get(done, f"; these {number_word(done)} are complete")
        return f"Stopped after {done} of {students(total)}{kept}."
    if info.state == "failed":
        return info.error or "It ended with an error."
    return None


def modes(rounds: int) -> dict[str, str]:
    """The modes of a run on series, worded for a choice."""
    part = PARTS.get(rounds, "its own part")
    return {"segments": f"segments: {part} of the window", "full": "full: the whole window"}


def mode(name: str, rounds: int) -> str:
    """What a mode means for the prefixes of a run of so many rounds."""
    if name == "full":
        return "Every prefix answers when the window has ended."
    if rounds == 1:
        return "With one student this is the whole window; early answers begin with two."
    return (
        f"Early prediction: student 1 reads the first of {number_word(rounds)} equal parts, each next student the part "
        f"that follows. One student answers after {percent(1 / rounds, 0)} of the window, all of them at its end."
    )


def title(info: Info, beat: Beat | None = None) -> str:
    """The heading of Distil for a run that was started."""
    if info.kind == "teach":
        return _teacher_title(info, beat)
    total, done, state = info.distil_config.rounds, info.rounds_done, info.state
    current = min(total, max((beat and beat.round) or 0, done + 1))
    if polishing(info):
        return {
            "running": f"{capital(count_students(done))} {'is' if done == 1 else 'are'} polished together",
            "stopped": "Stopped in the polish",
            "failed": "The polish failed",
        }[state]
    if state in ("stopped", "failed") and complete(info):
        return "Stopped just before its end" if state == "stopped" else "The last step failed"
    if state == "running" and info.phase != "rounds":
        return "Computing the final results" if info.phase == "report" else "The run is getting ready"
    return {
        "queued": "Waiting for its turn",
        "running": f"Round {current} of {total} is training",
        "stopped": f"Stopped in round {current} of {total}",
        "failed": f"Round {current} of {total} failed",
        "finished": f"{capital(count_students(done))} {'is' if done == 1 else 'are'} ready",
    }[state]


def _teacher_title(info: Info, beat: Beat | None) -> str:
    epochs = info.config.epochs
    return {
        "queued": "The teacher waits for its turn",
        "running": "The teacher is training",
        "stopped": f"Stopped in epoch {(beat and beat.epoch) or 1} of {epochs}",
        "failed": "The teacher’s training failed",
        "finished": "The teacher is ready",
    }[info.state]


def progress(info: Info, beat: Beat | None, composition: str | None = None) -> str:
    """The line under the title while a run trains: where it is, how long it will take, what can be used already.

    composition: of the student in training, the configured one by default.
    `Epoch 4 of 8, first attempt, composition add. About 52 min left; 2 models can be used already.`
    """
    done, teach = info.rounds_done, info.kind == "teach"
    usable = f"{done} {'model' if done == 1 else 'models'} can be used already" if done else FIRST_MODEL
    if not teach and polishing(info):
        usable += ", as the rounds left them"
    if beat and beat.update:
        step = f"step {beat.update} of at most {beat.updates}"
        return f"Output layers are corrected for the weak learning condition, {step}. {capital(usable)}."
    if not beat or not beat.epoch:
        return "The data are being read." if teach else f"{usable}." if done else STARTING
    where, left = f"Epoch {beat.epoch} of {beat.epochs}", beat.seconds_left
    ends = [] if left is None else [f"about {duration(left)} left"]
    if teach:
        return ". ".join([where, *map(capital, ends)]) + "."
    ends.append(usable)
    if not beat.round:
        return f"{where}. {capital('; '.join(ends))}."
    attempt = beat.attempt or 1
    composition = "alone" if beat.round == 1 else composition or info.distil_config.composition
    try_ = f"{ORDINALS.get(attempt, f'{attempt}th')} attempt"
    return f"{where}, {try_}, composition {composition}. {capital('; '.join(ends))}."


def stopped_notice(info: Info, beat: Beat | None, failure: str | None = None) -> tuple[str, str]:
    """(what is, what to do) for a run that was stopped, or whose worker is gone, and with why, where it could tell."""
    done = info.rounds_done
    if info.kind == "teach":
        safe = "The epochs so far are kept."
    elif done == 0:
        safe = "No student is finished yet."
    elif polishing(info):
        safe = f"{capital(_as_they_stood(done))}."
    else:
        safe = f"{capital(count_students(done))} {'is' if done == 1 else 'are'} finished and usable."
    place = f" of round {beat.round}" if beat and beat.round else ""
    if info.kind == "distil" and polishing(info):
        place = " of the polish"
    epoch = f"repeats epoch {beat.epoch}{place} from its start" if beat and beat.epoch else "goes on where it stopped"
    if beat and beat.update:
        epoch = f"repeats step {beat.update} of the head correction{place} from its start"
    if complete(info):
        epoch = "works out the last figures"
    product = "teacher" if info.kind == "teach" else "ensemble"
    resuming = f"Resuming {epoch}, and gives the same {product} as an uninterrupted run."
    if not info.worker_gone:
        return safe, resuming
    what, dot, advice = (failure or "The worker ended without a word.").partition(". ")
    return what + dot.strip(), " ".join(filter(None, (advice, safe, resuming)))


def failed_notice(info: Info) -> tuple[str, str]:
    """(what is, what to do) for a run that failed."""
    done = info.rounds_done
    safe = {0: "Nothing finished was lost.", 1: "Round 1 is safe.", 2: "Rounds 1 and 2 are safe."}
    rest = safe.get(done, f"Rounds 1 to {done} are safe.")
    if info.kind == "distil" and polishing(info):
        rest = f"{capital(_as_they_stood(done))}."
    what, _, advice = (info.error or "It ended with an error.").partition(". ")
    advice = advice or "Resuming tries it again."
    return f"{what.rstrip('.')}.", advice if "safe" in advice else f"{advice} {rest}"


def _as_they_stood(rounds: int) -> str:
    return "round 1 is usable as it stood" if rounds == 1 else f"rounds 1 to {rounds} are usable as they stood"

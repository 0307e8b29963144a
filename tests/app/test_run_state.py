"""What Distil shows without drawing it: a run's state, its words, the replay's position, cards, the command's flags."""

import sys
import threading
import time
from datetime import UTC

import cards
import engine
import estimate
import numpy as np
import pandas as pd
import pytest
import run_text
from event_log import event_lines
from replay import Replay
from run_state import run_state, state_so_far

from bdistil.cli import main
from bdistil.config import DistilConfig
from bdistil.data import info
from bdistil.data.reading import OwnData
from bdistil.errors import UserError
from bdistil.records import (
    AttemptFinished,
    HeadCorrected,
    RejectedCorrection,
    RoundFinished,
    RoundStarted,
    RunCreated,
    RunStopped,
)
from bdistil.report.palette import THEMES
from bdistil.runs import Run
from bdistil.teachers import card_for
from tests.builders import build_run
from tests.builders.records import event, heartbeat, point, round_record, run_info


@pytest.fixture
def run(tmp_path):
    return Run(build_run(tmp_path / "run", dataset="fashion-mnist", rounds=3))


def events(run):
    return run.events()[0]


def test_a_story_of_all_events_ends_as_the_run_did(run):
    told = state_so_far(run.info(), events(run))
    assert told.info.state == "finished" and told.info.rounds_done == 3 and told.beat is None
    assert [row.prefix for row in told.points] == [1, 2, 3] == [row.round for row in told.records]
    assert [row.outcome for row in told.attempts] == ["kept"] * 3
    assert [row.candidate.composition for row in told.attempts] == ["alone", "add", "add"]


def test_a_story_so_far_knows_nothing_of_what_comes(run):
    first = next(place for place, event in enumerate(events(run), 1) if event.kind == "round_finished")
    told = state_so_far(run.info(), events(run)[:first])
    assert told.info.state == "running" and told.info.rounds_done == len(told.info.points) == 1
    assert run_text.title(told.info, told.beat) == "Round 2 of 3 is training"
    told = state_so_far(run.info(), events(run)[: first + 3])
    assert run_text.progress(told.info, told.beat) == (
        "Epoch 3 of 8, first attempt, composition add. 1 model can be used already."
    )
    assert told.fraction == 2 / 8


def test_every_first_part_of_a_run_has_words(run):
    info, all_events = run.info(), events(run)
    for count in range(len(all_events) + 1):
        told = state_so_far(info, all_events[:count])
        assert run_text.title(told.info, told.beat) and run_text.progress(told.info, told.beat)
        assert 0 <= told.fraction <= 1


def test_what_an_interrupted_run_repeats_counts_once(run):
    whole = events(run)
    again = [event for event in whole if getattr(event, "round", None) == 2]
    told = run_state(run.info(), [*whole, *again])
    assert [row.prefix for row in told.points] == [1, 2] and len(told.attempts) == 3


OUTCOMES = {2: ["edge", "kl", "corrected"], 3: ["edge", "edge"]}


@pytest.fixture
def searched(tmp_path):
    """A run whose second round needed three attempts, and whose third met the condition in none of two."""
    return Run(build_run(tmp_path / "searched", dataset="fashion-mnist", rounds=3, search=OUTCOMES))


@pytest.fixture
def polished(tmp_path):
    return Run(build_run(tmp_path / "polished", dataset="fashion-mnist", rounds=3, method="b-distil+polish"))


def test_a_search_is_a_row_an_attempt(searched):
    told = state_so_far(searched.info(), events(searched))
    assert [(*row.place, row.outcome) for row in told.attempts] == [
        (1, 1, "kept"),
        (2, 1, "edge"),
        (2, 2, "kl"),
        (2, 3, "corrected"),
        (3, 1, "edge"),
        (3, 2, "edge"),
    ]
    assert [row.place for row in told.attempts if row.kept_unmet] == [(3, 2)]
    assert [round(row.candidate.barrier, 6) for row in told.attempts if row.candidate.round == 2] == [0.3, 0.9, 2.7]
    sentences = [sentence for _, sentence in event_lines(events(searched))]
    assert "Round 2, attempt 3: trying again with barrier 2.7." in sentences
    assert "Round 3 misses the condition: attempt 2 came closest and is kept." in sentences
    assert any("of KL, too much." in sentence for sentence in sentences)
    corrected = next(sentence for sentence in sentences if sentence.startswith("Student 2, attempt 3,"))
    assert "of 10 classes; its output layer was corrected in 1.4\u00a0s and now meets all; KL +" in corrected
    assert any(sentence.endswith("correcting its output layer could not fix that.") for sentence in sentences)


def test_a_rung_that_is_climbed_is_told():
    def started(attempt, rung, composition, barrier):
        return event(RoundStarted, round=2, attempt=attempt, rung=rung, composition=composition, barrier=barrier)

    (_, climbed), (_, again), _ = event_lines(
        [started(1, 0, "add", 0.3), started(2, 0, "add", 0.9), started(3, 1, "concat", 0.3)]
    )
    assert again == "Round 2, attempt 2: trying again with barrier 0.9."
    assert climbed == "Round 2, attempt 3: the next rung, composition concat, with barrier 0.3."


def test_a_polish_replaces_what_the_rounds_left_and_keeps_it_in_sight(polished):
    told = state_so_far(polished.info(), events(polished))
    finals = polished.rounds()
    assert told.points == [entry.point for entry in finals]
    assert told.records == [entry.record for entry in finals]
    assert told.unpolished == [entry.point for entry in polished.unpolished()]
    assert [row.round for row in told.heads] == [2, 3] and len(told.attempts) == 3
    sentences = [sentence for _, sentence in event_lines(events(polished), polished=True)]
    assert "The polish starts: all students train together." in sentences
    assert any(sentence.startswith("The polish is done: ") and "than before it." in sentence for sentence in sentences)
    assert sum(sentence.startswith("After the polish: ") for sentence in sentences) == 2
    assert (
        "Round 3 starts: student 3 reads the activations of all before it, and students 1 to 3 train together."
        in sentences
    )


def test_a_replay_goes_through_the_polish(polished):
    whole = events(polished)
    start = next(place for place, event in enumerate(whole, 1) if getattr(event, "phase", None) == "polish")
    told = state_so_far(polished.info(), whole[:start])
    assert run_text.title(told.info, told.beat) == "Three students are polished together"
    assert run_text.progress(told.info, told.beat) == (
        "Epoch 1 of 8. 3 models can be used already, as the rounds left them."
    )
    told = state_so_far(polished.info(), whole[: start + 5])
    assert "Epoch 6 of 8." in run_text.progress(told.info, told.beat) and told.fraction == 5 / 8
    assert told.unpolished == [] and len(told.points) == 3


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_every_first_part_of_either_method_has_words(tmp_path, method):
    run = Run(build_run(tmp_path / "run", rounds=2, method=method))
    for count in range(len(events(run)) + 1):
        told = state_so_far(run.info(), events(run)[:count])
        assert run_text.title(told.info, told.beat) and run_text.progress(told.info, told.beat)
        assert cards.card(told.info, None, "run").sentence and 0 <= told.fraction <= 1


INTERRUPTED = {
    "stopped": ("Stopped in the polish", "Rounds 1 to 3 are usable as they stood."),
    "failed": ("The polish failed", "Rounds 1 to 3 are usable as they stood."),
}


@pytest.mark.parametrize("state", INTERRUPTED)
def test_a_polish_that_ends_early_says_what_is_usable(tmp_path, state):
    path = build_run(
        tmp_path / "run",
        rounds=3,
        done=3,
        method="b-distil+polish",
        state=state,
        error="The disk is full. Free some space, then resume.",
    )
    info, beat = Run(path).info(), Run(path).heartbeat()
    title, safe = INTERRUPTED[state]
    assert run_text.title(info, beat) == title
    what, advice = run_text.failed_notice(info) if state == "failed" else run_text.stopped_notice(info, beat)
    assert safe in f"{what} {advice}"
    if state == "stopped":
        assert "repeats epoch 5 of the polish from its start, and gives the same ensemble" in advice
        assert run_text.explore_note(info) == "Stopped in the polish; rounds 1 to 3 are usable as they stood."


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_a_card_names_the_method(tmp_path, method):
    info = Run(build_run(tmp_path / "run", method=method)).info()
    assert cards.card(info, None, "run").state == f"{method}, finished"


def test_an_extension_is_told_as_one():
    created = event(RunCreated, parent="short", rounds_done=6)
    assert event_lines([created])[0][1] == (
        "The run was created: it goes on from short, whose six students stay as they are."
    )


def test_the_signature_leaves_a_student_s_epochs_out_but_not_a_teacher_s(run, tmp_path):
    whole = events(run)
    place = next(place for place, event in enumerate(whole) if event.kind == "epoch")
    before, after = (state_so_far(run.info(), whole[:end]).signature for end in (place, place + 1))
    assert before == after
    teacher = Run(build_run(tmp_path / "teacher", kind="teach"))
    told = events(teacher)
    place = next(place for place, event in enumerate(told) if event.kind == "epoch")
    before, after = (state_so_far(teacher.info(), told[:end]).signature for end in (place, place + 1))
    assert before != after


def test_what_happened_is_told_newest_first(run):
    told = event_lines(events(run), run.info().dataset.classes, UTC)
    assert told[-1] == ("14:06", "The run was created.")
    sentences = [sentence for _, sentence in told]
    assert sentences[0] == "Everything is done, after 1\u00a0min."
    assert "Round 1 starts: student 1 learns from the teacher alone." in sentences
    assert any(
        sentence.startswith("Round 2 is done: ") and "more than one student." in sentence for sentence in sentences
    )


@pytest.mark.parametrize(
    ("edges", "sentence"),
    [
        ((0.1, 0.2, 0.3, 0.1), "Student 2 corrects the ones before it on every class."),
        ((0.1, -0.2, 0.3, 0.0), "Student 2 corrects the ones before it on every class but Coat and Bag."),
        ((-0.1, -0.2, -0.3, 0.0), "Student 2 corrects the ones before it on no class."),
    ],
)
def test_which_classes_a_student_corrects(edges, sentence):
    finished = event(AttemptFinished, round=2, edges=edges)
    assert event_lines([finished], ("Shirt", "Coat", "Boot", "Bag"))[0][1] == sentence


CORRECTION = {
    "round": 2,
    "edges": (0.001, 0.002),
    "edges_before": (0.003, 0.004),
    "kl_before": 0.1,
    "kl_after": 0.1,
    "correction_seconds": 1.6,
}


@pytest.mark.parametrize(
    ("of", "fields", "sentence"),
    [
        (
            AttemptFinished,
            {"outcome": "corrected", "kl_after": 0.11},
            "Student 2 corrects the ones before it on every "
            "class; its output layer was prepared in 1.6\u00a0s for what student 3 needs; KL +10.0\u00a0%.",
        ),
        (
            AttemptFinished,
            {"outcome": "kept", "rejected": RejectedCorrection(why="none found")},
            "Student 2 corrects "
            "the ones before it on every class. No correction of output layers was found that would do more.",
        ),
        (
            AttemptFinished,
            {"outcome": "kept", "rejected": RejectedCorrection(why="kl", kl_after=0.2)},
            "Student 2 "
            "corrects the ones before it on every class. A correction of output layers would move KL by +100.0\u00a0%, "
            "too much, and was taken back.",
        ),
        (
            HeadCorrected,
            {"edges": (-0.1, 0.1), "rejected": RejectedCorrection(why="edge")},
            "After the polish: Student 2 corrects the ones before it on 1 of 2 classes. A correction of output layers "
            "still missed a class, and was taken back.",
        ),
    ],
)
def test_what_became_of_a_correction_is_told(of, fields, sentence):
    assert event_lines([event(of, **CORRECTION | fields)])[0][1] == sentence


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"phase": "polish", "update": 3}, "Stopped in the polish, step 3 of the head correction."),
        ({"phase": "rounds", "round": 2, "epoch": 4}, "Stopped in round 2, epoch 4."),
        ({}, "Stopped."),
    ],
)
def test_where_a_run_was_stopped_is_told(fields, sentence):
    assert event_lines([event(RunStopped, **fields)])[0][1] == sentence


def test_a_correction_in_progress_is_told_and_what_resuming_it_repeats(tmp_path):
    info = Run(build_run(tmp_path / "run", rounds=3, done=3, method="b-distil+polish", state="stopped")).info()
    beat = heartbeat(phase="polish", update=3, updates=12, fraction=1.0)
    assert run_text.progress(info, beat).startswith(
        "Output layers are corrected for the weak learning condition, step 3 of at most 12. 3 models can be used"
    )
    _, advice = run_text.stopped_notice(info, beat)
    assert advice.startswith("Resuming repeats step 3 of the head correction of the polish from its start, and gives ")


def test_accuracy_that_does_not_change_is_not_called_more():
    stories = [
        event(RoundFinished, round=2, record=round_record(round=2), point=point(prefix=2, accuracy=accuracy))
        for accuracy in (0.9, 0.9, 0.89)
    ]
    told = [sentence for _, sentence in event_lines(stories)]
    assert told[1].endswith("as accurate as one student.") and told[0].endswith("1.0 points less than one student.")


@pytest.mark.parametrize(
    ("done", "safe"), [(0, "Nothing finished was lost."), (1, "Round 1 is safe."), (5, "Rounds 1 to 5 are safe.")]
)
def test_a_failure_says_what_is_safe(done, safe):
    error = "The disk is full. Free some space, then resume."
    what, advice = run_text.failed_notice(run_info(state="failed", error=error, rounds_done=done))
    assert what == "The disk is full." and advice == f"Free some space, then resume. {safe}"


def test_a_failure_that_already_says_what_is_safe_says_it_once():
    error = "The disk is full. Free some space, then resume; finished rounds are safe."
    assert run_text.failed_notice(run_info(state="failed", error=error, rounds_done=2))[1].count("safe") == 1


def test_a_replay_moves_with_the_clock_and_stops_at_the_end(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    replay = Replay("run", total=60, position=1, since=100.0)
    assert replay.count == 1 and replay.playing
    clock[0] += 10
    assert replay.count == 21
    clock[0] += 100
    assert replay.count == 60 and not replay.playing


def test_a_card_s_sparkline_shows_each_prefix_under_the_teacher(run):
    image = cards.sparkline(run.info(), THEMES["light"])
    assert image.startswith("<img") and "3 so far" in image
    assert cards.sparkline(run.info().model_copy(update={"points": ()}), THEMES["light"]) == ""


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, []),
        ({"barrier": 0.9}, ["--barrier", "0.9"]),
        ({"meet_condition": False, "retries": 1}, ["--no-meet-condition", "--retries", "1"]),
        ({"composition": "concat"}, ["--composition", "concat"]),
        ({"student": "cnn-m"}, []),
        ({"polish_epochs": 7}, ["--polish-epochs", "7"]),
    ],
)
def test_the_command_names_what_differs_from_the_recipe_and_makes_the_same_run(method, given, words):
    config = DistilConfig.create("digits", teacher="t", method=method, rounds=3, **given)
    flags = estimate.flags(config)
    assert flags == [
        "--dataset",
        "digits",
        "--teacher",
        "t",
        "--student",
        config.student,
        "--rounds",
        "3",
        "--seed",
        "0",
        "--method",
        method,
        *words,
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"student": "tcn-s"},
        {"student": "tcn-s", "head": "prefix", "mode": "segments", "composition": "alone"},
        {"student": "gru-s", "cell": "shared"},
        {"method": "b-distil", "meet_condition": False},
    ],
)
def test_the_command_makes_the_run_that_the_form_would(given):
    config = DistilConfig.create("japanese-vowels", teacher=card_for(None, "japanese-vowels").name, **given)
    assert asked_again(config) == config


def test_the_command_names_own_data_and_answers_for_them(tmp_path, own_home):
    rows = [(f"s{n}", n % 2, n // 4, float(n * t % 7)) for n in range(24) for t in range(20)]
    pd.DataFrame(rows, columns=["walk", "activity", "person", "ax"]).to_csv(tmp_path / "walks 1.csv", index=False)
    data = OwnData.create(series="walk", label="activity", subject="person", window=10)
    data_info = info(str(tmp_path / "walks 1.csv"), data)
    answers = [str(tmp_path / f"{name}.npz") for name in ("train", "test")]
    for path, count in zip(answers, (data_info.train + data_info.validation, data_info.test), strict=True):
        np.savez(path, logits=np.random.default_rng(0).normal(size=(count, 2)))
    config = DistilConfig.create(
        tmp_path / "walks 1.csv", data=data, teacher="train.npz", teacher_logits=answers, teacher_macs=9
    )
    assert asked_again(config) == config and config.views == 1


def asked_again(config):
    """The configuration that `bdistil run` makes of the flags."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bdistil.runs.create_run", found.append)
        patch.setattr("bdistil.cli.progress.follow", lambda run, quiet: run_info(run="r"))
        main.app(["run", *estimate.flags(config)], standalone_mode=False)
    return found[0]


def test_a_command_that_nobody_waits_for_gives_way(monkeypatch, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(engine, "FORGOTTEN", 0.1)
    monkeypatch.setattr(engine.sys, "executable", str(program))

    def work(question, wanted):
        return question if question == "short" else engine.output(wanted=wanted, seconds=60, slow="", failed="")

    answers = engine.Answers(work)
    started = time.monotonic()
    assert answers.ask("long") is None
    while answers.ask("short") is None:
        assert time.monotonic() < started + 20
        time.sleep(0.05)
    assert answers.ask("short") == "short"
    answers.close()


def test_what_a_command_prints_need_not_be_utf_8(monkeypatch, tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nprintf 'caf\\351'\n")
    program.chmod(0o755)
    monkeypatch.setattr(engine.sys, "executable", str(program))
    assert engine.output(wanted=lambda: True, seconds=60, slow="", failed="") == "caf\ufffd"


def test_only_the_newest_question_waits():
    begun, release, asked = threading.Event(), threading.Event(), []

    def slow(config, wanted):
        asked.append(config.rounds)
        begun.set()
        release.wait(30)
        return {"rounds": config.rounds}

    estimates = engine.Answers(slow)
    configs = [DistilConfig.create("digits", teacher="t", rounds=rounds) for rounds in (1, 2, 3)]
    assert estimates.ask(configs[0]) is None and begun.wait(30)
    assert [estimates.ask(config) for config in configs[1:]] == [None, None]
    release.set()
    deadline = time.monotonic() + 30
    while estimates.ask(configs[2]) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert estimates.ask(configs[2]) == {"rounds": 3} and asked == [1, 3]
    estimates.close()


def test_an_estimate_that_is_refused_says_why(monkeypatch, own_home):
    config = DistilConfig.create("digits", teacher="nobody", rounds=1)
    with pytest.raises(UserError, match="There is no teacher called nobody"):
        estimate.estimate(config)


def test_an_estimate_gives_way_to_the_page(monkeypatch, tmp_path):
    """Its process answers only once its priority has been lowered."""
    program = tmp_path / "python"
    program.write_text(f"""#!{sys.executable}
import os, time
while os.getpriority(os.PRIO_PROCESS, 0) < 10:
    time.sleep(0.01)
print('{{"seconds": 1}}')
""")
    program.chmod(0o755)
    monkeypatch.setattr(engine.sys, "executable", str(program))
    assert engine.output(wanted=lambda: True, seconds=60, slow="", failed="") == '{"seconds": 1}\n'


@pytest.mark.parametrize("composition", ["carry-state", "carry-state-pool"])
def test_a_recurrent_student_goes_on_from_the_state_before(composition):
    begun = event(RoundStarted, round=3, composition=composition)
    assert event_lines([begun])[0][1] == "Round 3 starts: student 3 goes on from the state of student 2."

"""Run directories for tests, in the format that training writes, made in milliseconds and without torch.

    build_run(home / "runs" / "fashion", dataset="fashion-mnist", rounds=6)     a finished run
    build_run(path, state="running", done=2)                                    … use `hold(path)` to keep it alive
    build_run(path, method="b-distil+polish")                                   its final students in polish/
    build_run(path, search={3: ["edge", "corrected"]})                          what became of a round's attempts
    build_run(path, kind="teach", state="running")                              a teacher's training
    build_run(path, damage="corrupt")                                           or "newer", "torn", "logits"
    build_run(path, dataset="watch", mode="segments")                           sensors; "free-spoken-digits": speech
    build_previews(home, "fashion-mnist", examples=400)                         pictures of its test split

The figures are invented (invented.py), and so are the examples (datasets.py); writer.py writes the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bdistil.records import AttemptFinished, Candidate, RoundStarted
from bdistil.runs import Run
from bdistil.runs.lock import take
from tests.builders.datasets import DATASETS
from tests.builders.datasets import build_previews as build_previews
from tests.builders.invented import Game
from tests.builders.writer import START, SUMMARY, Writer, barrier

__all__ = ["add_round", "build_previews", "build_run", "fail_attempt", "hold", "relabel"]


def build_run(
    path: Path,
    *,
    state: str = "finished",
    kind: str = "distil",
    method: str = "b-distil",
    mode: str = "full",
    dataset: str = "digits",
    rounds: int = 6,
    done: int | None = None,
    classes: tuple[str, ...] | None = None,
    examples: int = 400,
    epochs: int = 8,
    epoch: int = 4,
    search: Mapping[int, Sequence[str]] | None = None,
    title: str | None = None,
    black_box: bool = False,
    error: str | None = None,
    train: bool = True,
    old: bool = False,
    damage: str | None = None,
    seed: int = 0,
    created: datetime = START,
) -> Path:
    """Write a run directory and return its path (the run's id is its name).

    state: queued, running, stopped, failed, finished. kind: distil or teach. method: b-distil or b-distil+polish.
    mode: full, or segments of a series.
    done: finished rounds (default: all when finished, none when queued, else 2); all of them in a polished run that is
    not finished: its polish is what is going on. epoch: epochs of the round, or polish, in progress that have ended.
    search: outcomes of a round's attempts, `{3: ["edge", "corrected"]}`; one attempt, kept, elsewhere. classes: names,
    default the data set's. examples: size of the test split. black_box: the teacher's cost is unknown. train: keep
    the train split's logits (shipped samples drop them). old: as the first version wrote it, without the pictures and
    figures that came later. damage: "corrupt" (half a run.json), "newer" (schema 2), "torn" (half an event at the
    end), "logits" (half a logits file in round 1).
    """
    path.mkdir(parents=True)
    if done is None:
        done = {"finished": rounds, "queued": 0}.get(state, min(2, rounds - 1))
    if state == "failed" and error is None:
        error = f"The disk is full: round {done + 1} could not be written."
    run = Writer(path, dataset, classes or DATASETS[dataset].classes, state, rounds, done, epochs, epoch, created)
    run.method, run.mode, run.search, run.train, run.old = method, mode, search or {}, train, old
    info = run.summary(kind, title, error, black_box)
    if kind == "teach":
        run.teach(info)
    else:
        run.distil(info, examples, seed)
    run.write(info)
    _damage(path, damage)
    return path


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a run's lock, as its worker does: inside, a run that says it is running is running."""
    with take(path / "lock"):
        yield


def add_round(path: Path, seed: int = 0) -> None:
    """Let a running run finish one more round, as a worker does while a page watches."""
    info = json.loads((path / "run.json").read_text())
    number = info["rounds_done"] + 1
    with np.load(path / "targets.npz") as targets:
        splits = {
            name: (targets[f"teacher_{name}"], targets[f"labels_{name}"]) for name in ("train", "validation", "test")
        }
    game = Game(splits, info["config"]["rounds"])
    for folder in sorted((path / "rounds").iterdir()):
        with np.load(folder / "logits.npz") as logits:
            game.add(dict(logits))
    run = Writer(
        path,
        info["dataset"]["name"],
        tuple(info["dataset"]["classes"]),
        "running",
        info["config"]["rounds"],
        number,
        8,
        0,
        datetime.fromisoformat(info["created"]),
    )
    run.clock = datetime.now(UTC)
    row = run.round(number, game, info["teacher"]["macs"], np.random.default_rng([seed, number]))
    info["points"].append({name: row[name] for name in SUMMARY})
    info["rounds_done"] = number
    with (path / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in run.events)
    (path / "run.json").write_text(json.dumps(info))


def relabel(path: Path, change: Callable[[np.ndarray], np.ndarray], split: str = "test") -> None:
    """Change the labels (N,) of a split of a run, whose rows stay as they were."""
    with np.load(path / "targets.npz") as file:
        targets = dict(file)
    targets[f"labels_{split}"] = change(targets[f"labels_{split}"]).astype(np.int64)
    np.savez(path / "targets.npz", **targets)


def fail_attempt(path: Path, outcome: str = "edge", *, rung: int = 0, composition: str | None = None) -> None:
    """Let the attempt in progress of a running run fail, and start the next one, on a rung of the ladder.

    outcome: "edge" or "kl". composition: the next attempt's, by default as before.
    """
    run = Run(path)
    started = [event for event in run.events()[0] if isinstance(event, RoundStarted)][-1]
    edges = [0.004 * (index - 2) for index in range(len(run.info().dataset.classes))]
    candidate = {name: getattr(started, name) for name in Candidate.model_fields}
    run.record(
        AttemptFinished,
        **candidate,
        seed=started.attempt - 1,
        edge_min=min(edges),
        edges=tuple(edges),
        relative_edges=tuple(edges),
        edges_before=tuple(edge - 0.008 for edge in edges),
        condition_met=False,
        corrected=False,
        kl_before=0.1,
        kl_after=0.103,
        correction_seconds=1.4,
        seconds=10.0,
        outcome=outcome,
    )
    attempt = started.attempt + 1
    weight = barrier(attempt) if rung == started.rung else barrier(1)
    following = {"attempt": attempt, "rung": rung, "barrier": weight, "composition": composition or started.composition}
    run.record(RoundStarted, **candidate | following, epochs=started.epochs)
    beat = json.loads((path / "heartbeat.json").read_text())
    (path / "heartbeat.json").write_text(json.dumps({**beat, "attempt": attempt}))


def _damage(path: Path, damage: str | None) -> None:
    file = {"corrupt": "run.json", "torn": "events.jsonl", "logits": "rounds/01/logits.npz", "newer": "run.json"}.get(
        damage or ""
    )
    if file is None:
        return
    content = (path / file).read_bytes()
    if damage == "newer":
        content = json.dumps({**json.loads(content), "schema": 2}).encode()
    elif damage == "torn":
        content += b'{"v": 1, "time": "2026-01-05T15'
    else:
        content = content[: len(content) // 2]
    (path / file).write_bytes(content)

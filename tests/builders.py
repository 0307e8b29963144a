"""Run directories for tests, in the format that training writes, made in milliseconds and without torch.

    build_run(home / "runs" / "fashion", dataset="fashion-mnist", rounds=6)     a finished run
    build_run(path, state="running", done=2)                                    … use `hold(path)` to keep it alive
    build_run(path, method="b-distil+polish")                                   its final students in polish/
    build_run(path, search={3: ["edge", "corrected"]})                          what became of a round's attempts
    build_run(path, kind="teach", state="running")                              a teacher's training
    build_run(path, damage="corrupt")                                           or "newer", "torn", "logits"
    build_previews(home, "fashion-mnist", examples=400)                         pictures of its test split

The figures are invented (invented.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from bdistil.results.frontier import point, scores
from bdistil.runs import Run
from tests.invented import Game, teacher

CLASSES = {
    "digits": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
    ),
}  # fmt: skip
TITLES = {"digits": "Digits", "fashion-mnist": "Fashion-MNIST"}
MODELS = {"digits": ("digits-resnet-s", "cnn-xs"), "fashion-mnist": ("fashion-mnist-resnet-m", "cnn-m")}
TEACHER_COST = {"macs": 44_600_000, "parameters": 1_230_000, "bytes": 4_920_000}
STUDENT_COST = {"macs": 1_750_000, "parameters": 58_000, "bytes": 232_000}
PICTURES = {"digits": (16, 8), "fashion-mnist": (255, 28)}  # the largest value, and the side
SUMMARY = ("prefix", "accuracy", "macs", "macs_ratio")
START = datetime(2026, 1, 5, 14, 6, tzinfo=UTC)
VERSIONS = {"python": "3.11.0", "torch": "2.14.0", "bdistil": "0.1.0"}
Record = dict[str, Any]


def build_run(
    path: Path,
    *,
    state: str = "finished",
    kind: str = "distil",
    method: str = "b-distil",
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
    run = _Writer(path, dataset, classes or CLASSES[dataset], state, rounds, done, epochs, epoch, created)
    run.method, run.search, run.train, run.old = method, search or {}, train, old
    info = run.summary(kind, title, error, black_box)
    if kind == "teach":
        run.teach(info)
    else:
        run.distil(info, examples, seed)
    run.write(info)
    _damage(path, damage)
    return path


def build_previews(home: Path, dataset: str, examples: int = 400, side: int = 28) -> Path:
    """Write pictures for a test split: a bright square that wanders with the example's number."""
    images = np.zeros((examples, side, side), np.uint8)
    for number, image in enumerate(images):
        left = number % (side // 2)
        image[side // 4 : 3 * side // 4, left : left + side // 2] = 200
    path = home / "previews" / f"{dataset}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=images, max=np.array(255))
    return path


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a run's lock, as its worker does: inside, a run that says it is running is running."""
    with FileLock(path / "lock").acquire(timeout=5):
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
    run = _Writer(
        path, info["dataset"]["name"], tuple(info["dataset"]["classes"]), "running", info["config"]["rounds"], number,
        8, 0, datetime.fromisoformat(info["created"]),
    )  # fmt: skip
    run.clock = datetime.now(UTC)
    row = run.round(number, game, info["teacher"]["macs"], np.random.default_rng([seed, number]))
    info["points"].append({name: row[name] for name in SUMMARY})
    info["rounds_done"] = number
    with (path / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in run.events)
    (path / "run.json").write_text(json.dumps(info))


def fail_attempt(path: Path, outcome: str = "edge", *, rung: int = 0, composition: str | None = None) -> None:
    """Let the attempt in progress of a running run fail, and start the next one, on a rung of the ladder.

    outcome: "edge" or "kl". composition: the next attempt's, by default as before.
    """
    run = Run(path)
    started = [event for event in run.events()[0] if event["kind"] == "round_started"][-1]
    edges = [0.004 * (index - 2) for index in range(len(run.info()["dataset"]["classes"]))]
    kept = {name: started[name] for name in ("round", "attempt", "composition", "rung", "barrier")}
    run.record(
        "attempt_finished", **kept, student=run.info()["student"], seed=started["attempt"] - 1, edge_min=min(edges),
        edges=edges, relative_edges=edges, edges_before=[edge - 0.008 for edge in edges], certified=False,
        corrected=False, kl_before=0.1, kl_after=0.103, correction_seconds=1.4, seconds=10.0, outcome=outcome,
    )  # fmt: skip
    attempt = started["attempt"] + 1
    weight = barrier(attempt) if rung == started["rung"] else barrier(1)
    run.record("round_started", **kept | {"attempt": attempt, "rung": rung, "barrier": weight,
               "composition": composition or started["composition"]}, epochs=started["epochs"])  # fmt: skip
    beat = json.loads((path / "heartbeat.json").read_text())
    (path / "heartbeat.json").write_text(json.dumps({**beat, "attempt": attempt}))


class _Writer:
    """One run directory being written; `events` is its log and `clock` the time of its next event."""

    method: str = "b-distil"
    search: Mapping[int, Sequence[str]] = {}
    train, old = True, False

    def __init__(self, path, dataset, classes, state, rounds, done, epochs, epoch, created):
        self.path, self.dataset, self.classes, self.state = path, dataset, classes, state
        self.rounds, self.done, self.epochs, self.epoch = rounds, done, epochs, epoch
        self.clock, self.created = created, created
        self.events: list[dict[str, Any]] = []

    @property
    def polished(self) -> bool:
        return self.method == "b-distil+polish"

    @property
    def composition(self) -> str:
        return "concat-all" if self.polished else "add"

    def summary(self, kind: str, title: str | None, error: str | None, black_box: bool) -> dict[str, Any]:
        teacher, student = MODELS[self.dataset]
        started = self.state != "queued"
        config = {
            "dataset": self.dataset, "teacher": teacher, "student": student, "rounds": self.rounds, "seed": 0,
            "method": self.method, "composition": self.composition, "head": "prefix" if self.polished else "student",
            "loss": "ensemble", "divergence": "kl", "temperature": 2.0, "label_share": 0.0, "barrier": 0.3,
            "certified": True, "retries": 3, "horizon": None, "epochs": self.epochs,
            "polish_epochs": self.epochs if self.polished else 0, "learning_rate": 0.01, "weight_decay": 0.0001,
            "batch_size": 128, "shift": 1, "flip": False, "views": 2, "threads": None,
        }  # fmt: skip
        if kind == "teach":
            config = {"dataset": self.dataset, "architecture": teacher.removeprefix(f"{self.dataset}-"), "seed": 0,
                      "epochs": self.epochs, "learning_rate": 0.1, "weight_decay": 0.0005, "batch_size": 128,
                      "label_smoothing": 0.05, "threads": None}  # fmt: skip
        cost = {name: None if black_box else value for name, value in TEACHER_COST.items()}
        return {
            "schema": 1, "run": self.path.name, "kind": kind, "parent": None, "state": self.state,
            "phase": {"finished": None, "queued": None}.get(self.state, "teacher" if kind == "teach" else "rounds"),
            "error": error, "created": self.created.isoformat(), "title": title or TITLES[self.dataset],
            "dataset": {
                "name": self.dataset, "modality": "image", "train": 600, "validation": 200, "test": 400,
                "classes": list(self.classes), "split": "stratified, fixed seed",
            } if started else None,
            "teacher": {"name": teacher, "accuracy": None, **cost, "latency_ms": {}}
            if started and kind == "distil" else None,
            "method": self.method if kind == "distil" else None, "student": student if kind == "distil" else None,
            "mode": "full", "config": config, "seconds": 62.5, "threads": 1 if started else None, "versions": VERSIONS,
            "scale": None, "rounds_done": 0, "points": [], "teacher_name": None,
        }  # fmt: skip

    def distil(self, info: dict[str, Any], examples: int, seed: int) -> None:
        self.event("created")
        self.event("queued")
        if self.state == "queued":
            return
        splits = {
            name: teacher(count, len(self.classes), np.random.default_rng([seed, index]))
            for index, (name, count) in enumerate({"train": 600, "validation": 200, "test": examples}.items())
        }
        game = Game(splits, self.rounds)
        kept = splits if self.train else {name: splits[name] for name in ("validation", "test")}
        np.savez(
            self.path / "targets.npz",
            **{f"labels_{name}": labels for name, (_, labels) in kept.items()},
            **{f"teacher_{name}": logits for name, (logits, _) in kept.items()},
        )
        info["dataset"]["test"] = examples
        info["teacher"]["accuracy"] = scores(splits["test"][0], *splits["test"])["accuracy"]
        info["scale"] = {"c": game.c, "B": 2.25, "eta_B": 2.25 * game.certificate.eta, "temperature": 2.0}
        self.event("started", pid=1, host="here", threads=1, versions=VERSIONS, resumed=False)
        self.event("phase", phase="rounds")
        macs = info["teacher"]["macs"]
        rows = [
            self.round(number, game, macs, np.random.default_rng([seed, 100 + number]))
            for number in range(1, self.done + 1)
        ]
        phase, number = "rounds", self.done + 1
        if self.polished and self.done == self.rounds:
            phase, number = "polish", None
            self.event("phase", phase="polish")
            info["phase"] = "polish" if self.state == "running" else info["phase"]
            if self.state == "finished":
                rows = self.polish(Game(splits, self.rounds), macs, np.random.default_rng([seed, 200]))
                self.event("phase", phase="report")
        info["points"] = [{name: row[name] for name in SUMMARY} for row in rows]
        info["rounds_done"] = self.done
        self.finish(info, phase, number)

    def round(self, number: int, game: Game, teacher_macs: int | None, rng: np.random.Generator) -> dict[str, Any]:
        """Write a finished round with its events; `game` takes its student. Returns the frontier's row."""
        *failed, outcome = self.search.get(number, ["kept"])
        pairs = None if number == 1 or self.polished else game.heaviest(*PICTURES[self.dataset])
        for attempt, fails in enumerate(failed, 1):
            found = game.candidate(game.student(rng))
            self.attempt(number, attempt, fails, found, found["edges"])
        plain = game.student(rng)
        student = plain if outcome == "edge" else game.corrected(plain)
        before = game.candidate(plain if outcome == "corrected" else student)["edges"]
        record = self.record(number, game.add(student), outcome, before, attempts=len(failed) + 1)
        row = self.point(number, game, teacher_macs)
        folder = self.path / "rounds" / f"{number:02d}"
        if self.polished:
            self.save(folder, record, row, prefix=self.splits(game.prefix))
        else:
            self.save(folder, record, row, logits=self.splits(game.outputs[-1].get), heaviest=pairs)
        self.attempt(number, len(failed) + 1, outcome, record, before)
        if outcome == "edge":
            self.event("round_uncertified", round=number, attempt=len(failed) + 1)
        self.event("round_finished", round=number, record=record, point=row)
        return row

    def polish(self, game: Game, teacher_macs: int | None, rng: np.random.Generator) -> list[dict[str, Any]]:
        """Write the polished students, closer to the teacher than the rounds left them. Returns the frontier's rows."""
        rows, rounds = [], []
        for epoch in range(1, self.epochs + 1):
            self.train_epoch("polish", None, epoch, 0.95)
        for number in range(1, self.rounds + 1):
            pairs = None if number == 1 else game.heaviest(*PICTURES[self.dataset])
            plain = game.student(rng, noise=0.7)
            before = game.candidate(plain)["edges"]
            outcome = "corrected" if number > 1 and min(before) <= 0 else "kept"
            record = self.record(number, game.add(game.corrected(plain)), outcome, before, attempts=1)
            rows.append(self.point(number, game, teacher_macs))
            rounds.append({"record": record, "point": rows[-1]})
            folder = self.path / "polish" / f"{number:02d}"
            self.save(folder, record, rows[-1], logits=self.splits(game.outputs[-1].get), heaviest=pairs)
            if number > 1:
                told = ("edges_before", "edges", "edge_min", "relative_edges", "kl_before", "kl_after", "corrected",
                        "certified", "correction_seconds")  # fmt: skip
                self.event("head_corrected", round=number, **{name: record[name] for name in told})
        self.event("polish_finished", rounds=rounds)
        return rows

    def save(self, folder: Path, record: dict[str, Any], row: dict[str, Any], **files: Any) -> None:
        """A round's folder: its record and its point, and a file of arrays for each name that has any."""
        folder.mkdir(parents=True)
        (folder / "round.json").write_text(json.dumps({"record": record, "point": row}))
        for name, arrays in files.items():
            if arrays is not None and not (self.old and name == "heaviest"):
                np.savez(folder / f"{name}.npz", **arrays)

    def splits(self, of: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """An array of each split that this run keeps, float32."""
        names = ("train", "validation", "test")[not self.train :]
        return {name: of(name).astype(np.float32) for name in names}

    def point(self, number: int, game: Game, teacher_macs: int | None) -> dict[str, Any]:
        prefix = {name: game.prefix(name, logits=True) for name in game.splits}
        before = game.c * np.mean([f["test"] for f in game.outputs[:-1]], axis=0) if number > 1 else None
        cost = {name: value * number for name, value in STUDENT_COST.items()}
        cost |= {"memory_bytes": 60_000, "overhead_macs": 9_000 * (number - 1), "carry_bytes": 31_000}
        return point(
            number, prefix["test"], *game.splits["test"], before, cost=cost, teacher_macs=teacher_macs,
            **{name: scores(prefix[name], *game.splits[name]) for name in ("train", "validation")},
        )  # fmt: skip

    def record(self, number: int, measured: Record, outcome: str, before: list[float], attempts: int) -> Record:
        """The round's record around what the game measured; `before`: edges before the correction."""
        corrected = outcome == "corrected"
        record = {
            **measured, "composition": ["alone" if number == 1 else self.composition], "attempts": attempts,
            "corrected": corrected, "kl_before": 0.199 / number if corrected else 0.2 / number,
            "kl_after": 0.2 / number, "barrier": barrier(attempts), "loss": 0.2 / number, "seconds": 10.0,
        }  # fmt: skip
        if self.old:
            return {name: value for name, value in record.items() if name not in ("largest", "by_eta")}
        return record | {"rung": 0, "student": MODELS[self.dataset][1], "edges_before": before,
                         "correction_seconds": 1.4 if corrected else 0.0}  # fmt: skip

    def attempt(self, number: int, attempt: int, outcome: str, found: Record, before: list[float]) -> None:
        """The events of one attempt, from its start to its outcome."""
        self.start_round(number, attempt)
        for epoch in range(1, self.epochs + 1):
            self.train_epoch("rounds", number, epoch, 0.9, attempt)
        if self.polished:  # corrective rounds are checked after the polish
            return
        corrected = outcome == "corrected"
        names = ("edge_min", "edges", "relative_edges", "certified")
        self.event(
            "attempt_finished", round=number, attempt=attempt, composition="alone" if number == 1 else self.composition,
            rung=0, student=MODELS[self.dataset][1], seed=attempt - 1, barrier=barrier(attempt),
            **{name: found[name] for name in names}, edges_before=before, corrected=corrected,
            kl_before=0.199 / number if corrected else 0.2 / number, kl_after=0.2 / number,
            correction_seconds=0.0 if outcome == "kept" else 1.4, seconds=10.0, outcome=outcome,
        )  # fmt: skip

    def teach(self, info: dict[str, Any]) -> None:
        self.event("created")
        self.event("queued")
        if self.state == "queued":
            return
        self.event("started", pid=1, host="here", threads=1, versions=VERSIONS, resumed=False)
        self.event("phase", phase="teacher")
        for epoch in range(1, (self.epochs if self.state == "finished" else self.epoch) + 1):
            self.train_epoch("teacher", None, epoch, 0.95 - 0.3 / epoch)
        if self.state == "finished":
            info["teacher_name"] = f"{MODELS[self.dataset][0]}-seed-0"
            card = {"name": info["teacher_name"], "accuracy": 0.943, "epochs": self.epochs, **TEACHER_COST}
            self.event("teacher_finished", teacher=info["teacher_name"], card=card)
        self.finish(info, phase="teacher", number=None)

    def finish(self, info: dict[str, Any], phase: str, number: int | None) -> None:
        """The events and files after the last whole round or epoch, by state."""
        if self.state == "finished":
            self.event("finished", seconds=info["seconds"])
            return
        if number is not None:
            self.start_round(number)
        for epoch in range(1, self.epoch + 1 if phase != "teacher" else 1):
            self.train_epoch(phase, number, epoch, 0.9)
        if self.state == "stopped":
            self.event("stopping")
            self.event("stopped", phase=phase, round=number, epoch=self.epoch)
        elif self.state == "failed":
            self.event("failed", error=info["error"])
            (self.path / "worker.log").write_text("Traceback\nOSError: [Errno 28] No space left on device\n")
        beat = {
            "host": "here", "pid": 2**22 + 1, "time": self.clock.isoformat(), "phase": phase, "round": number,
            "attempt": None if number is None else 1, "epoch": self.epoch + 1, "epochs": self.epochs, "batch": 3,
            "batches": 10, "fraction": (self.epoch + 0.3) / self.epochs, "seconds_left": 3120.0,
        }  # fmt: skip
        (self.path / "heartbeat.json").write_text(json.dumps(beat))

    def start_round(self, number: int, attempt: int = 1) -> None:
        composition = "alone" if number == 1 else self.composition
        self.event("round_started", round=number, attempt=attempt, composition=composition, rung=0,
                   barrier=barrier(attempt), epochs=self.epochs)  # fmt: skip

    def train_epoch(self, phase: str, number: int | None, epoch: int, accuracy: float, attempt: int = 1) -> None:
        self.event(
            "epoch", phase=phase, round=number, attempt=None if number is None else attempt, epoch=epoch,
            epochs=self.epochs, loss=0.8 / epoch / (number or 1), seconds=1.0, validation={"accuracy": accuracy},
            barrier_edge=0.01,
        )  # fmt: skip

    def event(self, kind: str, **fields: Any) -> None:
        self.clock += timedelta(seconds=7)
        self.events.append({"v": 1, "time": self.clock.isoformat(timespec="milliseconds"), "kind": kind, **fields})

    def write(self, info: dict[str, Any]) -> None:
        (self.path / "run.json").write_text(json.dumps(info))
        (self.path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))


def barrier(attempt: int) -> float:
    """1/γ of a round's attempt: a retry trebles it."""
    return 0.3 * 3 ** (attempt - 1)


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

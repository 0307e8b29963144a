"""Run directories for tests, in the format that training writes, made in milliseconds and without torch.

    build_run(home / "runs" / "fashion", dataset="fashion-mnist", rounds=6)     a finished run
    build_run(path, state="running", done=2)                                    … use `hold(path)` to keep it alive
    build_run(path, kind="teach", state="running")                              a teacher's training
    build_run(path, damage="corrupt")                                           or "newer", "torn", "logits"
    build_previews(home, "fashion-mnist", examples=400)                         pictures of its test split

The figures are invented: student t is the teacher plus noise of its own, so that averages come closer to the teacher.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from bdistil.results.frontier import point, scores

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
START = datetime(2026, 1, 5, 14, 6, tzinfo=UTC)
VERSIONS = {"python": "3.11.0", "torch": "2.14.0", "bdistil": "0.1.0"}


def build_run(
    path: Path,
    *,
    state: str = "finished",
    kind: str = "distil",
    dataset: str = "digits",
    rounds: int = 6,
    done: int | None = None,
    classes: tuple[str, ...] | None = None,
    examples: int = 400,
    epochs: int = 8,
    epoch: int = 4,
    title: str | None = None,
    black_box: bool = False,
    error: str | None = None,
    train: bool = True,
    damage: str | None = None,
    seed: int = 0,
    created: datetime = START,
) -> Path:
    """Write a run directory and return its path (the run's id is its name).

    state: queued, running, stopped, failed, finished. kind: distil or teach. done: finished rounds (default: all when
    finished, none when queued, else 2). epoch: epochs of the round in progress that have ended. classes: names,
    default the data set's. examples: size of the test split. black_box: the teacher's cost is unknown. train: keep
    the train split's logits (shipped samples drop them). damage: "corrupt" (half a run.json), "newer" (schema 2),
    "torn" (half an event at the end), "logits" (half a logits file in round 1).
    """
    path.mkdir(parents=True)
    if done is None:
        done = {"finished": rounds, "queued": 0}.get(state, min(2, rounds - 1))
    if state == "failed" and error is None:
        error = f"The disk is full: round {done + 1} could not be written."
    run = _Writer(path, dataset, classes or CLASSES[dataset], state, rounds, done, epochs, epoch, created)
    info = run.summary(kind, title, error, black_box)
    if kind == "teach":
        run.teach(info)
    else:
        run.distil(info, examples, black_box, train, seed)
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
    earlier = []
    for folder in sorted((path / "rounds").iterdir()):
        with np.load(folder / "logits.npz") as logits:
            earlier.append(dict(logits))
    run = _Writer(
        path, info["dataset"]["name"], tuple(info["dataset"]["classes"]), "running", info["config"]["rounds"], number,
        8, 0, datetime.fromisoformat(info["created"]),
    )  # fmt: skip
    run.clock = datetime.now(UTC)
    row = run.round(
        number,
        earlier,
        splits,
        info["scale"]["c"],
        info["teacher"]["macs"],
        True,
        np.random.default_rng([seed, number]),
    )
    info["points"].append({name: row[name] for name in ("prefix", "accuracy", "macs", "macs_ratio")})
    info["rounds_done"] = number
    with (path / "events.jsonl").open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in run.events)
    (path / "run.json").write_text(json.dumps(info))


class _Writer:
    """One run directory being written; `events` is its log and `clock` the time of its next event."""

    def __init__(self, path, dataset, classes, state, rounds, done, epochs, epoch, created):
        self.path, self.dataset, self.classes, self.state = path, dataset, classes, state
        self.rounds, self.done, self.epochs, self.epoch = rounds, done, epochs, epoch
        self.clock, self.created = created, created
        self.events: list[dict[str, Any]] = []

    def summary(self, kind: str, title: str | None, error: str | None, black_box: bool) -> dict[str, Any]:
        teacher, student = MODELS[self.dataset]
        started = self.state != "queued"
        config = {
            "dataset": self.dataset, "teacher": teacher, "student": student, "rounds": self.rounds, "seed": 0,
            "method": "b-distil", "composition": "add", "loss": "ensemble", "divergence": "kl", "temperature": 2.0,
            "label_share": 0.0, "barrier": 0.3, "epochs": self.epochs, "learning_rate": 0.01, "weight_decay": 0.0001,
            "batch_size": 128, "views": 2, "threads": None,
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
            "method": "b-distil" if kind == "distil" else None, "student": student if kind == "distil" else None,
            "mode": "full", "config": config, "seconds": 62.5, "threads": 1 if started else None, "versions": VERSIONS,
            "scale": None, "rounds_done": 0, "points": [], "teacher_name": None,
        }  # fmt: skip

    def distil(self, info: dict[str, Any], examples: int, black_box: bool, train: bool, seed: int) -> None:
        self.event("created")
        self.event("queued")
        if self.state == "queued":
            return
        splits = {
            name: _teacher(count, len(self.classes), np.random.default_rng([seed, index]))
            for index, (name, count) in enumerate({"train": 600, "validation": 200, "test": examples}.items())
        }
        g = splits["train"][0]
        c = float(np.abs(g - g.mean(axis=1, keepdims=True)).max())
        kept = splits if train else {name: splits[name] for name in ("validation", "test")}
        np.savez(
            self.path / "targets.npz",
            **{f"labels_{name}": labels for name, (_, labels) in kept.items()},
            **{f"teacher_{name}": logits for name, (logits, _) in kept.items()},
        )
        info["dataset"]["test"] = examples
        info["teacher"]["accuracy"] = scores(splits["test"][0], *splits["test"])["accuracy"]
        info["scale"] = {"c": c, "B": 2.25, "eta_B": 1.9, "temperature": 2.0}
        self.event("started", pid=1, host="here", threads=1, versions=VERSIONS, resumed=False)
        self.event("phase", phase="rounds")
        earlier: list[dict[str, np.ndarray]] = []
        for number in range(1, self.done + 1):
            rng = np.random.default_rng([seed, 100 + number])
            row = self.round(number, earlier, splits, c, info["teacher"]["macs"], train, rng)
            info["points"].append({name: row[name] for name in ("prefix", "accuracy", "macs", "macs_ratio")})
        info["rounds_done"] = self.done
        self.finish(info, phase="rounds", number=self.done + 1)

    def round(self, number, earlier, splits, c, teacher_macs, train, rng) -> dict[str, Any]:
        """Write a finished round with its events; `earlier` grows by its logits. Returns the frontier's row."""
        outputs = {name: _student(g, labels, c, rng) for name, (g, labels) in splits.items()}
        earlier.append(outputs)
        prefix = {name: c * np.mean([f[name] for f in earlier], axis=0) for name in splits}
        before = c * np.mean([f["test"] for f in earlier[:-1]], axis=0) if number > 1 else None
        cost = {name: value * number for name, value in STUDENT_COST.items()}
        cost |= {"memory_bytes": 60_000, "overhead_macs": 9_000 * (number - 1), "carry_bytes": 31_000}
        row = point(
            number, prefix["test"], *splits["test"], before, cost=cost, teacher_macs=teacher_macs,
            **{name: scores(prefix[name], *splits[name]) for name in ("train", "validation")},
        )  # fmt: skip
        record = self.record(number, rng)
        folder = self.path / "rounds" / f"{number:02d}"
        folder.mkdir(parents=True)
        np.savez(folder / "logits.npz", **{name: f for name, f in outputs.items() if train or name != "train"})
        (folder / "round.json").write_text(json.dumps({"record": record, "point": row}))
        self.start_round(number)
        for epoch in range(1, self.epochs + 1):
            self.train_epoch("rounds", number, epoch, row["accuracy"])
        self.event(
            "attempt_finished", round=number, attempt=1, composition=record["composition"][0], barrier=0.3,
            edge_min=record["edge_min"], edges=record["edges"], relative_edges=record["relative_edges"],
            certified=record["certified"], outcome="kept",
        )  # fmt: skip
        self.event("round_finished", round=number, record=record, point=row)
        return row

    def record(self, number: int, rng: np.random.Generator) -> dict[str, Any]:
        edges = (
            [0.0] * len(self.classes) if number == 1 else rng.normal(0.015, 0.01, len(self.classes)).round(5).tolist()
        )
        bounds = np.full(len(self.classes), 1.9 / number**0.5)
        return {
            "round": number, "composition": ["alone" if number == 1 else "add"], "attempts": 1, "corrected": False,
            "certified": min(edges) >= 0, "kl_before": None if number == 1 else 0.2 / (number - 1),
            "kl_after": 0.2 / number,
            "edge_min": min(edges), "edges": edges, "relative_edges": [10 * edge for edge in edges], "barrier": 0.3,
            "effective_examples": 600.0 / number, "loss": 0.2 / number, "measured": 0.9 / number**0.5,
            "bound": float(bounds[0]), "trivial": 0.8, "bound_eta": 4.0, "measured_by_class": (bounds / 3).tolist(),
            "bound_by_class": bounds.tolist(), "seconds": 10.0,
        }  # fmt: skip

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
            for epoch in range(1, self.epoch + 1):
                self.train_epoch(phase, number, epoch, 0.9)
        if self.state == "stopped":
            self.event("stopping")
            self.event("stopped", phase=phase, round=number, epoch=self.epoch)
        elif self.state == "failed":
            self.event("failed", error=info["error"])
            (self.path / "worker.log").write_text("Traceback\nOSError: [Errno 28] No space left on device\n")
        beat = {
            "host": "here", "pid": 2**22 + 1, "time": self.clock.isoformat(), "phase": phase, "round": number,
            "attempt": 1, "epoch": self.epoch + 1, "epochs": self.epochs, "batch": 3, "batches": 10,
            "fraction": (self.epoch + 0.3) / self.epochs, "seconds_left": 3120.0,
        }  # fmt: skip
        (self.path / "heartbeat.json").write_text(json.dumps(beat))

    def start_round(self, number: int) -> None:
        composition = "alone" if number == 1 else "add"
        self.event("round_started", round=number, attempt=1, composition=composition, barrier=0.3, epochs=self.epochs)

    def train_epoch(self, phase: str, number: int | None, epoch: int, accuracy: float) -> None:
        attempt = None if number is None else 1
        self.event(
            "epoch", phase=phase, round=number, attempt=attempt, epoch=epoch, epochs=self.epochs,
            loss=0.8 / epoch / (number or 1), seconds=1.0, validation={"accuracy": accuracy}, barrier_edge=0.01,
        )  # fmt: skip

    def event(self, kind: str, **fields: Any) -> None:
        self.clock += timedelta(seconds=7)
        self.events.append({"v": 1, "time": self.clock.isoformat(timespec="milliseconds"), "kind": kind, **fields})

    def write(self, info: dict[str, Any]) -> None:
        (self.path / "run.json").write_text(json.dumps(info))
        (self.path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))


def _teacher(count: int, classes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Teacher logits (count, classes) that are right on some 95 % of the labels (count,)."""
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 1.2, (count, classes))
    logits[np.arange(count), labels] += 4.5
    return logits.astype(np.float32), labels.astype(np.int64)


def _student(g: np.ndarray, labels: np.ndarray, c: float, rng: np.random.Generator) -> np.ndarray:
    """f_t (N, L), centred, on the normalised scale: the teacher plus noise, most of it between neighbouring classes."""
    f = (g - g.mean(axis=1, keepdims=True)) / c + rng.normal(0, 0.12, g.shape)
    neighbour = (labels + 1) % g.shape[1]
    f[np.arange(len(f)), neighbour] += rng.normal(0.1, 0.3, len(f))
    return (f - f.mean(axis=1, keepdims=True)).astype(np.float32)


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

"""One invented run directory, written file by file as training writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.records import CertificateRow, Condition, PrefixCost
from bdistil.runs.points import point, scores
from tests.builders.datasets import DATASETS, arrays
from tests.builders.invented import Game, teacher
from tests.builders.students import specs

TEACHER_COST = {"macs": 44_600_000, "parameters": 1_230_000, "bytes": 4_920_000}
STUDENT_COST = {"macs": 1_750_000, "parameters": 58_000, "bytes": 232_000}
SUMMARY = ("prefix", "accuracy", "macs", "macs_ratio")
START = datetime(2026, 1, 5, 14, 6, tzinfo=UTC)
VERSIONS = {"python": "3.11.0", "torch": "2.14.0", "bdistil": "0.1.0"}


class Writer:
    """One run directory being written; `events` is its log and `clock` the time of its next event."""

    method: str = "b-distil"
    search: Mapping[int, Sequence[str]] = {}
    train, old = True, False
    mode = "full"

    def __init__(self, path, dataset, classes, state, rounds, done, epochs, epoch, created):
        self.path, self.dataset, self.classes, self.state = path, dataset, classes, state
        self.data_info = DATASETS[dataset]
        self.rounds, self.done, self.epochs, self.epoch = rounds, done, epochs, epoch
        self.clock, self.created = created, created
        self.events: list[dict[str, Any]] = []

    @property
    def polished(self) -> bool:
        return self.method == "b-distil+polish"

    @property
    def composition(self) -> str:
        if self.data_info.modality != "image":
            return "carry-state-pool" if self.polished else "carry-state"
        return "concat-all" if self.polished else "add"

    def summary(self, kind: str, title: str | None, error: str | None, black_box: bool) -> dict[str, Any]:
        info, teacher, student = self.data_info, self.data_info.teacher, self.data_info.student
        started = self.state != "queued"
        config = {
            "dataset": self.dataset,
            "teacher": teacher,
            "student": student,
            "rounds": self.rounds,
            "seed": 0,
            "method": self.method,
            "composition": self.composition,
            "mode": self.mode,
            "head": "prefix" if self.polished else "student",
            "loss": "ensemble",
            "divergence": "kl",
            "temperature": 2.0,
            "label_share": 0.0,
            "barrier": 0.3,
            "certified" if self.old else "meet_condition": True,
            "retries": 3,
            "horizon" if self.old else "planned_rounds": None,
            "epochs": self.epochs,
            "polish_epochs": self.epochs if self.polished else 0,
            "learning_rate": 0.01,
            "weight_decay": 0.0001,
            "batch_size": 128,
            "shift": 1,
            "flip": False,
            "views": 2,
            "threads": None,
        }
        if kind == "teach":
            config = {
                "dataset": self.dataset,
                "architecture": teacher.removeprefix(f"{self.dataset}-"),
                "seed": 0,
                "epochs": self.epochs,
                "learning_rate": 0.1,
                "weight_decay": 0.0005,
                "batch_size": 128,
                "label_smoothing": 0.05,
                "shift": 1,
                "flip": False,
                "cutout": 0,
                "crop": 0,
                "threads": None,
            }
        cost = {name: None if black_box else value for name, value in TEACHER_COST.items()}
        return {
            "schema": 1,
            "run": self.path.name,
            "kind": kind,
            "parent": None,
            "state": self.state,
            "phase": {"finished": None, "queued": None}.get(self.state, "teacher" if kind == "teach" else "rounds"),
            "error": error,
            "created": self.created.isoformat(),
            "title": title or info.title,
            "dataset": {
                "name": self.dataset,
                "title": info.title,
                "modality": info.modality,
                "people": info.people,
                "train": 600,
                "validation": 200,
                "test": 400,
                "classes": list(self.classes),
                "split": f"{info.people}s held out" if info.people else "stratified, fixed seed",
                "checksum": "",
            }
            if started
            else None,
            "teacher": {"name": teacher, "accuracy": None, **cost, "latency_ms": {}}
            if started and kind == "distil"
            else None,
            "method": self.method if kind == "distil" else None,
            "student": student if kind == "distil" else None,
            "mode": self.mode,
            "config": config,
            "seconds": 62.5,
            "threads": 1 if started else None,
            "versions": VERSIONS,
            "scale": None,
            "rounds_done": 0,
            "points": [],
            "teacher_name": None,
        }

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
            **({"people_test": np.arange(examples) % 2} if self.data_info.people else {}),
        )
        info["dataset"]["test"] = examples
        info["teacher"]["accuracy"] = scores(splits["test"][0], *splits["test"]).accuracy
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
        pairs = None if number == 1 or self.polished else self.heaviest(game)
        for attempt, fails in enumerate(failed, 1):
            found = game.candidate(game.student(rng))
            self.attempt(number, attempt, fails, found, found.edges)
        plain = game.student(rng)
        student = plain if outcome == "edge" else game.corrected(plain)
        before = game.candidate(plain if outcome == "corrected" else student).edges
        measured = game.add(student)
        record = self.record(number, measured, outcome, before, attempts=len(failed) + 1)
        row = self.point(number, game, teacher_macs)
        folder = self.path / "rounds" / f"{number:02d}"
        if self.polished:
            self.save(folder, record, row, prefix=self.splits(game.prefix))
        else:
            self.save(folder, record, row, logits=self.splits(game.outputs[-1].get), heaviest=pairs)
        self.attempt(number, len(failed) + 1, outcome, measured, before)
        if outcome == "edge":
            self.event("round_uncertified" if self.old else "round_unmet", round=number, attempt=len(failed) + 1)
        self.event("round_finished", round=number, record=record, point=row)
        return row

    def polish(self, game: Game, teacher_macs: int | None, rng: np.random.Generator) -> list[dict[str, Any]]:
        """Write the polished students, closer to the teacher than the rounds left them. Returns the frontier's rows."""
        rows, rounds = [], []
        for epoch in range(1, self.epochs + 1):
            self.train_epoch("polish", None, epoch, 0.95)
        for number in range(1, self.rounds + 1):
            pairs = None if number == 1 else self.heaviest(game)
            plain = game.student(rng, noise=0.7)
            before = game.candidate(plain).edges
            outcome = "corrected" if number > 1 and min(before) <= 0 else "kept"
            record = self.record(number, game.add(game.corrected(plain)), outcome, before, attempts=1)
            rows.append(self.point(number, game, teacher_macs))
            rounds.append({"record": record, "point": rows[-1]})
            folder = self.path / "polish" / f"{number:02d}"
            self.save(folder, record, rows[-1], logits=self.splits(game.outputs[-1].get), heaviest=pairs)
            if number > 1:
                told = (
                    "edges_before",
                    "edges",
                    "edge_min",
                    "relative_edges",
                    "kl_before",
                    "kl_after",
                    "corrected",
                    "condition_met",
                    "correction_seconds",
                )
                self.event("head_corrected", round=number, **{name: record[name] for name in told})
        self.event("polish_finished", rounds=rounds)
        return rows

    def heaviest(self, game: Game) -> dict[str, np.ndarray]:
        """What weighs most for the next student, with its examples."""
        found = game.heaviest()
        return found | arrays(self.dataset, found["index"])

    def save(self, folder: Path, record: dict[str, Any], row: dict[str, Any], **files: Any) -> None:
        """A round's folder: its record and its point, and a file of arrays for each name that has any."""
        folder.mkdir(parents=True)
        (folder / "round.json").write_text(json.dumps({"record": record, "point": row}))
        for name, stored in files.items():
            if stored is not None and not (self.old and name == "heaviest"):
                np.savez(folder / f"{name}.npz", **stored)

    def splits(self, of: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """An array of each split that this run keeps, float32."""
        names = ("train", "validation", "test")[not self.train :]
        return {name: of(name).astype(np.float32) for name in names}

    def point(self, number: int, game: Game, teacher_macs: int | None) -> dict[str, Any]:
        prefix = {name: game.prefix(name, logits=True) for name in game.splits}
        before = game.c * np.mean([f["test"] for f in game.outputs[:-1]], axis=0) if number > 1 else None
        cost = PrefixCost(
            **{name: value * number for name, value in STUDENT_COST.items()},
            memory_bytes=60_000,
            overhead_macs=9_000 * (number - 1),
            carry_bytes=31_000,
            window_share=number / self.rounds if self.mode == "segments" else 1.0,
        )
        return point(
            number,
            prefix["test"],
            *game.splits["test"],
            before,
            cost=cost,
            teacher_macs=teacher_macs,
            people=np.arange(len(prefix["test"])) % 2 if self.data_info.people and not self.old else None,
            **{name: scores(prefix[name], *game.splits[name]) for name in ("train", "validation")},
        ).document()

    def record(
        self, number: int, measured: CertificateRow, outcome: str, before: Sequence[float], attempts: int
    ) -> dict[str, Any]:
        """The round's record around what the game measured; `before`: edges before the correction."""
        corrected = outcome == "corrected"
        record = {
            **measured.document(),
            "composition": ["alone" if number == 1 else self.composition],
            "attempts": attempts,
            "corrected": corrected,
            "kl_before": 0.199 / number if corrected else 0.2 / number,
            "kl_after": 0.2 / number,
            "barrier": barrier(attempts),
            "loss": 0.2 / number,
            "seconds": 10.0,
        }
        if self.old:
            record["certified"] = record.pop("condition_met")
            return {name: value for name, value in record.items() if name not in ("largest", "by_eta")}
        return record | {
            "rung": 0,
            "student": self.data_info.student,
            "edges_before": list(before),
            "correction_seconds": 1.4 if corrected else 0.0,
        }

    def attempt(self, number: int, attempt: int, outcome: str, found: Condition, before: Sequence[float]) -> None:
        """The events of one attempt, from its start to its outcome."""
        self.start_round(number, attempt)
        for epoch in range(1, self.epochs + 1):
            self.train_epoch("rounds", number, epoch, 0.9, attempt)
        if self.polished:  # corrective rounds are checked after the polish
            return
        corrected = outcome == "corrected"
        names = ("edge_min", "edges", "relative_edges", "condition_met")
        self.event(
            "attempt_finished",
            round=number,
            attempt=attempt,
            composition="alone" if number == 1 else self.composition,
            rung=0,
            student=self.data_info.student,
            seed=attempt - 1,
            barrier=barrier(attempt),
            **{name: getattr(found, name) for name in names},
            edges_before=before,
            corrected=corrected,
            kl_before=0.199 / number if corrected else 0.2 / number,
            kl_after=0.2 / number,
            correction_seconds=0.0 if outcome == "kept" else 1.4,
            seconds=10.0,
            outcome=outcome,
        )

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
            info["teacher_name"] = f"{self.data_info.teacher}-seed-0"
            card = {"name": info["teacher_name"], "accuracy": 0.943, "epochs": self.epochs, **TEACHER_COST}
            self.event("teacher_finished", teacher=info["teacher_name"], card=card)
        self.finish(info, phase="teacher", number=None)

    def finish(self, info: dict[str, Any], phase: str, number: int | None) -> None:
        """The events and files after the last whole round or epoch, by state."""
        if self.state == "finished":
            if phase != "teacher":
                self.ensemble()
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
        alive = datetime.now(UTC) if self.state == "running" else self.clock  # a running worker is not silent
        beat = {
            "host": "here",
            "pid": 2**22 + 1,
            "time": alive.isoformat(),
            "phase": phase,
            "round": number,
            "attempt": None if number is None else 1,
            "epoch": self.epoch + 1,
            "epochs": self.epochs,
            "batch": 3,
            "batches": 10,
            "fraction": (self.epoch + 0.3) / self.epochs,
            "seconds_left": 3120.0,
        }
        (self.path / "heartbeat.json").write_text(json.dumps(beat))

    def ensemble(self) -> None:
        """The students as far as a description tells; weights are not needed to look at a run."""
        described = specs(self.dataset, self.done, self.composition, self.mode)
        students = [{"spec": spec, "sha256": ""} for spec in described]
        (self.path / "ensemble").mkdir()
        (self.path / "ensemble" / "ensemble.json").write_text(
            json.dumps({"format": "bdistil-ensemble", "schema": 1, "classes": list(self.classes), "students": students})
        )

    def start_round(self, number: int, attempt: int = 1) -> None:
        composition = "alone" if number == 1 else self.composition
        self.event(
            "round_started",
            round=number,
            attempt=attempt,
            composition=composition,
            rung=0,
            student=self.data_info.student,
            barrier=barrier(attempt),
            epochs=self.epochs,
        )

    def train_epoch(self, phase: str, number: int | None, epoch: int, accuracy: float, attempt: int = 1) -> None:
        self.event(
            "epoch",
            phase=phase,
            round=number,
            attempt=None if number is None else attempt,
            epoch=epoch,
            epochs=self.epochs,
            loss=0.8 / epoch / (number or 1),
            seconds=1.0,
            total=float(epoch),
            validation={"accuracy": accuracy},
            barrier_edge=0.01,
        )

    def event(self, kind: str, **fields: Any) -> None:
        self.clock += timedelta(seconds=7)
        self.events.append({"v": 1, "time": self.clock.isoformat(timespec="milliseconds"), "kind": kind, **fields})

    def write(self, info: dict[str, Any]) -> None:
        (self.path / "run.json").write_text(json.dumps(info))
        (self.path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in self.events))


def barrier(attempt: int) -> float:
    """1/γ of a round's attempt: a retry trebles it."""
    return 0.3 * 3 ** (attempt - 1)

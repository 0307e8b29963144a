"""What a round costs beside a bare PyTorch loop that does the same work, and the memory that a worker takes.

Rounds 1, 3 and 6 of the preset `b-distil` and round 3 of `b-distil+polish` train as in a worker, heartbeat, checkpoint
and validation included, on a miniature of Fashion-MNIST (all splits cut alike, students as they ship). The bare loop is
written out below: the same students, batches, views, epochs, loss, barrier and optimiser, predecessors' forward passes
without gradients, validation after each epoch and answers on every split at the end; one thread. The two take turns,
an epoch of 40 steps each, so that a busy machine slows both; a ratio is the median over these pairs, of processor time,
which other programs disturb less than the clock's. A whole round is as many median epochs as the recipe has and what
follows them: on our side that is the check of the weak learning condition and the certificate as well. Heads are not
corrected: the loop has nothing like it. Earlier students are untrained: time does not depend on weights.

Memory is the peak of a real worker over its whole life on all of Fashion-MNIST, with epochs cut to a few batches.
Ends in the aims: a round takes at most 1.15 times as long, and a worker at most 2 GB.

    python benchmarks/rounds.py --work FOLDER
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from table import publish
from torch import Tensor
from torch.nn import functional
from work import DATASET, folder, kept, small_task

from bdistil.config import DistilConfig
from bdistil.data.catalogue import info
from bdistil.data.dataset import SPLITS
from bdistil.ensemble import ProgressiveEnsemble, Students, bound
from bdistil.method.certificate import weights
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.frozen import distil
from bdistil.method.joint import corrective_round, eta, prefix_weights
from bdistil.method.search import SearchCallbacks
from bdistil.method.student_training import new_student
from bdistil.method_registry import METHODS
from bdistil.paths import home
from bdistil.runs import Run, create_run
from bdistil.runs.heartbeat import HeartbeatWriter
from bdistil.runs.worker import work
from bdistil.scale import B
from bdistil.teachers.cards import card_for
from bdistil.training.loop import Callbacks, Checkpoint, Position

HEAD = (
    "preset",
    "round",
    "what",
    "engine",
    "bare loop",
    "engine / bare loop",
    "quartiles of the pairs",
    "by the clock",
)
CASES = (("b-distil", 1), ("b-distil", 3), ("b-distil", 6), ("b-distil+polish", 3))
EXAMPLES = 5120  # of the train split: 40 batches
EPOCHS, REPETITIONS = 5, 3  # the first epoch of each repetition warms up
BATCH = 500
MOST_TIME, MOST_BYTES = 1.15, 2e9
CUT = 20  # batches of an epoch where only memory is looked at


def main() -> None:
    torch.set_num_threads(1)
    store = folder(__doc__.partition("\n")[0])
    timed = round_rows(store)
    missed = [f"{row[0]}, round {row[1]}, {row[2]}: {row[5]}" for row in timed if float(row[5]) > MOST_TIME]
    taken = []
    for method in METHODS:
        config = recipe(method, epochs=1, retries=0, polish_epochs=1)
        settings = {"config": config.model_dump(), "batches": CUT}
        found = kept(store / f"memory-{method}.json", settings, partial(peak, config))
        most = found["bytes"]
        taken.append((method, f"1 … {config.rounds}", "peak memory (GB)", f"{most / 1e9:.2f}", *[""] * 4))
        if most > MOST_BYTES:
            missed.append(f"{method}: a worker takes {most / 1e9:.2f} GB")
    publish("rounds", HEAD, [*timed, *taken], ("torch",))
    assert not missed, "\n".join(missed)


def round_rows(store: Path) -> list[tuple]:
    """The rows of all rounds that are timed."""
    task = miniature()
    laps: dict[tuple[str, int], list[dict]] = {case: [] for case in CASES}
    for repetition in range(REPETITIONS):
        for method, t in CASES:
            config = recipe(method, rounds=t, epochs=EPOCHS, meet_condition=False)
            laps[method, t].append(
                kept(
                    store / f"{method}-{t}-{repetition}.json",
                    {"config": config.model_dump(), "examples": EXAMPLES},
                    partial(side_by_side, config, task),
                )
            )
    return [row for (method, t), found in laps.items() for row in compared(method, t, found)]


def recipe(method: str, **given: Any) -> DistilConfig:
    """A preset as it ships, on one thread, with what is given in place."""
    teacher = card_for(None, DATASET).name
    return DistilConfig.create(DATASET, teacher=teacher, method=method, threads=1, **given)


def miniature() -> DistillationData:
    """A small task whose validation and test splits are cut as its train split is."""
    part, task = EXAMPLES / info(DATASET).train, small_task(EXAMPLES)
    data, teacher = task.dataset, task.teacher
    for split in ("validation", "test"):
        x, labels = data.split(split)
        size = round(part * len(x))
        cut: dict[str, Any] = {f"x_{split}": x[:size], f"y_{split}": labels[:size]}
        data = replace(data, **cut)
        shorter: dict[str, Any] = {split: teacher[split][:size]}
        teacher = replace(teacher, **shorter)
    return replace(task, dataset=data, teacher=teacher)


@dataclass
class Turns:
    """The times that the engine and the bare loop take, lap by lap and in turn: (clock, processor) seconds each."""

    bare: Iterator[None]
    ours: list[tuple[float, float]] = field(default_factory=list)
    theirs: list[tuple[float, float]] = field(default_factory=list)

    def start(self) -> None:
        self._began = _now()

    def lap(self) -> None:
        """A lap of the engine ends here: the bare loop takes its own, and the engine goes on."""
        self.ours.append(_since(self._began))
        began = _now()
        next(self.bare)
        self.theirs.append(_since(began))
        self.start()


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    now = _now()
    return now[0] - began[0], now[1] - began[1]


def side_by_side(config: DistilConfig, task: DistillationData) -> dict[str, Any]:
    """Laps of the last round by the engine and by the bare loop, (epochs + 1, 2): epochs, then what follows them."""
    run = engine_corrective if config.polished else engine_frozen
    ensemble, rival = (untrained(config, task, config.rounds - 1) for _ in range(2))
    summed = answers(rival, task.dataset.x_train).sum(axis=0) if len(rival) else np.zeros(task.g_hat.shape)
    turns = Turns(Bare(config, task, rival, summed).laps())
    with tempfile.TemporaryDirectory() as path:
        run(config, task, ensemble, turns, Path(path))
    return {"ours": turns.ours, "theirs": turns.theirs}


def untrained(config: DistilConfig, task: DistillationData, students: int) -> ProgressiveEnsemble:
    """An ensemble of fresh students."""
    ensemble = task.ensemble()
    for t in range(1, students + 1):
        ensemble.append(new_student(Distillation(config, task, ensemble), Position("rounds", t, 1)))
    return ensemble


def answers(ensemble: ProgressiveEnsemble, x: np.ndarray) -> np.ndarray:
    """f_1 … f_t (t, N, L) for raw inputs."""
    parts = [torch.stack(list(ensemble.student_outputs(x[i : i + BATCH]))) for i in range(0, len(x), BATCH)]
    return torch.cat(parts, dim=1).numpy()


def callbacks(turns: Turns, path: Path) -> Callbacks:
    """Tells a worker's directory what a worker tells it, and lets the bare loop take its turn after each epoch."""
    heartbeat = HeartbeatWriter(Run(path))
    return Callbacks(heartbeat.write_batch, lambda position, record: turns.lap(), heartbeat.stop)


def engine_frozen(
    config: DistilConfig, task: DistillationData, ensemble: ProgressiveEnsemble, turns: Turns, path: Path
) -> None:
    """The last round of Algorithm 1, one attempt."""
    finished = list(answers(ensemble, task.dataset.x_train)) if len(ensemble) else []
    distillation = Distillation(config, task, ensemble, Checkpoint(path / "checkpoint"), callbacks(turns, path))
    found = next(distil(distillation, finished, callbacks=SearchCallbacks(starts=lambda fields: turns.start())))
    turns.lap()
    assert found.record.attempts == 1, "the search went on after its first attempt: it is no longer the same work"


def engine_corrective(
    config: DistilConfig, task: DistillationData, ensemble: ProgressiveEnsemble, turns: Turns, path: Path
) -> None:
    """The last corrective round."""
    previous = answers(ensemble, task.dataset.x_train).mean(axis=0)
    turns.start()
    distillation = Distillation(config, task, ensemble, Checkpoint(path / "checkpoint"), callbacks(turns, path))
    corrective_round(distillation, previous)
    turns.lap()


class Bare:
    """The same round written down without the engine, on students of its own."""

    def __init__(
        self, config: DistilConfig, task: DistillationData, before: ProgressiveEnsemble, summed: np.ndarray
    ) -> None:
        """`summed` is f_1 + … + f_{t−1} (N, L) of the students `before` on the training inputs."""
        self.config, self.task, self.t = config, task, len(before) + 1
        self.mean, self.std = before.mean, before.std
        student = new_student(Distillation(config, task, before), Position("rounds", self.t, 1))
        together = config.polished
        self.frozen = [] if together else [one.eval() for one in before.students]
        self.trained = Students([*before.students, student] if together else [student])
        self.shares = prefix_weights(self.t) if together else [1.0]
        up, down = weights(summed - (self.t - 1) * task.g_hat, eta(config, task))
        self.signed = torch.from_numpy((up - down).astype(np.float32))
        self.views, self.targets = torch.from_numpy(task.views), torch.from_numpy(task.view_targets)
        self.optimizer = torch.optim.AdamW(self.trained.parameters(), config.learning_rate)

    def laps(self) -> Iterator[None]:
        """Yields after each epoch and its validation, and once more after the answers on every split."""
        labels = torch.from_numpy(self.task.dataset.y_validation)
        for epoch in range(self.config.epochs):
            self.trained.train()
            clean_only = not self.config.polished and epoch >= self.config.epochs - self.config.clean_epochs
            for chosen in torch.randperm(self.views.shape[1]).split(self.config.batch_size):
                view = torch.randint(0, 1 if clean_only else len(self.views), (len(chosen),))
                loss = self.loss(view, chosen)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                assert loss.isfinite()
            assert (self.answers("validation").argmax(1) == labels).any()
            yield
        for split in SPLITS:
            self.answers(split)
        yield

    def loss(self, view: Tensor, chosen: Tensor) -> Tensor:
        """Temperature-scaled KL of the trained prefixes and, from round 2 on, the barrier of the newest student."""
        tau, c = self.config.temperature, self.task.c
        target = self.targets[view, chosen]
        prefixes, f = self.run((self.views[view, chosen].float() - self.mean) / self.std)
        theirs = functional.log_softmax(c * target / tau, dim=1)
        loss = torch.zeros(())
        for share, prefix in zip(self.shares, prefixes, strict=True):
            ours = functional.log_softmax(c * prefix / tau, dim=1)
            loss = loss + share * tau**2 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        clean = view == 0
        if self.t > 1 and clean.any():
            scale = self.views.shape[1] / clean.sum()
            edges = scale * (self.signed[chosen[clean]] * (f[clean] - target[clean])).sum(0)
            loss = loss - self.config.barrier * torch.log1p(edges.clamp(-B, B) / (2 * B)).sum()
        return loss

    def run(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """F of the trained students, and f of the newest, for normalised inputs."""
        total, carry = torch.zeros(()), dict[str, Tensor]()
        with torch.no_grad():
            for student in self.frozen:
                raw, carry = student(x, carry)
                total = total + bound(raw, self.task.c)
        prefixes = []
        for s, student in enumerate(self.trained, start=len(self.frozen) + 1):
            raw, carry = student(x, carry)
            answer = bound(raw, self.task.c)
            f = s * answer - total.detach() if student.gives_prefix else answer
            total = s * answer if student.gives_prefix else total + answer
            prefixes.append(total / s)
        return prefixes, f

    def answers(self, split: str) -> Tensor:
        """The last prefix on a split."""
        self.trained.eval()
        x = torch.from_numpy(self.task.dataset.split(split)[0])
        with torch.no_grad():
            parts = [self.run((part.float() - self.mean) / self.std)[0][-1] for part in x.split(BATCH)]
        return torch.cat(parts)


def compared(method: str, t: int, found: list[dict[str, Any]]) -> list[tuple]:
    """The rows of a round: its training epoch by epoch, and the whole of it."""
    ours, theirs = (np.array([laps[side] for laps in found]) for side in ("ours", "theirs"))  # (repetitions, laps, 2)
    pairs = ours[:, 1:-1] / theirs[:, 1:-1]
    low, high = np.quantile(pairs[..., 1], [0.25, 0.75])
    epoch, after = (
        [np.median(side[:, part], axis=(0, 1)) for side in (ours, theirs)] for part in (slice(1, -1), slice(-1, None))
    )
    epochs = recipe(method).epochs
    whole = [epochs * one + rest for one, rest in zip(epoch, after, strict=True)]
    clock, processor = np.median(pairs, axis=(0, 1))
    steps = -(-EXAMPLES // recipe(method).batch_size)
    what = f"a round of {epochs} epoch{'s' * (epochs > 1)} (s)"
    return [
        (
            method,
            t,
            "a step (ms)",
            *(f"{1e3 * side[1] / steps:.1f}" for side in epoch),
            f"{processor:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{clock:.3f}",
        ),
        (
            method,
            t,
            what,
            *(f"{side[1]:.2f}" for side in whole),
            f"{whole[0][1] / whole[1][1]:.3f}",
            "",
            f"{whole[0][0] / whole[1][0]:.3f}",
        ),
    ]


def peak(config: DistilConfig) -> dict[str, int]:
    """`peak_of` as a document."""
    return {"bytes": peak_of(config)}


def peak_of(config: DistilConfig) -> int:
    """Peak bytes of a worker that does a whole run, with the teacher's answers where they are kept already."""
    logits = home() / "cache"
    with tempfile.TemporaryDirectory() as place:
        if logits.is_dir():
            shutil.copytree(logits, Path(place) / "cache")
        os.environ["BDISTIL_HOME"] = place
        try:
            run = create_run(config)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                return pool.submit(life, run.path).result()
        finally:
            os.environ["BDISTIL_HOME"] = str(logits.parent)


def life(path: Path) -> int:
    """A worker's whole life: its peak resident bytes. Epochs are cut, as none needs more at its end."""
    whole = DistillationData.batches
    setattr(DistillationData, "batches", lambda *arguments: islice(whole(*arguments), CUT))  # noqa: B010
    assert work(Run(path)) == 0, Run(path).info().error
    [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(kilobytes)


if __name__ == "__main__":
    main()

"""The one epoch loop: a teacher and a student of a round train through it, checkpointed at the end of each epoch.

Whatever an epoch draws (order, views, augmentation) derives from the run's seed and the epoch's position, so a training
that goes on from its checkpoint equals one that was never interrupted, bit for bit, on the same machine.
"""

import json
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from bdistil.atomic import write_bytes
from bdistil.ensemble import evaluating
from bdistil.errors import UserError
from bdistil.records import EpochRecord


class Stopped(Exception):
    """Training was asked to stop; everything up to the last finished epoch is in the checkpoint."""


@dataclass(frozen=True)
class Position:
    """Which training of a run this is: its phase, and the round and attempt where there are some."""

    phase: str
    round: int | None = None
    attempt: int | None = None

    def generator(self, seed: int, epoch: int) -> np.random.Generator:
        """The source of everything random in one epoch."""
        return np.random.default_rng([*self._key(seed), epoch])

    def seed(self, seed: int, epoch: int | None = None) -> int:
        """The seed of fresh weights, or of what a model draws in an epoch, 1 … E."""
        key = [*self._key(seed), *([] if epoch is None else [epoch])]
        return int(np.random.SeedSequence(key).generate_state(1)[0])

    def _key(self, seed: int) -> list[int]:
        return [seed, zlib.crc32(self.phase.encode()), self.round or 0, self.attempt or 0]


@dataclass(frozen=True)
class Checkpoint:
    """The file that holds a training at the end of its last epoch: safetensors, never pickle."""

    path: Path

    @property
    def heads(self) -> "Checkpoint":
        """The file beside it for a head correction: the training that came before is in this one."""
        return Checkpoint(self.path.with_name("heads.safetensors"))

    def save(
        self,
        position: Position,
        record: EpochRecord,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        extra: dict[str, Tensor],
    ) -> None:
        """Write weights, buffers, the optimiser's state, `extra` and the finished epoch's record, atomically."""
        tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
        tensors |= {f"extra.{name}": t for name, t in extra.items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": t for name, t in state.items()}
        self.write(position, record.document(), tensors)

    def load(
        self, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer, extra: dict[str, Tensor]
    ) -> EpochRecord | None:
        """Put the saved state in place; returns the last epoch's record, None where there is none of this position.

        Raises UserError if the file is damaged.
        """
        kept = self.read(position)
        if kept is None:
            return None
        record, tensors = kept
        try:
            model.load_state_dict(under("model.", tensors))
            optimizer.load_state_dict({**optimizer.state_dict(), "state": _optimizer_state(tensors)})
            _lay_out(optimizer)
            for name, tensor in under("extra.", tensors).items():
                extra[name].copy_(tensor)
            return EpochRecord.model_validate(record)
        except (KeyError, RuntimeError, TypeError, ValueError):
            raise self._damaged() from None

    def write(self, position: Position, record: Mapping[str, object], tensors: dict[str, Tensor]) -> None:
        """Write named tensors and what there is to say of them, atomically."""
        metadata = {"position": json.dumps(asdict(position)), "record": json.dumps(record)}
        # Copies: students may share weights, and the format wants memory of its own for each.
        tensors = {name: t.clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
        write_bytes(self.path, save(tensors, metadata))

    def read(self, position: Position) -> tuple[dict[str, JsonValue], dict[str, Tensor]] | None:
        """What `write` wrote, None where there is nothing of this position. Raises UserError if it is damaged."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if json.loads(metadata["position"]) != asdict(position):
                return None
            return json.loads(metadata["record"]), tensors
        except (SafetensorError, KeyError, RuntimeError, TypeError, ValueError):
            raise self._damaged() from None

    def remove(self) -> None:
        """Remove the file, and the one beside it."""
        self.path.unlink(missing_ok=True)
        self.heads.path.unlink(missing_ok=True)

    def _damaged(self) -> UserError:
        return UserError(f"{self.path} is damaged. Delete it and resume: what it was kept for starts again.")


@dataclass(frozen=True)
class Callbacks:
    """Callbacks of a training: after each batch, epoch and step of a head correction, and whether to stop."""

    batch: Callable[[Position, int, int, int, int], None] = lambda position, epoch, epochs, batch, batches: None
    epoch: Callable[[Position, EpochRecord], None] = lambda position, record: None
    stop: Callable[[], bool] = lambda: False
    correction: Callable[[Position, int, int], None] = lambda position, update, updates: None

    def check(self) -> None:
        """Raises Stopped if training is asked to stop."""
        if self.stop():
            raise Stopped


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    position: Position,
    epochs: int,
    batches: Callable[[int], Iterator[Any]],
    batches_per_epoch: int,
    loss: Callable[[Any], Tensor],
    rate: Callable[[float], float],
    evaluate: Callable[[], dict[str, float]],
    seed: int = 0,
    clip: float | None = None,
    checkpoint: Checkpoint | None = None,
    extra: dict[str, Tensor] | None = None,
    callbacks: Callbacks | None = None,
) -> EpochRecord:
    """Train `model` for `epochs`, going on from its checkpoint; returns the last epoch's record.

    `batches(epoch)` yields an epoch's batches, `loss(batch)` is a scalar, `rate(done)` the learning rate after a share
    `done` in [0, 1] of all steps, `evaluate()` the figures of an epoch on the validation split, `extra` further tensors
    that training changes. `seed` is the run's, from which whatever the model draws itself derives (dropout); `clip` the
    largest norm of all gradients together, None for no limit. Raises Stopped at the first batch after a callback says
    so, and ValueError for no epochs at all.
    """
    callbacks, extra = callbacks or Callbacks(), extra or {}
    record = checkpoint.load(position, model, optimizer, extra) if checkpoint else None
    for epoch in range(record.epoch if record else 0, epochs):
        started, total = time.monotonic(), 0.0
        model.train()
        torch.manual_seed(position.seed(seed, epoch + 1))
        for number, batch in enumerate(batches(epoch)):
            callbacks.check()
            set_rate(optimizer, rate((epoch + number / batches_per_epoch) / epochs))
            optimizer.zero_grad(set_to_none=True)
            value = loss(batch)
            value.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            total += value.item()
            callbacks.batch(position, epoch + 1, epochs, number + 1, batches_per_epoch)
        validation = evaluate()
        if not all(map(math.isfinite, (total, *validation.values()))):
            raise UserError("Training diverged: the loss is no longer a number. Choose a smaller learning rate.")
        seconds = time.monotonic() - started
        record = EpochRecord(
            epoch=epoch + 1,
            epochs=epochs,
            loss=total / batches_per_epoch,
            validation=validation,
            seconds=seconds,
            total=seconds + (record.total if record else 0.0),
        )
        callbacks.epoch(position, record)
        if checkpoint:
            checkpoint.save(position, record, model, optimizer, extra)
    if record is None:
        raise ValueError("a training has one epoch at least")
    return record


def one_cycle(peak: float, warm_up: float, start: float = 0.04, end: float = 0.0) -> Callable[[float], float]:
    """A learning rate that rises linearly from `start`·peak and falls along a cosine to `end`·peak."""

    def rate(done: float) -> float:
        if done < warm_up:
            return peak * (start + (1 - start) * done / warm_up)
        falling = (done - warm_up) / (1 - warm_up)
        return peak * (end + (1 - end) * 0.5 * (1 + math.cos(math.pi * falling)))

    return rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def decayed(model: nn.Module, weight_decay: float) -> list[dict[str, list[nn.Parameter] | float]]:
    """Parameter groups: matrices and kernels decay, biases and normalisation do not."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def order(generator: np.random.Generator, count: int, batch_size: int) -> Iterator[np.ndarray]:
    """Shuffled positions of `count` examples, batch by batch; a last batch of one is joined to its predecessor."""
    positions = generator.permutation(count)
    cuts = list(range(batch_size, count - 1, batch_size))
    yield from np.split(positions, cuts)


def batch_count(count: int, batch_size: int) -> int:
    """How many batches `order` yields."""
    return len(range(batch_size, count - 1, batch_size)) + 1


def predict(model: nn.Module, x: np.ndarray, prepare: Callable[[np.ndarray], Tensor], batch_size: int = 500) -> Tensor:
    """The model's logits (N, classes) on raw inputs, in evaluation mode; the mode is put back."""
    with evaluating(model):
        return torch.cat([model(prepare(x[i : i + batch_size])) for i in range(0, len(x), batch_size)])


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of a checkpoint's tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Give loaded moments the memory layout of their weights: fused steps go through both as they lie in memory."""
    for weight, moments in optimizer.state.items():
        for name, moment in moments.items():
            if moment.shape == weight.shape:
                moments[name] = torch.empty_like(weight, requires_grad=False).copy_(moment)


def _optimizer_state(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in under("optimizer.", tensors).items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    return state

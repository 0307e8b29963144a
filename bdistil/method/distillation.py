"""What is distilled, a data set with the teacher's logits, and all that the rounds of one distillation share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from bdistil.config import DistilConfig
from bdistil.data.dataset import Dataset, Splits
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.method.objective import kl
from bdistil.scale import Floats, normalised, scale
from bdistil.training.loop import Callbacks, Checkpoint, order


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of the train split in some view each.

    chosen: their places in the split (batch,). clean: the places in the batch of those seen as they are. x: normalised
    (batch, *input_shape). target: ĝ of the view (batch, L). labels: (batch,).
    """

    chosen: np.ndarray
    clean: np.ndarray
    x: Tensor
    target: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class DistillationData:
    """A data set with the teacher's logits, also on the views of its training inputs.

    teacher: raw logits float32 (N, L) of each split. views: raw (V, N, *input_shape) of the train split, the first one
    the inputs themselves; view_logits: the teacher's float32 (V, N, L) on each.
    """

    dataset: Dataset
    teacher: Splits[np.ndarray]
    views: np.ndarray
    view_logits: np.ndarray

    @cached_property
    def c(self) -> float:
        """The teacher's scale: the largest centred logit on the un-augmented training inputs."""
        return scale(self.teacher.train)

    @cached_property
    def g_hat(self) -> Floats:
        """ĝ (N, L), float64: the training logits on the normalised scale."""
        return normalised(self.teacher.train, self.c)

    @cached_property
    def view_targets(self) -> np.ndarray:
        """The teacher's logits on each view on the normalised scale, float32 (V, N, L)."""
        return np.stack([normalised(logits, self.c).astype(np.float32) for logits in self.view_logits])

    def ensemble(self, dataset: str | None = None, teacher: str | None = None) -> ProgressiveEnsemble:
        """An ensemble without students yet, for this data; dataset, teacher: names for its description."""
        info = self.dataset.info
        return ProgressiveEnsemble(
            c=self.c,
            classes=info.classes,
            mean=self.dataset.mean,
            std=self.dataset.std,
            input_shape=info.input_shape,
            front_end=info.front_end,
            dataset=dataset,
            teacher=teacher,
        )

    def batches(
        self,
        generator: np.random.Generator,
        size: int,
        views: int,
        ensemble: ProgressiveEnsemble,
    ) -> Iterator[Batch]:
        """An epoch's batches of `size`, in an order and in views, of the first `views`, that the generator draws.

        They are made for `ensemble`: as it normalises, and where it is.
        """
        device = ensemble.mean.device
        for chosen in order(generator, len(self.g_hat), size):
            view = generator.integers(0, views, len(chosen))
            yield Batch(
                chosen,
                np.flatnonzero(view == 0),
                ensemble.normalise(self.views[view, chosen]),
                torch.from_numpy(self.view_targets[view, chosen]).to(device),
                torch.from_numpy(self.dataset.y_train[chosen]).to(device),
            )

    def divergence(self, prefix: np.ndarray, split: str, temperature: float) -> float:
        """KL(teacher ‖ prefix) at temperature τ times τ², mean over a split; prefix (N, L) is F, normalised."""
        ours, theirs = (torch.from_numpy(a.astype(np.float64)) for a in (self.c * prefix, self.teacher[split]))
        return float(kl(ours, theirs, temperature))


@dataclass(frozen=True, eq=False)
class Distillation:
    """What all rounds of a distillation share.

    ensemble: the students so far, which rounds append to. budgets: limits on the MACs of each prefix, where students
    are sized by them. checkpoint: where a training in progress is kept, None for
    nowhere. callbacks: whom a training tells. device: where it goes on.
    """

    config: DistilConfig
    data: DistillationData
    ensemble: ProgressiveEnsemble
    checkpoint: Checkpoint | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)
    device: str = "cpu"
    budgets: tuple[int, ...] = ()

    @classmethod
    def new(cls, config: DistilConfig, data: DistillationData) -> "Distillation":
        """One that begins, in memory, on the CPU."""
        return cls(config, data, data.ensemble())

    @property
    def round(self) -> int:
        """The round to come, 1, 2, …"""
        return len(self.ensemble) + 1

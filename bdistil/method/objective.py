"""What a round minimises: a distillation loss, and the log barrier of the weak learning condition.

Algorithm 2 (FIND-WL) of B-DISTIL (arXiv 2302.10093) finds a student that distils well and has a positive edge for every
class. `DistillationLoss` is the first half, `Barrier` the second; a training step adds the two.

Students' outputs f, the teacher's ĝ and prefixes F come on the normalised scale (`bdistil.method.certificate`), shape
(batch, classes). Losses compare c·f with c·ĝ, the teacher's own scale; edges live on the normalised one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdistil.scale import B


def kl(logits: Tensor, target: Tensor, temperature: float) -> Tensor:
    """KL(target ‖ logits) of softmaxes at `temperature` τ, times τ², mean over the batch; both (batch, classes)."""
    ours = functional.log_softmax(logits / temperature, dim=1)
    theirs = functional.log_softmax(target / temperature, dim=1)
    return temperature**2 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def squared(logits: Tensor, target: Tensor) -> Tensor:
    """½ squared error, mean over classes and batch: what `kl` tends to at large τ, for centred logits."""
    return functional.mse_loss(logits, target) / 2


def prefix(f: Tensor, previous: Tensor | None, round: int) -> Tensor:
    """F_t = ((t − 1)·F_{t−1} + f_t)/t for `round` t ≥ 1; `previous` is F_{t−1}, unused in round 1."""
    if round == 1:
        return f
    if previous is None:
        raise ValueError("from round 2 on a prefix needs the one before it")
    return ((round - 1) * previous + f) / round


@dataclass(frozen=True)
class DistillationLoss:
    """(1 − a)·D + a·cross-entropy with the labels, of the student or of the prefix it completes; all on c times f.

    Fields: `c` the teacher's scale; `target` "student" (f_t itself is compared with ĝ, our reading of the paper) or
    "ensemble" (the prefix F_t is, so that a round is trained for the job it will do; ours); `divergence` D, "kl" at
    `temperature` τ or "squared"; `label_share` a in [0, 1].
    """

    c: float
    target: str = "ensemble"
    divergence: str = "kl"
    temperature: float = 2.0
    label_share: float = 0.0

    def __call__(
        self, f: Tensor, g_hat: Tensor, *, round: int, previous: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """The loss, a scalar, of f_t = `f` against `g_hat`, both (batch, classes), in round t ≥ 1.

        `previous` is F_{t−1} (batch, classes), needed for target "ensemble" from round 2 on; `labels` (batch,) are
        class indices, needed where `label_share` > 0.
        """
        return self.compare(prefix(f, previous, round) if self.target == "ensemble" else f, g_hat, labels)

    def compare(self, answer: Tensor, g_hat: Tensor, labels: Tensor | None = None) -> Tensor:
        """The loss of an answer, f_t or F_t, on the normalised scale; arguments as above."""
        logits, teacher = self.c * answer, self.c * g_hat
        loss = kl(logits, teacher, self.temperature) if self.divergence == "kl" else squared(logits, teacher)
        if self.label_share > 0:
            if labels is None:
                raise ValueError("a label share needs labels")
            loss = (1 - self.label_share) * loss + self.label_share * functional.cross_entropy(logits, labels)
        return loss


class Barrier(nn.Module):
    """−(1/γ) Σ_j log(1 + edge_j / 2B), in a form that mini-batches can follow.

    |edge_j| ≤ B, so the logarithm's argument lies in [½, 3/2]. An edge estimated on a mini-batch can leave that range
    (N/batch times too large, with all weight on one example), so the batch gives only the gradient of edge_j; the slope
    1/(2B(1 + edge_j/2B)) is taken at a running estimate kept in [−B, B]. Value and gradient are always finite.

    The running estimates are the module's one buffer, so `state_dict` is all a checkpoint needs. One barrier per round.
    """

    edges: Tensor

    def __init__(self, classes: int, gain: float, deviation: float = B, momentum: float = 0.95):
        """`gain` is 1/γ ≥ 0; `deviation` B; `momentum` in [0, 1): what the running estimate keeps of itself a batch."""
        super().__init__()
        self.gain, self.deviation, self.momentum = gain, deviation, momentum
        self.register_buffer("edges", torch.zeros(classes))

    def penalty(self, f: Tensor, g_hat: Tensor, signed_weights: Tensor, examples: int) -> Tensor:
        """The barrier, a scalar: its value at the running edges, its gradient through this batch's.

        `f`, `g_hat` and `signed_weights` (K⁺ − K⁻) are (batch, classes), of the same clean (un-augmented) inputs;
        `examples` is N, over which the weights sum to 1. Updates the running edges.
        """
        edges = examples / len(f) * (signed_weights.to(f.dtype) * (f - g_hat)).sum(dim=0)
        self.edges.lerp_(edges.detach().to(self.edges.dtype), 1 - self.momentum)
        self.edges.clamp_(-self.deviation, self.deviation)
        width = 2 * self.deviation
        slope = 1 / (width * (1 + self.edges / width))
        value = torch.log1p(self.edges / width) + slope * (edges - edges.detach())
        return -self.gain * value.sum()

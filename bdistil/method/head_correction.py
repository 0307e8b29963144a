"""Heads corrected: the change of output layers, of least KL, with which students meet the weak learning condition.

Everything but the heads is fixed, so the problem is small and smooth: minimise the weighted sum of the prefixes' KL
subject to edge_j(f_t) ≥ 0.02·Σ_i |(K⁺ − K⁻) d_t| for all classes and rounds t ≥ 2, with the weights K in closed form as
functions of the heads as well; by the augmented Lagrangian method (Nocedal and Wright, *Numerical Optimization*,
chapter 17), L-BFGS inside, stiffer wherever an update does not halve the largest violation. Our own step of FIND-WL
(Algorithm 2 of Dennis et al., *Progressive Ensemble Distillation*, NeurIPS 2023, leaves open how one is found).

A positive edge wants f_t to deviate from the teacher against the way that F_{t−1} does. What no student of the class
can learn, all of them miss alike, so there must be something else to take back: heads that are corrected together learn
to deviate first one way and then the other, in directions in which KL hardly moves. Students that are trained together
(the preset `b-distil+polish`) have all their heads corrected at the end. A frozen round has one head only: it looks
ahead, at a successor that would read the same inputs, so that it leaves the next round something to correct.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from pydantic import TypeAdapter
from torch import Tensor

from bdistil.ensemble import bound
from bdistil.method.objective import kl
from bdistil.training.loop import Callbacks, Checkpoint, Position, under

RELATIVE_EDGE = 0.02  # of the largest edge that deviations of their size could have: what is asked of each class
MARGIN = 1.3  # times that, so that rounding takes none below it
OUTER, INNER = 12, 40  # updates of the multipliers, and L-BFGS steps before each, at most
STIFFNESS, STIFFNESS_FACTOR = 1000.0, 3.0  # of the quadratic term, edges being of the order 0.01; its growth
TOLERANCE = 1e-3  # share of KL: once an update gains less, and all conditions are met, the search ends


@dataclass(frozen=True, eq=False)
class HeadProblem:
    """The heads' inputs on the clean training inputs, and what their answers are measured by.

    inputs: float32 (N, D) for each head. gives_prefix: for each. round: of the first of them. summed: f_1 + … + f_r of
    all students before, (N, L). g_hat: ĝ (N, L). shares: weights of the prefixes' KL. eta: the theory's η. c: the
    teacher's scale.
    """

    inputs: Sequence[Tensor]
    gives_prefix: Sequence[bool]
    round: int
    summed: Tensor
    g_hat: Tensor
    shares: Sequence[float]
    eta: float
    c: float
    temperature: float


def correct_heads(
    problem: HeadProblem,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    *,
    position: Position,
    checkpoint: Checkpoint | None = None,
    callbacks: Callbacks | None = None,
) -> tuple[list[Tensor], list[Tensor]] | None:
    """Corrected heads, weight (L, D) and bias (L,) each, or None if no change was found that meets every condition.

    Of all that meet them it is the one of least KL. It goes on from the checkpoint of this position, written after each
    update of the multipliers. Raises Stopped soon after a callback says so.
    """
    callbacks = callbacks or Callbacks()
    heads = [head.detach().clone(memory_format=torch.contiguous_format) for head in (*weights, *biases)]
    count, best, multipliers = len(weights), list[Tensor](), torch.zeros((), device=heads[0].device)
    progress = Progress()
    saved = checkpoint.read(position) if checkpoint else None
    if saved is not None:
        progress = TypeAdapter(Progress).validate_python(saved[0])
        tensors = {name: tensor.to(heads[0].device) for name, tensor in saved[1].items()}
        heads, best, (multipliers,) = (
            [tensor for _, tensor in sorted(under(f"{name}.", tensors).items())]
            for name in ("head", "best", "multipliers")
        )
    for head in heads:
        head.requires_grad_()
    for update in range(progress.update + 1, OUTER + 1):
        _minimise(problem, heads, multipliers, progress.stiffness, partial(_look, callbacks, position, update))
        with torch.no_grad():
            divergence, edges, needed = _state(problem, heads[:count], heads[count:])
        missing = MARGIN * needed - edges
        least, violation = progress.least, max(0.0, float(missing.max()))
        if (edges >= needed / 2).all() and (edges > 0).all() and divergence < least:
            settled = divergence > (1 - TOLERANCE) * least
            least, best = float(divergence), [head.detach().clone() for head in heads]
            if settled:
                break
        multipliers = torch.relu(multipliers + progress.stiffness * missing)
        factor = STIFFNESS_FACTOR if violation > progress.violation / 2 else 1.0
        progress = Progress(update, progress.stiffness * factor, violation, least)
        if checkpoint:
            named = {"head": heads, "best": best, "multipliers": [multipliers]}
            tensors = {f"{name}.{n:03d}": each.detach() for name, some in named.items() for n, each in enumerate(some)}
            checkpoint.write(position, asdict(progress), tensors)
    return (best[:count], best[count:]) if best else None


@dataclass(frozen=True)
class Progress:
    """Where a correction is: updates of the multipliers so far, the weight of the quadratic term, the largest violation
    left, and the least KL of the heads that met every condition."""

    update: int = 0
    stiffness: float = STIFFNESS
    violation: float = math.inf
    least: float = math.inf


def _look(callbacks: Callbacks, position: Position, update: int) -> None:
    callbacks.check()
    callbacks.correction(position, update, OUTER)


def _minimise(
    problem: HeadProblem, heads: list[Tensor], multipliers: Tensor, stiffness: float, look: Callable[[], None]
) -> None:
    """Move the heads to where the augmented Lagrangian is least, as far as `INNER` steps go; `look` may raise."""
    optimizer = torch.optim.LBFGS(heads, max_iter=INNER, history_size=INNER, line_search_fn="strong_wolfe")

    def evaluate() -> Tensor:
        look()
        optimizer.zero_grad()
        value = lagrangian(problem, heads, multipliers, stiffness)
        value.backward()
        return value

    optimizer.step(evaluate)


def lagrangian(
    problem: HeadProblem, heads: list[Tensor], multipliers: Tensor | float = 0.0, stiffness: float = STIFFNESS
) -> Tensor:
    """The augmented Lagrangian; heads: all weights, then all biases."""
    count = len(heads) // 2
    divergence, edges, needed = _state(problem, heads[:count], heads[count:])
    gap = torch.relu(multipliers / stiffness + MARGIN * needed - edges)
    return divergence + stiffness / 2 * (gap**2).sum()


def _state(problem: HeadProblem, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted KL of the prefixes, and the edges and what is asked of them, (rounds, L) each, of rounds t ≥ 2."""
    g_hat, eta = problem.g_hat, problem.eta
    teacher = problem.c * g_hat
    divergence = torch.zeros((), device=g_hat.device)
    edges, needed = [], []
    summed = problem.summed
    for t, inputs, gives_prefix, share, weight, bias in zip(
        range(problem.round, problem.round + len(weights)),
        problem.inputs,
        problem.gives_prefix,
        problem.shares,
        weights,
        biases,
        strict=True,
    ):
        answer = bound(inputs @ weight.T + bias, problem.c)
        f = t * answer - summed if gives_prefix else answer
        if t > 1:
            s = eta * (summed - (t - 1) * g_hat)
            # K⁺ − K⁻ = −sinh(ηs)/Σ_i cosh(ηs): ηs is of order 1 at the theory's η.
            pull, total = -torch.sinh(s), torch.cosh(s).sum(dim=0)
            products = pull * (f - g_hat)
            edges.append(products.sum(dim=0) / total)
            needed.append((RELATIVE_EDGE * products.abs().sum(dim=0) / total).detach())
        summed = summed + f
        divergence = divergence + share * kl(problem.c * summed / t, teacher, problem.temperature)
    return divergence, torch.stack(edges), torch.stack(needed)

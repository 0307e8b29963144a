"""Heads corrected together: the smallest change of all output layers with which every round meets its condition.

For students that are trained together, the preset `b-distil+polish`. There F_t is close to F_{t−1}, and f_t = t·F_t −
(t−1)·F_{t−1} has positive edges only if the prefixes deviate from the teacher in different directions. Changing one
head after the other (head_correction.py) makes each pay for that alone; together they share it among directions in
which KL hardly moves. Everything but the heads is fixed, so the problem is small and smooth: minimise the weighted sum
of the prefixes' KL subject to edge_j(f_t) ≥ 0.02·Σ_i |(K⁺ − K⁻) d_t| for all classes and rounds t ≥ 2, with the weights
K in closed form as functions of the heads as well; by the augmented Lagrangian method (Nocedal and Wright, *Numerical
Optimization*, chapter 17), L-BFGS inside, stiffer wherever an update does not halve the largest violation. Our own step
of Algorithm 2 (Dennis et al., NeurIPS 2023).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bdistil.ensemble import ProgressiveEnsemble, bound
from bdistil.head_correction import SHARE
from bdistil.objective import kl
from bdistil.weak_learner import BATCH

OUTER, INNER = 12, 40  # updates of the multipliers, and L-BFGS steps before each, at most
STIFFNESS, STIFFER = 1000.0, 3.0  # of the quadratic term at first, edges being of the order 0.01; and its growth
SETTLED = 1e-3  # share of KL: once an update gains less, and all conditions are met, the search ends
ASKED = 1.3  # times the edge that is needed, so that rounding takes none below it


@dataclass(frozen=True, eq=False)
class JointProblem:
    """The heads' inputs on the clean training inputs, and what their answers are measured by.

    inputs: float32 (N, D_t) for each student. gives_prefix: for each. g_hat: ĝ (N, L). shares: weights of the
    prefixes' KL. eta: the theory's η. c: the teacher's scale.
    """

    inputs: Sequence[Tensor]
    gives_prefix: Sequence[bool]
    g_hat: Tensor
    shares: Sequence[float]
    eta: float
    c: float
    temperature: float


def correct_together(
    problem: JointProblem, weights: Sequence[Tensor], biases: Sequence[Tensor], stop: Callable[[], None] = lambda: None
) -> tuple[list[Tensor], list[Tensor]] | None:
    """Corrected heads, weight (L, D_t) and bias (L,) each, or None if no change was found that meets every condition.

    Of all that meet them it is the one of least KL. `stop` is called before each update and may raise.
    """
    heads = [head.detach().clone(memory_format=torch.contiguous_format) for head in (*weights, *biases)]
    for head in heads:
        head.requires_grad_()
    count, best, least = len(weights), None, np.inf
    multipliers: Tensor | float = 0.0
    stiffness, worst = STIFFNESS, np.inf
    for _ in range(OUTER):
        stop()
        optimizer = torch.optim.LBFGS(heads, max_iter=INNER, history_size=INNER, line_search_fn="strong_wolfe")

        def lagrangian(
            optimizer: torch.optim.LBFGS = optimizer,
            multipliers: Tensor | float = multipliers,
            stiffness: float = stiffness,
        ) -> Tensor:
            optimizer.zero_grad()
            divergence, edges, needed = _state(problem, heads[:count], heads[count:])
            gap = torch.relu(multipliers / stiffness + ASKED * needed - edges)
            value = divergence + stiffness / 2 * (gap**2).sum()
            value.backward()
            return value

        optimizer.step(lagrangian)
        with torch.no_grad():
            divergence, edges, needed = _state(problem, heads[:count], heads[count:])
            missing = ASKED * needed - edges
            multipliers = torch.relu(multipliers + stiffness * missing)
            if (edges >= needed / 2).all() and (edges > 0).all() and divergence < least:
                settled = divergence > (1 - SETTLED) * least
                least, best = float(divergence), [head.detach().clone() for head in heads]
                if settled:
                    break
        violation = max(0.0, float(missing.max()))
        stiffness *= STIFFER if violation > worst / 2 else 1.0
        worst = violation
    return None if best is None else (best[:count], best[count:])


def head_inputs(ensemble: ProgressiveEnsemble, x: np.ndarray) -> list[Tensor]:
    """What each student's head reads, float32 (N, D_t), for raw inputs (N, C, H, W).

    Where each head reads what the one before it reads and more, all are views of one tensor.
    """
    seen: list[list[Tensor]] = []
    hooks = [
        student.head.register_forward_pre_hook(lambda _, inputs: seen[-1].append(inputs[0]))
        for student in ensemble.students
    ]
    try:
        for start in range(0, len(x), BATCH):
            seen.append([])
            for _ in ensemble.student_outputs(x[start : start + BATCH]):
                pass
            if all(torch.equal(a, b[:, : a.shape[1]]) for a, b in zip(seen[-1], seen[-1][1:], strict=False)):
                seen[-1] = seen[-1][-1:]
    finally:
        for hook in hooks:
            hook.remove()
    whole = [torch.cat(parts) for parts in zip(*seen, strict=True)]
    sizes = [student.head.in_features for student in ensemble.students]
    return [whole[0][:, :size] for size in sizes] if len(whole) == 1 else whole


def _state(problem: JointProblem, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted KL of the prefixes, and the edges and what is asked of them, (T − 1, L) each, of rounds t ≥ 2."""
    g_hat, eta = problem.g_hat, problem.eta
    teacher = problem.c * g_hat
    divergence: Tensor | float = 0.0
    edges, needed = [], []
    summed = torch.zeros_like(g_hat)
    for t, (inputs, weight, bias) in enumerate(zip(problem.inputs, weights, biases, strict=True), start=1):
        answer = bound(inputs @ weight.T + bias, problem.c)
        f = t * answer - summed if problem.gives_prefix[t - 1] else answer
        if t > 1:
            s = eta * (summed - (t - 1) * g_hat)
            # K⁺ − K⁻ = −sinh(ηs)/Σ_i cosh(ηs): ηs is of order 1 at the theory's η.
            pull, total = -torch.sinh(s), torch.cosh(s).sum(dim=0)
            products = pull * (f - g_hat)
            edges.append(products.sum(dim=0) / total)
            needed.append((SHARE * products.abs().sum(dim=0) / total).detach())
        summed = summed + f
        divergence = divergence + problem.shares[t - 1] * kl(problem.c * summed / t, teacher, problem.temperature)
    return divergence, torch.stack(edges), torch.stack(needed)

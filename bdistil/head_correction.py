"""Head correction: the smallest change of a student's output layer with which it meets the weak learning condition.

With everything but the head fixed, edge_j is nearly linear in the head's weights, so the change can be solved for:
along the steepest ascent of edge_j in the Fisher metric (the most edge per unit of KL given up), as far as the edge
needs.
Our own step of FIND-WL (Algorithm 2 of Dennis et al., *Progressive Ensemble Distillation*, NeurIPS 2023, leaves open
how a weak learner is found). numpy, float64, on the clean training inputs; it sees features and logits, never a model.

Symbols: Φ (N, D + 1) the head's inputs with a 1, raw logits Φ·Wᵀ, u = centred(raw)/c, F = u·κ·tanh(m/κ)/m with
m = max |u|, and f = F·gain − offset: gain 1 and offset 0 for a head that gives f_t, t and Σ_{r<t} f_r for one that
gives F_t. k = K⁺ − K⁻ (N, L).
"""

from dataclasses import dataclass

import numpy as np

from bdistil.boosting import BLOCK_ROWS, KAPPA, Floats

SHARE = 0.02  # an unmet class is brought to this share of the largest edge that deviations of their size could have
STEPS = 12  # Newton steps, at most
RIDGE = 0.01  # of the metric's mean diagonal
FLOOR = 0.001  # added to the metric's weights: where both are certain, a change is not free


@dataclass(frozen=True, eq=False)
class HeadProblem:
    """What a correction needs to know of a student and the round it is in.

    features: Φ without its 1, float32 (N, D). weight, bias: of the head, (L, D) and (L,). c: the teacher's scale.
    gain, offset: f = gain·F − offset, offset (N, L) or 0. g_hat, signed_weights: ĝ and K⁺ − K⁻, (N, L).
    certainty: (N, L), max of p(1 − p) of the prefix and of the teacher at the loss's temperature.
    """

    features: np.ndarray
    weight: Floats
    bias: Floats
    c: float
    gain: float
    offset: Floats | float
    g_hat: Floats
    signed_weights: Floats
    certainty: Floats


def correct_head(problem: HeadProblem) -> tuple[Floats, Floats, int]:
    """The corrected weight (L, D) and bias (L,), and the Newton steps taken.

    Classes with an edge of at most 0 are brought to `SHARE` of Σ_i |k·d|, the others kept above 0. The steps end early
    when that is so; whether it is, is for the caller to check on the student itself.
    """
    raw = _raw(problem, problem.weight, problem.bias)
    wanted = _edges(problem, raw)[0] <= 0
    directions = np.zeros((len(problem.bias), problem.features.shape[1] + 1))
    along = np.zeros_like(raw)  # Φ·direction_j for each class
    amounts, steps = np.zeros(len(problem.bias)), 0
    while steps < STEPS:
        now = raw + along * amounts
        edges, targets = _edges(problem, now)
        wanted |= edges <= 0
        if (edges >= np.where(wanted, targets, 0)).all():
            break
        for j in np.flatnonzero(wanted & ~directions.any(axis=1)):
            directions[j] = _direction(problem, j)
            along[:, j] = _blockwise(problem.features, directions[j])
        jacobian = _jacobian(problem, now, along)
        amounts = _newton(amounts, edges, targets, jacobian, wanted)
        steps += 1
    change = directions * amounts[:, None]
    return problem.weight + change[:, :-1], problem.bias + change[:, -1], steps


def _newton(amounts: Floats, edges: Floats, targets: Floats, jacobian: Floats, wanted: np.ndarray) -> Floats:
    """The next λ ≥ 0: edges of the wanted classes at a little over their targets, to first order."""
    active = wanted.copy()
    while active.any():
        rows = np.flatnonzero(active)
        gap = 1.02 * targets[rows] - edges[rows] + jacobian[np.ix_(rows, rows)] @ amounts[rows]
        found = np.linalg.lstsq(jacobian[np.ix_(rows, rows)], gap, rcond=None)[0]
        if (found >= 0).all():
            return _placed(len(amounts), rows, found)
        active[rows[found < 0]] = False  # these are met without a change of their own
    return np.zeros_like(amounts)


def _placed(size: int, rows: np.ndarray, values: Floats) -> Floats:
    whole = np.zeros(size)
    whole[rows] = values
    return whole


def _raw(problem: HeadProblem, weight: Floats, bias: Floats) -> Floats:
    return np.concatenate([
        problem.features[rows].astype(np.float64) @ weight.T + bias for rows in _blocks(len(problem.features))
    ])  # fmt: skip


def _squash(problem: HeadProblem, raw: Floats) -> tuple[Floats, Floats, Floats]:
    """u (N, L), the radial factor r with F = u·r, and dr/dm, both (N, 1)."""
    u = (raw - raw.mean(axis=1, keepdims=True)) / problem.c
    m = np.maximum(np.abs(u).max(axis=1, keepdims=True), 1e-4)
    tanh = np.tanh(m / KAPPA)
    r = KAPPA * tanh / m
    return u, r, ((1 - tanh**2) - r) / m


def _edges(problem: HeadProblem, raw: Floats) -> tuple[Floats, Floats]:
    """Edges (L,) and the target of each, `SHARE` of Σ_i |k·d|."""
    u, r, _ = _squash(problem, raw)
    products = problem.signed_weights * (problem.gain * u * r - problem.offset - problem.g_hat)
    return products.sum(axis=0), SHARE * np.abs(products).sum(axis=0)


def _jacobian(problem: HeadProblem, raw: Floats, along: Floats) -> Floats:
    """∂edge_j/∂λ_m (L, L), through squash and centring; `along` (N, L) is ∂raw_m/∂λ_m."""
    u, r, slope = _squash(problem, raw)
    k = problem.gain / problem.c * problem.signed_weights
    largest = np.abs(u).argmax(axis=1)[:, None]
    sign = np.sign(np.take_along_axis(u, largest, axis=1))
    classes = raw.shape[1]
    direct = (k * r).T @ along
    radial = k * u * slope * sign
    at_largest = np.zeros_like(along)
    np.put_along_axis(at_largest, largest, np.take_along_axis(along, largest, axis=1), axis=1)
    return np.diag(np.diag(direct)) - direct / classes + radial.T @ (at_largest - along / classes)


def _direction(problem: HeadProblem, j: int) -> Floats:
    """(Φᵀ diag(w) Φ + ridge)⁻¹ Φᵀ k_j (D + 1,): the steepest ascent of edge_j per unit of KL given up."""
    size = problem.features.shape[1] + 1
    metric, slope = np.zeros((size, size)), np.zeros(size)
    root = np.sqrt(problem.certainty[:, j] + FLOOR)
    for rows in _blocks(len(problem.features)):
        phi = np.ones((len(problem.features[rows]), size))
        phi[:, :-1] = problem.features[rows]
        slope += problem.signed_weights[rows, j] @ phi
        phi *= root[rows, None]
        metric += phi.T @ phi
    metric[np.diag_indices(size)] += RIDGE * metric.trace() / size
    return np.linalg.solve(metric, slope)


def _blockwise(features: np.ndarray, direction: Floats) -> Floats:
    return np.concatenate([features[rows] @ direction[:-1] + direction[-1] for rows in _blocks(len(features))])


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + BLOCK_ROWS) for start in range(0, rows, BLOCK_ROWS)]

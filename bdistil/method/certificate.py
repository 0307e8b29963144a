"""Algorithm 1 of B-DISTIL: the weights of the boosting game, the edges of a student, and the certificate.

Needs numpy only: it sees logits, never a model. Source for the game: Dennis et al., *Progressive Ensemble Distillation*
(NeurIPS 2023, arXiv 2302.10093), Algorithm 1. The closed form and the certificate are our own derivation, stated beside
the code that computes them.

How it is organised: everything lives on the normalised scale (`bdistil.scale`); `weights` and `moments` are the closed
form; `Certificate` is the booster of one run, updated once a round.

Symbols, for N training examples and L classes: ĝ the teacher's and f_t a student's logits on the normalised scale,
d_t = f_t − ĝ the deviations, F_t = (1/t) Σ_{r≤t} f_r the prefix, s_t = Σ_{r≤t} d_r = t·(F_t − ĝ).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bdistil.records import ByEta, CertificateRow, Condition
from bdistil.scale import B, Floats

MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # of the theory's η: where the certificate is evaluated
THEORY = MULTIPLES.index(1.0)
BLOCK_ROWS = 4096  # rows worked on at once, so that the nine passes over them stay in the processor's cache


def theory_eta(examples: int, rounds: int, deviation: float = B) -> float:
    """η = √(2 ln(2N)/T)/B: with it and edges ≥ 0 the certificate is at most B·√(2 ln(2N)/T), the paper's rate."""
    return float(np.sqrt(2 * np.log(2 * examples) / rounds) / deviation)


def _unnormalised(s: Floats, eta: float, largest: Floats) -> tuple[Floats, Floats]:
    """exp(∓ηs) over exp(η·largest), a log-sum-exp's shift per class: both in [0, 1], no overflow at any η·t."""
    return np.exp(-eta * (largest + s)), np.exp(-eta * (largest - s))


def weights(s: Floats, eta: float) -> tuple[Floats, Floats]:
    """K⁺ and K⁻ (N, L), from s (N, L) = Σ_r d_r: K^±(i,j) = exp(∓η s(i,j)) / Z_j.

    This is the multiplicative update K^± ← K^±·exp(∓η d_t)/Z unrolled over the rounds. For each class the entries of
    both sum to 1. K⁺ is large where the ensemble has been too low, K⁻ where it has been too high.
    """
    up, down = _unnormalised(s, eta, np.abs(s).max(axis=0))
    total = up.sum(axis=0) + down.sum(axis=0)
    return up / total, down / total


class Moments(NamedTuple):
    """What the game says about deviations d under the weights of s: arrays (etas, L), a row per η."""

    edge: Floats  # Σ_i (K⁺ − K⁻)·d
    absolute: Floats  # Σ_i (K⁺ + K⁻)·|d|, the largest edge that deviations of this size could have
    second: Floats  # V = Σ_i (K⁺ + K⁻)·d²
    effective: Floats  # 1 / Σ_i (K⁺ + K⁻)², the number of examples that carry the weight, 1 … N


def moments(s: Floats, d: Floats, etas: ArrayLike, block_rows: int = BLOCK_ROWS) -> Moments:
    """Edges and moments of deviations d (N, L) under the weights that s (N, L) gives at each of `etas`.

    One pass over blocks of rows; the normalisers Z_j are summed beside the moments and divided out at the end, so that
    no weights are stored. Another block size changes the result by rounding only.
    """
    etas = np.asarray(etas, dtype=np.float64)
    largest = np.abs(s).max(axis=0)
    edge, absolute, second, squares, total = np.zeros((5, len(etas), s.shape[1]))
    for start in range(0, len(s), block_rows):
        s_rows, d_rows = s[start : start + block_rows], d[start : start + block_rows]
        absolute_rows, square_rows = np.abs(d_rows), d_rows**2
        for k, eta in enumerate(etas):
            up, down = _unnormalised(s_rows, eta, largest)
            both = up + down
            edge[k] += np.einsum("ij,ij->j", up - down, d_rows)
            absolute[k] += np.einsum("ij,ij->j", both, absolute_rows)
            second[k] += np.einsum("ij,ij->j", both, square_rows)
            squares[k] += np.einsum("ij,ij->j", both, both)
            total[k] += both.sum(axis=0)
    return Moments(edge / total, absolute / total, second / total, total**2 / squares)


def _growth(etas: Floats, largest: Floats, second: Floats) -> Floats:
    """min{η²b²/2, η²φ(ηb)V} with φ(x) = (eˣ − 1 − x)/x²: how much ln W grows in a round beyond −η·edge, at most.

    Hoeffding's and Bennett's bound; `etas` (etas, 1), `largest` b (L,), `second` V (etas, L); returns (etas, L).
    """
    x = etas * largest
    # Bennett's is infinite at extreme ηb, and NaN where V has underflowed or b is 0: fmin then takes Hoeffding's.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.fmin(x**2 / 2, (np.expm1(x) - x) * (second / largest**2))


def _relative(edge: Floats, absolute: Floats) -> Floats:
    """Edges as a share of the largest that deviations of their size could have, 0 where there are none."""
    return np.divide(edge, absolute, out=np.zeros_like(edge), where=absolute > 0)


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())


def _rows(table: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, table.tolist()))


class Certificate:
    """The booster of one run: holds the summed logits and gives, after each round, edges and both sides of the bound.

    For every class, every η > 0 and after every round t (W_t = Σ_{i,±} exp(∓η s_t) grows by at most `_growth` a round
    and is at least exp(η max|s_t|)):

        max_i |F_t(x_i) − ĝ(x_i)|  ≤  −(1/t) Σ_r edge_r + ln(2N)/(ηt) + (1/ηt) Σ_r min{η² b_r²/2, η² φ(η b_r) V_r}

    with b_r = max_i |d_r| and V_r, edge_r under the weights before round r. It is evaluated at nine η; the least
    counts. It holds for any logits whatever; the theory's η, from the planned rounds T and B, only makes it small.

    The state is a function of the updates alone: replaying a run's saved f_t in order gives it back bit for bit.
    """

    def __init__(self, g_hat: ArrayLike, rounds: int, deviation: float = B, block_rows: int = BLOCK_ROWS):
        """`g_hat` ĝ (N, L) on the clean training inputs; `rounds` T ≥ 1 as planned; `deviation` B, over |f − ĝ|."""
        self.g_hat = np.asarray(g_hat, dtype=np.float64)
        if self.g_hat.ndim != 2 or not self.g_hat.size or not np.isfinite(self.g_hat).all():
            raise ValueError("g_hat must be finite logits of shape (examples, classes)")
        self.eta = theory_eta(len(self.g_hat), rounds, deviation)
        self.round = 0
        self._etas = self.eta * np.array(MULTIPLES)[:, None]
        self._block_rows = block_rows
        self._summed = np.zeros_like(self.g_hat)  # Σ f_r, added in round order
        self._edges, self._growths = np.zeros((2, len(MULTIPLES), self.g_hat.shape[1]))  # summed over rounds
        self._largest = np.zeros(self.g_hat.shape[1])  # Σ b_r

    @property
    def s(self) -> Floats:
        """Σ_r d_r = t·(F_t − ĝ), (N, L): all that the weights depend on."""
        return self._summed - self.round * self.g_hat

    def prefix(self) -> Floats:
        """F_t (N, L), the mean of the students so far, on the normalised scale. Raises ValueError before round 1."""
        if self.round == 0:
            raise ValueError("there is no prefix before the first round")
        return self._summed / self.round

    def summed(self) -> Floats:
        """Σ f_r (N, L), zeros before round 1."""
        return self._summed.copy()

    def signed_weights(self) -> Floats:
        """K⁺ − K⁻ (N, L) at the theory's η, for the next round's barrier and head correction. All 0 before round 1."""
        up, down = weights(self.s, self.eta)
        return up - down

    def heaviest(self, count: int = 12) -> dict[str, NDArray]:
        """The pairs of an example and a class that weigh most before the next round, heaviest first.

        Arrays (count,): index of the example, label of the class, sign (+1: K⁺, the ensemble has been too low; −1: K⁻,
        too high) and weight, the share of its class's total.
        """
        both = np.stack(weights(self.s, self.eta))
        count = min(count, both.size)
        places = np.argpartition(both, -count, axis=None)[-count:]
        places = places[np.lexsort((places, -both.ravel()[places]))]
        side, index, label = np.unravel_index(places, both.shape)
        return {
            "index": index,
            "label": label,
            "sign": np.where(side == 0, 1, -1).astype(np.int8),
            "weight": both.ravel()[places],
        }

    def candidate(self, f: ArrayLike) -> Condition:
        """The weak learning condition for a candidate f (N, L) of the next round, at the theory's η; changes nothing.

        In round 1 K⁺ = K⁻, every edge is exactly 0, and the condition counts as met.
        """
        return self._condition(moments(self.s, self._deviations(f), [self.eta], self._block_rows), row=0)

    def update(self, f: ArrayLike) -> CertificateRow:
        """Take f_t (N, L), the student kept in the next round, and return its condition and both sides of the bound.

        `f` is on the normalised scale, on the clean training inputs, in evaluation mode; pass exactly what is saved.
        trivial: f ≡ 0 deviates by at most 1. largest is b_t; by_eta holds what the bound is made of at each of
        `MULTIPLES`.
        """
        d = self._deviations(f)
        largest = np.abs(d).max(axis=0)
        measures = moments(self.s, d, self._etas[:, 0], self._block_rows)
        condition = self._condition(measures, row=THEORY)
        self.round += 1
        self._summed += np.asarray(f, dtype=np.float64)
        self._edges += measures.edge
        self._growths += _growth(self._etas, largest, measures.second)
        self._largest += largest
        return self._row(condition, measures, largest)

    def bounds(self) -> Floats:
        """The right side at each of the nine multiples of the theory's η, for each class: (9, L), after round t ≥ 1."""
        return (-self._edges + (np.log(2 * len(self.g_hat)) + self._growths) / self._etas) / self.round

    def _deviations(self, f: ArrayLike) -> Floats:
        f = np.asarray(f, dtype=np.float64)
        if f.shape != self.g_hat.shape:
            raise ValueError(f"a student's logits must have the shape {self.g_hat.shape}, not {f.shape}")
        if not np.isfinite(f).all():
            raise ValueError(f"the student's logits of round {self.round + 1} are not finite")
        return f - self.g_hat

    def _condition(self, measures: Moments, row: int) -> Condition:
        edge, absolute = measures.edge[row], measures.absolute[row]
        return Condition(
            condition_met=bool(self.round == 0 or (edge > 0).all()),
            edge_min=float(edge.min()),
            edges=_tuple(edge),
            relative_edges=_tuple(_relative(edge, absolute)),
        )

    def _row(self, condition: Condition, measures: Moments, largest: Floats) -> CertificateRow:
        measured = np.abs(self.prefix() - self.g_hat).max(axis=0)
        bounds = self.bounds()
        bound = bounds.min(axis=0)
        trivial = np.minimum(1, self._largest / self.round)
        tightest = int(np.argmin(bound - measured))
        return CertificateRow(
            **dict(condition),
            round=self.round,
            effective_examples=float(measures.effective[THEORY].min()),
            largest=_tuple(largest),
            measured=float(measured[tightest]),
            bound=float(bound[tightest]),
            trivial=float(trivial[tightest]),
            bound_eta=MULTIPLES[int(np.argmin(bounds[:, tightest]))],
            measured_by_class=_tuple(measured),
            bound_by_class=_tuple(bound),
            trivial_by_class=_tuple(trivial),
            by_eta=ByEta(
                multiples=MULTIPLES,
                edges=_rows(measures.edge),
                second=_rows(measures.second),
                relative_edges=_rows(_relative(measures.edge, measures.absolute)),
                bounds=_rows(bounds),
            ),
        )

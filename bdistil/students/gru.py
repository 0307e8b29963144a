"""Recurrent students for series: one layer of gated recurrent units and a linear head.

A student reads its own steps, all of the series or a segment of it, and its head reads [mean of its states, last
state]. What it takes from its predecessor:

    alone              h_0 = 0, and nothing is left behind
    carry-state        h_0 = the predecessor's last state
    carry-state-pool   that, and the head also reads what the heads of all earlier students read

With h_0 read and segments that follow one another, the students are one recurrence that changes its weights as it goes,
or one that does not: they may share one cell (`cell="shared"`), each with a head of its own. Shared weights can only be
trained together. `carry-state-pool` may follow `carry-state`, which leaves its state alone: its head then reads that
state. States of another size pass a projection. In training a share of the state that is read may be dropped: on
persons that a student has not met, that keeps it from copying what its predecessor has learnt by heart.
Source of the unit: Cho et al., *Learning Phrase Representations using RNN Encoder-Decoder* (EMNLP 2014). Paper:
function composition (arXiv 2302.10093); these forms of it are ours.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdistil.errors import UserError
from bdistil.students.catalogue import check_cell, check_composition, check_head
from bdistil.students.student import HEAD_START, Carry, Student, StudentOptions, steps_of

STATE, POOLED = "state", "pooled"
KEEPING = 1.0  # initial bias of the update gate: a fresh state changes slowly, and gradients reach far back


class GRU(Student):
    """A recurrent student; see the module's docstring for what it reads.

    hidden: size of the state. input_shape: (channels, steps) of the whole series. classes: number of logits.
    steps: (first, end) of the steps that it reads, None for all. reads: the predecessor's `carry_shapes`; {} in round
    1, and what the composition does not use is left out. head: "student", it gives f_t, or "prefix", it gives F_t.
    dropout: share of the state read from the predecessor that is dropped in training. cell: "own", or "shared", the
    predecessor's, which `follow` takes over.
    Raises UserError for a composition that doesn't exist, sizes that cannot be, or steps outside the series.
    """

    def __init__(
        self,
        hidden: int,
        input_shape: Sequence[int],
        classes: int,
        composition: str = "alone",
        steps: Sequence[int] | None = None,
        reads: Mapping[str, Sequence[int]] | None = None,
        head: str = "student",
        dropout: float = 0.0,
        cell: str = "own",
    ):
        super().__init__()
        channels, length = input_shape
        if min(hidden, channels, length, classes) < 1:
            raise UserError("A student's state, input shape and class count must be whole numbers of at least 1.")
        if not 0 <= dropout < 1:
            raise UserError(f"A student can't drop {dropout} of what it reads: give a share of at least 0, below 1.")
        first, end = steps_of(steps, length)
        self.composition, self.gives_prefix = check_composition(composition, "gru"), check_head(head) == "prefix"
        self.input_shape, self.classes = (channels, length), classes
        self.first, self.end, self.dropout, self.shares = first, end, dropout, check_cell(cell) == "shared"
        self.pools = composition == "carry-state-pool"
        used = {"alone": (), "carry-state": (STATE,), "carry-state-pool": (STATE, POOLED)}[composition]
        self.reads = {name: tuple(shape) for name, shape in (reads or {}).items() if name in used}
        self.inherits = POOLED in self.reads
        before = next(iter(self.reads.get(STATE, (0,))))
        earlier = next(iter(self.reads.get(POOLED, (before,)))) if self.pools else 0
        features = earlier + 2 * hidden
        self.carry_shapes = {name: {STATE: (hidden,), POOLED: (features,)}[name] for name in used}

        self.cell = nn.GRU(channels, hidden, batch_first=True)
        self.bridge = nn.Linear(before, hidden, bias=False) if before not in (0, hidden) else None
        self.head = nn.Linear(features, classes)
        with torch.no_grad():
            _, weights, bias, _ = self.cell.all_weights[0]
            for gate in weights.split(hidden):
                nn.init.orthogonal_(gate)
            bias[hidden : 2 * hidden] += KEEPING
            self.head.weight.mul_(HEAD_START)
        self.reading_macs = earlier * classes + (before * hidden if self.bridge else 0)
        self.spec = {
            "family": "gru",
            "hidden": hidden,
            "input_shape": list(self.input_shape),
            "classes": classes,
            "composition": composition,
            "steps": [first, end],
            "reads": {name: list(shape) for name, shape in self.reads.items()},
            "head": head,
            "dropout": dropout,
            "cell": cell,
        }

    def forward(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """x (batch, channels, steps) of the whole series and carry name -> (batch, *reads[name])

        -> raw logits (batch, classes), carry name -> (batch, *carry_shapes[name]).
        """
        states, last = self.cell(x[:, :, self.first : self.end].transpose(1, 2), self._start(carry))
        features = torch.cat((states.mean(dim=1), last[0]), dim=1)
        if self.pools and self.reads:
            features = torch.cat((carry[POOLED if POOLED in self.reads else STATE], features), dim=1)
        left = {STATE: last[0], POOLED: features}
        return self.head(features), {name: left[name] for name in self.carry_shapes}

    def follow(self, previous: Student) -> None:
        """Takes the predecessor's cell for its own, where one is shared. Raises UserError if it doesn't fit."""
        if not self.shares:
            return
        if not isinstance(previous, GRU) or previous.cell.all_weights[0][0].shape != self.cell.all_weights[0][0].shape:
            raise UserError("Students share a cell where all are recurrent and of one size: build them alike.")
        self.cell = previous.cell

    def _start(self, carry: Carry) -> Tensor | None:
        """h_0 (1, batch, hidden), None for zeros."""
        if STATE not in self.reads:
            return None
        state = functional.dropout(carry[STATE], self.dropout, self.training)
        return (self.bridge(state) if self.bridge else state)[None]


STUDENTS: dict[str, type[Student]] = {"gru": GRU}


def build(size: Sequence[int], options: StudentOptions) -> Student:
    """A student of the catalogue's size."""
    return GRU(
        options.times(size[0]),
        options.input_shape,
        options.classes,
        options.composition,
        options.steps,
        options.reads,
        options.head,
        options.dropout,
        options.cell,
    )

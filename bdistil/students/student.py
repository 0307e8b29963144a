"""What every student is: a module from (input, carry) to (logits, carry), with its shapes declared.

The carry is a flat dictionary of named tensors. A student declares the names and shapes that it leaves (`carry_shapes`)
and those that it reads from its predecessor (`reads`); nothing else in the engine knows about composition.
Paper: function composition over intermediate activations (arXiv 2302.10093); our statement of it is in docs/method.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import safetensors.torch
import torch
from torch import Tensor, nn

from bdistil.errors import UserError
from bdistil.students.catalogue import StudentSpec

Carry: TypeAlias = dict[str, Tensor]
Shapes: TypeAlias = dict[str, tuple[int, ...]]
HEAD_START = 0.3  # times torch's initial weights of an output layer


@dataclass(frozen=True)
class StudentOptions:
    """How a student of the catalogue is built.

    input_shape: of one input, (channels, height, width) or (channels, steps). classes: number of logits. composition:
    one of the family's. reads: the predecessor's `carry_shapes`, {} in round 1. head: "student" or "prefix", what its
    head gives. wider, grown: times the catalogue's sizes, of a rung and of a round; fitted: whether `grown` fits a
    budget, which wants finer steps. steps: (first, end) of a series
    that it reads, None for all. dropout, cell: of recurrent students, see `gru`.
    """

    input_shape: Sequence[int]
    classes: int
    composition: str
    reads: Mapping[str, Sequence[int]] = field(default_factory=dict)
    head: str = "student"
    wider: float = 1.0
    grown: float = 1.0
    steps: Sequence[int] | None = None
    dropout: float = 0.0
    cell: str = "own"
    fitted: bool = False

    def times(self, size: int) -> int:
        """A size of the catalogue, grown and wider, rounded up."""
        return math.ceil(self.wider * self.grown * size)


def steps_of(steps: Sequence[int] | None, length: int) -> tuple[int, int]:
    """(first, end) of the steps that a student of series reads, of all `length` where None are given.

    Raises UserError for steps outside the series.
    """
    first, end = steps or (0, length)
    if not 0 <= first < end <= length:
        raise UserError(f"A student can't read steps {first} to {end} of a series of {length}: use fewer rounds.")
    return first, end


class Student(nn.Module):
    """A student f_t. Families derive from it and set the attributes in their constructor.

    input_shape: of one input, without the batch. classes: how many logits. head: the output layer, a linear map.
    gives_prefix: whether the head gives F_t; f_t = t F_t - (t - 1) F_{t-1} then. Else it gives f_t itself.
    reads, carry_shapes: tensors read from the predecessor and left for the successor, name -> shape without the batch.
    inherits: whether the first inputs of its head are all of those of its predecessor's.
    reading_macs: multiply-accumulates per example spent on what is read from the predecessor.
    spec: what `from_spec` needs to build it again; weights apart.
    """

    input_shape: tuple[int, ...]
    classes: int
    head: nn.Linear
    gives_prefix: bool = False
    inherits: bool = False
    reads: Shapes
    carry_shapes: Shapes
    reading_macs: int = 0
    spec: StudentSpec

    def forward(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """Normalised inputs x (batch, *input_shape) and the predecessor's carry (batch, *shape each; {} in round 1)

        -> raw logits (batch, classes) on the teacher's scale, not yet bounded, and this student's own carry.
        """
        raise NotImplementedError

    def follow(self, previous: "Student") -> None:
        """Called when the student comes after `previous`: it takes over what both share, nothing as a rule."""

    def inherit_head(self, previous: "Student") -> None:
        """Start the head as the predecessor's for what both read; new inputs keep their random start.

        A head that gives F_t begins with F_{t-1} then; zeros for the new inputs would saturate late prefixes.
        """
        known = previous.head.in_features
        with torch.no_grad():
            self.head.weight[:, :known] = previous.head.weight
            self.head.bias.copy_(previous.head.bias)

    def weights(self) -> bytes:
        """Parameters and buffers as the bytes of a safetensors file; with `spec`, all that `students.rebuild` needs."""
        return safetensors.torch.save({name: tensor.contiguous() for name, tensor in self.state_dict().items()})

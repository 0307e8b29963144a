"""Convolutional students for images: four levels of 3x3 convolution, batch norm and ReLU, and a small linear head.

The last level is a residual step where widths allow it: a level at 4x4 was worth 1.15 points at equal MACs. The head
reads the last level averaged to 2x2. Level by level, a student can read what its predecessor left ("level1" ...):

    alone    h_l = relu(block_l(h_{l-1})), and nothing is left behind
    add      h_l = relu(block_l(h_{l-1}) + P c_l)
    concat   h_l = relu(block_l([h_{l-1}, c_{l-1}] projected)), and the head reads both students' last levels
    concat-all   h_l = relu(block_l([c_{l-1}, h_{l-1}])), what is left is [c_l, h_l], and the head reads all of the last;
             a level of no channels is the carry's alone

with c the predecessor's activations and P a 1x1 projection (none in `add` where channels are equal). The projection of
[h, c] back to h's channels is h + P c: any other matrix on h is absorbed by the convolution that follows, so the
student's own half need not be paid for. In `concat-all` c are the activations of all earlier students: together they
are one block-triangular network, to which each student adds a few channels at every level but the first: copying the
large activations there would cost more time than its few MACs gain.
All but `alone` leave a carry of the same names, so that any may follow any other. Paper: arXiv 2302.10093, composition.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdistil.errors import UserError
from bdistil.students.catalogue import check_composition
from bdistil.students.student import Carry, Student

POOLED = 2  # the head sees the last level as POOLED x POOLED cells
HEAD_START = 0.3  # of torch's initial weights


class CNN(Student):
    """A convolutional student; see the module's docstring for its equations.

    widths: channels of each level; the first may be 0 in `concat-all`, with a carry. input_shape: (channels, height, width). classes: number of logits.
    reads: the predecessor's `carry_shapes`; {} in round 1, and whatever the composition doesn't use is left out.
    head: "student", it gives f_t, or "prefix", it gives F_t.
    Raises UserError for a composition that doesn't exist, sizes that aren't positive, or a carry of another resolution.
    """

    def __init__(
        self,
        widths: Sequence[int],
        input_shape: Sequence[int],
        classes: int,
        composition: str = "alone",
        reads: Mapping[str, Sequence[int]] | None = None,
        head: str = "student",
    ):
        super().__init__()
        channels, height, width = input_shape
        carried = composition == "concat-all" and "level1" in (reads or {})
        if not 0 < len(widths) <= 16 or min(widths[0] + carried, *widths[1:], *input_shape, classes) < 1:
            raise UserError("A student's widths, input shape and class count must be whole numbers of at least 1.")
        self.composition, self.gives_prefix = check_composition(composition), _gives_prefix(head)
        self.input_shape, self.classes = (channels, height, width), classes

        levels, strides = _levels(widths, input_shape), _strides(len(widths), min(height, width))
        self.reads = {} if composition == "alone" else _readable(levels, reads or {})
        self.gathers = composition == "concat-all"
        gathered = {name: left for name, (left, _, _) in self.reads.items() if self.gathers}
        self.carry_shapes = {} if composition == "alone" else {
            name: (out + gathered.get(name, 0), *size) for name, (out, *size) in levels.items()
        }  # fmt: skip

        inputs = (channels, *(out + gathered.get(name, 0) for name, (out, _, _) in levels.items()))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False) if after else nn.Identity()
            for before, after, stride in zip(inputs, widths, strides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) if out else nn.Identity() for out in widths)
        self.residual = len(widths) > 1 and widths[-2] == widths[-1] and strides[-1] == 1
        self.bridges = nn.ModuleDict()
        features = inputs[-1]
        for name, (left, _, _) in self.reads.items():
            if self.gathers:
                continue
            if composition == "concat" and name == f"level{len(widths)}":
                features += left
            elif composition == "concat" or left != levels[name][0]:
                self.bridges[name] = nn.Conv2d(left, levels[name][0], 1, bias=False)
        self.head = nn.Linear(features * POOLED**2, classes)
        with torch.no_grad():  # added activations grow with the rounds: a small head keeps first logits of order 1
            self.head.weight.mul_(HEAD_START)
        self.to(memory_format=torch.channels_last)  # a fifth to a quarter faster on a CPU, in training and after
        self.spec = {
            "family": "cnn",
            "widths": list(widths),
            "input_shape": list(self.input_shape),
            "classes": classes,
            "composition": composition,
            "reads": {name: list(shape) for name, shape in self.reads.items()},
            "head": head,
        }

    def forward(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """x (batch, channels, height, width) and carry level -> (batch, channels, height, width)

        -> raw logits (batch, classes), carry {"level1": (batch, *carry_shapes["level1"]), ...} ({} for `alone`).
        """
        adds, concatenates = self.composition == "add", self.composition == "concat"
        last = len(self.convolutions)
        h, left = x, {}
        for level, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True), start=1):
            if isinstance(convolution, nn.Identity):
                left[f"level{level}"] = carry[f"level{level}"]
                continue
            if concatenates and f"level{level - 1}" in self.reads:
                h = h + self._read(carry, f"level{level - 1}")
            activation = norm(convolution(left[f"level{level - 1}"] if self.gathers and level > 1 else h))
            if level == last and self.residual:
                activation = activation + h
            if adds and f"level{level}" in self.reads:
                activation = activation + self._read(carry, f"level{level}")
            h = activation.relu_()
            left[f"level{level}"] = self._gathered(h, carry, f"level{level}")
        features = functional.adaptive_avg_pool2d(left[f"level{last}"], POOLED).flatten(1)
        if concatenates and f"level{last}" in self.reads:
            before = functional.adaptive_avg_pool2d(carry[f"level{last}"], POOLED).flatten(1)
            features = torch.cat((features, before), dim=1)
        return self.head(features), left if self.carry_shapes else {}

    def twin(self) -> dict[str, Any]:
        """As `Student.twin`; where the first level is the carry's, the twin makes as many channels itself."""
        widths = [width or self.reads["level1"][0] for width in self.spec["widths"]]
        return {**super().twin(), "widths": widths}

    def inherit_head(self, previous: Student) -> None:
        """Start the head as the predecessor's for what both read; new inputs keep their random start.

        A head that gives F_t begins with F_{t-1} then. It needs `concat-all`, where the predecessor's features come
        first; zeros for the new inputs would saturate late prefixes.
        """
        known = previous.head.in_features
        with torch.no_grad():
            self.head.weight[:, :known] = previous.head.weight
            self.head.bias.copy_(previous.head.bias)

    def _gathered(self, h: Tensor, carry: Carry, name: str) -> Tensor:
        """What is left at a level: this student's activations, after those of all earlier ones in `concat-all`."""
        return torch.cat((carry[name], h), dim=1) if self.gathers and name in self.reads else h

    def _read(self, carry: Carry, name: str) -> Tensor:
        """The predecessor's tensor of that name, (batch, this student's channels, height, width)."""
        return self.bridges[name](carry[name]) if name in self.bridges else carry[name]


def narrowed(widths: Sequence[int], input_shape: Sequence[int], reads: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """Widths with which a `concat-all` student that reads `reads` costs about the MACs of `widths` without a carry.

    The first level is the carry's. The others shrink in proportion, in whole steps of the widths' greatest common
    divisor, to one step at least.
    """
    step, budget = math.gcd(*widths), _convolution_macs(widths, input_shape, {})
    plans = [(0, *(step * max(1, round(width * share / 64 / step)) for width in widths[1:])) for share in range(1, 65)]
    return min(plans, key=lambda plan: abs(_convolution_macs(plan, input_shape, reads) - budget))


def _convolution_macs(widths: Sequence[int], input_shape: Sequence[int], reads: Mapping[str, Sequence[int]]) -> int:
    total, inputs = 0, input_shape[0]
    for name, (out, height, width) in _levels(widths, input_shape).items():
        total += 9 * height * width * inputs * out
        inputs = out + (reads[name][0] if name in reads else 0)
    return total


def _levels(widths: Sequence[int], input_shape: Sequence[int]) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of each level's activations."""
    _, height, width = input_shape
    levels = {}
    for level, (out, stride) in enumerate(zip(widths, _strides(len(widths), min(height, width)), strict=True), start=1):
        height, width = -(-height // stride), -(-width // stride)
        levels[f"level{level}"] = (out, height, width)
    return levels


def _gives_prefix(head: str) -> bool:
    if head not in ("student", "prefix"):
        raise UserError(f"There is no head {head!r}: choose one of student, prefix.")
    return head == "prefix"


def _strides(levels: int, side: int) -> tuple[int, ...]:
    """Halve at each level but the last; inputs under 16 pixels are too small to be halved at once."""
    first = 2 if side >= 16 else 1
    return (first, *(2,) * (levels - 2), 1)[-levels:]


def _readable(levels: dict[str, tuple[int, int, int]], left: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Those of the predecessor's tensors that this student has a level for. Raises UserError if sizes don't match."""
    reads = {name: tuple(left[name]) for name in levels if name in left}
    for name, shape in reads.items():
        if len(shape) != 3 or shape[0] < 1 or shape[1:] != levels[name][1:]:
            raise UserError(
                f"The previous student leaves {name} of shape {shape}, and this one needs (channels, "
                f"{levels[name][1]}, {levels[name][2]}): let both read inputs of the same size."
            )
    return reads

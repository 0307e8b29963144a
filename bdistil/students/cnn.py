"""Convolutional students for images: levels of 3x3 convolution, batch norm and ReLU, and a small linear head.

Up to four levels each halve the resolution, all but the last: a level at 4x4 was worth 1.15 points at equal MACs on
small grey pictures. Deeper ones have two levels at each resolution, which colour pictures ask for. A level that keeps
resolution and channels is a residual step. The head reads the last level averaged to 2x2. Level by level, a student can
read what its predecessor left ("level1" ...):

    alone    h_l = relu(block_l(h_{l-1})), and nothing is left behind
    add      h_l = relu(block_l(h_{l-1}) + P c_l)
    concat   h_l = relu(block_l([h_{l-1}, c_{l-1}] projected)), and the head reads both students' last levels

with c the predecessor's activations and P a 1x1 projection (none in `add` where channels are equal). The projection of
[h, c] back to h's channels is h + P c: any other matrix on h is absorbed by the convolution that follows, so the
student's own half need not be paid for.
`add` and `concat` leave the same carry, so that either may follow the other; `concat-all` is triangular.py.
Paper: arXiv 2302.10093, composition.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdistil.errors import UserError
from bdistil.students.catalogue import check_composition, check_head
from bdistil.students.levels import POOLED, level_shapes, level_strides, readable, residual_levels
from bdistil.students.student import HEAD_START, Carry, Student, StudentOptions
from bdistil.students.triangular import Triangular, narrowed

FINEST = 2  # channels by which those fitted to a budget differ at least
GROWN = 4  # channels by which students grow at least: whole steps of a `cnn` would double the small ones at once


class CNN(Student):
    """A convolutional student; see the module's docstring for its equations.

    widths: channels of each level. input_shape: (channels, height, width). classes: number of logits.
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
        if min(*widths, *input_shape, classes) < 1 or len(widths) > 16:
            raise UserError("A student's widths, input shape and class count must be whole numbers of at least 1.")
        self.composition, self.gives_prefix = check_composition(composition), check_head(head) == "prefix"
        self.input_shape, self.classes = (channels, height, width), classes

        levels, strides = level_shapes(widths, input_shape), level_strides(len(widths), min(height, width))
        self.carry_shapes = {} if composition == "alone" else dict[str, tuple[int, ...]](levels)
        self.reads = {} if composition == "alone" else readable(levels, reads or {})

        inputs = (channels, *widths)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
            for before, after, stride in zip(inputs, widths, strides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) for out in widths)
        self.residual = residual_levels(widths, strides)
        self.bridges = nn.ModuleDict()
        features = widths[-1]
        for name, (left, *size) in self.reads.items():
            if composition == "concat" and name == f"level{len(widths)}":
                features += left
                self.reading_macs += left * POOLED**2 * classes
            elif composition == "concat" or left != levels[name][0]:
                self.bridges[name] = nn.Conv2d(left, levels[name][0], 1, bias=False)
                self.reading_macs += left * levels[name][0] * math.prod(size)
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
        h, left = x, {}
        for level, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True), start=1):
            if concatenates and f"level{level - 1}" in self.reads:
                h = h + self._read(carry, f"level{level - 1}")
            activation = norm(convolution(h))
            if level in self.residual:
                activation = activation + h
            if adds and f"level{level}" in self.reads:
                activation = activation + self._read(carry, f"level{level}")
            h = activation.relu_()
            left[f"level{level}"] = h
        features = functional.adaptive_avg_pool2d(h, POOLED).flatten(1)
        if concatenates and f"level{level}" in self.reads:
            before = functional.adaptive_avg_pool2d(carry[f"level{level}"], POOLED).flatten(1)
            features = torch.cat((features, before), dim=1)
        return self.head(features), left if self.carry_shapes else {}

    def _read(self, carry: Carry, name: str) -> Tensor:
        """The predecessor's tensor of that name, (batch, this student's channels, height, width)."""
        return self.bridges[name](carry[name]) if name in self.bridges else carry[name]


STUDENTS: dict[str, type[Student]] = {"cnn": CNN, "triangular": Triangular}


def build(widths: Sequence[int], options: StudentOptions) -> Student:
    """A student of the catalogue's widths.

    Channels grow to the nearest multiple of 4, and are wider in whole steps of the catalogue's. Those that are fitted
    to a budget change by 2 below 16, where nothing saves time, by 4 below 64 and by 8 above, which is cheap in time. A
    `concat-all` student narrows as there is more to read: each one costs about the same.
    """
    if options.fitted:
        widths, step = [_nearest(options.grown * width) for width in widths], FINEST
    else:
        step = math.gcd(*widths) if options.grown == 1 else GROWN
        grown = [GROWN * math.floor(options.grown * width / GROWN + 0.5) for width in widths]
        widths = [step * math.ceil(options.wider * width / step) for width in grown]
    shape, classes, reads, head = options.input_shape, options.classes, options.reads, options.head
    if options.composition != "concat-all":
        return CNN(widths, shape, classes, options.composition, reads, head)
    return Triangular(narrowed(widths, shape, reads, step), shape, classes, reads, head)


def _nearest(width: float) -> int:
    """The channels nearest to a fitted width, at least two."""
    step = FINEST if width < 16 else 4 if width < 64 else 8
    return max(FINEST, step * math.floor(width / step + 0.5))

"""The composition `concat-all`: students that are one block-triangular convolutional network, a few channels each.

The first student is a `cnn`. At every level a later one adds channels that read those of all earlier students:

    h_l = relu(block_l([c_{l-1}, h_{l-1}])), and [c_l, h_l] is left behind

with c the activations of all students before it. The head reads the last level, averaged to 2x2, of all of them: that
average is all of the last level that is left behind. A level may have no channels of its own: the large activations of
the first would cost more time to copy than their few MACs gain, and thin ones save MACs but no time. Residual steps, as
in cnn.py, are on the student's own channels. Paper: function composition (arXiv 2302.10093); this form of it is ours.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from bdistil.errors import UserError
from bdistil.students.catalogue import check_head
from bdistil.students.levels import POOLED, level_shapes, level_strides, readable, residual_levels
from bdistil.students.student import HEAD_START, Carry, Student

FEATURES = "features"
THINNEST = 2  # steps of the widths: below that a level that may be left out is


class Triangular(Student):
    """A student of a block-triangular network; see the module's docstring for its equations.

    widths: channels of each level that this student adds, 0 where it adds none; at least two levels, and the last two
    are not 0. The other arguments are those of `cnn.CNN`. Raises UserError for widths that cannot be, or a carry of
    another resolution.
    """

    def __init__(
        self,
        widths: Sequence[int],
        input_shape: Sequence[int],
        classes: int,
        reads: Mapping[str, Sequence[int]] | None = None,
        head: str = "student",
    ):
        super().__init__()
        channels, height, width = input_shape
        self.input_shape, self.classes = (channels, height, width), classes
        self.gives_prefix = check_head(head) == "prefix"
        levels = level_shapes(widths, input_shape)
        last, (out, _, _) = levels.popitem()
        kept = {**levels, FEATURES: (out, POOLED, POOLED)}
        self.reads = readable(kept, reads or {})
        self.inherits = FEATURES in self.reads
        carried = {name: left for name, (left, _, _) in self.reads.items()}
        alone = [width for name, width in zip(levels, widths, strict=False) if name not in carried]
        needed = (*alone, *widths[-2:], *input_shape, classes)
        if not 2 <= len(widths) <= 16 or min(needed) < 1 or min(widths) < 0:
            raise UserError("A student's widths, input shape and class count must be whole numbers of at least 1.")
        self.carry_shapes = {name: (out + carried.get(name, 0), *size) for name, (out, *size) in kept.items()}

        inputs = [channels, *(shape[0] for name, shape in self.carry_shapes.items() if name != FEATURES)]
        strides = level_strides(len(widths), min(height, width))
        self.blocks = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after))
                for name, before, after, stride in zip([*levels, last], inputs, widths, strides, strict=True)
                if after
            }
        )
        self.residual = residual_levels(widths, strides)
        self.head = nn.Linear(self.carry_shapes[FEATURES][0] * POOLED**2, classes)
        with torch.no_grad():
            self.head.weight.mul_(HEAD_START)
        self.to(memory_format=torch.channels_last)
        self.reading_macs = _reading_macs(widths, input_shape, carried) + carried.get(FEATURES, 0) * POOLED**2 * classes
        self.spec = {
            "family": "triangular",
            "widths": list(widths),
            "input_shape": list(self.input_shape),
            "classes": classes,
            "reads": {name: list(shape) for name, shape in self.reads.items()},
            "head": head,
        }

    def forward(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """x (batch, channels, height, width) and carry name -> (batch, *reads[name])

        -> raw logits (batch, classes), carry name -> (batch, *carry_shapes[name]).
        """
        h, joined, left = x, x, {}
        for level, name in enumerate(self.carry_shapes, start=1):
            own = f"level{level}" in self.blocks
            if own:
                activation = self.blocks[f"level{level}"](joined)
                h = (activation + h if level in self.residual else activation).relu_()
            if name != FEATURES:
                joined = left[name] = self._joined(h, carry, name) if own else carry[name]
        left[FEATURES] = self._joined(functional.adaptive_avg_pool2d(h, POOLED), carry, FEATURES)
        return self.head(left[FEATURES].flatten(1)), left

    def _joined(self, h: Tensor, carry: Carry, name: str) -> Tensor:
        """The student's own activations after those of all earlier ones."""
        return torch.cat((carry[name], h), dim=1) if name in self.reads else h


def narrowed(
    widths: Sequence[int], input_shape: Sequence[int], reads: Mapping[str, Sequence[int]], step: int
) -> tuple[int, ...]:
    """Widths with which a student that reads `reads` costs about the MACs of `widths` without a carry.

    The first level is the carry's alone, and so are others but the last two that would be too thin; the rest shrink in
    proportion, in whole steps of `step` channels. Without a carry they are `widths`.
    """
    budget = _convolution_macs(widths, input_shape, {})
    if "level1" not in reads:
        return tuple(widths)
    plans = {
        (
            0,
            *(
                _thinned(w * share / 64 / step, step, level > len(widths) - 2)
                for level, w in enumerate(widths[1:], start=2)
            ),
        )
        for share in range(1, 65)
    }
    return min(sorted(plans), key=lambda plan: abs(_convolution_macs(plan, input_shape, reads) - budget))


def _thinned(steps: float, step: int, needed: bool) -> int:
    whole = round(steps)
    return step * max(1, whole) if needed else step * whole if whole >= THINNEST else 0


def _convolution_macs(widths: Sequence[int], input_shape: Sequence[int], reads: Mapping[str, Sequence[int]]) -> int:
    own = _macs(widths, input_shape, [input_shape[0], *widths])
    return own + _reading_macs(widths, input_shape, {name: shape[0] for name, shape in reads.items()})


def _reading_macs(widths: Sequence[int], input_shape: Sequence[int], carried: Mapping[str, int]) -> int:
    """Of the convolutions: what is spent on the channels of earlier students."""
    return _macs(widths, input_shape, [0, *(carried.get(name, 0) for name in level_shapes(widths, input_shape))])


def _macs(widths: Sequence[int], input_shape: Sequence[int], inputs: Sequence[int]) -> int:
    levels = level_shapes(widths, input_shape).values()
    return sum(9 * height * width * before * out for before, (out, height, width) in zip(inputs, levels, strict=False))

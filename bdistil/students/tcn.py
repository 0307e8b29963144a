"""Convolutional students for series: depthwise-separable convolutions over time, and a small linear head.

Three levels at half the steps: a convolution over three steps, and two blocks of a depthwise and a pointwise one beside
a shortcut. The head reads the mean and the largest of each channel of the last level. Level by level, a student can
read what its predecessor left ("level1" …), as students for images do (cnn.py):

    alone    h_l = relu(block_l(h_{l-1})), and nothing is left behind
    add      h_l = relu(block_l(h_{l-1}) + P c_l)
    concat   h_l = relu(block_l(h_{l-1} + P c_{l-1})), and the head reads both students' last levels

with c the predecessor's activations and P a pointwise projection (none where channels are equal). Sources: Chollet,
*Xception* (CVPR 2017), for the blocks; arXiv 2302.10093 for composition.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from bdistil.errors import UserError
from bdistil.students.catalogue import check_composition, check_head
from bdistil.students.student import HEAD_START, Carry, Student, StudentOptions, steps_of

LEVELS = ("level1", "level2", "level3")


class TCN(Student):
    """A convolutional student for series; see the module's docstring for its equations.

    channels: of each level. input_shape: (channels, steps) of the whole series. classes: number of logits. steps:
    (first, end) of the steps that it reads, None for all. reads: the predecessor's `carry_shapes`; {} in round 1, and
    what the composition does not use is left out. head: "student", it gives f_t, or "prefix", it gives F_t.
    Raises UserError for a composition that doesn't exist, sizes that cannot be, or a carry of another length.
    """

    def __init__(
        self,
        channels: int,
        input_shape: Sequence[int],
        classes: int,
        composition: str = "alone",
        steps: Sequence[int] | None = None,
        reads: Mapping[str, Sequence[int]] | None = None,
        head: str = "student",
    ):
        super().__init__()
        inputs, length = input_shape
        if min(channels, inputs, length, classes) < 1:
            raise UserError("A student's channels, input shape and class count must be whole numbers of at least 1.")
        first, end = steps_of(steps, length)
        self.composition, self.gives_prefix = check_composition(composition, "tcn"), check_head(head) == "prefix"
        self.input_shape, self.classes, self.first, self.end = (inputs, length), classes, first, end
        halved = -(-(end - first) // 2)
        self.carry_shapes = {} if composition == "alone" else dict.fromkeys(LEVELS, (channels, halved))
        reads = reads or {}
        self.reads = {name: tuple(reads[name]) for name in self.carry_shapes if name in reads}
        if any(shape[1:] != (halved,) for shape in self.reads.values()):
            raise UserError(
                f"The previous student leaves {next(iter(self.reads.values()))[-1]} steps, and this one has {halved}: "
                "let both read the same part of the series."
            )

        self.blocks = nn.ModuleDict({"level1": nn.Conv1d(inputs, channels, 3, 2, padding=1, bias=False)})
        for name in LEVELS[1:]:
            self.blocks[name] = nn.Sequential(
                nn.Conv1d(channels, channels, 3, padding=1, groups=channels, bias=False),
                nn.Conv1d(channels, channels, 1, bias=False),
            )
        self.norms = nn.ModuleDict({name: nn.BatchNorm1d(channels) for name in LEVELS})
        self.bridges = nn.ModuleDict()
        features = 2 * channels
        for name, (left, _) in self.reads.items():
            if composition == "concat" and name == LEVELS[-1]:
                features += 2 * left
                self.reading_macs += 2 * left * classes
            elif composition == "concat" or left != channels:
                self.bridges[name] = nn.Conv1d(left, channels, 1, bias=False)
                self.reading_macs += left * channels * halved
        self.head = nn.Linear(features, classes)
        with torch.no_grad():
            self.head.weight.mul_(HEAD_START)
        self.spec = {
            "family": "tcn",
            "channels": channels,
            "input_shape": list(self.input_shape),
            "classes": classes,
            "composition": composition,
            "steps": [first, end],
            "reads": {name: list(shape) for name, shape in self.reads.items()},
            "head": head,
        }

    def forward(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """x (batch, channels, steps) of the whole series and carry level -> (batch, channels, half of its steps)

        -> raw logits (batch, classes), carry of the same names ({} for `alone`).
        """
        adds, concatenates = self.composition == "add", self.composition == "concat"
        h, left = x[:, :, self.first : self.end], {}
        for before, name in zip((None, *LEVELS), LEVELS, strict=False):
            if concatenates and before in self.reads:
                h = h + self._read(carry, before)
            activation = self.norms[name](self.blocks[name](h))
            if before:
                activation = activation + h
            if adds and name in self.reads:
                activation = activation + self._read(carry, name)
            h = left[name] = activation.relu()
        features = _pooled(h)
        if concatenates and LEVELS[-1] in self.reads:
            features = torch.cat((features, _pooled(carry[LEVELS[-1]])), dim=1)
        return self.head(features), left if self.carry_shapes else {}

    def _read(self, carry: Carry, name: str) -> Tensor:
        """The predecessor's tensor of that name, (batch, this student's channels, steps)."""
        return self.bridges[name](carry[name]) if name in self.bridges else carry[name]


def _pooled(h: Tensor) -> Tensor:
    """(batch, channels, steps) -> (batch, 2 · channels): the mean of each channel and its largest value."""
    return torch.cat((h.mean(dim=2), h.amax(dim=2)), dim=1)


STUDENTS: dict[str, type[Student]] = {"tcn": TCN}


def build(size: Sequence[int], options: StudentOptions) -> Student:
    """A student of the catalogue's size."""
    return TCN(
        options.times(size[0]),
        options.input_shape,
        options.classes,
        options.composition,
        options.steps,
        options.reads,
        options.head,
    )

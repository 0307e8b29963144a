"""Teacher architectures by name, and those for small pictures: residual networks (He et al., *Deep Residual Learning*,
CVPR 2016).

The stem reads the full resolution with few channels before it halves it, and a shortcut that halves averages first
(the D variant of He et al., *Bag of Tricks*, CVPR 2019): nothing of a 28-pixel picture is thrown away unseen.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bdistil.teachers.catalogue import check
from bdistil.teachers.naming import TORCHVISION
from bdistil.teachers.series import CHANNELS, STATES, TimeConvolutions, TimeRecurrence


class Shape(NamedTuple):
    """stem: its channels, at full resolution. stages: channels of each. strides: of the stem and of each stage.
    blocks: residual blocks in a stage.
    """

    stem: int
    stages: tuple[int, ...]
    strides: tuple[int, ...]
    blocks: int = 2


SHAPES: dict[str, Shape] = {
    "resnet-s": Shape(16, (16, 32, 64), (1, 1, 2, 2)),
    "resnet-m": Shape(24, (48, 96, 160), (2, 1, 2, 2)),
    "resnet-20": Shape(16, (16, 32, 64), (1, 1, 2, 2), blocks=3),
}


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut: (batch, in, h, w) to (batch, out, h/stride, w/stride)."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(incoming, outgoing, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outgoing),
            nn.ReLU(inplace=True),
            nn.Conv2d(outgoing, outgoing, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outgoing),
        )
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if incoming != outgoing:
            self.shortcut.append(nn.Conv2d(incoming, outgoing, 1, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outgoing))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Normalised pictures (batch, channels, height, width) to logits (batch, classes)."""

    def __init__(self, name: str, channels: int, classes: int) -> None:
        super().__init__()
        stem, stages, strides, repeated = SHAPES[name]
        self.stem = nn.Sequential(
            nn.Conv2d(channels, stem, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
            nn.Conv2d(stem, stages[0], 3, strides[0], 1, bias=False),
            nn.BatchNorm2d(stages[0]),
            nn.ReLU(inplace=True),
        )
        blocks, incoming = [], stages[0]
        for outgoing, stride in zip(stages, strides[1:], strict=True):
            blocks += [Block(incoming, outgoing, stride), *(Block(outgoing, outgoing, 1) for _ in range(repeated - 1))]
            incoming = outgoing
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(incoming, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def build_teacher(name: str, *, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """A teacher with fresh weights, for normalised inputs of `input_shape` (channels, height, width) or (channels,
    steps).

    Raises UserError for a name that is not in the catalogue.
    """
    if name.startswith(TORCHVISION):
        from bdistil.teachers.torchvision_models import Torchvision

        return Torchvision(name, input_shape[0], classes)
    kinds = {
        **dict.fromkeys(SHAPES, ResNet),
        **dict.fromkeys(CHANNELS, TimeConvolutions),
        **dict.fromkeys(STATES, TimeRecurrence),
    }
    return kinds[check(name)](name, input_shape[0], classes)

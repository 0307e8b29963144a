"""Teachers for series: convolutions over time, and a recurrent network.

Both read the whole series, so that what they know of an example does not depend on how students share it out. Source
of the residual blocks: He et al., *Deep Residual Learning* (CVPR 2016), here over time; of the recurrent units: Cho et
al., EMNLP 2014.
"""

import torch
from torch import Tensor, nn

CHANNELS = {"conv1d-s": 32, "conv1d-m": 64}
STATES = {"gru-l": 64}
DROPOUT = 0.1  # before the output layer: the people of the train split are few


class TimeBlock(nn.Module):
    """Two convolutions over three steps beside a shortcut: (batch, channels, steps) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(inplace=True),
            nn.Conv1d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + x)


class TimeConvolutions(nn.Module):
    """Normalised series (batch, channels, steps) to logits (batch, classes).

    A convolution over five steps, a block, a block at half the steps, and the mean and the largest of each channel.
    """

    def __init__(self, name: str, channels: int, classes: int) -> None:
        super().__init__()
        width = CHANNELS[name]
        self.stem = nn.Sequential(
            nn.Conv1d(channels, width, 5, padding=2, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(TimeBlock(width), nn.MaxPool1d(2, ceil_mode=True), TimeBlock(width))
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.blocks(self.stem(x))
        return self.head(self.dropout(torch.cat((h.mean(2), h.amax(2)), dim=1)))


class TimeRecurrence(nn.Module):
    """Normalised series (batch, channels, steps) to logits (batch, classes), from the mean of states and the last."""

    def __init__(self, name: str, channels: int, classes: int) -> None:
        super().__init__()
        state = STATES[name]
        self.cells = nn.GRU(channels, state, num_layers=2, batch_first=True, dropout=DROPOUT)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(2 * state, classes)

    def forward(self, x: Tensor) -> Tensor:
        states, last = self.cells(x.transpose(1, 2))
        return self.head(self.dropout(torch.cat((states.mean(1), last[-1]), dim=1)))

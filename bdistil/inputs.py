"""Raw pictures into what a teacher reads. Students are given theirs by `ProgressiveEnsemble.normalise`."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def normalise(x: np.ndarray, mean: Sequence[float], std: Sequence[float], device: str = "cpu") -> Tensor:
    """Raw uint8 (N, channels, height, width) to float32 of the same shape, (x − mean)/std per channel.

    Channels lie last in memory, as in a teacher's weights.
    """
    shape = (1, -1, 1, 1)
    centre, spread = (torch.tensor(v, dtype=torch.float32).view(shape) for v in (mean, std))
    pictures = (torch.from_numpy(np.ascontiguousarray(x)).float() - centre) / spread
    return pictures.to(device).contiguous(memory_format=torch.channels_last)

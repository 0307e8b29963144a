"""Raw inputs into what a network reads: the one place where pixels are normalised for training."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def normalise(x: np.ndarray, mean: Sequence[float], std: Sequence[float], device: str = "cpu") -> Tensor:
    """Raw uint8 (N, channels, height, width) to float32 of the same shape, (x − mean)/std per channel."""
    shape = (1, -1, 1, 1)
    centre, spread = (torch.tensor(v, dtype=torch.float32).view(shape) for v in (mean, std))
    return ((torch.from_numpy(np.ascontiguousarray(x)).float() - centre) / spread).to(device)

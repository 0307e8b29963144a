"""Raw inputs into what models read: standardised by channel, then through the data set's front end where it has one.

`normalise` is for teachers; students are given theirs by `ProgressiveEnsemble.normalise`, which does the same.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bdistil.errors import UserError

RUNNING_MAXIMUM = "running-maximum"
FRONT_ENDS = (RUNNING_MAXIMUM,)


def check(front_end: str | None) -> str | None:
    """The front end, if it is one of `FRONT_ENDS` or None; UserError otherwise."""
    if front_end not in (None, *FRONT_ENDS):
        raise UserError(f"There is no front end called {front_end}: choose {', '.join(FRONT_ENDS)}, or none.")
    return front_end


def normalise(
    x: np.ndarray, mean: Sequence[float], std: Sequence[float], front_end: str | None = None, device: str = "cpu"
) -> Tensor:
    """Raw uint8 (N, channels, height, width) or float32 (N, channels, steps) to float32 of the same shape.

    Of each channel (x − mean)/std, then `after`. Channels of pictures lie last in memory, as in a teacher's weights.
    """
    shape = (1, -1, *(1,) * (x.ndim - 2))
    centre, spread = (torch.tensor(v, dtype=torch.float32).view(shape) for v in (mean, std))
    inputs = after((torch.from_numpy(np.ascontiguousarray(x)).float() - centre) / spread, front_end).to(device)
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs


def after(x: Tensor, front_end: str | None) -> Tensor:
    """Standardised inputs (N, channels, …) through a front end; None leaves them as they are.

    `running-maximum`, for the bands of a spectrogram (N, bands, steps): from each band is taken how loud the recording
    has been so far, half in that band and half over all, so that voices and microphones differ less. It is causal: a
    step depends on no later one. The quiet before a word, below −1, is not raised. Ours.
    """
    if check(front_end) is None:
        return x
    so_far = x.cummax(dim=2).values
    return x - (so_far / 2 + so_far.mean(dim=1, keepdim=True) / 2).clamp(min=-1)

"""Pictures and series as people have them in memory, into the layout that the engine reads. numpy only."""

import numpy as np

from bdistil.errors import UserError

CHANNELS = (1, 3, 4)  # of pictures that are grey, in colour, or in colour and transparent


def pictures(X: np.ndarray) -> np.ndarray:
    """(N, channels, height, width) or (N, height, width), whole numbers from 0 to 255, to uint8 of four axes.

    Raises UserError, one sentence, for what is none.
    """
    shape = X.shape
    X = X[:, None] if X.ndim == 3 else X
    if X.ndim != 4:
        raise UserError(f"Inputs have shape {shape}; give (N, channels, height, width) or (N, height, width).")
    if X.shape[3] in CHANNELS and X.shape[1] not in CHANNELS:
        raise UserError(
            f"Pictures have shape {shape}, with their channels last; give (N, channels, height, width): "
            "X.transpose(0, 3, 1, 2)."
        )
    if X.dtype != np.uint8 and not ((X >= 0) & (X <= 255) & (np.floor(X) == X)).all():
        raise UserError("Inputs must be raw pixels: whole numbers from 0 to 255.")
    return X.astype(np.uint8)


def series(X: np.ndarray) -> np.ndarray:
    """float32 (N, time, channels) or (N, time) to (N, channels, time).

    Raises UserError, one sentence, for what is none.
    """
    X = X[:, :, None] if X.ndim == 2 else X
    if X.ndim != 3 or not X.size:
        raise UserError(f"Inputs have shape {X.shape}; give (N, time, channels), or (N, time) for one channel.")
    if not np.isfinite(X).all():
        raise UserError(f"Series {int((~np.isfinite(X)).any(axis=(1, 2)).argmax())} holds NaN or infinity: fix it.")
    return X.transpose(0, 2, 1).copy()

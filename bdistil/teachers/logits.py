"""What the teacher answers, computed once and kept: the rest of the engine sees logits, never the teacher.

The cache is keyed by digests of the teacher's weights and of the inputs themselves, so a file never answers for another
teacher, split or view.
"""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from bdistil.data.views import digest
from bdistil.inputs import normalise
from bdistil.paths import home
from bdistil.runs.files import write_bytes
from bdistil.teachers.weights import load_teacher

BATCH = 500


class TeacherLogits:
    """Answers for a saved teacher: its logits on raw inputs, from the cache where they have been computed before.

    `tick(done)` is called after every batch with the share done, and may raise to stop.
    """

    def __init__(self, card: dict[str, Any], device: str = "cpu") -> None:
        self._card, self._device, self._model = card, device, load_teacher(card).to(device)

    def __call__(self, x: np.ndarray, tick: Callable[[float], None] = lambda done: None) -> np.ndarray:
        """Raw inputs (N, *input_shape) to float32 logits (N, classes)."""
        path = home() / "cache" / "teacher-logits" / f"{self._card['weights_sha256'][:16]}-{digest(x)}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):  # none yet, or a damaged one: ask again
            return np.load(path, allow_pickle=False)
        logits = np.concatenate([self._answer(x, start, tick) for start in range(0, len(x), BATCH)])
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, logits, allow_pickle=False)
        write_bytes(path, buffer.getvalue())
        return logits

    @torch.inference_mode()
    def _answer(self, x: np.ndarray, start: int, tick: Callable[[float], None]) -> np.ndarray:
        tick(start / len(x))
        card = self._card
        batch = normalise(x[start : start + BATCH], card["mean"], card["std"], card.get("front_end"), self._device)
        return self._model(batch).float().cpu().numpy()

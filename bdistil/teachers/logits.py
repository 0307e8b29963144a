"""What the teacher answers, computed once and kept: the rest of the engine sees logits, never the teacher."""

import hashlib
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch

from bdistil.data import Dataset
from bdistil.inputs import normalise
from bdistil.teachers import black_box, onnx_teacher
from bdistil.teachers.card import GivenAnswers, OnnxFile, SavedTeacher, TeacherCard
from bdistil.teachers.logit_cache import kept
from bdistil.teachers.scaling import Statistics
from bdistil.teachers.weights import load_teacher


class TeacherOracle(Protocol):
    """A teacher that can be asked: raw inputs (N, …) of a split, in any view, to float32 logits (N, classes).

    `tick(done)` is called after every batch with the share done, and may raise to stop.
    """

    def __call__(self, x: np.ndarray, split: str, tick: Callable[[float], None]) -> np.ndarray: ...


def teacher_oracle(card: TeacherCard, data: Dataset, device: str = "cpu", threads: int = 1) -> TeacherOracle:
    """Who answers for the teacher of a card: its network, an ONNX file, or files of answers.

    threads: of an ONNX file's runtime. Raises UserError if the teacher cannot be loaded or does not fit the data.
    """
    match card:
        case GivenAnswers():
            return black_box.GivenLogits(card, data)
        case OnnxFile():
            return onnx_teacher.OnnxTeacher(card, data.info, Statistics.of(data), threads)
        case SavedTeacher():
            return TeacherLogits(card, device)
    raise TypeError(type(card).__name__)


class TeacherLogits:
    """Answers of a saved teacher: its logits on raw inputs, from the cache where they have been computed before."""

    def __init__(self, card: SavedTeacher, device: str = "cpu") -> None:
        self._card, self._device, self._model = card, device, load_teacher(card).to(device)

    def __call__(self, x: np.ndarray, split: str = "", tick: Callable[[float], None] = lambda done: None) -> np.ndarray:
        """Raw inputs (N, *input_shape) to float32 logits (N, classes)."""
        card = self._card
        # The same weights answer otherwise where inputs are normalised by the figures of another train split.
        content = [card.weights_sha256, card.architecture, list(card.mean), list(card.std), card.front_end]
        key = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
        return kept(key, x, self._answer, tick)

    @torch.inference_mode()
    def _answer(self, x: np.ndarray) -> np.ndarray:
        card = self._card
        batch = normalise(x, card.mean, card.std, card.front_end, self._device)
        return self._model(batch).float().cpu().numpy()

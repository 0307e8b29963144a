"""How a run is trained, a module a method (`bdistil.method_registry`)."""

from importlib import import_module
from typing import Protocol, cast

from bdistil.config import DistilConfig
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.method.certificate import Certificate
from bdistil.method.distillation import Distillation
from bdistil.method_registry import METHODS
from bdistil.records import RoundRecord
from bdistil.runs.job import DistillationJob


class Trainer(Protocol):
    """The functions of a method's module."""

    def train(self, job: DistillationJob) -> ProgressiveEnsemble:
        """Train a run from where it stands, saving and recording each round as it ends; returns its ensemble.

        Raises Stopped soon after the run is asked to stop, and UserError for a damaged round.
        """

    def fit(self, distillation: Distillation) -> list[RoundRecord]:
        """Train all rounds in memory, students appended to the ensemble; returns their records."""

    def begin_round(self, distillation: Distillation, certificate: Certificate) -> None:
        """Train the round to come, of which the estimate times the first steps and stops it then."""

    def schedule(self, config: DistilConfig) -> list[tuple[int, int]]:
        """All trainings in order: how many students there are, and for how many epochs."""

    def corrections(self, config: DistilConfig, done: int) -> tuple[int, int]:
        """How many heads are corrected together, and how often, once `done` rounds are over."""

    COPIES: tuple[int, int]
    """How often a finished run holds every prefix's logits, and all students."""


def trainer(method: str) -> Trainer:
    """The module of a method, by the method's name."""
    return cast(Trainer, import_module(METHODS[method].trainer))

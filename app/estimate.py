"""The price of a run before anything is trained, from `bdistil run --dry-run --json` and `bdistil teach`'s."""

from collections.abc import Callable

import engine
import streamlit as st
from own import stamp

from bdistil.config import DistilConfig
from bdistil.runs.estimate_record import Estimate, TeachEstimate

SECONDS = 120  # importing torch and building the models takes two to five on a laptop
SLOW = "The estimate took too long and was given up; the run can be started all the same."
FAILED = "The estimate failed; the run can be started all the same."
UNCHECKED = "Checking this failed: the command bdistil teach tells more."


def flags(config: DistilConfig) -> list[str]:
    """The command line's flags for what differs from the recipe of data set and method: `--dataset digits ...`."""
    recipe = DistilConfig.create(
        config.dataset,
        data=config.data,
        teacher=config.teacher,
        method=config.method,
        student=config.student,
        teacher_logits=config.teacher_logits,
    )
    always = ["dataset", "data", "teacher_logits", "teacher", "student", "rounds", "seed", "method"]
    offered = [name for name, option in config.options().items() if option.group and name not in always]
    if config.teacher_logits:  # they are the teacher
        always.remove("teacher")
    return config.arguments(*always, *(name for name in offered if getattr(config, name) != getattr(recipe, name)))


def estimate(config: DistilConfig, wanted: Callable[[], bool] = lambda: True) -> Estimate:
    """Returns what a run would cost.

    Raises `engine.Refused` with the command's own sentence, UserError where there is none for another reason.
    """
    arguments = ["run", "--dry-run", "--json", *flags(config)]
    output = engine.output(*arguments, wanted=wanted, seconds=SECONDS, slow=SLOW, failed=FAILED)
    return Estimate.model_validate_json(output)


@st.cache_resource
def estimates() -> engine.Answers[DistilConfig, Estimate]:
    """The server's estimates."""
    return engine.Answers(estimate, _known_by)


def _known_by(config: DistilConfig) -> str:
    """A configuration, and the files that it names: one that was mended is another question."""
    files = (config.dataset, config.teacher or "", *(config.teacher_logits or ()))
    return repr((config, [stamp(file) for file in files]))


def teaching(given: tuple[str, ...], wanted: Callable[[], bool] = lambda: True) -> TeachEstimate:
    """Returns what a teacher that these flags train would cost, and its configuration, checked.

    Raises UserError as `estimate` does.
    """
    arguments = ["teach", "--dry-run", "--json", *given]
    output = engine.output(*arguments, wanted=wanted, seconds=SECONDS, slow=UNCHECKED, failed=UNCHECKED)
    return TeachEstimate.model_validate_json(output)


@st.cache_resource
def teachings() -> engine.Answers[tuple[str, ...], TeachEstimate]:
    """What the server has been told of teachers that take torch to be checked."""
    return engine.Answers(teaching, lambda given: repr((given, [stamp(part) for part in given])))

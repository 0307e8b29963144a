"""The price of a run before anything is trained, from `bdistil run --dry-run --json` and `bdistil teach`'s."""

import json
from collections.abc import Callable
from typing import Any

import engine
import streamlit as st
from own import stamp

from bdistil.config import DistilConfig

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


def estimate(config: DistilConfig, wanted: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """Returns what a run would cost: macs, parameters, bytes, seconds, first_model_seconds, memory_bytes, disk_bytes;
    under `teacher` what is known of a black box, and under `busy` a sentence where the machine was.

    Raises `engine.Refused` with the command's own sentence, UserError where there is none for another reason.
    """
    arguments = ["run", "--dry-run", "--json", *flags(config)]
    return json.loads(engine.output(*arguments, wanted=wanted, seconds=SECONDS, slow=SLOW, failed=FAILED))


@st.cache_resource
def estimates() -> engine.Answers[DistilConfig, dict[str, Any]]:
    """The server's estimates."""
    return engine.Answers(estimate, _known_by)


def _known_by(config: DistilConfig) -> str:
    """A configuration, and the files that it names: one that was mended is another question."""
    files = (config.dataset, config.teacher or "", *(config.teacher_logits or ()))
    return repr((config, [stamp(file) for file in files]))


def teaching(given: tuple[str, ...], wanted: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """Returns what a teacher that these flags train would cost: macs, parameters, bytes; and its `config`, checked.

    Raises UserError as `estimate` does.
    """
    arguments = ["teach", "--dry-run", "--json", *given]
    return json.loads(engine.output(*arguments, wanted=wanted, seconds=SECONDS, slow=UNCHECKED, failed=UNCHECKED))


@st.cache_resource
def teachings() -> engine.Answers[tuple[str, ...], dict[str, Any]]:
    """What the server has been told of teachers that take torch to be checked."""
    return engine.Answers(teaching, lambda given: repr((given, [stamp(part) for part in given])))

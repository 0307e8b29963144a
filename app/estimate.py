"""The price of a run before anything is trained, from `bdistil run --dry-run --json` and `bdistil teach`'s."""

import json
import os
from collections.abc import Callable
from typing import Any

import engine
import streamlit as st

from bdistil.config import DistilConfig

SECONDS = 120  # importing torch and building the models takes two to five on a laptop
SLOW = "The estimate took too long and was given up; the run can be started all the same."
FAILED = "The estimate failed; the run can be started all the same."
UNCHECKED = "Checking this failed: the command bdistil teach tells more."


def flags(config: DistilConfig) -> list[str]:
    """The command line's flags for what differs from the recipe of data set and method: `--dataset digits ...`."""
    given = config.model_dump()
    recipe = DistilConfig.create(config.dataset, data=config.data, teacher=config.teacher, method=config.method,
                                 student=config.student, teacher_logits=config.teacher_logits).model_dump()  # fmt: skip
    always = ("dataset", "data", "teacher_logits", "teacher", "student", "rounds", "seed", "method")
    names = [*always, *(name for name in given if name not in always and given[name] != recipe.get(name))]
    if config.teacher_logits:  # they are the teacher
        names.remove("teacher")
    return [part for name in names if given[name] is not None for part in _flag(config, name)]


def _flag(config: DistilConfig, name: str) -> list[str]:
    value, option = getattr(config, name), f"--{name.replace('_', '-')}"
    if name == "data":
        return value.flags()
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    return [option, *map(str, value if isinstance(value, tuple) else (value,))]


def estimate(config: DistilConfig, wanted: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """Returns what a run would cost: macs, parameters, bytes, seconds, first_model_seconds, memory_bytes, disk_bytes;
    and under `teacher` what is known of a black box.

    Raises `engine.Refused` with the command's own sentence, UserError where there is none for another reason.
    """
    arguments = ["run", "--dry-run", "--json", *flags(config)]
    return json.loads(engine.output(*arguments, wanted=wanted, seconds=SECONDS, slow=SLOW, failed=FAILED))


Question = tuple[DistilConfig, list[int | None]]


def question(config: DistilConfig) -> Question:
    """What is asked of `estimates`: a run, and when the files of its black box were changed, as that may mend them."""
    return config, changed(*(config.teacher_logits or (config.teacher,)))


def changed(*files: str) -> list[int | None]:
    """When files were last changed, None of what is no file."""
    return [os.stat(file).st_mtime_ns if os.path.isfile(file) else None for file in files]


@st.cache_resource
def estimates() -> engine.Answers[Question, dict[str, Any]]:
    """The server's estimates."""
    return engine.Answers(lambda asked, wanted: estimate(asked[0], wanted))


Teaching = tuple[tuple[str, ...], list[int | None]]


def teaching(asked: Teaching, wanted: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """Returns what a teacher that these flags train would cost: macs, parameters, bytes; and its `config`, checked.

    asked: flags, and when its file of weights was changed. Raises UserError as `estimate` does.
    """
    arguments = ["teach", "--dry-run", "--json", *asked[0]]
    return json.loads(engine.output(*arguments, wanted=wanted, seconds=SECONDS, slow=UNCHECKED, failed=UNCHECKED))


@st.cache_resource
def teachings() -> engine.Answers[Teaching, dict[str, Any]]:
    """What the server has been told of teachers that take torch to be checked."""
    return engine.Answers(teaching)

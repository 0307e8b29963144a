"""Training: `bdistil teach`, `run`, `resume` and `stop`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel

from bdistil.cli.arguments import RUN, DryRun, Given, Json, Quiet, takes
from bdistil.cli.output import say, say_json
from bdistil.cli.runs import Reference, find_run
from bdistil.config import DistilConfig, TeachConfig
from bdistil.data.reading import OwnData
from bdistil.errors import UserError, quoted
from bdistil.paths import absolute, open_regular

if TYPE_CHECKING:
    from bdistil.runs import Run

MOST_CONFIG = 1_000_000  # bytes


@takes(TeachConfig, required=("dataset",))
def teach(dry_run: DryRun = False, as_json: Json = False, quiet: Quiet = False, *, given: Given) -> None:
    """Train a teacher; prints its name last."""
    from bdistil.cli.progress import follow
    from bdistil.runs import create_run

    config = TeachConfig.create(str(given.dataset), data=given.data, **given.options)
    if config.weights not in (None, "DEFAULT"):  # the worker may run elsewhere
        config = config.model_copy(update={"weights": str(absolute(str(config.weights)))})
    if dry_run:
        _print_cost(config, as_json)
        return
    info = follow(create_run(config), quiet)
    if not quiet:
        from bdistil.report.text import describe_teaching
        from bdistil.teachers import card

        say(describe_teaching(card(str(info.teacher_name))))
    say(info.teacher_name)


@takes(DistilConfig)
def run(
    extend: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Add students to a finished run of b-distil: as many as --rounds says, or one for each of further "
            "--budgets.",
            rich_help_panel=RUN,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A JSON file of options: the `config` of `show RUN --json`.", rich_help_panel=RUN
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    given: Given,
) -> None:
    """Distil a teacher into students, round by round; prints the run's id last."""
    from bdistil.cli.progress import follow
    from bdistil.runs import create_run
    from bdistil.runs.extend import extend_run, extended

    parent = find_run(extend) if extend else None
    if parent:
        added = _added(parent, given, config)
        if dry_run:
            longer = extended(parent, added.rounds, added.threads, budgets=added.budgets)
            _print_price(longer, parent.info().rounds_done, as_json)
            return
        made = extend_run(parent, added.rounds, added.threads, budgets=added.budgets)
    else:
        if dry_run:
            _print_price(_distil_config(given, config, planned=True), 0, as_json)
            return
        made = create_run(_distil_config(given, config))
    say(follow(made, quiet).run)


def resume(
    run: Reference,
    quiet: Quiet = False,
    worker: Annotated[bool, typer.Option(hidden=True)] = False,
    lock: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Go on with an interrupted run; prints its id last."""
    if worker:
        from bdistil.runs import open_run
        from bdistil.runs.worker import work

        sys.exit(work(open_run(Path(run)), lock))
    from bdistil.cli.progress import follow

    say(follow(find_run(run), quiet).run)


def stop(run: Reference) -> None:
    """Ask a run to stop after the current batch; prints its id last."""
    chosen = find_run(run)
    if not chosen.is_alive():
        raise UserError(f"{run} is not training.")
    chosen.request_stop()
    say(chosen.id)


def _print_cost(config: TeachConfig, as_json: bool) -> None:
    """What training a teacher would take."""
    from bdistil.report.estimate_text import describe_teach
    from bdistil.runs.estimate import estimate_teaching

    expected = estimate_teaching(config)
    if as_json:
        say_json(expected.document())
    else:
        say(*describe_teach(expected))


def _print_price(config: DistilConfig, done: int, as_json: bool) -> None:
    """What training students would take."""
    from bdistil.report.estimate_text import describe
    from bdistil.runs.estimate import estimate

    expected = estimate(config, done)
    if as_json:
        say_json(expected.document())
    else:
        say(*describe(expected))


class Added(BaseModel):
    """What may differ from the run that is extended: which rounds are added, and the machine's business."""

    rounds: int | None = None
    budgets: str | None = None
    threads: int | None = None


def _added(parent: "Run", given: Given, file: Path | None) -> Added:
    """What is added to a run. Raises UserError where an option would train further rounds otherwise than its own."""
    from bdistil.runs.extend import differing

    if file:
        raise UserError("A longer run is configured as the one that it extends: leave --config out.")
    options = {name: value for name, value in given.everything().items() if name not in Added.model_fields}
    other = differing(parent, options)
    if other:
        value = f"{other[0].replace('_', ' ')} {other[1]}"
        raise UserError(f"{parent.id} was trained with {value}, and so are its further rounds: leave that option out.")
    return Added.model_validate(given.options)


def _distil_config(given: Given, file: Path | None, planned: bool = False) -> DistilConfig:
    """The configuration of what is given on the command line, before what the file says, before the recipe.

    planned: whether the data set's own teacher need not be there yet; the configuration names none then.
    """
    stored = _stored_config(file) if file else {}
    if "teacher" in given.options and "teacher_logits" in given.options:
        raise UserError("Give a teacher or its answers, not both: leave out `teacher` or `teacher_logits`.")
    if "teacher" in given.options or "teacher_logits" in given.options:  # another teacher than the stored one
        stored = {name: value for name, value in stored.items() if not name.startswith("teacher")}
    return _configured(planned, **(stored | given.everything()))


def _configured(
    planned: bool, /, dataset: object = None, teacher: object = None, data: Any = None, **options: object
) -> DistilConfig:
    """A run's configuration with the teacher that it names, or that the data set has."""
    from bdistil.teachers import card_for, cards_for
    from bdistil.teachers.card import GivenAnswers
    from bdistil.teachers.doubts import check_given

    if dataset is None:
        raise UserError("No dataset was named. Say which, for example: --dataset digits.")
    dataset, own = str(dataset), OwnData.given(data)
    config = DistilConfig.create(dataset, teacher="" if teacher is None else teacher, data=own, **options)
    if planned and teacher is None and not config.teacher_logits and not cards_for(dataset, own):
        return config
    card = card_for(
        None if teacher is None else config.teacher,
        dataset,
        own,
        teacher_logits=config.teacher_logits,
        teacher_input=config.teacher_input,
        teacher_output=config.teacher_output,
        teacher_macs=config.teacher_macs,
    )
    check_given(card, config.temperature)
    return config.model_copy(
        update={"teacher": card.name, "teacher_logits": card.answers if isinstance(card, GivenAnswers) else None}
    )


def _stored_config(file: Path) -> dict[str, object]:
    """The options in a JSON file. Raises UserError for a file that holds none."""
    from bdistil.records import with_current_names

    try:
        with open_regular(file) as opened:
            content = opened.read(MOST_CONFIG + 1)
        if len(content) > MOST_CONFIG:
            raise UserError(f"{quoted(file)} is larger than 1 MB. Give the `config` of bdistil show RUN --json.")
        stored = json.loads(content)
    except (OSError, ValueError, RecursionError):
        raise UserError(
            f"{quoted(file)} is no readable JSON file. Give the `config` of bdistil show RUN --json."
        ) from None
    if not isinstance(stored, dict):
        raise UserError(f"{quoted(file)} holds no configuration. Give the `config` of bdistil show RUN --json.")
    return with_current_names(stored)

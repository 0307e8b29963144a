"""Training: `bdistil teach`, `run`, `resume` and `stop`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bdistil.cli.arguments import RUN, DryRun, Json, Quiet, takes
from bdistil.cli.output import say, say_json
from bdistil.cli.runs import Reference, find_run
from bdistil.config import DistilConfig, TeachConfig
from bdistil.data.reading import OwnData
from bdistil.errors import UserError, quoted
from bdistil.paths import absolute, open_regular

MOST_CONFIG = 1_000_000  # bytes


@takes(TeachConfig, required=("dataset",))
def teach(dry_run: DryRun = False, as_json: Json = False, quiet: Quiet = False, *, given: dict[str, Any]) -> None:
    """Train a teacher; prints its name last."""
    from bdistil.cli.progress import follow
    from bdistil.runs import create_run

    if given.get("weights") not in (None, "DEFAULT"):
        given["weights"] = str(absolute(given["weights"]))
    config = TeachConfig.create(**given)
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
            metavar="RUN", help="Add --rounds more students to a finished run of b-distil.", rich_help_panel=RUN
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
    given: dict[str, Any],
) -> None:
    """Distil a teacher into students, round by round; prints the run's id last."""
    from bdistil.cli.progress import follow
    from bdistil.runs import create_run
    from bdistil.runs.extend import extend_run, extended

    threads = given.get("threads")
    parent = find_run(extend) if extend else None
    added = _added_rounds(parent, given, config) if parent else 0
    if dry_run:
        chosen = extended(parent, added, threads) if parent else _distil_config(given, config, planned=True)
        _print_price(chosen, parent.info().rounds_done if parent else 0, as_json)
        return
    made = extend_run(parent, added, threads) if parent else create_run(_distil_config(given, config))
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


def _print_cost(config: Any, as_json: bool) -> None:
    """What training a teacher would take."""
    from bdistil.report.estimate_text import describe_teach
    from bdistil.runs.estimate import estimate_teaching

    expected = estimate_teaching(config)
    if as_json:
        say_json(expected.document())
    else:
        say(*describe_teach(expected))


def _print_price(config: Any, done: int, as_json: bool) -> None:
    """What training students would take."""
    from bdistil.report.estimate_text import describe
    from bdistil.runs.estimate import estimate

    expected = estimate(config, done)
    if as_json:
        say_json(expected.document())
    else:
        say(*describe(expected))


def _added_rounds(parent: Any, given: dict[str, Any], file: Path | None) -> int:
    """How many rounds to add. Raises UserError where an option would train them otherwise than the parent's; threads
    are the machine's business and may differ."""
    from bdistil.runs.extend import differing

    if file:
        raise UserError("A longer run is configured as the one that it extends: leave --config out.")
    options = {name: value for name, value in given.items() if name not in ("rounds", "threads")}
    other = differing(parent, options)
    if other:
        told = f"{other[0].replace('_', ' ')} {other[1]}"
        raise UserError(f"{parent.id} was trained with {told}, and so are its further rounds: leave that option out.")
    if "rounds" not in given:
        raise UserError("Say how many students to add, for example: --rounds 2.")
    return given["rounds"]


def _distil_config(given: dict[str, Any], file: Path | None, planned: bool = False) -> Any:
    """The configuration of what is given on the command line, before what the file says, before the recipe.

    planned: whether the data set's own teacher need not be there yet; the configuration names none then.
    """
    from bdistil.teachers import card_for, cards_for
    from bdistil.teachers.card import GivenAnswers
    from bdistil.teachers.doubts import check_given

    stored = _stored_config(file) if file else {}
    if "teacher" in given and "teacher_logits" in given:
        raise UserError("Give a teacher or its answers, not both: leave out `teacher` or `teacher_logits`.")
    if "teacher" in given or "teacher_logits" in given:  # another teacher than the stored one
        stored = {name: value for name, value in stored.items() if not name.startswith("teacher")}
    values = stored | given
    if "dataset" not in values:
        raise UserError("No dataset was named. Say which, for example: --dataset digits.")
    dataset, teacher = str(values.pop("dataset")), values.pop("teacher", None)
    own = values["data"] = OwnData.given(values.get("data"))
    config = DistilConfig.create(dataset, teacher="" if teacher is None else teacher, **values)
    if planned and teacher is None and not config.teacher_logits and not cards_for(dataset, own):
        return config
    names = ("teacher_logits", "teacher_input", "teacher_output", "teacher_macs")
    options = {name: getattr(config, name) for name in names}
    card = card_for(None if teacher is None else config.teacher, dataset, own, **options)
    check_given(card, config.temperature)
    return config.model_copy(
        update={"teacher": card.name, "teacher_logits": card.answers if isinstance(card, GivenAnswers) else None}
    )


def _stored_config(file: Path) -> dict[str, Any]:
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

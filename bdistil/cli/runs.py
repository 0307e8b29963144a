"""Runs: `bdistil list`, `show`, `rename`, `note` and `delete`; `show` tells teachers, too."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bdistil.cli.arguments import Json
from bdistil.cli.output import say, say_aside, say_json, table
from bdistil.errors import UserError, nearest, printable

if TYPE_CHECKING:
    from bdistil.runs import Run, RunSummary

Reference = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, its name, or its folder.")]


class UnknownRunError(UserError):
    """There is no run of that name."""


def find_run(reference: str) -> "Run":
    """A run by its id, its folder, or the name that `list` shows. Raises UserError if that is none, or several."""
    from bdistil.runs import list_runs, open_run

    try:
        return open_run(Path(reference))
    except UserError as error:
        summaries = list_runs()
        if reference in [summary.id for summary in summaries]:  # it is there and cannot be read
            raise
        unknown = str(error)
    named = [summary for summary in summaries if summary.info and summary.info.title == printable(reference)]
    if len(named) > 1:
        ids = ", ".join(summary.id for summary in named)
        raise UserError(f"{len(named)} runs are called {reference}: choose one by its id, {ids}.")
    if not named:
        raise UnknownRunError(unknown)
    return open_run(named[0].path)


def list_(as_json: Json = False) -> None:
    """All runs, samples included."""
    from bdistil.report.documents import listing
    from bdistil.runs import list_runs

    summaries = list_runs()
    if as_json:
        say_json(listing(summaries))
    elif summaries:
        say(*table([(summary.id, *_described(summary)) for summary in summaries]))


def _described(summary: "RunSummary") -> tuple[str, ...]:
    """State, method and name of a run, and whether its worker is silent; or why it cannot be read."""
    from bdistil.report.silence import quiet
    from bdistil.runs import Run

    info = summary.info
    if not info:
        return (summary.error or "",)
    silent = quiet(Run(summary.path).heartbeat()) if info.state in ("queued", "running") else None
    return info.state, info.method or "teacher", info.title + (f", {silent}" if silent else "")


def show(
    reference: Annotated[
        str, typer.Argument(metavar="RUN|TEACHER", help="A run's id, name or folder; or a teacher's name or folder.")
    ],
    as_json: Json = False,
) -> None:
    """One run: what it is; per prefix, what it reaches and costs; how its rounds went; per student, what it reads.
    Or one teacher: its card."""
    try:
        chosen = find_run(reference)
    except UnknownRunError:
        _show_teacher(reference, as_json)
        return
    if as_json:
        from bdistil.report.documents import report

        say_json(report(chosen))
        return
    from bdistil.report.text import describe_run

    say(*describe_run(chosen))


def _show_teacher(reference: str, as_json: bool) -> None:
    """A teacher's card. Raises UserError if it cannot be read, or if the reference is neither a run nor a teacher."""
    from bdistil.report.teacher_text import describe_teacher
    from bdistil.runs import list_runs
    from bdistil.teachers.cards import card, cards, folders

    places = [*(folder / reference for folder in folders()), Path(reference)]
    if not any(os.path.isfile(place / "card.json") for place in places):
        known = [*(summary.id for summary in list_runs()), *(saved.name for saved in cards())]
        raise UserError(f"There is no run and no teacher called {reference}.{nearest(reference, known)}")
    found = card(reference)
    if as_json:
        say_json(found.document() | {"path": found.path})
    else:
        say(*describe_teacher(found))


def rename(
    run: Reference,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name; '' for the title that it had first.")],
) -> None:
    """Give a run a name, which `list` and `show` tell and every command takes; prints its id last."""
    from bdistil.runs import rename_run

    chosen = find_run(run)
    rename_run(chosen, name)
    say(chosen.id)


def note(run: Reference, text: Annotated[str, typer.Argument(metavar="TEXT", help="The note; '' removes it.")]) -> None:
    """Write a note to a run, which `show` tells; prints its id last."""
    from bdistil.runs import note_run

    chosen = find_run(run)
    note_run(chosen, text)
    say(chosen.id)


def delete(run: Reference) -> None:
    """Delete a run; for seven days `bdistil restore` brings it back. Prints its id last."""
    from bdistil.runs import delete_run

    chosen = find_run(run)
    delete_run(chosen)
    say_aside(f"Deleted. For seven days it comes back with: bdistil restore {chosen.id}")
    say(chosen.id)


def restore(run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a deleted run.")]) -> None:
    """Bring a deleted run back; prints its id last."""
    from bdistil.runs import restore_run

    say(restore_run(run).id)

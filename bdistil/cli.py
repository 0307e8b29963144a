"""The command line. Each command parses, calls one engine function, and prints; heavy imports happen inside.

Results go to standard output, everything else to standard error. Exit status: 0 done, 1 a failure that is ours,
2 unusable input (one sentence), 3 an honest "no", 130 stopped by Ctrl-C and resumable.
"""

import sys
from typing import Annotated

import typer

from bdistil.errors import UserError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Progressive ensembles of small students, distilled from one large teacher.")  # fmt: skip

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress display.")]


def main() -> None:
    """The program: one sentence on standard error and exit 2 for unusable input."""
    try:
        app()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


@app.command()
def teach(
    dataset: Annotated[str, typer.Option(help="A data set's name.")],
    teacher: Annotated[str | None, typer.Option(help="An architecture; the data set's own by default.")] = None,
    epochs: Annotated[str | None, typer.Option(help="Epochs; the recipe's by default.")] = None,
    seed: Annotated[str, typer.Option(help="Seed of weights, order and augmentation.")] = "0",
    threads: Annotated[str | None, typer.Option(help="CPU threads; all cores but one by default.")] = None,
    quiet: Quiet = False,
) -> None:
    """Train a teacher; prints its name last."""
    from bdistil.config import TeachConfig
    from bdistil.runs import create_run

    config = TeachConfig.create(dataset, architecture=teacher, epochs=epochs, seed=seed, threads=threads)
    print(_follow(create_run(config), quiet)["teacher_name"])


@app.command()
def resume(run: str, quiet: Quiet = False, worker: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Go on with an interrupted run; prints its id last."""
    from bdistil.runs import open_run

    if worker:
        from bdistil.worker import work

        sys.exit(work(open_run(run)))
    print(_follow(open_run(run), quiet)["run"])


def _follow(run, quiet: bool) -> dict:
    """Start a worker, show its progress until it ends, and return run.json; exits 130, 1 or 2 where it didn't finish."""
    from bdistil.runs.launch import start_worker
    from bdistil.watching import watch

    start_worker(run)
    info = watch(run, quiet)
    if info["state"] == "failed":
        raise UserError(info["error"])
    if info["state"] != "finished":
        print(f"Stopped; go on with: bdistil resume {run.id}", file=sys.stderr)
        sys.exit(130)
    return info

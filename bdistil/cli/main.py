"""The command line. Each command parses, calls one engine function, and prints; heavy imports happen inside.

Results go to standard output, everything else to standard error. Exit status: 0 done, 1 a failure that is ours,
2 unusable input (one sentence), 3 an honest "no", 130 stopped by Ctrl-C and resumable.

One file a group of commands: data.py, training.py, runs.py, dashboard.py. What they share is in arguments.py (options),
output.py (printing) and progress.py (a training as it goes on).
"""

import errno
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from bdistil.cli.arguments import HelpByGroup
from bdistil.cli.dashboard import app_
from bdistil.cli.data import data
from bdistil.cli.output import drop_output, say, say_aside, with_command
from bdistil.cli.runs import delete, list_, note, rename, restore, show
from bdistil.cli.training import resume, run, stop, teach
from bdistil.errors import UserError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: HelpByGroup lays it out
    help="Progressive ensembles of small students, distilled from one large teacher.",
)
for command in (data, teach, run, resume, stop):
    app.command(cls=HelpByGroup)(command)
app.command("list", cls=HelpByGroup)(list_)
for command in (show, rename, note, delete, restore):
    app.command(cls=HelpByGroup)(command)
app.command("app", cls=HelpByGroup)(app_)


def main() -> None:
    """The program: one sentence on standard error and exit 2 for unusable input."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # names of files need not be UTF-8
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.stdout.flush()  # here, where a full disk or a closed pipe is answered
        sys.exit(status)
    except BrokenPipeError:
        drop_output()
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        drop_output()
        say_aside("The output could not be written: the disk is full. Free some space.")
        sys.exit(1)
    except UserError as error:
        say_aside(with_command(error))
    except typer.TyperException as error:  # how the command line itself is used
        say_aside(f"{error.format_message().rstrip('.')}. See bdistil --help.")
    sys.exit(2)


def _version(asked: bool) -> None:
    """Prints the version and ends, before anything else is looked at."""
    if asked:
        from importlib.metadata import version

        say(f"bdistil {version('bdistil')}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Progressive ensembles of small students, distilled from one large teacher."""

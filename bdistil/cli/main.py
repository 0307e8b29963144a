"""The command line. Each command parses, calls one engine function, and prints; heavy imports happen inside.

Results go to standard output, everything else to standard error. Exit status: 0 done, 1 a failure that is ours,
2 unusable input (one sentence), 3 an honest "no", 130 stopped by Ctrl-C and resumable.
"""

import errno
import functools
import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bdistil.errors import UserError, printable, quoted
from bdistil.paths import DASHBOARD, DATA_ROOTS, absolute, open_regular

if TYPE_CHECKING:
    from bdistil.runs import Run, RunInfo

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Progressive ensembles of small students, distilled from one large teacher.",
)

MOST_CONFIG = 1_000_000  # bytes

# Values are checked by the configuration, which knows their limits and words their errors: here they stay text.
Text = str | None
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress display.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document and nothing else.")]
Dataset = Annotated[str, typer.Option(help="A data set's name, or a path of your own data.")]
Epochs = Annotated[Text, typer.Option(help="Epochs (of a round); the data set's recipe by default.")]
Seed = Annotated[Text, typer.Option(help="Seed of weights, order and views.")]
Threads = Annotated[Text, typer.Option(help="CPU threads; all cores but one by default.")]
Rate = Annotated[Text, typer.Option(help="Peak learning rate.")]

OWN_DATA = {
    "side": "Own pictures: side that they are resized to, in pixels.",
    "subject_pattern": "Own folders: a regular expression whose group 1 finds the person in a file's name.",
    "kind": "Own folders: the ending of the files that alone are read, such as jpg.",
    "series": "Own tables: the column that names the series.",
    "label": "Own tables: the column of labels.",
    "subject": "Own tables: the column of persons, who are then held out whole.",
    "time": "Own tables: the column of times, in seconds or ISO 8601.",
    "channels": "Own tables: the columns of values, with commas between them; all others by default.",
    "window": "Own tables: steps of a window.",
    "overlap": "Own tables: share of a window that the next one begins with, 0.5 by default.",
}


def reads_own_data(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of one's own data beside its own; it gets them as one argument, `own`."""
    own = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Text, typer.Option(help=told)]
        )
        for name, told in OWN_DATA.items()
    ]
    others = [given for given in inspect.signature(command).parameters.values() if given.name != "own"]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        asked = {name: given.pop(name) for name in OWN_DATA}
        command(**given, own=_own_data(asked))

    with_options.__signature__ = inspect.Signature([*others, *own])
    with_options.__annotations__ = {given.name: given.annotation for given in [*others, *own]}
    return with_options


def _own_data(asked: dict[str, Text]) -> Any:
    """How to read one's own data; None where nothing is asked."""
    from bdistil.data.reading import OwnData

    return OwnData.create(**asked) if any(value is not None for value in asked.values()) else None


def main() -> None:
    """The program: one sentence on standard error and exit 2 for unusable input."""
    sys.stdout.reconfigure(errors="replace")  # names of files need not be UTF-8
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.stdout.flush()  # here, where a full disk or a closed pipe is answered
        sys.exit(status)
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        _say_aside("The output could not be written: the disk is full. Free some space.")
        sys.exit(1)
    except UserError as error:
        _say_aside(error)
    except typer.TyperException as error:  # how the command line itself is used
        _say_aside(f"{error.format_message().rstrip('.')}. See bdistil --help.")
    sys.exit(2)


def _say(*lines: object) -> None:
    """Print results, a line each. What others have named (files, columns, runs) never moves a terminal's cursor."""
    print(*map(printable, lines), sep="\n")


def _say_aside(*lines: object) -> None:
    """Print on standard error, as `_say` does."""
    print(*map(printable, lines), sep="\n", file=sys.stderr)


def _say_json(document: Any) -> None:
    """Print one JSON document, which escapes what does not print itself."""
    print(json.dumps(document))


def _drop_output() -> None:
    """Sends what is still buffered to nothing: Python would fail on it again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(asked: bool) -> None:
    """Prints the version and ends, before anything else is looked at."""
    if asked:
        from importlib.metadata import version

        _say(f"bdistil {version('bdistil')}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Progressive ensembles of small students, distilled from one large teacher."""


@app.command()
@reads_own_data
def data(
    name: Annotated[Text, typer.Argument(help="A data set to fetch, or a path of your own data to check.")] = None,
    *,
    own: Any,
) -> None:
    """List the data sets, or fetch or check one and say what is in it and what leaks; prints where it is last."""
    from bdistil.data.catalogue import CATALOGUE, data_home, fetch, is_here, load_dataset, skipped

    if name is not None:
        from bdistil.report.data_text import describe

        folder = fetch(name, options=own)
        _say(*describe(load_dataset(name, own)), *skipped(name, own), folder)
        return
    for known in CATALOGUE.values():
        size = f"{known.train + known.validation + known.test} examples, {len(known.classes)} classes"
        price = f"{known.download_bytes / 1e6:.0f} MB to download" if known.download_bytes else "to be unpacked by hand"
        here = "here" if is_here(known.name) else price
        _say(f"{known.name:28} {known.modality:8} {size:28} {known.licence:16} {here}")
    _say(data_home())


@app.command()
@reads_own_data
def teach(
    dataset: Dataset,
    teacher: Annotated[
        Text, typer.Option(help="An architecture, or torchvision:NAME[@SIDE]; the data set's own by default.")
    ] = None,
    weights: Annotated[
        Text, typer.Option(help="DEFAULT or a safetensors file, for torchvision's; --epochs 0 takes them as they are.")
    ] = None,
    epochs: Epochs = None,
    seed: Seed = None,
    learning_rate: Rate = None,
    label_smoothing: Annotated[Text, typer.Option(help="Share of the labels that is spread over all classes.")] = None,
    threads: Threads = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what its answers would cost.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    own: Any,
) -> None:
    """Train a teacher; prints its name last."""
    from bdistil.config import TeachConfig
    from bdistil.runs import create_run

    if weights not in (None, "DEFAULT"):
        weights = str(absolute(weights))
    config = TeachConfig.create(
        dataset,
        data=own,
        architecture=teacher,
        weights=weights,
        epochs=epochs,
        seed=seed,
        learning_rate=learning_rate,
        label_smoothing=label_smoothing,
        threads=threads,
    )
    if dry_run:
        _print_cost(config, as_json)
        return
    info = _follow(create_run(config), quiet)
    if not quiet:
        from bdistil.report.text import describe_teaching
        from bdistil.teachers import card

        _say(describe_teaching(card(info.teacher_name)))
    _say(info.teacher_name)


@app.command()
@reads_own_data
def run(
    dataset: Annotated[Text, typer.Option(help="A data set's name, or a path of your own data.")] = None,
    teacher: Annotated[
        Text, typer.Option(help="A teacher's name or folder, or an ONNX file; the data set's own by default.")
    ] = None,
    teacher_logits: Annotated[
        tuple[str, str] | None, typer.Option(metavar="TRAIN.npz TEST.npz", help="Answers instead of a teacher.")
    ] = None,
    teacher_input: Annotated[
        Text,
        typer.Option(
            help="How inputs are scaled for an ONNX file: raw; unit (/ 255); maximum (/ the largest training "
            "value); imagenet; normalised ((x − mean) / std, front end); 'mean=0.5;std=0.25' (of x / 255)."
        ),
    ] = None,
    teacher_output: Annotated[Text, typer.Option(help="The output of an ONNX file that holds the answers.")] = None,
    teacher_macs: Annotated[Text, typer.Option(help="MACs of one example, stated for an ONNX file or logits.")] = None,
    examples: Annotated[Text, typer.Option(help="How many of the training examples; all by default.")] = None,
    student: Annotated[Text, typer.Option(help="A student's name.")] = None,
    rounds: Annotated[Text, typer.Option(help="How many students.")] = None,
    seed: Seed = None,
    method: Annotated[Text, typer.Option(help="b-distil+polish (the default) or b-distil.")] = None,
    composition: Annotated[
        Text, typer.Option(help="How students read earlier ones: alone; add, concat, concat-all; carry-state, …-pool.")
    ] = None,
    mode: Annotated[Text, typer.Option(help="full, or segments: of a series each student reads its own part.")] = None,
    head: Annotated[Text, typer.Option(help="student or prefix: what a student's output layer gives.")] = None,
    loss: Annotated[Text, typer.Option(help="ensemble or student.")] = None,
    divergence: Annotated[Text, typer.Option(help="kl or squared.")] = None,
    temperature: Annotated[Text, typer.Option(help="Temperature τ of kl.")] = None,
    label_share: Annotated[Text, typer.Option(help="Share of cross-entropy with the labels.")] = None,
    barrier: Annotated[Text, typer.Option(help="1/γ, the weight of the log barrier.")] = None,
    meet_condition: Annotated[
        bool | None,
        typer.Option(
            "--meet-condition/--no-meet-condition", help="Correct students that miss the weak learning condition."
        ),
    ] = None,
    max_accuracy_drop: Annotated[
        Text, typer.Option(help="Validation accuracy that correcting a head may cost, 0.003 by default.")
    ] = None,
    retries: Annotated[Text, typer.Option(help="Further attempts on a rung of the search.")] = None,
    epochs: Epochs = None,
    polish_epochs: Annotated[Text, typer.Option(help="Epochs of the last training of all students together.")] = None,
    learning_rate: Rate = None,
    weight_decay: Annotated[Text, typer.Option(help="Weight decay of matrices and kernels.")] = None,
    dropout: Annotated[Text, typer.Option(help="Share of a carried state that is dropped in training.")] = None,
    growth: Annotated[Text, typer.Option(help="Times the channels from round to round, 1 by default.")] = None,
    cell: Annotated[Text, typer.Option(help="own, or shared: one for all recurrent students.")] = None,
    batch_size: Annotated[Text, typer.Option(help="Examples per batch.")] = None,
    views: Annotated[Text, typer.Option(help="Views of each training input, itself included.")] = None,
    clean_epochs: Annotated[Text, typer.Option(help="Last epochs, which see inputs as they are; 2 by default.")] = None,
    threads: Threads = None,
    extend: Annotated[Text, typer.Option(help="A finished b-distil run; --rounds more students are added.")] = None,
    config: Annotated[Path | None, typer.Option(help="A JSON file: the `config` of `show RUN --json`.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    own: Any,
) -> None:
    """Distil a teacher into students, round by round; prints the run's id last."""
    from bdistil.runs import create_run, open_run
    from bdistil.runs.extend import extend_run, extended

    given = dict(
        dataset=dataset,
        data=own,
        teacher=teacher,
        teacher_logits=teacher_logits,
        teacher_input=teacher_input,
        teacher_output=teacher_output,
        teacher_macs=teacher_macs,
        examples=examples,
        student=student,
        rounds=rounds,
        seed=seed,
        method=method,
        composition=composition,
        mode=mode,
        head=head,
        loss=loss,
        divergence=divergence,
        temperature=temperature,
        label_share=label_share,
        barrier=barrier,
        meet_condition=meet_condition,
        max_accuracy_drop=max_accuracy_drop,
        retries=retries,
        epochs=epochs,
        polish_epochs=polish_epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        dropout=dropout,
        growth=growth,
        cell=cell,
        batch_size=batch_size,
        views=views,
        clean_epochs=clean_epochs,
        threads=threads,
    )
    parent = open_run(Path(extend)) if extend else None
    added = _added_rounds(parent, given, config) if parent else None
    if dry_run:
        chosen = extended(parent, added, threads) if parent else _distil_config(given, config)
        _print_price(chosen, parent.info().rounds_done if parent else 0, as_json)
        return
    made = extend_run(parent, added, threads) if parent else create_run(_distil_config(given, config))
    _say(_follow(made, quiet).run)


@app.command()
def resume(run: str, quiet: Quiet = False, worker: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Go on with an interrupted run; prints its id last."""
    from bdistil.runs import open_run

    if worker:
        from bdistil.runs.worker import work

        sys.exit(work(open_run(Path(run))))
    _say(_follow(open_run(Path(run)), quiet).run)


@app.command()
def stop(run: str) -> None:
    """Ask a run to stop after the current batch; prints its id last."""
    from bdistil.runs import open_run

    chosen = open_run(Path(run))
    if not chosen.is_alive():
        raise UserError(f"{run} is not training.")
    chosen.request_stop()
    _say(chosen.id)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """All runs, samples included."""
    from bdistil.report.documents import listing
    from bdistil.runs import list_runs

    summaries = list_runs()
    if as_json:
        _say_json(listing(summaries))
        return
    for summary in summaries:
        _say(f"{summary.id:44} {_described(summary)}")


def _described(summary: Any) -> str:
    """What a run is, where it stands, and whether its worker is silent; or why it cannot be read."""
    from bdistil.report.silence import quiet
    from bdistil.runs import Run

    info = summary.info
    if not info:
        return summary.error
    silent = quiet(Run(summary.path).heartbeat()) if info.state in ("queued", "running") else None
    return f"{info.state:9} {info.method or 'teacher':16} {info.title}" + (f", {silent}" if silent else "")


@app.command()
def show(run: str, as_json: Json = False) -> None:
    """One run: what it is; per prefix, what it reaches and costs; how its rounds went; per student, what it reads."""
    from bdistil.runs import open_run

    chosen = open_run(Path(run))
    if as_json:
        from bdistil.report.documents import report

        _say_json(report(chosen))
        return
    from bdistil.report.text import describe_run

    _say(*describe_run(chosen))


@app.command("app")
def app_(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the dashboard.")] = 8501,
    host: Annotated[str, typer.Option(help="Name or address that the dashboard answers to.")] = "127.0.0.1",
    data_root: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder whose files may be named in the browser, beside your home, this folder, and "
            "those of data sets and runs; may be repeated."
        ),
    ] = None,
) -> None:
    """Open the dashboard: what `streamlit run app/main.py` does."""
    import socket
    import subprocess

    named = [str(absolute(folder)) for folder in data_root or ()]
    for folder in named:
        if not os.path.isdir(folder) or os.pathsep in folder:
            raise UserError(f"{quoted(folder)} can be no --data-root: name a folder without {os.pathsep} in its path.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"Port {port} is in use. Choose another one: bdistil app --port {port + 1}.")
    main_file = DASHBOARD / "app" / "main.py"
    options = ["--server.port", str(port), "--server.address", host]
    roots = os.pathsep.join([*filter(None, [os.environ.get(DATA_ROOTS)]), *named])
    sys.exit(
        subprocess.call(
            [sys.executable, "-m", "streamlit", "run", str(main_file), *options], env={**os.environ, DATA_ROOTS: roots}
        )
    )


def _print_cost(config: Any, as_json: bool) -> None:
    from bdistil.cost import model_cost
    from bdistil.report.formats import quantity
    from bdistil.teachers.zoo import build_teacher

    known = config.known
    cost = model_cost(
        build_teacher(config.architecture, input_shape=known.input_shape, classes=len(known.classes)), known.input_shape
    )
    told = f"{quantity(cost.macs)} MACs, {quantity(cost.parameters)} parameters"
    if as_json:
        _say_json({**cost.document(), "config": config.model_dump()})
    else:
        _say(told)


def _print_price(config: Any, done: int, as_json: bool) -> None:
    from bdistil.report.estimate_text import describe
    from bdistil.runs.estimate import estimate

    expected = estimate(config, done)
    if as_json:
        _say_json(expected)
    else:
        _say(*describe(expected).splitlines())


def _added_rounds(parent: Any, given: dict[str, Any], file: Path | None) -> str:
    """How many rounds to add. Raises UserError where an option would train them otherwise than the parent's; threads
    are the machine's business and may differ."""
    from bdistil.runs.extend import differing

    if file:
        raise UserError("A longer run is configured as the one that it extends: leave --config out.")
    options = {name: value for name, value in given.items() if name not in ("rounds", "threads") and value is not None}
    other = differing(parent, options)
    if other:
        told = f"{other[0].replace('_', ' ')} {other[1]}"
        raise UserError(f"{parent.id} was trained with {told}, and so are its further rounds: leave that option out.")
    if given["rounds"] is None:
        raise UserError("Say how many students to add, for example: --rounds 2.")
    return given["rounds"]


def _distil_config(given: dict[str, Any], file: Path | None) -> Any:
    """The configuration of what is given on the command line, before what the file says, before the recipe."""
    from bdistil.config import DistilConfig
    from bdistil.data.reading import OwnData
    from bdistil.teachers import card_for
    from bdistil.teachers.doubts import check_given

    stored = _stored_config(file) if file else {}
    given = {name: value for name, value in given.items() if value is not None}
    if "teacher" in given and "teacher_logits" in given:
        raise UserError("Give a teacher or its answers, not both: leave --teacher or --teacher-logits out.")
    if "teacher" in given or "teacher_logits" in given:  # another teacher than the stored one
        stored = {name: value for name, value in stored.items() if not name.startswith("teacher")}
    values = stored | given
    if "dataset" not in values:
        raise UserError("No dataset was named. Say which, for example: --dataset digits.")
    dataset, teacher = str(values.pop("dataset")), values.pop("teacher", None)
    own = values["data"] = OwnData.given(values.get("data"))
    config = DistilConfig.create(dataset, teacher="" if teacher is None else teacher, **values)
    names = ("teacher_logits", "teacher_input", "teacher_output", "teacher_macs")
    options = {name: getattr(config, name) for name in names}
    card = card_for(None if teacher is None else config.teacher, dataset, own, **options)
    check_given(card, config.temperature)
    return config.model_copy(update={"teacher": card["name"], "teacher_logits": card.get("answers")})


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


def _follow(run: "Run", quiet: bool) -> "RunInfo":
    """Start a worker and show its progress until it ends; returns run.json. Exits 130 where it was stopped, 1 or 2
    where it failed."""
    from bdistil.cli.progress import watch
    from bdistil.records import Notice
    from bdistil.runs.launch import start_worker

    start_worker(run)
    info = watch(run, quiet)
    for event in run.events()[0]:
        if isinstance(event, Notice):
            _say_aside(event.text)
    if info.state == "failed":
        _say_aside(info.error)
        sys.exit(info.exit_status)
    if info.worker_gone:
        what = (run.failure() or "The worker ended without a word").rstrip(".")
        _say_aside(f"{what}; go on with: bdistil resume {run.id}")
        sys.exit(1)
    if info.state != "finished":
        _say_aside(f"Stopped; go on with: bdistil resume {run.id}")
        sys.exit(130)
    return info

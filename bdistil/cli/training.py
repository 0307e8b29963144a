"""Training: `bdistil teach`, `run`, `resume` and `stop`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bdistil.cli.arguments import Dataset, Epochs, Json, Quiet, Rate, Seed, Text, Threads, reads_own_data
from bdistil.cli.output import say, say_json
from bdistil.errors import UserError, quoted
from bdistil.paths import absolute, open_regular

MOST_CONFIG = 1_000_000  # bytes


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
    from bdistil.cli.progress import follow
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
    info = follow(create_run(config), quiet)
    if not quiet:
        from bdistil.report.text import describe_teaching
        from bdistil.teachers import card

        say(describe_teaching(card(info.teacher_name)))
    say(info.teacher_name)


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
    from bdistil.cli.progress import follow
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
    say(follow(made, quiet).run)


def resume(
    run: str,
    quiet: Quiet = False,
    worker: Annotated[bool, typer.Option(hidden=True)] = False,
    lock: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Go on with an interrupted run; prints its id last."""
    from bdistil.runs import open_run

    if worker:
        from bdistil.runs.worker import work

        sys.exit(work(open_run(Path(run)), lock))
    from bdistil.cli.progress import follow

    say(follow(open_run(Path(run)), quiet).run)


def stop(run: str) -> None:
    """Ask a run to stop after the current batch; prints its id last."""
    from bdistil.runs import open_run

    chosen = open_run(Path(run))
    if not chosen.is_alive():
        raise UserError(f"{run} is not training.")
    chosen.request_stop()
    say(chosen.id)


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
        say_json({**cost.document(), "config": config.model_dump()})
    else:
        say(told)


def _print_price(config: Any, done: int, as_json: bool) -> None:
    from bdistil.report.estimate_text import describe
    from bdistil.runs.estimate import estimate

    expected = estimate(config, done)
    if as_json:
        say_json(expected)
    else:
        say(*describe(expected).splitlines())


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

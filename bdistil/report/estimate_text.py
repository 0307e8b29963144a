"""Estimates in words: what `bdistil run --dry-run` and `bdistil teach --dry-run` print."""

import shlex
from collections.abc import Iterator

from bdistil.report.formats import duration, quantity, share, size
from bdistil.runs.estimate_record import Estimate, TeachEstimate


def describe(expected: Estimate) -> Iterator[str]:
    """Lines: what is known of a black-box teacher, or that there is no teacher yet; what the students cost, and how
    they grow; time; memory and disk; and whether the machine was busy."""
    teacher, untrained = expected.teacher, expected.untrained
    if untrained:
        config = untrained.config
        words = ["bdistil", "teach", "--dataset", config.dataset, *(config.data.arguments() if config.data else ())]
        yield f"There is no teacher for this data yet. Training one first takes about {duration(untrained.seconds)}:"
        yield f"  {shlex.join(words)}"
        yield f"What follows is with this teacher, {config.architecture}, and without its training."
    if teacher:
        yield from filter(None, (f"teacher {teacher.name}", teacher.signature, *teacher.notices))
    stated = " (its MACs as stated)" if teacher and teacher.macs_stated else ""
    ratio = expected.macs_ratio
    of_teacher = "" if ratio is None else f", {share(ratio)} of the teacher{stated}"
    yield f"{quantity(expected.macs)} MACs for all students{of_teacher}"
    if expected.sizes:
        yield f"students of {', '.join('-'.join(map(str, each)) for each in expected.sizes)}"
    yield (
        f"first usable model after about {duration(expected.first_model_seconds)}, "
        f"the whole run about {duration(expected.seconds)}"
    )
    yield f"{expected.memory_bytes / 1e9:.1f} GB of memory, {size(expected.disk_bytes)} on disk"
    if expected.busy:
        yield expected.busy


def describe_teach(expected: TeachEstimate) -> Iterator[str]:
    """Lines: the teacher; time and memory of its training; and whether the machine was busy."""
    config, epochs = expected.config, expected.config.epochs
    yield f"{config.architecture}: {quantity(expected.macs)} MACs, {quantity(expected.parameters)} parameters"
    trained = "taken as it is" if not epochs else "1 epoch" if epochs == 1 else f"{epochs} epochs"
    yield f"{trained}, about {duration(expected.seconds)}, {expected.memory_bytes / 1e9:.1f} GB of memory"
    if expected.busy:
        yield expected.busy

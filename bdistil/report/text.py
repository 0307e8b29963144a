"""One run as text, what `bdistil show RUN` prints: what it is, what each prefix reaches and costs, how each round went,
and what the certificate amounts to. Imports no torch.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bdistil.data.dataset import SPLITS
from bdistil.errors import UserError
from bdistil.report import formats
from bdistil.report.silence import silence
from bdistil.results import load
from bdistil.results.architecture import architecture, lines
from bdistil.results.scarce import largest_class, scarce_of
from bdistil.runs import Run
from bdistil.runs.documents import report


def shown(run: Run) -> list[str]:
    """The lines of one run. Raises UserError if it cannot be read."""
    document, events = report(run), run.events()[0]
    told = [f"{document['run']}: {document['state']}{': ' + document['error'] if document['error'] else ''}"]
    silent = silence(run.heartbeat()) if document["state"] in ("queued", "running") else None
    told += [silent] if silent else []
    dataset = document["dataset"] or {"name": document["config"]["dataset"]}
    told.append(f"data set {dataset['name']}")
    if document["parent"]:
        told.append(f"extends {document['parent']}")
    if document["kind"] == "teach":
        return told + [_teacher(event["card"]) for event in events if event["kind"] == "teacher_finished"]
    config, teacher = document["config"], document["teacher"] or {"name": document["config"]["teacher"]}
    told += [_teacher(teacher), *_teacher_splits(teacher)]
    told += [text for text in (teacher.get("signature"), *_notices(teacher, events)) if text]
    told.append(f"method {config['method']}, {_certified(document['rounds'])}")
    told.append(f"student {config['student']}, composition {config['composition']}, mode {document['mode']}")
    stated = ", as stated" if teacher.get("macs_stated") else ""
    told += [_prefix(row, stated) for row in document["frontier"]]
    told += _caveats(run, document["frontier"])
    later = [record for record in document["rounds"] if record["round"] > 1]
    if later:
        told += ["rounds", *(_round(record, config["composition"]) for record in later), _certificate(later[-1])]
    composed = lines(architecture(run.path, pd.DataFrame(document["frontier"])))
    if composed:
        reads = any("<-" in line for line in composed)
        legend = " (<- reads what earlier ones left there, a size of 0 passes that on)" if reads else ""
        told += [f"students{legend}", *composed]
    return told


def _caveats(run: Run, rows: list[dict[str, Any]]) -> list[str]:
    """Classes that a split has no example or few of, and an accuracy that always answering one class surpasses."""
    if not rows:
        return []
    try:
        results = load(run)
    except UserError:  # its rows can still be shown
        return []
    below = formats.below_largest(rows[-1]["accuracy"], *largest_class(results))
    scarce = [text for split in SPLITS for text in formats.scarce(scarce_of(results, split))]
    return ([f"{formats.students(len(rows))}: {below}"] if below else []) + scarce


def _teacher(teacher: Mapping[str, Any]) -> str:
    """`teacher digits-resnet-s: 100.0 %, 1.8 M MACs`, as far as that is known."""
    accuracy, macs = teacher.get("accuracy"), teacher.get("macs")
    known = [] if accuracy is None else [formats.percent(accuracy)]
    known += [f"{formats.macs(macs)} MACs"] if macs else []
    return f"teacher {teacher['name']}" + (f": {', '.join(known)}" if known else "")


def _teacher_splits(teacher: Mapping[str, Any]) -> list[str]:
    """`of this run's splits: train 99.9 %, validation 96.0 %, test 95.2 %`, where more than the test split is there."""
    splits = teacher.get("splits") or {}
    told = ", ".join(f"{split} {formats.percent(accuracy)}" for split, accuracy in splits.items())
    return [f"the teacher on this run’s splits: {told}"] if len(splits) > 1 else []


def _notices(teacher: Mapping[str, Any], events: list[dict[str, Any]]) -> list[str]:
    """What is to be known of the teacher and the data; runs of earlier versions do not record an unknown split."""
    told = [event["text"] for event in events if event["kind"] == "notice"]
    unknown = not formats.split_is_known(teacher) and formats.UNKNOWN_SPLIT not in told
    return [formats.UNKNOWN_SPLIT, *told] if unknown else told


def _certified(rounds: list[dict[str, Any]]) -> str:
    """How many rounds meet the weak learning condition: `all 6 rounds certified`."""
    met = sum(record["certified"] for record in rounds)
    if not rounds:
        return "no round has ended yet"
    return f"all {met} rounds certified" if met == len(rounds) > 1 else f"{met} of {len(rounds)} rounds certified"


def _prefix(row: Mapping[str, Any], stated: str) -> str:
    """What a prefix reaches and costs; of its MACs those for reading, and what its last student leaves for the next."""
    parts = []
    if row["macs_ratio"] is not None:
        parts.append(f"{100 * row['macs_ratio']:.1f} % of the teacher{stated}")
    if row.get("overhead_macs"):
        parts.append(f"reading {formats.macs(row['overhead_macs'])}")
    if row.get("carry_bytes"):
        parts.append(f"carries {formats.size(row['carry_bytes'])}")
    return f"{row['prefix']:3} {100 * row['accuracy']:6.2f} %  {row['macs'] / 1e6:8.3f} M MACs  {', '.join(parts)}"


def _round(record: Mapping[str, Any], composition: str) -> str:
    """How the search for a student of a round after the first went; by which composition, where it is another."""
    parts = [f"condition {'met' if record['certified'] else 'missed'}", f"smallest edge {record['edge_min']:.2g}",
             "1 attempt" if record["attempts"] == 1 else f"{record['attempts']} attempts"]  # fmt: skip
    parts += ["head corrected"] if record["corrected"] else []
    parts += [f"composition {found}" for found in record["composition"] if found != composition]
    return f"{record['round']:3} {', '.join(parts)}"


def _certificate(record: Mapping[str, Any]) -> str:
    """Both sides of the certificate for the class with the least slack."""
    deviation, bound, trivial = (formats.decimal(record[name], 2) for name in ("measured", "bound", "trivial"))
    of = f"certificate after {record['round']}, of the class with the least slack"
    return f"{of}: deviation {deviation}, bound {bound}, trivial bound {trivial}"

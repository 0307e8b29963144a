"""Data and teachers of one's own on Distil's form, named by their paths on the machine that the dashboard runs on.

A process of its own reads them first (engine.py); what it finds is told, and refused, in the engine's sentences.
"""

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import engine
import fields
import streamlit as st
import ui
from places import followed
from streamlit.delta_generator import DeltaGenerator

from bdistil.config import OPTIONS
from bdistil.data.custom import info
from bdistil.data.dataset import SPLITS
from bdistil.data.reading import OwnData
from bdistil.data.series_folders import kinds_of_tables
from bdistil.data.tables import is_table
from bdistil.data.ts_files import files_of
from bdistil.errors import UserError, quoted
from bdistil.options import Option
from bdistil.report import formats
from bdistil.teachers.naming import TORCHVISION

OWN = "own"  # in the list of data sets
BLACK_BOXES = {"onnx": "an ONNX file", "logits": "answers: two NPZ files of logits"}
READS = {
    "normalised": "normalised: (x − mean) / std by channel, then the dataset’s front end if it has one",
    "raw": "raw: inputs as they are",
    "unit": "0 to 1: pictures divided by 255",
    "maximum": "maximum: inputs divided by the largest training value",
    "imagenet": "ImageNet: pictures divided by 255, then (x − mean) / std with ImageNet’s figures",
    "own": "own mean and std, for pictures divided by 255",
    "uint8": "whole numbers: inputs as they are",
}
KINDS = (
    "A folder of class folders of pictures or recordings, or of tables that are one series each; a table with a row "
    "per time step (.csv, .tsv, .txt or .parquet); .ts files; or an .npz file with x and y; on the machine that this "
    "dashboard runs on."
)
SECONDS = 3600  # thousands of recordings take minutes
SLOW = "Reading this took over an hour and was given up: try it with the command bdistil data."
FAILED = "Reading this failed: the command bdistil data tells more."
SHOWN = 12  # sentences; most that follow are on files that can't be read
MOST_MACS = OPTIONS["teacher_macs"].bounds[1] / 1e6  # in millions
FRESH = 2.0  # seconds; looking at 60,000 files takes half of one
MOST_FILES = 200_000  # that are looked at: the path may be that of a whole disk

Asked = tuple[str, OwnData, list[int | str]]


def data() -> tuple[str, OwnData | None] | None:
    """Draws the fields and says what was found; path and options of data that can be used, None until there are some.

    Raises UserError for what cannot be used.
    """
    path = _field(st.text_input, "Path of your data", "own-path").strip()
    if not path:
        ui.muted(KINDS)
        return None
    root = followed(path)
    options = OwnData.create(**_options(root))
    if is_table(root) and not (options.series and options.label and options.window):
        ui.muted("Name the columns that tell series and labels, and how many steps a window has.")
        return None
    files = [followed(str(file)) for file in files_of(root)] or [root]
    asked = (str(root), options, [mark for file in files for mark in stamp(file)])
    found = checks().ask(asked)
    if found is None:
        wait(lambda: checks().ask(asked), "Reading …")
        return None
    _tell(found)
    data_info = info(str(root), options)
    with st.expander("Examples of each class"):
        rows = list(zip(data_info.classes, *(map(formats.count, counts) for counts in data_info.counts), strict=True))
        ui.table(("Class", *SPLITS), rows, numeric=range(1, 4), label="Examples of each class and split")
    return str(root), options if options.model_fields_set else None


def check(asked: Asked, wanted: Callable[[], bool]) -> list[str]:
    """What `bdistil data PATH` says of the data, sentence by sentence. Raises UserError where it refuses."""
    path, options, _ = asked
    arguments = ["data", path, *options.arguments()]
    output = engine.output(*arguments, wanted=wanted, seconds=SECONDS, slow=SLOW, failed=FAILED)
    lines = re.sub(r"(:)?\n  ", lambda line: ": " if line[1] else "; ", output).splitlines()[:-1]  # a list is one
    return [line if line.endswith((".", "?")) else f"{line}." for line in lines]


@st.cache_resource
def checks() -> engine.Answers[Asked, list[str]]:
    """What the server has read."""
    return engine.Answers(check)


def black_box(kind: str) -> dict[str, Any]:
    """Draws the fields of a teacher of which only answers are known; its options, `teacher` None until files are named.

    Raises UserError for what cannot be a path of one.
    """
    given: dict[str, Any]
    if kind == "onnx":
        path = _field(st.text_input, "Path of the ONNX file", "onnx-path").strip()
        reads = ui.select(OPTIONS["teacher_input"].title, READS, "onnx-reads", "normalised")
        if reads == "own":
            written = _field(
                st.text_input,
                "Mean and std of each channel",
                "onnx-figures",
                placeholder="mean=0.5,0.5,0.5;std=0.25,0.25,0.25",
            )
            reads = written.strip() or "mean=…;std=…"
        output = _field(
            st.text_input, OPTIONS["teacher_output"].title, "onnx-output", placeholder="needed where several could be"
        ).strip()
        if path and not path.lower().endswith(".onnx"):
            raise UserError(f"{quoted(path)} does not end in .onnx: give the path of an ONNX file.")
        given = {
            "teacher": str(followed(path)) if path else None,
            "teacher_input": reads if reads != "uint8" else None,
            "teacher_output": output or None,
        }
    else:
        train = _field(st.text_input, "Path of the answers for train and validation", "logits-train").strip()
        test = _field(st.text_input, "Path of the answers for test", "logits-test").strip()
        files = (str(followed(train)), str(followed(test))) if train and test else None
        given = {"teacher": Path(files[0]).name if files else None, "teacher_logits": files}
    macs = _field(
        st.number_input,
        "Its MACs for one example, in millions",
        "black-box-macs",
        min_value=0.0,
        max_value=MOST_MACS,
        value=None,
        placeholder="unknown: costs are told without a share",
    )
    return {**given, "teacher_macs": max(1, round(1e6 * macs)) if macs else None}


def torchvision() -> dict[str, str | None] | None:
    """Draws the fields of one of torchvision's models; options of `TeachConfig`, None until it is named."""
    left, right = st.columns(2)
    name = _field(left.text_input, "Model", "torchvision-name", placeholder="resnet18").strip()
    side = _field(
        right.number_input,
        "Side of its pictures, pixels",
        "torchvision-side",
        min_value=1,
        max_value=1024,
        value=None,
        step=1,
        placeholder="224",
    )
    weights = _field(
        st.text_input,
        OPTIONS["weights"].title,
        "torchvision-weights",
        placeholder="a safetensors file, or DEFAULT; none: from scratch",
    ).strip()
    if not name:
        return None
    architecture = f"{TORCHVISION}{name.removeprefix(TORCHVISION)}" + (f"@{side}" if side else "")
    given = None if not weights else weights if weights == "DEFAULT" else str(followed(weights))
    return {"architecture": architecture, "weights": given}


def _field(draw: Callable[..., Any], label: str, key: str, **options: Any) -> Any:
    """A field that keeps what was written in it while it is not drawn. Its default is nothing."""
    kept = f"kept-{key}"
    if key not in st.session_state and kept in st.session_state:
        st.session_state[key] = st.session_state[kept]
    st.session_state[kept] = draw(label, key=key, **options)
    return st.session_state[kept]


def _options(root: Path) -> dict[str, str | float]:
    """Draws what can be said of data of this kind; names of `OwnData`, without what is left empty."""
    if is_table(root):
        return _table_options()
    if files_of(root):
        return _given("window", "overlap")
    if not os.path.isdir(root):
        return {}
    if kinds_of_tables(root):
        return _series_folder_options()
    return _given("subject_pattern", "side", "kind")


def _given(*names: str) -> dict[str, str | float]:
    """Draws these options of `OwnData` side by side; those that are not left empty, 0 among them."""
    declared = OwnData.options()
    drawn = {name: _option(declared[name], at) for name, at in zip(names, st.columns(len(names)), strict=True)}
    return {name: value for name, value in drawn.items() if value not in ("", None)}


def _option(option: Option, at: DeltaGenerator) -> Any:
    """A field of an option of one's own data, as it is declared."""
    draw = fields.number if option.kind in (int, float) else fields.text
    return _field(lambda _, key: draw(option, None, key, place=at), option.title, f"own-{option.name}")


def _series_folder_options() -> dict[str, str | float]:
    return {**_given("subject_pattern", "time"), **_given("window", "overlap"), **_given("channels")}


def _table_options() -> dict[str, str | float]:
    named = {**_given("series", "label"), **_given("subject", "time")}
    return {**named, **_given("window", "overlap"), **_given("channels")}


def stamp(path: str | Path) -> list[int | str]:
    """Size and time of the last change of a file, or of all files in a folder; nothing where there is neither."""
    try:
        known = os.stat(path)
    except OSError:
        return []
    within = [_within(str(path), known.st_mtime_ns)] if os.path.isdir(path) else []
    return [known.st_size, known.st_mtime_ns, *within]


@st.cache_data(ttl=FRESH, max_entries=20, show_spinner=False)
def _within(folder: str, changed: int) -> str:
    """A digest of names, sizes and times of the files in a folder, which changed at a time."""
    files = (os.path.join(at, name) for at, folders, names in os.walk(folder) for name in names)
    digest = hashlib.sha256()
    for file in sorted(islice(files, MOST_FILES)):
        with suppress(OSError):  # it has just gone
            known = os.lstat(file)
            digest.update(f"{file!r} {known.st_size} {known.st_mtime_ns}".encode())
    return digest.hexdigest()


def wait(ask: Callable[[], Any], words: str) -> None:
    """Says in words what is being done, and looks twice a second whether it has been: whether `ask` has an answer."""

    @st.fragment(run_every=0.5)
    def waiting() -> None:
        try:
            done = ask() is not None
        except UserError:
            done = True
        if done:
            st.rerun()
        ui.muted(words)

    waiting()


def _tell(found: list[str]) -> None:
    """Sentences on counts and split, leaks and the like as notices, and the first files that can't be read."""
    # Lines that begin with a space are rows of the sentence above them: they count as one with it.
    found = re.sub(r"\n(?= )", "", "\n".join(found)).splitlines()
    leaks = [sentence for sentence in found if sentence.startswith(("Leak", "Notice"))]
    counts = [line for line in found if line.startswith(("Examples of each class", "  "))]  # a table says it
    others = [sentence for sentence in found if sentence not in leaks + counts]
    more = [f"And {len(others) - SHOWN} more."] if len(others) > SHOWN + 1 else []
    ui.muted(" ".join(others[:SHOWN] + more if more else others))
    if leaks:
        with ui.notice(" ".join(leaks), key="leaks"):
            pass

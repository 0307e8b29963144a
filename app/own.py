"""Data and teachers of one's own on Distil's form, named by their paths on the machine that the dashboard runs on."""

from pathlib import Path
from typing import Any

import engine
import streamlit as st
import ui

from bdistil.data.own import OwnData, absolute
from bdistil.data.tables import SUFFIXES
from bdistil.errors import UserError

OWN = "own"  # in the list of data sets
BLACK_BOXES = {"onnx": "an ONNX file", "logits": "answers: two NPZ files of logits"}
READS = {"normalised": "normalised: (x − mean) / std by channel", "raw": "raw: inputs as they are"}
KINDS = (
    "A folder of class folders of pictures or recordings, a .csv or .parquet table with a row per time step, or an "
    ".npz file with x and y; on the machine that this dashboard runs on."
)
SECONDS = 3600  # thousands of recordings take minutes
SLOW = "Reading this took over an hour and was given up: try it with the command bdistil data."
FAILED = "Reading this failed: the command bdistil data tells more."
SHOWN = 5  # sentences on files that can't be read


def data() -> tuple[str, OwnData | None] | None:
    """Draws the fields and says what was found; path and options of data that can be used, None until there are some.

    It is read by a process of its own first, and then once more from the disk's cache, which is quick.
    """
    path = st.text_input("Path of your data", key="own-path").strip()
    if not path:
        ui.muted(KINDS)
        return None
    try:
        options = OwnData.create(**_options(path))
        if Path(path).suffix.lower() in SUFFIXES and not (options.series and options.label and options.window):
            ui.muted("Name the columns that tell series and labels, and how many steps a window has.")
            return None
        asked = (str(absolute(path)), options)
        found = checks().ask(asked)
    except UserError as error:
        with ui.notice(str(error), key="own"):
            return None
    if found is None:
        _wait(asked)
        return None
    _tell(found)
    return asked if options.model_fields_set else (asked[0], None)


def check(asked: tuple[str, OwnData]) -> list[str]:
    """What `bdistil data PATH` says of the data, sentence by sentence. Raises UserError where it refuses."""
    path, options = asked
    arguments = ["data", path, *options.flags()]
    return engine.output(*arguments, seconds=SECONDS, slow=SLOW, failed=FAILED).splitlines()[:-1]


@st.cache_resource
def checks() -> engine.Answers[tuple[str, OwnData], list[str]]:
    """What the server has read."""
    return engine.Answers(check)


def black_box(kind: str) -> dict[str, Any] | None:
    """Draws the fields of a teacher of which only answers are known; its options, None until its files are named."""
    if kind == "onnx":
        path = st.text_input("Path of the ONNX file", key="onnx-path").strip()
        reads = ui.select("It reads", READS, "onnx-reads", "normalised")
        given = {"teacher": path, "teacher_input": reads}
    else:
        train = st.text_input("Path of the answers for train and validation", key="logits-train").strip()
        test = st.text_input("Path of the answers for test", key="logits-test").strip()
        given = {"teacher": train and test and Path(train).name, "teacher_logits": (train, test)}
    macs = st.number_input("Its MACs for one example, in millions", 0.0, value=None, key="black-box-macs",
                           placeholder="unknown: costs are then told without a share")  # fmt: skip
    return {**given, "teacher_macs": round(1e6 * macs) if macs else None} if given["teacher"] else None


def _options(path: str) -> dict[str, Any]:
    """Draws what can be said of data of this kind; names of `OwnData`, without what is left empty."""
    if Path(path).suffix.lower() in SUFFIXES:
        return _table_options()
    if not absolute(path).is_dir():
        return {}
    person, side = st.columns(2)
    given = {
        "subject_pattern": person.text_input("Person in a file’s name", key="own-pattern", placeholder="unknown",
                                             help="A regular expression; its group 1 is the person."),  # fmt: skip
        "side": side.number_input("Side of pictures, pixels", 4, value=None, key="own-side",
                                  placeholder="as most have it"),  # fmt: skip
    }  # fmt: skip
    return {name: value for name, value in given.items() if value}


def _table_options() -> dict[str, Any]:
    series, label = st.columns(2)
    subject, time = st.columns(2)
    window, overlap = st.columns(2)
    given = {
        "series": series.text_input("Column of series", key="own-series"),
        "label": label.text_input("Column of labels", key="own-label"),
        "subject": subject.text_input("Column of persons", key="own-subject", placeholder="unknown"),
        "time": time.text_input("Column of times", key="own-time", placeholder="none"),
        "window": window.number_input("Steps of a window", 2, value=None, key="own-window"),
        "overlap": overlap.number_input("Overlap of windows", 0.0, 0.99, value=None, step=0.1, key="own-overlap",
                                        placeholder="0.5"),  # fmt: skip
        "channels": st.text_input("Columns of values", key="own-channels", placeholder="all others"),
    }  # fmt: skip
    return {name: value for name, value in given.items() if value not in ("", None)}


def _wait(asked: tuple[str, OwnData]) -> None:
    """Says that the data is being read, and looks twice a second whether it has been."""

    @st.fragment(run_every=0.5)
    def waiting() -> None:
        try:
            done = checks().ask(asked) is not None
        except UserError:
            done = True
        if done:
            st.rerun()
        ui.muted("Reading …")

    waiting()


def _tell(found: list[str]) -> None:
    """Sentences on counts and split, leaks as notices, and the first files that can't be read."""
    leaks = [sentence for sentence in found if sentence.startswith("Leak")]
    others = [sentence for sentence in found if sentence not in leaks]
    more = [f"And {len(others) - SHOWN} more."] if len(others) > SHOWN + 1 else []
    ui.muted(" ".join(others[:SHOWN] + more if more else others))
    if leaks:
        with ui.notice(" ".join(leaks), key="leaks"):
            pass

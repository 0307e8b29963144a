"""A teacher in an ONNX file, run by onnxruntime on the CPU: it is checked before it is asked about any data.

It has one input and, for each example, logits or probabilities of the classes. The batch may be fixed or dynamic,
nothing else may. What exporters write differs, and is adapted with a notice: channels may lie last, examples may be
flattened, numbers may be of 16 or 64 bits, and answers may be scikit-learn's dictionaries. An answer that depends on
the other examples of its batch, or that changes from call to call, is refused: no student can learn it.

Weights must lie in the file itself: external data are named by paths, and none is followed. Nothing in the file is
code. Imports no torch until inputs have to be normalised.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from bdistil.data.dataset import DatasetInfo
from bdistil.errors import UserError, quoted
from bdistil.paths import absolute, open_regular
from bdistil.teachers.black_box import are_probabilities, as_logits, black_box_fields, check_finite
from bdistil.teachers.card import OnnxFile
from bdistil.teachers.logit_cache import kept
from bdistil.teachers.scaling import Statistics, cache_key, check_scaling, scaled

MOST_BYTES = 2_000_000_000  # what one ONNX file can hold: its format knows no longer messages
TRIED = 24  # invented examples on which a file is tried before it is taken
# Rounding differs with the batch; a network quantised as it runs differs by about a percent.
TOLERATED = 0.02  # of the largest centred answer
FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
TYPES = {**FLOATS, "tensor(uint8)": np.uint8}


@dataclass(frozen=True)
class Signature:
    """How a file is asked: its input, the shape (without the batch) that it reads, its batch where fixed, its output.

    last: whether channels lie last. maps: whether answers are a dictionary for each example.
    """

    input: str
    output: str
    dtype: type
    shape: tuple[int, ...]
    batch: int | None
    last: bool
    maps: bool
    classes: tuple[str, ...]


def onnx_card(
    path: str, info: DatasetInfo, reads: str | None, macs: int | None = None, output: str | None = None
) -> OnnxFile:
    """The card of the teacher in an ONNX file for a data set; `signature` says what it reads and gives.

    reads: the scaling of its inputs (`teachers/scaling.py`); uint8 is raw. macs: per example, as stated by whoever
    gives the file. output: the name of the output with the answers, needed where several could be. Raises UserError,
    one sentence, if the file cannot be used.
    """
    content = _content(path)
    session = _session(path, content)
    if reads is not None:
        check_scaling(reads, info)
    source, sink, signature, notices = _checked_signature(path, session, info, output)
    if source.type == "tensor(uint8)":
        if reads not in (None, "raw"):
            raise UserError(f"{path} reads whole numbers (uint8), which are raw: don’t choose {quoted(reads)}.")
        reads = "raw"
    front_end = f", {info.front_end}" if info.front_end else ""
    if reads is None:
        raise UserError(
            f"{path} reads float32: choose the teacher input raw (as they are), unit (divided by 255), "
            "maximum, divided by the largest training value, imagenet, 'mean=…;std=…', or normalised, "
            f"(x − mean) / std by channel{front_end}."
        )
    answers = _try(path, session, signature, info, reads)
    checksum = hashlib.sha256(content).hexdigest()
    name, probabilities = str(absolute(path)), are_probabilities(answers)
    fields = black_box_fields(name, info, checksum, probabilities=probabilities, macs=macs, notices=notices)
    prepared = reads + (front_end if reads == "normalised" else "")
    return OnnxFile(
        **fields,
        reads=reads,
        output=sink.name,
        signature=f"{_described(source)} {prepared} → {_described(sink)}",
    )


class OnnxTeacher:
    """Answers of a card's ONNX file (`onnx_card`) on raw inputs, from the cache where they have been computed before.

    statistics: of the data set's train split. threads: of onnxruntime. `tick(done)` is called after every batch with
    the share done, and may raise to stop. Raises UserError where an answer is not finite, naming its row.
    """

    def __init__(self, card: OnnxFile, info: DatasetInfo, statistics: Statistics, threads: int = 1) -> None:
        self._card, self._statistics = card, statistics
        self._session = _session(card.name, _content(card.name, card.weights_sha256), threads)
        self._signature = _checked_signature(card.name, self._session, info, card.output)[2]

    @property
    def reads(self) -> str:
        """The scaling of its inputs."""
        return self._card.reads

    def __call__(self, x: np.ndarray, split: str, tick: Callable[[float], None] = lambda done: None) -> np.ndarray:
        """Raw inputs (N, *shape) of a split to float32 logits (N, classes)."""
        # The output counts only where there is a choice, so that answers in existing caches are found.
        output = f" {self._card.output}" if len(self._session.get_outputs()) > 1 else ""
        normal = cache_key(self._card.reads, self._statistics)
        key = hashlib.sha256(f"{self._card.weights_sha256} {normal}{output}".encode()).hexdigest()[:16]
        answers = kept(key, x, self.ask, tick)
        check_finite(answers, f"{self._card.name}, {split} inputs")
        return as_logits(answers) if self._card.probabilities else answers

    def ask(self, x: np.ndarray, reads: str | None = None) -> np.ndarray:
        """What the file answers on one batch of raw inputs, float32 (batch, classes); reads: another scaling."""
        x = scaled(x, reads or self._card.reads, self._statistics)
        return _run(self._card.name, self._session, self._signature, x)


def _content(path: str, checksum: str | None = None) -> bytes:
    """The bytes of the file. Raises UserError if there is none, it is too large, or no longer what the card says."""
    file = absolute(path)
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise UserError(
                f"{path} takes {size / 1e9:.1f} GB, the limit is {MOST_BYTES / 1e9:.0f} GB: give the "
                "teacher’s answers instead, as two NPZ files."
            )
        with open_regular(file) as opened:
            content = opened.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the path of an ONNX file.") from None
    if checksum and hashlib.sha256(content).hexdigest() != checksum:
        raise UserError(f"{path} has changed since this run began. Start a new run.")
    return content


def _session(path: str, content: bytes, threads: int = 1) -> Any:
    """An onnxruntime session of a file's content, on the CPU."""
    try:
        import onnx
        import onnxruntime
        from google.protobuf.message import DecodeError
        from onnxruntime.capi import onnxruntime_pybind11_state as failures
    except ModuleNotFoundError as error:
        raise UserError(
            f"An ONNX teacher needs {error.name}, which is not here: pip install 'bdistil[export]'."
        ) from None
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        model = onnx.ModelProto()
    if not model.graph.node:
        raise UserError(f"{path} is no ONNX file: export the model with torch.onnx.export.")
    for tensor in _tensors(model):
        if onnx.external_data_helper.uses_external_data(tensor):
            raise UserError(
                f"{path} keeps its weights in another file (external data), and no path in it is followed: "
                "export it as one file, external_data=False."
            )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what fails is told once, by us
    # CPU results that do not depend on which copy of a machine's kernels is fastest today.
    options.use_deterministic_compute = True
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except (
        failures.NotImplemented,
        failures.InvalidGraph,
        failures.Fail,
        failures.InvalidArgument,
        failures.RuntimeException,
        failures.InvalidProtobuf,
        failures.EPFail,
        UnicodeDecodeError,
    ) as error:
        raise UserError(_why(path, str(error))) from None


def _why(path: str, error: str) -> str:
    """The sentence for a file that onnxruntime turns down; its own words name an operator that it does not know."""
    for words in (r"No Op registered for (\w+)", r"(\w+)\(-?\d+\) is not a registered", r"implementation for (\w+)"):
        if operator := re.search(words, error):
            return (
                f"{path} uses the operator {operator[1]}, which onnxruntime does not know: export it with standard "
                "operators."
            )
    return f"{path} cannot be run by onnxruntime ({_one_line(error)}): export it again with torch.onnx.export."


def _one_line(error: str) -> str:
    """What onnxruntime says, without its code, and where in its own source that was."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(error.split()))
    return re.sub(r"\S+\.(?:cc|cpp|h):\d+ (?:[^()]*::[^()]*\(.*?\)(?: const)? |\w+ )", "", text)[:200].rstrip(" .")


def _tensors(model: Any) -> Iterator[Any]:
    """All tensors of a model: weights and constants, in graphs within graphs and in functions."""
    graphs, nodes = [model.graph], [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
        else:
            for attribute in nodes.pop().attribute:
                yield from (attribute.t, *attribute.tensors)
                graphs += [attribute.g, *attribute.graphs]


def _checked_signature(
    path: str, session: Any, info: DatasetInfo, output: str | None
) -> tuple[Any, Any, Signature, list[str]]:
    """The session's input and output, how to ask it, and notices of what is adapted.

    Raises UserError if they do not fit the data set.
    """
    sources = session.get_inputs()
    if len(sources) != 1:
        names = ", ".join(quoted(end.name, 40) for end in sources)
        raise UserError(f"{path} has {len(sources)} inputs ({names}): export it with exactly one, the example.")
    source, classes = sources[0], len(info.classes)
    shape, notices = _read_shape(path, source, tuple(info.input_shape))
    sink, chosen = _chosen_output(path, session.get_outputs(), classes, output)
    notices += chosen
    doubles = [
        what for what, end in (("reads", source), ("gives", sink)) if end.type in FLOATS and end.type != "tensor(float)"
    ]
    if doubles:
        kind = source.type if "reads" in doubles else sink.type
        notices.append(
            f"{path} {' and '.join(doubles)} {FLOATS[kind].__name__}: numbers are converted from and to float32."
        )
    last = shape != tuple(info.input_shape) and len(shape) > 1
    batch = source.shape[0] if isinstance(source.shape[0], int) else None
    signature = Signature(
        source.name, sink.name, TYPES[source.type], shape, batch, last, sink.type not in FLOATS, tuple(info.classes)
    )
    return source, sink, signature, notices


def _read_shape(path: str, source: Any, wanted: tuple[int, ...]) -> tuple[tuple[int, ...], list[str]]:
    """The shape of an example as the file reads it, and a notice where it is not the data set's."""
    layout = f"(batch, {', '.join(map(str, wanted))})"
    if source.type not in TYPES:
        raise UserError(f"{path} reads {source.type}: export it with an input of float32 or uint8.")
    if not source.shape:
        raise UserError(f"{path} doesn't say what shape it reads: export it for {layout}.")
    if source.shape[0] == 0:
        raise UserError(f"{path} reads a batch of 0 examples: export it with a dynamic batch, or one of 1 at least.")
    if any(not isinstance(size, int) for size in source.shape[1:]):
        raise UserError(f"{path} reads {_shape(source)}: only the batch may be dynamic, export it for {layout}.")
    shape = tuple(source.shape[1:])
    if shape == wanted:
        return shape, []
    if shape == (*wanted[1:], wanted[0]):
        return shape, [f"{path} reads {_shape(source)}, channels last: the dataset’s {layout} is rearranged for it."]
    if shape == (prod(wanted),):
        return shape, [f"{path} reads {_shape(source)}: the dataset’s {layout} is flattened for it, in this order."]
    raise UserError(f"{path} reads {_shape(source)}, the dataset has {layout}: export it for those.")


def _chosen_output(path: str, sinks: list[Any], classes: int, name: str | None) -> tuple[Any, list[str]]:
    """The output with the answers, and a notice where it was found among several. Raises UserError where none is."""
    names = ", ".join(quoted(end.name, 40) for end in sinks[:8])
    if name is not None:
        named = [end for end in sinks if end.name == name]
        if not named:
            raise UserError(f"{path} has no output {quoted(name)}: set `teacher_output` to one of {names}.")
        if _may_answer(named[0], classes):
            return named[0], []
        sinks = named
    if len(sinks) == 1:
        if _may_answer(sinks[0], classes):
            return sinks[0], []
        raise UserError(
            f"{path} gives {sinks[0].type} {_shape(sinks[0])}, the data have {classes} classes: export it "
            f"with an output of float32 (batch, {classes})."
        )
    fitting = [end for end in sinks if _may_answer(end, classes)]
    if len(fitting) == 1:
        return fitting[0], [
            f"{path} has {len(sinks)} outputs ({names}): {quoted(fitting[0].name, 40)} is taken, the "
            f"only one with a number for each of the {classes} classes."
        ]
    if not fitting:
        raise UserError(
            f"{path} has {len(sinks)} outputs ({names}), none of them float32 (batch, {classes}): export "
            "the logits as an output."
        )
    raise UserError(
        f"{path} has {len(sinks)} outputs ({names}): set `teacher_output` to the one with the answers, best "
        f"the logits, such as {quoted(fitting[0].name, 40)}."
    )


def _may_answer(end: Any, classes: int) -> bool:
    """Whether an output may hold a number for each class: a table of floats, or a dictionary for each example."""
    if end.type.startswith("seq(map(") and end.type.endswith(",tensor(float)))"):
        return True
    if end.type not in FLOATS or len(end.shape) != 2:
        return False
    return end.shape[1] == classes or not isinstance(end.shape[1], int)


def _try(path: str, session: Any, signature: Signature, info: DatasetInfo, reads: str) -> np.ndarray:
    """What the file answers on invented examples, (TRIED, classes).

    Raises UserError if that is not of the data set's shape, changes from call to call, or depends on the batch.
    """
    generator, shape = np.random.default_rng(0), (TRIED, *info.input_shape)
    if info.modality == "image":
        x = generator.integers(0, 256, shape).astype(np.uint8)
    else:
        x = generator.normal(size=shape).astype(np.float32)
    x = scaled(x, reads, Statistics.invented(info.input_shape[0]))

    def ask(rows: np.ndarray) -> np.ndarray:
        return _run(path, session, signature, rows)

    answers, again = ask(x), ask(x)
    if answers.shape != (TRIED, len(info.classes)):
        raise UserError(
            f"{path} answers {TRIED} examples with {answers.shape}, the dataset has {len(info.classes)} "
            "classes: export it with an output of (batch, classes)."
        )
    if _differ(answers, again):
        raise UserError(
            f"{path} can't be used as a teacher, its answers differ from call to call: export it in "
            "evaluation mode, without dropout or other chance."
        )
    for others in (ask(x[::-1])[::-1], np.concatenate([ask(x[row : row + 1]) for row in range(TRIED)])):
        if _differ(answers, others):
            raise UserError(
                f"{path} can't be used as a teacher: its answer to an example depends on other examples "
                "of the batch: export it in evaluation mode and check what it does along the batch axis, "
                "or export it with a fixed batch of 1."
            )
    return answers


def _differ(answers: np.ndarray, others: np.ndarray) -> bool:
    """Whether two tables of answers (N, classes) to the same examples differ by more than rounding."""
    finite = answers[np.isfinite(answers)].astype(np.float64)
    size = float(np.ptp(finite)) if len(finite) else 0.0
    return not np.allclose(answers, others, rtol=0.0, atol=TOLERATED * size / 2 + 1e-30, equal_nan=True)


def _run(path: str, session: Any, signature: Signature, x: np.ndarray) -> np.ndarray:
    """Scaled inputs (N, *shape) to float32 (N, …), in parts of the fixed batch where the file has one, the last part
    filled up."""
    from onnxruntime.capi import onnxruntime_pybind11_state as failures

    size = signature.batch or len(x)
    x = np.moveaxis(x, 1, -1) if signature.last else x
    x = np.ascontiguousarray(x.reshape(len(x), *signature.shape), dtype=signature.dtype)
    found = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        try:
            answers = session.run([signature.output], {signature.input: filled})[0]
        except (failures.Fail, failures.InvalidArgument, failures.RuntimeException) as error:
            raise UserError(
                f"{path} fails on inputs of shape {filled.shape} ({_one_line(str(error))}): export it again for them."
            ) from None
        answers = _from_maps(path, answers, signature.classes) if signature.maps else answers
        with np.errstate(over="ignore"):  # what overflows is reported as infinite
            found.append(np.asarray(answers)[: len(part)].astype(np.float32, copy=False))
    return np.concatenate(found)


def _from_maps(path: str, answers: list[dict[Any, float]], classes: tuple[str, ...]) -> np.ndarray:
    """Dictionaries from class to number, one for each example, as a table (N, classes) in the data set's order."""
    keys = [key for key in answers[0]]
    by_name = {str(key): key for key in keys}
    if len(keys) != len(classes):
        raise UserError(f"{path} answers {len(keys)} classes, the dataset has {len(classes)}: export it for those.")
    if set(by_name) == set(classes):
        order = [by_name[name] for name in classes]
    elif set(keys) == set(range(len(classes))):
        order = list(range(len(classes)))
    else:
        names = ", ".join(quoted(key, 20) for key in keys[:4])
        raise UserError(
            f"{path} names other classes than the dataset ({names} …): export it with zipmap=False, "
            "its columns in the dataset’s order."
        )
    return np.array([[row[key] for key in order] for row in answers], dtype=np.float32)


def _shape(end: Any) -> str:
    sizes = [str(size) if isinstance(size, int) else "?" for size in end.shape[1:]]
    return f"({', '.join(['batch', *sizes])})"


def _described(end: Any) -> str:
    if end.type not in TYPES:
        return f"{end.name} dictionaries"
    batch = f", batch {end.shape[0]}" if end.shape and isinstance(end.shape[0], int) else ""
    return f"{end.name} {TYPES[end.type].__name__} {_shape(end)}{batch}"

"""A teacher in an ONNX file, run by onnxruntime on the CPU: its signature is checked before it is asked anything.

It must have one input, float32 or uint8, (batch, *shape of the data set), and one output of logits or probabilities
(batch, classes); the batch may be fixed or dynamic, nothing else may. Weights must lie in the file itself: external
data are named by paths, and none is followed. Nothing in the file is code. Imports no torch until inputs have to be
normalised.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from bdistil.errors import UserError
from bdistil.paths import absolute, open_regular
from bdistil.teachers.black_box import are_probabilities, as_logits, black_box_card, check_finite
from bdistil.teachers.logit_cache import kept

KIND = "onnx"
MOST_BYTES = 2_000_000_000  # what one ONNX file can hold: its format knows no longer messages
BATCH = 500
TRIED = 2  # invented examples on which a file is tried before it is taken
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


def onnx_card(path: str, known: Any, reads: str | None, macs: int | None = None) -> dict[str, Any]:
    """The card of the teacher in an ONNX file for a data set (`DatasetInfo`); `signature` says what it reads and gives.

    reads: "raw", the data set's inputs as they are, or "normalised", (x − mean) / std by channel and then the data
    set's front end; uint8 is raw. macs: per example, as stated by whoever gives the file. Raises UserError, one
    sentence, if the file cannot be used.
    """
    content = _content(path)
    session = _session(path, content)
    source, sink = _checked_signature(path, session, known, reads)
    if source.type == "tensor(uint8)":
        if reads == "normalised":
            raise UserError(f"{path} reads whole numbers (uint8), which are raw: don’t choose normalised.")
        reads = "raw"
    front_end = f", {known.front_end}" if known.front_end else ""
    if reads is None:
        raise UserError(f"{path} reads float32: choose the teacher input raw, inputs as they are, or normalised, "
                        f"(x − mean) / std by channel{front_end}.")  # fmt: skip
    answers = _try(path, session, known)
    checksum = hashlib.sha256(content).hexdigest()
    card = black_box_card(str(absolute(path)), KIND, known, checksum,
                          probabilities=are_probabilities(answers), macs=macs)  # fmt: skip
    prepared = reads + (front_end if reads == "normalised" else "")
    return card | {"reads": reads, "signature": f"{_told(source)} {prepared} → {_told(sink)}"}


class OnnxTeacher:
    """Answers of a card's ONNX file (`onnx_card`) on raw inputs, from the cache where they have been computed before.

    mean, std: per channel, of the data set's train split; front_end: what follows on standardising. threads: of
    onnxruntime. `tick(done)` is called after every batch with the share done, and may raise to stop. Raises UserError
    where an answer is not finite, naming its row.
    """

    def __init__(self, card: dict[str, Any], mean: Iterable[float], std: Iterable[float],
                 front_end: str | None = None, threads: int = 1) -> None:  # fmt: skip
        self._card, self._normal = card, (list(mean), list(std), front_end)
        self._session = _session(card["name"], _content(card["name"], card["weights_sha256"]), threads)

    def __call__(self, x: np.ndarray, split: str, tick: Callable[[float], None] = lambda done: None) -> np.ndarray:
        """Raw inputs (N, *shape) of a split to float32 logits (N, classes)."""
        normal = self._normal if self._card["reads"] == "normalised" else ()
        key = hashlib.sha256(f"{self._card['weights_sha256']} {normal}".encode()).hexdigest()[:16]
        answers = kept(key, x, lambda: self._answers(x, tick))
        check_finite(answers, f"{self._card['name']}, {split} inputs")
        return as_logits(answers) if self._card["probabilities"] else answers

    def _answers(self, x: np.ndarray, tick: Callable[[float], None]) -> np.ndarray:
        found = []
        for start in range(0, len(x), BATCH):
            tick(start / len(x))
            found.append(self.ask(x[start : start + BATCH]))
        return np.concatenate(found)

    def ask(self, x: np.ndarray) -> np.ndarray:
        """What the file answers on one batch of raw inputs, float32 (batch, classes)."""
        if self._card["reads"] == "normalised":
            from bdistil.inputs import normalise

            x = normalise(x, *self._normal).contiguous().numpy()
        return _run(self._card["name"], self._session, x)


def _content(path: str, checksum: str | None = None) -> bytes:
    """The bytes of the file. Raises UserError if there is none, it is too large, or no longer what the card says."""
    file = absolute(path)
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise UserError(f"{path} takes {size / 1e9:.1f} GB, the limit is {MOST_BYTES / 1e9:.0f} GB: give the "
                            "teacher’s answers instead, as two NPZ files.")  # fmt: skip
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
        raise UserError(f"An ONNX teacher needs {error.name}, which is not here: "
                        "pip install 'bdistil[export]'.") from None  # fmt: skip
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        model = onnx.ModelProto()
    if not model.graph.node:
        raise UserError(f"{path} is no ONNX file: export the model with torch.onnx.export.")
    for tensor in _tensors(model):
        if onnx.external_data_helper.uses_external_data(tensor):
            raise UserError(f"{path} keeps its weights in another file (external data), and no path in it is followed: "
                            "export it as one file, external_data=False.")  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what fails is told once, by us
    # CPU results that do not depend on which copy of a machine's kernels is fastest today.
    options.use_deterministic_compute = True
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (failures.NotImplemented, failures.InvalidGraph, failures.Fail, failures.InvalidArgument,
            failures.RuntimeException, failures.InvalidProtobuf, failures.EPFail) as error:  # fmt: skip
        raise UserError(_why(path, str(error))) from None


def _why(path: str, error: str) -> str:
    """The sentence for a file that onnxruntime turns down; its own words name an operator that it does not know."""
    for words in (r"No Op registered for (\w+)", r"(\w+)\(-?\d+\) is not a registered", r"implementation for (\w+)"):
        if operator := re.search(words, error):
            return (f"{path} uses the operator {operator[1]}, which onnxruntime does not know: export it with standard "
                    "operators.")  # fmt: skip
    return f"{path} cannot be run by onnxruntime ({_one_line(error)}): export it again with torch.onnx.export."


def _one_line(error: str) -> str:
    """What onnxruntime says, without its code, and where in its own source that was."""
    told = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(error.split()))
    return re.sub(r"\S+\.(?:cc|cpp|h):\d+ (?:[^()]*::[^()]*\(.*?\)(?: const)? |\w+ )", "", told)[:200].rstrip(" .")


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


def _checked_signature(path: str, session: Any, known: Any, reads: str | None) -> tuple[Any, Any]:
    """The session's input and output. Raises UserError if they are not those of the data set."""
    if reads not in (None, "raw", "normalised"):
        raise UserError(f"--teacher-input is raw or normalised; “{reads}” is not.")
    sources, sinks = session.get_inputs(), session.get_outputs()
    for what, ends, needed in (("inputs", sources, "the example"), ("outputs", sinks, "the logits")):
        if len(ends) != 1:
            names = ", ".join(end.name for end in ends)
            raise UserError(f"{path} has {len(ends)} {what} ({names}): export it with exactly one, {needed}.")
    source, sink = sources[0], sinks[0]
    wanted = f"(batch, {', '.join(map(str, known.input_shape))})"
    if source.type not in TYPES:
        raise UserError(f"{path} reads {source.type}: export it with an input of float32 or uint8.")
    if source.shape[:1] == [0]:
        raise UserError(f"{path} reads a batch of 0 examples: export it with a dynamic batch, or one of 1 at least.")
    if any(not isinstance(size, int) for size in source.shape[1:]):
        raise UserError(f"{path} reads {_shape(source)}: only the batch may be dynamic, export it for {wanted}.")
    if tuple(source.shape[1:]) != tuple(known.input_shape):
        raise UserError(f"{path} reads {_shape(source)}, the dataset has {wanted}: export it for those.")
    classes = len(known.classes)
    if sink.type != "tensor(float)" or len(sink.shape) != 2 or sink.shape[1] not in (classes, None) and isinstance(
            sink.shape[1], int):  # fmt: skip
        raise UserError(f"{path} gives {sink.type} {_shape(sink)}, the dataset has {classes} classes: export it with "
                        f"an output of float32 (batch, {classes}).")  # fmt: skip
    return source, sink


def _try(path: str, session: Any, known: Any) -> np.ndarray:
    """What the file answers on invented examples. Raises UserError if it is not of the data set's shape."""
    x = np.random.default_rng(0).integers(0, 256, (TRIED, *known.input_shape)).astype(np.uint8)
    answers = _run(path, session, x)
    if answers.shape != (TRIED, len(known.classes)):
        raise UserError(f"{path} answers {TRIED} examples with {answers.shape}, the dataset has {len(known.classes)} "
                        "classes: export it with an output of (batch, classes).")  # fmt: skip
    return answers


def _run(path: str, session: Any, x: np.ndarray) -> np.ndarray:
    """x (N, *shape) to float32 (N, …), in parts of the fixed batch where the file has one, the last part filled up."""
    from onnxruntime.capi import onnxruntime_pybind11_state as failures

    source = session.get_inputs()[0]
    size = source.shape[0] if isinstance(source.shape[0], int) else len(x)
    x = np.ascontiguousarray(x, dtype=TYPES[source.type])
    found = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        try:
            found.append(session.run(None, {source.name: filled})[0][: len(part)])
        except (failures.Fail, failures.InvalidArgument, failures.RuntimeException) as error:
            raise UserError(f"{path} fails on inputs of shape {filled.shape} ({_one_line(str(error))}): export it "
                            "again for them.") from None  # fmt: skip
    return np.concatenate(found)


def _shape(end: Any) -> str:
    sizes = [str(size) if isinstance(size, int) else "?" for size in end.shape[1:]]
    return f"({', '.join(['batch', *sizes])})"


def _told(end: Any) -> str:
    batch = f", batch {end.shape[0]}" if end.shape and isinstance(end.shape[0], int) else ""
    return f"{end.name} {TYPES[end.type].__name__} {_shape(end)}{batch}"

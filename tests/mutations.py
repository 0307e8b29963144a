"""Damaged files: seeded mutations of small intact ones, read by the product's own entry points in a child process.

    with Reader() as reader:
        for name, content in mutations("PNG", intact("PNG"), 200): reader.read("PNG", content)

An `Outcome` is "read", "refused" (a UserError of one sentence) or a failure in words. The child is reused until it
hangs or dies. What it does while it reads is watched: unpickling, starting a program or opening a connection is a
failure, as is more than 10 seconds, and more than 1 GB above the memory that it held before.
"""

import contextlib
import hashlib
import io
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MOST_SECONDS, MOST_BYTES = 10.0, 1e9
EXECUTING = frozenset(
    {"os.system", "os.exec", "os.posix_spawn", "os.fork", "pickle.find_class", "socket.connect", "subprocess.Popen"}
)  # audit events
KINDS = ("WAV", "FLAC", "PNG", "JPEG", "WebP", "CSV", "Parquet", "NPZ", "NPZ of answers", "ONNX", "safetensors")


@dataclass(frozen=True)
class Outcome:
    """What became of a file: "read", "refused", or a failure in words; the refusal; seconds; bytes above the start."""

    what: str
    sentence: str = ""
    seconds: float = 0.0
    grown: int = 0

    @property
    def failed(self) -> bool:
        return self.what not in ("read", "refused")


def intact(kind: str) -> bytes:
    """A small file of a kind that can be read."""
    generator, buffer = np.random.default_rng(0), io.BytesIO()
    if kind in ("WAV", "FLAC"):
        import soundfile

        soundfile.write(buffer, generator.uniform(-0.5, 0.5, 2400), 8000, format=kind)
    elif kind in ("PNG", "JPEG", "WebP"):
        from PIL import Image

        Image.fromarray(generator.integers(0, 256, (24, 24, 3)).astype(np.uint8)).save(buffer, kind)
    elif kind in ("CSV", "Parquet"):
        import pandas as pd

        series = np.repeat(np.arange(12), 10)
        table = pd.DataFrame(
            {
                "who": series,
                "what": np.where(series % 2, "walk", "rest"),
                "ax": generator.normal(size=120),
                "ay": generator.normal(size=120),
            }
        )
        table.to_csv(buffer, index=False) if kind == "CSV" else table.to_parquet(buffer)
    elif kind == "NPZ":
        x = generator.integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
        np.savez(buffer, x=x, y=np.arange(20) % 2)
    elif kind == "NPZ of answers":
        np.savez(
            buffer,
            logits=generator.normal(size=(20, 10)).astype(np.float32),
            files=np.array([f"{n}.png" for n in range(20)]),
        )
    elif kind == "ONNX":
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        weights = numpy_helper.from_array(generator.normal(size=(64, 10)).astype(np.float32), "weights")
        graph = helper.make_graph(
            [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["logits"])],
            "teacher",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
            [weights],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.save_model(model, buffer)
    else:
        return (Path(_digits_teacher().path) / "model.safetensors").read_bytes()
    return buffer.getvalue()


def _digits_teacher() -> Any:
    from bdistil.teachers.cards import card

    return card("digits-resnet-s")


def mutations(kind: str, content: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` damaged copies of a file and what was done to each; the same ones every time."""
    for number in range(count):
        generator = np.random.default_rng([KINDS.index(kind), number])
        how = list(MUTATIONS)[number % len(MUTATIONS)]
        if kind.startswith("NPZ") and number % 2:  # inside of the archive, where its checksums hold
            yield f"{how} of an array", _inside(content, generator, MUTATIONS[how])
        else:
            yield how, MUTATIONS[how](content, generator)


def _truncated(content: bytes, generator: np.random.Generator) -> bytes:
    return content[: generator.integers(0, len(content))]


def _flipped(content: bytes, generator: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    for at in generator.integers(0, len(content), generator.integers(1, 17)):
        damaged[at] ^= 1 << int(generator.integers(8))
    return bytes(damaged)


def _field(content: bytes, generator: np.random.Generator) -> bytes:
    """One to eight bytes near the start or the end, where formats keep sizes, become the largest, 0, or anything."""
    size, reach = int(generator.choice([1, 2, 4, 8])), min(128, len(content) - 8)
    at = int(generator.integers(reach))
    at = at if generator.random() < 0.7 else len(content) - 8 - at
    values = [
        b"\xff" * size,
        b"\x7f" + b"\xff" * (size - 1),
        b"\xff" * (size - 1) + b"\x7f",
        b"\0" * size,
        generator.bytes(size),
    ]
    return content[:at] + values[generator.integers(len(values))] + content[at + size :]


def _inserted(content: bytes, generator: np.random.Generator) -> bytes:
    at = generator.integers(0, len(content))
    return content[:at] + generator.bytes(int(generator.integers(1, 64))) + content[at:]


def _swapped(content: bytes, generator: np.random.Generator) -> bytes:
    a, b, c = sorted(map(int, generator.integers(0, len(content), 3)))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


MUTATIONS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "truncated": _truncated,
    "bits flipped": _flipped,
    "header field": _field,
    "bytes inserted": _inserted,
    "blocks swapped": _swapped,
}


def _inside(content: bytes, generator: np.random.Generator, mutate: Callable[..., bytes]) -> bytes:
    """An archive of which one member is mutated before it is packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        chosen = old.namelist()[generator.integers(len(old.namelist()))]
        for name in old.namelist():
            new.writestr(name, mutate(old.read(name), generator) if name == chosen else old.read(name))
    return buffer.getvalue()


@dataclass
class Reader:
    """A child process that reads files, and is started anew once it has hung or died; a context manager."""

    kinds: Sequence[str] = KINDS  # which it reads
    _process: Any = field(default=None, init=False)
    _pipe: Any = field(default=None, init=False)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *problem: object) -> None:
        self._end()

    def read(self, kind: str, content: bytes) -> Outcome:
        """What becomes of a file of this content."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self.kinds), daemon=True)
            self._process.start()
            theirs.close()
            self._pipe.recv()  # it has imported what it needs
        self._pipe.send((kind, content))
        try:
            if self._pipe.poll(MOST_SECONDS):
                return self._pipe.recv()
            outcome = Outcome(f"hangs for more than {MOST_SECONDS:.0f} s")
        except EOFError:
            self._process.join()
            outcome = Outcome(f"ends the process ({self._process.exitcode})")
        self._end()
        return outcome

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None


def _serve(pipe: Any, kinds: Sequence[str]) -> None:
    from bdistil.errors import UserError

    reading, executed = False, list[str]()

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if reading and event in EXECUTING:
            executed.append(event)

    _warm_up(kinds)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write warnings of their own
    sys.addaudithook(audit)
    pipe.send("ready")
    while True:
        try:
            kind, content = pipe.recv()
        except EOFError:
            return
        with tempfile.TemporaryDirectory() as home:
            os.environ["BDISTIL_HOME"] = home
            executed.clear()
            before, started = _peak(reset=True), time.monotonic()
            reading, what, sentence = True, "read", ""
            try:
                (READERS | CONTROLS)[kind](content, Path(home))
            except UserError as error:
                what, sentence = "refused", str(error)
                if not re.fullmatch(r"[^\n\r]*[.?]", sentence) or len(sentence) > 700:
                    what = "is refused in something else than a sentence"
            except BaseException as error:
                what, sentence = f"raises {type(error).__name__}", str(error)[:300]
            reading = False
            seconds, grown = time.monotonic() - started, max(0, _peak() - before)
            if executed:
                what = f"executes something ({executed[0]})"
            elif grown > MOST_BYTES:
                what = "takes more than 1 GB"
            elif seconds > MOST_SECONDS:
                what = f"takes more than {MOST_SECONDS:.0f} s"
        pipe.send(Outcome(what, sentence, seconds, grown))


def _warm_up(kinds: Sequence[str]) -> None:
    """Reads an intact file of each kind: what is imported and started then is not the fault of a damaged one."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as home:
            os.environ["BDISTIL_HOME"] = home
            READERS[kind](intact(kind), Path(home))


def _peak(reset: bool = False) -> int:
    """The most memory of this process since the last reset, in bytes; where there is no /proc, since its start."""
    with contextlib.suppress(OSError):
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _read_folder(suffix: str) -> Callable[[bytes, Path], None]:
    """Reads a folder of two classes in which every file is this one: were only one damaged, few would be decoded."""

    def read(content: bytes, home: Path) -> None:
        from bdistil.data import folders

        for label in ("cat", "dog"):
            (home / label).mkdir()
            for number in range(3):
                (home / label / f"{number}.{suffix}").write_bytes(content)
        listing = folders.scan(home, None)
        folders.read_folder(home, listing.files, listing.others, None)

    return read


def _read_table(suffix: str) -> Callable[[bytes, Path], None]:
    def read(content: bytes, home: Path) -> None:
        from bdistil.data.reading import OwnData
        from bdistil.data.tables import read_table

        (home / f"table.{suffix}").write_bytes(content)
        read_table(home / f"table.{suffix}", OwnData(series="who", label="what", window=5))

    return read


def _read_arrays(content: bytes, home: Path) -> None:
    from bdistil.data.arrays import read_arrays

    (home / "data.npz").write_bytes(content)
    read_arrays(home / "data.npz")


def _read_answers(content: bytes, home: Path) -> None:
    from bdistil.teachers.black_box import read_answers

    (home / "answers.npz").write_bytes(content)
    read_answers(str(home / "answers.npz"), 10)


def _ask_onnx(content: bytes, home: Path) -> None:
    from bdistil.data.catalogue import info
    from bdistil.teachers.onnx_teacher import OnnxTeacher, onnx_card
    from bdistil.teachers.scaling import Statistics

    (home / "teacher.onnx").write_bytes(content)
    card = onnx_card(str(home / "teacher.onnx"), info("digits"), "raw")
    OnnxTeacher(card, info("digits"), Statistics.invented(1))(np.zeros((4, 1, 8, 8), np.uint8), "test")


def _load_weights(content: bytes, home: Path) -> None:
    """Into a teacher whose card has the file's own checksum: else that alone would refuse it."""
    from bdistil.teachers.weights import load_teacher

    (home / "model.safetensors").write_bytes(content)
    changes = {"path": str(home), "weights_sha256": hashlib.sha256(content).hexdigest()}
    load_teacher(_digits_teacher().model_copy(update=changes))


READERS: dict[str, Callable[[bytes, Path], None]] = {
    "WAV": _read_folder("wav"),
    "FLAC": _read_folder("flac"),
    "PNG": _read_folder("png"),
    "JPEG": _read_folder("jpg"),
    "WebP": _read_folder("webp"),
    "CSV": _read_table("csv"),
    "Parquet": _read_table("parquet"),
    "NPZ": _read_arrays,
    "NPZ of answers": _read_answers,
    "ONNX": _ask_onnx,
    "safetensors": _load_weights,
}


def _unpickle(content: bytes, home: Path) -> None:
    np.load(io.BytesIO(content), allow_pickle=True)


def _fill_memory(content: bytes, home: Path) -> None:
    np.ones(int(1.2e9), np.uint8)


def _die(content: bytes, home: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _wait(content: bytes, home: Path) -> None:
    time.sleep(60)


def _crash(content: bytes, home: Path) -> None:
    raise KeyError("a bug")


# Readers that do what no reader may: each has to be found out.
CONTROLS: dict[str, Callable[[bytes, Path], None]] = {
    "unpickles": _unpickle,
    "fills memory": _fill_memory,
    "dies": _die,
    "waits": _wait,
    "crashes": _crash,
}

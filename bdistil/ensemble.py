"""The progressive ensemble: students f_1 ... f_T, of which any prefix F_t = (f_1 + ... + f_t) / t is a model to deploy.

`bound` makes a student's answer f_t from its raw logits; `ProgressiveEnsemble` runs students in order, each reading the
carry of the one before, so that one pass gives all prefixes; then come saving and loading (JSON and safetensors only).
Two scales: students answer on the normalised scale, where the teacher's centred training logits lie in [-1, 1];
prefixes are given on the teacher's scale, c times that. Paper: truncated ensembles (arXiv 2302.10093, Algorithm 1);
the scale and the radial squash are ours.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from bdistil.atomic import new_folder
from bdistil.errors import UserError
from bdistil.inputs import after, check
from bdistil.paths import read_json, read_regular
from bdistil.scale import KAPPA
from bdistil.students.build import rebuild
from bdistil.students.catalogue import StudentSpec
from bdistil.students.student import Carry, Shapes, Student

FORMAT, SCHEMA = "bdistil-ensemble", 1


def bound(raw: Tensor, c: float) -> Tensor:
    """Raw logits (batch, classes) on the teacher's scale -> f (batch, classes) on the normalised scale.

    u = (raw - its mean) / c, m = max |u|, f = u * KAPPA * tanh(m / KAPPA) / m: f is centred, |f| < KAPPA, the order of
    classes is kept, and f is about u near 0, where gradients are finite. The squash is radial because one by element
    would break the centring: KL is blind to a common offset, edges are not.
    """
    u = (raw - raw.mean(dim=-1, keepdim=True)) / c
    # Below the clamp tanh(m / KAPPA) is m / KAPPA in single precision, so the factor is 1 there and needs no gradient.
    m = u.abs().amax(dim=-1, keepdim=True).clamp(min=1e-4)
    # In single precision tanh reaches 1, and KAPPA with it: stay a little below.
    return u * (KAPPA * torch.tanh(m / KAPPA).clamp(max=1 - 1e-6) / m)


def step(student: Student, t: int, x: Tensor, carry: Carry, total: Tensor, c: float) -> tuple[Tensor, Carry]:
    """f_t (batch, classes) on the normalised scale, and the carry that student t leaves.

    x: normalised inputs (batch, *input_shape); total: f_1 + ... + f_{t-1} (batch, classes), zeros in round 1. A head
    that gives the prefix F_t gives f_t = t F_t - total.
    """
    raw, carry = student(x, carry)
    answer = bound(raw, c)
    return (t * answer - total if student.gives_prefix else answer), carry


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside; every submodule gets its own mode back afterwards."""
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        # Not inference mode: the next student, in training, keeps the carry for its backward pass.
        with torch.no_grad():
            yield
    finally:
        for part in training:
            part.training = True


class Students(nn.ModuleList):
    """A module list of students, by type."""

    def __iter__(self) -> Iterator[Student]:
        return cast(Iterator[Student], super().__iter__())

    def __getitem__(self, place: int) -> Student:  # type: ignore[override]  # slices are not used
        return cast(Student, super().__getitem__(place))


class ProgressiveEnsemble(nn.Module):
    """Students in order, and what is needed to use them.

    c: the teacher's scale (logits per normalised unit). classes: their names, in the order of logits. mean, std: per
    channel, in the raw inputs' units, of the training split. input_shape: of one input, (channels, height, width) or
    (channels, steps). front_end: what follows standardising, one of `bdistil.inputs.FRONT_ENDS`, or None. dataset,
    teacher: their names, for people. All methods evaluate: without gradients, students in evaluation mode
    whatever their mode is, which they keep.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        students: Sequence[Student] = (),
        *,
        c: float,
        classes: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        input_shape: Sequence[int],
        front_end: str | None = None,
        dataset: str | None = None,
        teacher: str | None = None,
    ):
        super().__init__()
        self.c, self.classes, self.input_shape = float(c), tuple(map(str, classes)), tuple(input_shape)
        self.front_end, self.dataset, self.teacher = check(front_end), dataset, teacher
        per_channel = (1, -1, *(1,) * (len(self.input_shape) - 1))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(per_channel), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(per_channel), persistent=False)
        if not (0 < self.c < math.inf and self.std.gt(0).all() and (self.mean / self.std).isfinite().all()):
            raise UserError(f"An ensemble's scale c ({c}) and std ({std}) are finite and above 0: fix them.")
        self.students = Students()
        for student in students:
            self.append(student)

    def __len__(self) -> int:
        return len(self.students)

    def append(self, student: Student) -> None:
        """Add the student of the next round. Raises UserError if it can't read what the last one leaves."""
        left: Shapes = self.students[-1].carry_shapes if len(self) else {}
        missing = [name for name, shape in student.reads.items() if left.get(name) != shape]
        if missing:
            raise UserError(
                f"This student reads {', '.join(missing)}, which student {len(self)} doesn't leave in that shape: "
                "build it for its predecessor."
            )
        if student.classes != len(self.classes):
            raise UserError(
                f"This student knows {student.classes} classes and the ensemble {len(self.classes)}: use one data set."
            )
        if len(self):
            student.follow(self.students[-1])
        self.students.append(student)

    def truncate(self, prefix: int) -> "ProgressiveEnsemble":
        """Prefix `prefix` as an ensemble of its own, sharing the students. Raises UserError outside 1 ... T."""
        if not 1 <= prefix <= len(self):
            raise UserError(f"There is no prefix {prefix}: this ensemble has prefixes 1 to {len(self)}.")
        return ProgressiveEnsemble(list(self.students)[:prefix], **self._description())

    def normalise(self, x: Any) -> Tensor:
        """Raw inputs (batch, *input_shape), any number type, array or tensor -> float32 on the ensemble's device."""
        x = torch.as_tensor(x)
        if x.ndim != len(self.input_shape) + 1 or tuple(x.shape[1:]) != self.input_shape:
            wanted = ", ".join(map(str, ("batch", *self.input_shape)))
            raise UserError(f"Inputs have shape {tuple(x.shape)}, and this ensemble reads ({wanted}): reshape them.")
        return after((x.to(self.mean.device, torch.float32) - self.mean) / self.std, self.front_end)

    def student_outputs(self, x: Any) -> Iterator[Tensor]:
        """Raw inputs (batch, *input_shape) -> f_t (batch, classes) on the normalised scale, for t = 1 ... T."""
        for f, _ in self._steps(self.normalise(x)):
            yield f

    def staged(self, x: Any) -> Iterator[Tensor]:
        """Raw inputs (batch, *input_shape) -> F_t (batch, classes) on the teacher's scale, for t = 1 ... T.

        One pass gives them all. Each is a tensor of its own. A student runs only when its prefix is asked for.
        """
        return self.staged_normalised(self.normalise(x))

    def staged_normalised(self, x: Tensor) -> Iterator[Tensor]:
        """As `staged`, for inputs that are normalised already."""
        total: Tensor | float = 0.0
        for t, (f, _) in enumerate(self._steps(x), start=1):
            total = total + f
            yield self.c * (total / t)

    def forward(self, x: Any) -> Tensor:
        """Raw inputs (batch, *input_shape) -> all prefixes (T, batch, classes) on the teacher's scale."""
        self._require_students()
        return torch.stack(list(self.staged(x)))

    def run(self, x: Tensor) -> tuple[Tensor, Carry]:
        """What a new student trains on top of: normalised inputs (batch, *input_shape)

        -> the sum f_1 + ... + f_T (batch, classes) on the normalised scale (zeros without students), and the carry.
        """
        total, carry = x.new_zeros(len(x), len(self.classes)), {}
        for f, left in self._steps(x):
            total, carry = total + f, left
        return total, carry

    def predict_until(self, x: Any, deadline_ms: float) -> tuple[Tensor, int]:
        """Anytime prediction: raw inputs -> logits (batch, classes) on the teacher's scale and the prefix they are of.

        Students run until the next one isn't expected to end within `deadline_ms` of the call, going by the slowest so
        far. The first always runs. Raises UserError if the deadline isn't a number of at least 0.
        """
        started = time.perf_counter()
        self._require_students()
        if not deadline_ms >= 0:
            raise UserError(f"A deadline of {deadline_ms} ms can't be kept: give a number of milliseconds from 0 on.")
        prefixes = self.staged(x)
        logits, prefix, slowest, now = next(prefixes), 1, 0.0, started
        while True:
            _wait_for(logits)
            before, now = now, time.perf_counter()
            slowest = max(slowest, now - before)
            if prefix == len(self) or now - started + slowest > deadline_ms / 1000:
                return logits, prefix
            logits, prefix = next(prefixes), prefix + 1

    def save(self, folder: str | Path) -> None:
        """Write ensemble.json and students/NN.safetensors, whole or not at all; an ensemble saved there is replaced.

        Raises UserError if the folder holds something else.
        """
        folder = Path(folder)
        if folder.exists() and not (folder / "ensemble.json").is_file() and not _is_empty_folder(folder):
            raise UserError(f"{folder} holds something else than an ensemble: choose another folder.")
        with new_folder(folder) as temporary:
            (temporary / "students").mkdir()
            students = []
            for t, student in enumerate(self.students, start=1):
                weights = student.weights()
                _weights_file(temporary, t).write_bytes(weights)
                students.append({"spec": student.spec, "sha256": hashlib.sha256(weights).hexdigest()})
            document = {"format": FORMAT, "schema": SCHEMA, **self._description(), "students": students}
            (temporary / "ensemble.json").write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "ProgressiveEnsemble":
        """The ensemble that `save` wrote, in evaluation mode. Nothing in the folder is executed.

        Raises UserError if the folder holds no ensemble, a newer version's, or a damaged one.
        """
        folder = Path(folder)
        try:
            document = read_json(folder / "ensemble.json")
        except OSError as error:
            raise UserError(f"{folder} holds no saved ensemble: give a folder that `save` wrote.") from error
        except ValueError as error:
            raise UserError(f"The ensemble in {folder} is damaged (ensemble.json): save it again.") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise UserError(f"{folder} holds no saved ensemble: give a folder that `save` wrote.")
        if document.get("schema") != SCHEMA:
            raise UserError(
                f"The ensemble in {folder} has schema {document.get('schema')}, and this version reads {SCHEMA}: "
                "update bdistil."
            )
        try:
            saved = enumerate(document.pop("students"), start=1)
            students = [_load_student(folder, t, each["sha256"], each["spec"]) for t, each in saved]
            del document["format"], document["schema"]
            ensemble = cls(students, **document)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OSError, UserError) as error:
            raise UserError(f"The ensemble in {folder} is damaged ({error}): save it again.") from error
        return ensemble.eval()

    def _steps(self, x: Tensor) -> Iterator[tuple[Tensor, Carry]]:
        """f_t on the normalised scale and the carry that student t leaves, for t = 1 ... T; x is normalised."""
        carry: Carry = {}
        total = x.new_zeros(len(x), len(self.classes))
        for t, student in enumerate(self.students, start=1):
            with evaluating(student):  # around the step alone: between steps the caller's own modes hold
                f, carry = step(student, t, x, carry, total, self.c)
                total = total + f
            yield f, carry

    def _description(self) -> dict[str, Any]:
        """The constructor's arguments but the students, as plain JSON."""
        return {
            "c": self.c,
            "classes": list(self.classes),
            "mean": self.mean.flatten().tolist(),
            "std": self.std.flatten().tolist(),
            "input_shape": list(self.input_shape),
            "front_end": self.front_end,
            "dataset": self.dataset,
            "teacher": self.teacher,
        }

    def _require_students(self) -> None:
        if not len(self):
            raise UserError("This ensemble has no students yet: append one first.")


def _weights_file(folder: Path, prefix: int) -> Path:
    return folder / "students" / f"{prefix:02d}.safetensors"


def _load_student(folder: Path, prefix: int, sha256: str, spec: StudentSpec) -> Student:
    weights = read_regular(_weights_file(folder, prefix))
    if hashlib.sha256(weights).hexdigest() != sha256:
        raise ValueError(f"student {prefix}'s weights changed after they were saved")
    return rebuild(spec, weights)


def _is_empty_folder(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _wait_for(tensor: Tensor) -> None:
    """Let a GPU finish, so that clocks tell the truth."""
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)

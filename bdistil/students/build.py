"""Making students: by name, from a description, from a description and saved weights.

Each family's module makes its own students; the catalogue says which there are. Paper: the classes that FIND-WL
searches (arXiv 2302.10093).
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

import safetensors
import safetensors.torch
import torch

from bdistil.errors import UserError
from bdistil.students.catalogue import CATALOGUE, FAMILIES, StudentSpec, check, check_composition, family
from bdistil.students.student import Student, StudentOptions


class FamilyModule(Protocol):
    """What a family's module has. STUDENTS: its classes by the name that their `spec` has under "family"."""

    STUDENTS: dict[str, type[Student]]

    def build(self, size: Sequence[int], options: StudentOptions) -> Student:
        """A student of a size of the catalogue. Raises UserError for what cannot be."""


def build_student(
    name: str,
    *,
    input_shape: Sequence[int],
    classes: int,
    composition: str,
    previous: Student | None = None,
    head: str = "student",
    wider: float = 1.0,
    grown: float = 1.0,
    steps: Sequence[int] | None = None,
    dropout: float = 0.0,
    cell: str = "own",
    fitted: bool = False,
) -> Student:
    """A fresh student of the catalogue, initialised from torch's generator.

    previous: the student whose carry it will read; None in round 1. A head that gives F_t starts as its predecessor's.
    The other arguments are those of `StudentOptions`. Raises UserError for a name, composition or head that doesn't
    exist.
    """
    check_composition(composition, check(name))
    reads = previous.carry_shapes if previous is not None else {}
    options = StudentOptions(input_shape, classes, composition, reads, head, wider, grown, steps, dropout, cell, fitted)
    student = _module(family(name).name).build(CATALOGUE[name], options)
    if previous is not None and student.gives_prefix and student.inherits and previous.gives_prefix:
        student.inherit_head(previous)
    return student


def from_spec(spec: StudentSpec) -> Student:
    """A student of the described shape (`Student.spec`), freshly initialised. Raises UserError if it is unusable."""
    try:
        students = {kind: student for name in FAMILIES for kind, student in _module(name).STUDENTS.items()}
        shape = {name: value for name, value in spec.items() if name != "family"}
        return students[spec["family"]](**shape)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"This description of a student is damaged ({error}): restore or retrain it.") from error


def rebuild(spec: StudentSpec, weights: bytes) -> Student:
    """The student that gave `spec` and `weights()`: bit-equal logits, in training mode like any new module.

    Nothing is executed and nothing is allocated before names, shapes and types are known to fit.
    Raises UserError if the description or the weights are damaged or don't belong together.
    """
    with torch.device("meta"):
        student = from_spec(spec)
    try:
        tensors = safetensors.torch.load(weights)
    except safetensors.SafetensorError as error:
        raise UserError(f"These student's weights are damaged ({error}): restore or retrain it.") from error
    if _signature(tensors) != _signature(student.state_dict()):
        raise UserError("These weights belong to a student of another shape: restore or retrain it.")
    student.to_empty(device="cpu").load_state_dict(tensors)
    return student


def _module(family: str) -> FamilyModule:
    """Loaded on first use: a family that is not used costs nothing."""
    return cast(FamilyModule, import_module(f"bdistil.students.{family}"))


def _signature(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}

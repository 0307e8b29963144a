"""Making students: by name, from a description, from a description and saved weights.

A new family is a new file and a line in FAMILIES. Paper: the classes that FIND-WL searches (arXiv 2302.10093).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import safetensors
import safetensors.torch
import torch

from bdistil.errors import UserError
from bdistil.students.catalogue import CATALOGUE, check, check_composition, family
from bdistil.students.cnn import CNN
from bdistil.students.gru import GRU
from bdistil.students.student import Student
from bdistil.students.tcn import TCN
from bdistil.students.triangular import Triangular, narrowed

FAMILIES: dict[str, type[Student]] = {"cnn": CNN, "triangular": Triangular, "gru": GRU, "tcn": TCN}
GROWN = 4  # channels by which students grow at least: whole steps of a `cnn` would double the small ones at once


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
) -> Student:
    """A fresh student of the catalogue, initialised from torch's generator.

    input_shape: of one input, (channels, height, width) or (channels, steps). classes: number of logits. composition:
    of the family's in LADDERS. previous: the student whose carry it will read; None in round 1. head: "student" or
    "prefix", what its head gives; one that gives F_t starts as its predecessor's. wider, grown: times the catalogue's
    sizes, of a rung and of a round; channels of a `cnn` grow to the nearest multiple of 4, and are wider in whole steps
    of its own.
    steps: which of a series are read, see `gru` and `tcn`. dropout, cell: of a recurrent student, see `gru`. A
    `concat-all` student narrows as there is more to read: each one costs about the same. Raises UserError for a name,
    composition or head that doesn't exist.
    """
    check_composition(composition, check(name))
    reads = previous.carry_shapes if previous is not None else {}
    widths = CATALOGUE[name]
    if family(name) == "gru":
        hidden = math.ceil(wider * grown * widths[0])
        student = GRU(hidden, input_shape, classes, composition, steps, reads, head, dropout, cell)
    elif family(name) == "tcn":
        return TCN(math.ceil(wider * grown * widths[0]), input_shape, classes, composition, steps, reads, head)
    else:
        step = math.gcd(*widths) if grown == 1 else GROWN
        widths = (GROWN * math.floor(grown * width / GROWN + 0.5) for width in widths)
        widths = tuple(step * math.ceil(wider * width / step) for width in widths)
        if composition != "concat-all":
            return CNN(widths, input_shape, classes, composition, reads, head)
        student = Triangular(narrowed(widths, input_shape, reads, step), input_shape, classes, reads, head)
    if student.gives_prefix and student.inherits and previous.gives_prefix:
        student.inherit_head(previous)
    return student


def from_spec(spec: Mapping[str, Any]) -> Student:
    """A student of the described shape (`Student.spec`), freshly initialised. Raises UserError if it is unusable."""
    try:
        shape = dict(spec)
        return FAMILIES[shape.pop("family")](**shape)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"This description of a student is damaged ({error}): restore or retrain it.") from error


def rebuild(spec: Mapping[str, Any], weights: bytes) -> Student:
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


def _signature(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}

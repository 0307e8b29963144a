"""Students of somebody's own making: any module that keeps the contract, checked when it is built.

    factory(input_shape=(channels, …), classes=L, reads={name: shape}) -> torch.nn.Module

The module maps inputs x (batch, *input_shape), normalised, and a carry, the tensors (batch, *shape) that its
predecessor left ({} in round 1), to logits (batch, L) and its own carry. Its attribute `head` is the `nn.Linear` that
gives the logits, so that it can be corrected. In evaluation mode an example's answer depends on that example alone.
Each call makes a module whose weights are its own: those of finished students never change. What such a module spends
on reading its predecessor is part of its MACs and not known apart from them, so its `reading_macs` are 0.
Paper: any class of functions that FIND-WL may search (arXiv 2302.10093, Algorithm 2); the contract is ours.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from bdistil.errors import UserError
from bdistil.students.student import Carry, Shapes, Student

Factory = Callable[..., nn.Module]
TOLERANCE = 1e-3  # between an example's logits alone and beside another: kernels round differently


class Own(Student):
    """A module of somebody's own making as a student. Raises UserError, one sentence, where it breaks the contract."""

    def __init__(self, module: nn.Module, input_shape: Sequence[int], classes: int, reads: Mapping[str, Sequence[int]]):
        super().__init__()
        self.module, self.input_shape, self.classes = module, tuple(input_shape), classes
        self.reads: Shapes = {name: tuple(shape) for name, shape in reads.items()}
        self.carry_shapes = _checked(module, self.input_shape, classes, self.reads)
        self.spec = {
            "family": "own",
            "module": type(module).__name__,
            "input_shape": list(input_shape),
            "classes": classes,
            "reads": {name: list(shape) for name, shape in self.reads.items()},
        }

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        """The module's own output layer."""
        return cast(nn.Linear, self.module.head)

    def forward(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """As every student: normalised inputs and the predecessor's carry to raw logits and its own carry."""
        return self.module(x, {name: carry[name] for name in self.reads})

    def weights(self) -> bytes:
        """Raises UserError: a file describes bdistil's own families, and nothing in it is executed."""
        raise UserError(
            "A student of your own making can't be saved: its code is no part of a file. Keep the model in "
            "Python, or make it a family of bdistil.students."
        )


def own_student(factory: Factory, input_shape: Sequence[int], classes: int, earlier: Sequence[Student] = ()) -> Own:
    """What `factory` makes for the next round, after the students `earlier`. Raises UserError where the contract is
    broken."""
    reads = earlier[-1].carry_shapes if earlier else {}
    module = _made(factory, input_shape=tuple(input_shape), classes=classes, reads=dict(reads))
    student = Own(module, input_shape, classes, reads)
    places = _places(student)
    for t, other in enumerate(earlier, start=1):
        if places & _places(other):
            raise UserError(
                f"A student's weights are its own, and this one shares some with student {t}: let the "
                "factory make a new module at each call."
            )
    return student


def _made(factory: Factory, **given: object) -> nn.Module:
    """What the factory makes of what it is given. Raises UserError where that is nothing of use."""
    called = "student(input_shape=…, classes=…, reads=…)"
    if isinstance(factory, nn.Module):
        raise UserError(
            f"A student is told by the function or class that makes it, called as {called}, and this is a "
            f"module that is made already: give {type(factory).__name__} itself."
        )
    with suppress(ValueError):  # some of what can be called has no signature
        try:
            inspect.signature(factory).bind(**given)
        except TypeError as error:
            raise UserError(
                f"What makes a student is called as {called}, and this one cannot be ({error}): let it "
                "take these three."
            ) from None
    try:
        module = factory(**given)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"What makes a student fails when it is called as {called} ({_told(error)}): fix it."
        ) from error
    if not isinstance(module, nn.Module):
        raise UserError(f"A student must be a torch.nn.Module, and the factory returned {type(module).__name__}.")
    return module


def _places(student: Student) -> set[int]:
    """Where in memory the weights and statistics of a student lie."""
    tensors = [*student.parameters(), *student.buffers()]
    return {tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()}


def _checked(module: nn.Module, input_shape: Sequence[int], classes: int, reads: Shapes) -> Shapes:
    """The shapes of the carry that the module leaves, without the batch; UserError where it breaks the contract."""
    head = getattr(module, "head", None)
    if not isinstance(head, nn.Linear) or head.out_features != classes:
        raise UserError(f"A student needs an attribute head, the nn.Linear that gives its {classes} logits.")
    x = torch.randn(2, *input_shape, generator=torch.Generator().manual_seed(0))
    carry = {name: torch.zeros(2, *shape) for name, shape in reads.items()}
    (logits, left), answered = _asked(module, x, carry)
    if logits.shape != (2, classes) or logits.dtype != torch.float32:
        raise UserError(
            f"A student gives float32 logits (batch, {classes}); of two examples this one gives "
            f"{str(logits.dtype).removeprefix('torch.')} {tuple(logits.shape)}."
        )
    if not logits.isfinite().all():
        raise UserError("A student gives finite logits: of two ordinary examples this one gives NaN or infinity.")
    if answered is None or not torch.equal(logits, answered):
        raise UserError("A student's logits are what its head gives, unchanged: return them as they are.")
    if not all(
        isinstance(name, str) and isinstance(t, Tensor) and t.is_floating_point() and t.shape[:1] == (2,)
        for name, t in left.items()
    ):
        raise UserError(
            "A student's carry is a dictionary of floating-point tensors by name, each with the batch first."
        )
    (again, _), _ = _asked(module, x, carry)
    if not torch.equal(again, logits):
        raise UserError("A student gives the same answer each time in evaluation mode: this one does not.")
    (single, _), _ = _asked(module, x[:1], {name: tensor[:1] for name, tensor in carry.items()})
    if not torch.allclose(single, logits[:1], atol=TOLERANCE):
        raise UserError("In evaluation mode a student answers each example by itself: this one mixes those of a batch.")
    _try_training(module, x, carry)
    return {name: tuple(tensor.shape[1:]) for name, tensor in left.items()}


def _try_training(module: nn.Module, x: Tensor, carry: Carry) -> None:
    """One pass and its gradients in training mode, on a copy. Raises UserError where the module cannot be trained."""
    with torch.random.fork_rng(devices=[]):
        try:
            logits, _ = deepcopy(module).train()(x.clone(), dict(carry))
            if logits.requires_grad:
                logits.sum().backward()
        except Exception as error:
            raise UserError(
                f"The student cannot be trained on inputs {tuple(x.shape)}, though it reads them in "
                f"evaluation mode: {_told(error)}"
            ) from error
    if not logits.requires_grad:
        raise UserError("A student needs parameters to train: those of this one are frozen, or not used.")


def _told(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _asked(module: nn.Module, x: Tensor, carry: Carry) -> tuple[tuple[Tensor, Carry], Tensor | None]:
    """What the module returns in evaluation mode, its own mode put back, and what its head gave last."""
    seen: list[Tensor] = []
    head, training = cast(nn.Module, module.head), module.training
    hook = head.register_forward_hook(lambda _, inputs, output: seen.append(output))
    try:
        with torch.no_grad():
            returned = module.eval()(x, dict(carry))
    except Exception as error:
        shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in carry.items()) or "an empty carry"
        raise UserError(f"The student cannot read inputs {tuple(x.shape)} and {shapes}: {_told(error)}") from error
    finally:
        hook.remove()
        module.train(training)
    if not (
        isinstance(returned, tuple)
        and len(returned) == 2
        and isinstance(returned[0], Tensor)
        and isinstance(returned[1], dict)
        and seen
    ):
        raise UserError("A student returns its head's logits and its carry, a dictionary, as a pair.")
    return returned, seen[-1]

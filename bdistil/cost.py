"""What a model costs: MACs, parameters, bytes of weights, live memory. Counted once, the same on every device.

One MAC (multiply-accumulate) is 2 FLOPs; convolutions and matrix products are counted by torch's own counter, and
additions, norms and pooling are not. Costs are per example. A recurrent layer of S steps is S·3H(I + H), for inputs of
I and a state of H: its matrix products, which cuDNN hides in one kernel and which torch's own steps show.
Paper: the cost axes of the frontier and the overhead of connections (arXiv 2302.10093).
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from bdistil.ensemble import ProgressiveEnsemble, evaluating
from bdistil.records import ModelCost, PrefixCost
from bdistil.students.student import Carry, Student

BYTES = 4  # of a number in single precision


def macs(module: nn.Module, *inputs: Any) -> int:
    """Multiply-accumulates of one call of `module` on `inputs` (all examples of the batch together)."""
    with evaluating(module), torch.backends.cudnn.flags(enabled=False), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops() // 2


def student_macs(student: Student) -> int:
    """MACs of one student alone, for one example and whatever its predecessor leaves it."""
    device = _device(student)
    carry = {name: torch.zeros(1, *shape, device=device) for name, shape in student.reads.items()}
    return macs(student, torch.zeros(1, *student.input_shape, device=device), carry)


def parameters(module: nn.Module) -> int:
    """Number of trainable values, shared ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def weight_bytes(module: nn.Module) -> int:
    """Bytes of weights and of buffers (a batch norm's statistics) in single precision; integer counters don't count."""
    statistics = sum(buffer.numel() for buffer in module.buffers() if buffer.is_floating_point())
    return BYTES * (parameters(module) + statistics)


def model_cost(module: nn.Module, input_shape: Sequence[int]) -> ModelCost:
    """What a teacher, or any single model, costs for inputs of `input_shape` (without batch)."""
    x = torch.zeros(1, *input_shape, device=_device(module))
    return ModelCost(macs=macs(module, x), parameters=parameters(module), bytes=weight_bytes(module))


def prefix_costs(ensemble: ProgressiveEnsemble) -> list[PrefixCost]:
    """The cost of each prefix, in order; per example, cumulative where that has a meaning."""
    memory = prefix_memory(ensemble)
    x = torch.zeros(1, *ensemble.input_shape, device=_device(ensemble))
    costs: list[PrefixCost] = []
    total, overhead = 0, 0
    carry: Carry = {}
    for t, student in enumerate(ensemble.students, start=1):
        total += macs(student, x, carry)
        overhead += student.reading_macs
        with evaluating(student):
            _, carry = student(x, carry)
        prefix = nn.ModuleList(list(ensemble.students)[:t])
        costs.append(
            PrefixCost(
                macs=total,
                parameters=parameters(prefix),
                bytes=weight_bytes(prefix),
                overhead_macs=overhead,
                carry_bytes=BYTES * sum(map(prod, student.carry_shapes.values())),
                memory_bytes=memory[t - 1],
                window_share=window_share(student),
            )
        )
    return costs


def window_share(student: Student) -> float:
    """How much of a series has passed when the student answers, in (0, 1]; 1 for one that reads all of its input."""
    steps = student.spec.get("steps")
    return steps[1] / student.input_shape[-1] if steps else 1.0


def prefix_memory(ensemble: ProgressiveEnsemble) -> list[int]:
    """Peak bytes of live activations up to each prefix, one example: input, activations, carry and running sum.

    Measured on the run itself; weights, and a kernel's own scratch space, are not in it.
    """
    x = torch.zeros(1, *ensemble.input_shape, device=_device(ensemble))
    with LiveBytes([x]) as live:
        return [live.peak for _ in ensemble.staged_normalised(x)]


class LiveBytes(TorchDispatchMode):
    """While active, `peak` is the most bytes alive at once, of `held` tensors and of all that operations made.

    After each operation it drops the storages that have died, so views count once and reused memory not at all.
    """

    def __init__(self, held: Iterable[Tensor] = ()):
        super().__init__()
        self._live: dict[StorageWeakRef, int] = {}
        self.peak = 0
        self._note(held)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {StorageWeakRef(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if _is_dense(leaf)}
        result = func(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(result) if _is_dense(leaf)]
        # A view or an in-place result lives in memory that was given: a weight's, or one that is counted already.
        self._note(leaf for leaf in made if StorageWeakRef(leaf.untyped_storage()) not in given)
        return result

    def _note(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self._live[StorageWeakRef(storage)] = storage.nbytes()
        self._live = {reference: size for reference, size in self._live.items() if not reference.expired()}
        self.peak = max(self.peak, sum(self._live.values()))


def _is_dense(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.layout is torch.strided


def _device(module: nn.Module) -> torch.device:
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))

"""Students: small networks that map (input, carry) to (logits, carry).

`catalogue` names them and imports no torch; `student` states the contract that every family keeps; one family a file
(`cnn`); `build` makes one by name or from its saved description. What needs torch is loaded on first use.
Paper: the function classes and "function composition" of arXiv 2302.10093.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bdistil.students.catalogue import CATALOGUE, COMPOSITIONS, check, check_composition, names

if TYPE_CHECKING:
    from bdistil.students.build import build_student, rebuild
    from bdistil.students.student import Carry, Student

__all__ = [
    "CATALOGUE",
    "COMPOSITIONS",
    "Carry",
    "Student",
    "build_student",
    "check",
    "check_composition",
    "names",
    "rebuild",
]

_NEEDS_TORCH = {"build_student": "build", "rebuild": "build", "Student": "student", "Carry": "student"}


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)

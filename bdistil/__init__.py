"""B-DISTIL: progressive ensembles of small students, distilled from one large teacher, one boosting round at a time.

`BDistil`, `load` and `ProgressiveEnsemble` need torch and are imported when they are first asked for (PEP 562).
"""

import importlib
from typing import Any

__all__ = ["BDistil", "ProgressiveEnsemble", "load"]

_HOMES = {"BDistil": "bdistil.estimator", "load": "bdistil.estimator", "ProgressiveEnsemble": "bdistil.ensemble"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bdistil' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Python to copy: it asks a PyTorch model about a data set and writes a black box, as answers and as an ONNX file.

Imports no torch.
"""

import json
import os
from math import prod
from typing import TYPE_CHECKING

from bdistil.data.catalogue import info, located

if TYPE_CHECKING:
    from bdistil.data.reading import OwnData

_SNIPPET = """\
from functools import partial

import numpy as np
import torch

from bdistil.data import load_dataset{options_import}
from bdistil.inputs import normalise

data = load_dataset({named})
normal = partial(normalise, mean=data.mean, std=data.std, front_end=data.info.front_end)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear({inputs}, {classes})).eval()  # yours, trained

for file, splits in (("train.npz", ("train", "validation")), ("test.npz", ("test",))):
    x = np.concatenate([data.split(split)[0] for split in splits])
    with torch.inference_mode():
        logits = np.concatenate([model(normal(part)).numpy() for part in np.array_split(x, 1 + len(x) // 500)])
    np.savez(file, logits=logits{files})

x = normal(data.x_test[:2])
torch.onnx.export(model, (x,), "teacher.onnx", dynamic_shapes=({{0: "batch"}},), external_data=False, verbose=False)
"""
_FILES = ', files=np.concatenate([getattr(data, f"files_{split}") for split in splits])'


def snippet(dataset: str, data: "OwnData | None" = None) -> str:
    """The program for a data set, or for one's own by its path and `data`, how to read it.

    The model in it is a stand-in of the right shape. Raises UserError as `info` does.
    """
    data_info, place = info(dataset, data), located(dataset)
    asked = data.model_dump(exclude_none=True) if data else {}
    options = ", ".join(f"{name}={_quoted(value)}" for name, value in asked.items())
    return _SNIPPET.format(
        options_import="\nfrom bdistil.data.custom import OwnData" if asked else "",
        named=f"{_quoted(place)}, OwnData({options})" if asked else _quoted(place),
        inputs=prod(data_info.input_shape),
        classes=len(data_info.classes),
        files=_FILES if os.path.isdir(place) else "",
    )


def _quoted(value: object) -> str:
    """A text, a number or a list of texts as Python."""
    return json.dumps(value, ensure_ascii=False)

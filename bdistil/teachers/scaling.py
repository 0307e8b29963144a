"""How a data set's inputs are scaled before an ONNX teacher reads them (option `teacher_input`).

`raw`: as they are. `unit`: divided by 255. `maximum`: divided by the largest absolute value of the training inputs.
`imagenet`: divided by 255, then (x − mean) / std with ImageNet's figures. `mean=…;std=…`: the same with one's own.
`normalised`: (x − mean) / std with the data set's own figures, then its front end. `unit`, `imagenet` and one's own
are for pictures. Imports no torch until inputs have to be normalised.
"""

import math
from dataclasses import dataclass

import numpy as np

from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.errors import UserError, quoted

NAMES = ("raw", "unit", "maximum", "imagenet", "normalised")
# Of pictures on 0..1, as torchvision.models documents them.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Statistics:
    """Figures of a data set's train split: mean and std by channel, the largest absolute value, and the front end."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    maximum: float
    front_end: str | None = None

    @classmethod
    def of(cls, data: Dataset) -> "Statistics":
        largest = max(float(data.x_train.max()), -float(data.x_train.min()))
        return cls(tuple(map(float, data.mean)), tuple(map(float, data.std)), largest or 1.0, data.info.front_end)

    @classmethod
    def invented(cls, channels: int) -> "Statistics":
        """For timing and trials, where no data has been read."""
        return cls((0.0,) * channels, (1.0,) * channels, 1.0)


def check_scaling(name: str, info: DatasetInfo) -> None:
    """Raises UserError, one sentence, if `teacher_input` is none of the scalings or is not for this data set."""
    channels = info.input_shape[0]
    if name in ("raw", "maximum", "normalised"):
        return
    if name not in NAMES and not name.startswith("mean="):
        raise UserError(f"`teacher_input` must be one of {', '.join(NAMES)} or 'mean=…;std=…'; got “{quoted(name)}”.")
    if info.modality != "image":
        raise UserError(f"`teacher_input` can be {quoted(name)} for pictures only: choose raw, maximum, normalised.")
    if name == "imagenet" and channels != 3:
        raise UserError(
            "`teacher_input` can be imagenet for colour pictures only, these have one channel: choose unit, or give "
            "their own 'mean=…;std=…'."
        )
    if name.startswith("mean="):
        mean, std = _own_figures(name)
        if len(mean) != channels or len(std) != channels:
            raise UserError(
                f"`teacher_input` has {len(mean)} means and {len(std)} standard deviations for {channels} "
                "channels: give one of each for every channel."
            )


def offered(info: DatasetInfo) -> list[str]:
    """The names of the scalings that fit a data set."""
    if info.modality != "image":
        return ["raw", "maximum", "normalised"]
    return [name for name in NAMES if name != "imagenet" or info.input_shape[0] == 3]


def scaled(x: np.ndarray, name: str, statistics: Statistics) -> np.ndarray:
    """Raw inputs (N, channels, …) as the scaling `name` gives them, of the same shape: float32, but raw unchanged."""
    if name == "raw":
        return x
    if name == "normalised":
        from bdistil.inputs import normalise

        return normalise(x, statistics.mean, statistics.std, statistics.front_end).contiguous().numpy()
    if name == "maximum":
        return x.astype(np.float32) / np.float32(statistics.maximum)
    pixels = x.astype(np.float32) / np.float32(255)
    if name == "unit":
        return pixels
    shape = (-1, *(1,) * (x.ndim - 2))
    mean, std = (np.reshape(np.array(figures, np.float32), shape) for figures in _figures(name))
    return (pixels - mean) / std


def cache_key(name: str, statistics: Statistics) -> str:
    """What answers depend on besides the file and the inputs. Unchanged for `raw` and `normalised`, so that answers
    in existing caches are found."""
    normal = (list(statistics.mean), list(statistics.std), statistics.front_end)
    others = {"raw": "()", "normalised": f"{normal}", "maximum": f"maximum {statistics.maximum}"}
    return others.get(name, name)


def _figures(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return IMAGENET if name == "imagenet" else _own_figures(name)


def _own_figures(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and standard deviations of `mean=a,b;std=c,d`."""
    try:
        given = dict(part.split("=") for part in name.replace(" ", "").split(";"))
        mean, std = (tuple(map(float, given.pop(key).split(","))) for key in ("mean", "std"))
        valid = not given and all(map(math.isfinite, (*mean, *std))) and min(std) > 0
    except (ValueError, KeyError):
        valid = False
    if not valid:
        raise UserError(
            f"`teacher_input` “{quoted(name)}” can't be read: write it like 'mean=0.5,0.5,0.5;"
            "std=0.25,0.25,0.25', for pictures on 0..1, with every std above 0."
        )
    return mean, std

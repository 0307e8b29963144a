"""What convolutional students for images have in common: the shapes of their levels, and what they can read."""

from collections.abc import Mapping, Sequence

from bdistil.errors import UserError

POOLED = 2  # the head sees the last level as POOLED x POOLED cells


def level_shapes(widths: Sequence[int], input_shape: Sequence[int]) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of each level's activations, "level1" …"""
    _, height, width = input_shape
    levels, strides = {}, level_strides(len(widths), min(height, width))
    for level, (out, stride) in enumerate(zip(widths, strides, strict=True), start=1):
        height, width = -(-height // stride), -(-width // stride)
        levels[f"level{level}"] = (out, height, width)
    return levels


def level_strides(levels: int, side: int) -> tuple[int, ...]:
    """Halve at each level but the last, or, of more than four, at every other; inputs under 16 pixels not at once."""
    first = 2 if side >= 16 else 1
    if levels > 4:
        return (first, 1, *(2, 1) * levels)[:levels]
    return (first, *(2,) * (levels - 2), 1)[-levels:]


def residual_levels(widths: Sequence[int], strides: Sequence[int]) -> frozenset[int]:
    """The levels, counted from 1, that keep resolution and channels of the level before."""
    return frozenset(
        level
        for level in range(2, len(widths) + 1)
        if widths[level - 2] == widths[level - 1] and strides[level - 1] == 1
    )


def readable(levels: dict[str, tuple[int, int, int]], left: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Those of the predecessor's tensors that this student has a level for. Raises UserError if sizes don't match."""
    reads = {name: tuple(left[name]) for name in levels if name in left}
    for name, shape in reads.items():
        if len(shape) != 3 or shape[0] < 1 or shape[1:] != levels[name][1:]:
            raise UserError(
                f"The previous student leaves {name} of shape {shape}, and this one needs (channels, "
                f"{levels[name][1]}, {levels[name][2]}): let both read inputs of the same size."
            )
    return reads

"""A data set in words: what `bdistil data` prints of it."""

from collections.abc import Iterator

from bdistil.data.class_counts import scarce
from bdistil.data.dataset import SPLITS, Dataset, DatasetInfo
from bdistil.data.leaks import leaks
from bdistil.errors import quoted
from bdistil.report import formats

_NOTHING = "Nothing leaks: no person and no example is on two sides."
_NOTHING_ALIKE = (
    "No identical example is on two sides; who the examples are of is not known (of your own, `subject_pattern`, "
    "`subject` or an array called subject tells it)."
)


_MOST_LISTED = 100  # classes
_MOST_NAME = 40  # characters


def describe(data: Dataset) -> list[str]:
    """Says how many examples there are and of what shape, how they were split, what leaks, classes and channels, how
    many examples each class has, and which have few."""
    info = data.info
    counts = ", ".join(f"{len(data.split(name)[0]):,} {name}" for name in SPLITS)
    found = [leak.sentence for leak in leaks(data)] or [_NOTHING if data.people_train is not None else _NOTHING_ALIKE]
    listed = (("Classes", info.classes), ("Channels", info.channels))
    names = [f"{what}: {formats.some_of(each)}." for what, each in listed if each]
    return [
        f"{info.title}: {counts} examples of {len(info.classes)} classes.",
        info.split,
        *found,
        _shape(info),
        *names,
        *_counts_by_class(data),
    ]


def _shape(info: DatasetInfo) -> str:
    """What one example is: a picture's size, a series' channels and steps, how many steps a second it has."""
    if info.modality == "image":
        channels, height, width = info.input_shape
        return f"Pictures of {height} × {width} pixels, {'colour' if channels == 3 else 'grey'}."
    channels, steps = info.input_shape
    rate = f" at {info.rate_hz:g} Hz ({steps / info.rate_hz:.3g} s)" if info.rate_hz else ""
    if info.sampling_hz:
        return f"Spectrograms of {channels} bands and {steps} steps{rate}, of recordings with {info.sampling_hz:,} Hz."
    what = "1 channel" if channels == 1 else f"{channels} channels"
    return f"Series of {what} and {steps} steps{rate}."


def _counts_by_class(data: Dataset) -> Iterator[str]:
    """A table of the examples of each class and split; and those classes that a split lacks or has few of."""
    classes, counts = data.info.classes, data.counts
    if len(classes) <= _MOST_LISTED:
        rows = [(name, [f"{counts[split][at]:,}" for split in SPLITS]) for at, name in enumerate(classes)]
        rows = [("Examples of", list(SPLITS)), *((f"  {quoted(name, _MOST_NAME)}", cells) for name, cells in rows)]
        width = max(len(name) for name, _ in rows)
        for name, cells in rows:
            yield f"{name:{width}}  " + "  ".join(f"{cell:>10}" for cell in cells)
    for split in SPLITS:
        yield from formats.scarce(scarce(classes, counts[split], split))

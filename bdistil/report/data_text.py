"""A data set in words: what `bdistil data` prints of it."""

from collections.abc import Iterator

from bdistil.data.class_counts import scarce
from bdistil.data.dataset import SPLITS, Dataset
from bdistil.data.leaks import leaks
from bdistil.report import formats

_NOTHING = "Nothing leaks: no person and no example is on two sides."
_NOTHING_ALIKE = (
    "No identical example is on two sides; who the examples are of is not known (of your own, `subject_pattern`, "
    "`subject` or an array called subject tells it)."
)


def describe(data: Dataset) -> list[str]:
    """Says how many examples there are, how they were split, what leaks, classes and channels, and thin classes."""
    known = data.info
    counts = ", ".join(f"{len(data.split(name)[0]):,} {name}" for name in SPLITS)
    found = [leak.sentence for leak in leaks(data)] or [_NOTHING if data.people_train is not None else _NOTHING_ALIKE]
    listed = (("Classes", known.classes), ("Channels", known.channels))
    names = [f"{what}: {formats.some_of(each)}." for what, each in listed if each]
    return [
        f"{known.title}: {counts} examples of {len(known.classes)} classes.",
        known.split,
        *found,
        *names,
        *_counts_by_class(data),
    ]


def _counts_by_class(data: Dataset) -> Iterator[str]:
    """Examples of each class and split where there are few classes; those that a split lacks or has few of, always."""
    classes = data.info.classes
    counts = data.counts
    if len(classes) <= formats.MOST_NAMES:
        yield f"Examples of each class ({', '.join(SPLITS)}):"
        for index, name in enumerate(classes):
            yield f"  {name}: {', '.join(f'{counts[split][index]:,}' for split in SPLITS)}"
    for split in SPLITS:
        yield from formats.scarce(scarce(classes, counts[split], split))

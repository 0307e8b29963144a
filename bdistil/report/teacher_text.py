"""A saved teacher as text, what `bdistil show TEACHER` prints, of its card. Imports no torch."""

from collections.abc import Iterator

from bdistil.data.catalogue import CATALOGUE
from bdistil.report import formats
from bdistil.teachers.card import SavedTeacher


def describe_teacher(card: SavedTeacher) -> Iterator[str]:
    """The lines of one teacher: architecture and cost, data and accuracy, how it was trained, licence, folder."""
    yield f"{card.name}: a teacher, {card.architecture}"
    costs = [] if card.macs is None else [f"{formats.macs(card.macs)} MACs"]
    costs += [] if card.parameters is None else [f"{formats.quantity(card.parameters)} parameters"]
    costs += [] if card.bytes is None else [formats.size(card.bytes)]
    yield ", ".join(costs)
    info = CATALOGUE.get(card.dataset)
    shape = " × ".join(map(str, card.input_shape))
    yield f"trained on {card.dataset}: {len(card.classes)} classes, examples of {shape}"
    if info:
        yield f"split: {info.split}"
    yield from _accuracy(card)
    yield from _training(card)
    yield from card.notices
    yield f"licence of the data: {info.licence if info else 'your own'}"
    yield f"folder {card.path}"


def _accuracy(card: SavedTeacher) -> Iterator[str]:
    if card.accuracy is None:
        return
    text = f"accuracy {formats.percent(card.accuracy)} of the test split"
    if card.accuracy_low is not None and card.accuracy_high is not None:
        interval = formats.interval(card.accuracy_low, card.accuracy_high)
        text += f" ({formats.interval_name(card.persons)} {interval})"
    if card.validation_accuracy is not None:
        text += f", {formats.percent(card.validation_accuracy)} of validation"
    yield text


def _training(card: SavedTeacher) -> Iterator[str]:
    parts = []
    if card.epochs is not None:
        parts.append("1 epoch" if card.epochs == 1 else f"{card.epochs} epochs")
    parts += [formats.duration(card.seconds)] if card.seconds is not None else []
    parts += [f"on {card.created[:10]}"] if card.created else []
    parts += [f"by the run {card.run}"] if card.run else []
    if parts:
        yield f"trained for {', '.join(parts)}"
    if card.command:
        yield f"trained again by: {card.command}"

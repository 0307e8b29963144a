"""Numbers and findings in words: every format and sentence about results that pages, charts and the command line
show.

Pure functions of plain numbers or of a frontier's point. A number and its unit's symbol are held together by a
no-break space; thousands by a narrow one; a minus is a true minus. Losses are points, never a share of the teacher's
accuracy. What a run's states and events say is the pages' business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bdistil.data.class_counts import FEWEST, Scarce
from bdistil.errors import quoted
from bdistil.records import Point, TeacherRecord
from bdistil.teachers.black_box import UNKNOWN_SPLIT

NO_BREAK, THIN, MINUS = "\u00a0", "\u202f", "\u2212"
EXAMPLES = {"image": "pictures", "speech": "utterances", "sensor": "windows"}
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def decimal(value: float, decimals: int = 1) -> str:
    """`93.3`, `−1.0`: fixed decimals, a true minus, never a negative zero."""
    # 100 · (0.9695 − 0.91) is a hair below 5.95: the same difference must read the same however it was worked out.
    text = f"{round(value, 9):.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def signed(value: float, decimals: int = 1) -> str:
    """`+0.5`, `−1.0`, `0.0`."""
    text = decimal(value, decimals)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def edge(value: float) -> str:
    """`+0.0120`; two figures of what four decimals would make nothing of, `+0.000031`: above zero is what counts."""
    tiny = 0 < abs(value) < 5e-5
    return signed(value, min(9, 1 - math.floor(math.log10(abs(value)))) if tiny else 4)


def percent(share: float, decimals: int = 1) -> str:
    """`93.3 %` of a share in [0, 1]."""
    return f"{decimal(100 * share, decimals)}{NO_BREAK}%"


def interval(low: float, high: float) -> str:
    """`92.8 to 93.8`, in percent, of two shares in [0, 1]."""
    return f"{decimal(100 * low)} to {decimal(100 * high)}"


def points(value: float) -> str:
    """`−1.0 points`, `+0.5 points` of a difference in percentage points."""
    return f"{signed(value)} points"


def share(ratio: float) -> str:
    """`12 %`, `under 1 %` of a share of the teacher's cost, 1 = the teacher's."""
    return f"under 1{NO_BREAK}%" if 0 < ratio < 0.01 else percent(ratio, 0)


def count(number: int) -> str:
    """`10 000`, with thin spaces from 10 000 on; `1234` below."""
    return f"{number:,}".replace(",", THIN) if abs(number) >= 10_000 else str(number)


def quantity(value: float) -> str:
    """`1.7 M`, `40 k`, `950` of a count such as MACs or parameters: two or three significant figures."""
    return _scaled(value, ("", "k", "M", "G", "T"))


def macs(value: float) -> str:
    """`1.7 M`, `40 k`: MACs of one example, without the word."""
    return quantity(value)


def macs_between(low: float, high: float) -> str:
    """`22 to 57 k`, `400 k to 1.2 M`; `60 k` where both read the same."""
    first, last = macs(low), macs(high)
    if first == last:
        return last
    number, _, unit = first.partition(NO_BREAK)
    return f"{number if last.endswith(f'{NO_BREAK}{unit}') else first} to {last}"


def size(value: float) -> str:
    """`2.8 MB`, `232 kB`, `12 bytes` (decimal units)."""
    return _scaled(value, ("bytes", "kB", "MB", "GB", "TB"))


def _scaled(value: float, units: tuple[str, ...]) -> str:
    for unit in units:
        # Thousands are whole from 10 k on; millions and more keep a decimal below 100.
        decimals = 0 if unit == units[0] or round(value, 1) >= (10 if unit == units[1] else 100) else 1
        if round(value, decimals) < 1000 or unit == units[-1]:
            break
        value /= 1000
    text = decimal(value, decimals)
    return f"{text}{NO_BREAK}{unit}" if unit else text


def duration(seconds: float) -> str:
    """`10 s`, `52 min`, `2 h 10 min`: as exact as an estimate deserves."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))}{NO_BREAK}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{NO_BREAK}min"
    hours, rest = divmod(minutes, 60)
    return f"{hours}{NO_BREAK}h" + (f" {rest}{NO_BREAK}min" if rest else "")


def seconds(value: float) -> str:
    """`1.4 s`: what was measured, to a tenth below ten seconds; longer times as `duration` tells them."""
    return f"{decimal(value)}{NO_BREAK}s" if value < 10 else duration(value)


def kl_change(before: float, after: float) -> str:
    """`+0.4 %`: how much a step moved the KL divergence to the teacher."""
    return f"{signed(100 * (after / before - 1) if before else 0.0)}{NO_BREAK}%"


def number_word(number: int) -> str:
    """`two`, up to twelve; `13` beyond."""
    return WORDS[number] if number < len(WORDS) else str(number)


def count_students(number: int) -> str:
    """`one student`, `two students`."""
    return f"{number_word(number)} student" + ("" if number == 1 else "s")


def students(number: int) -> str:
    """`1 student`, `3 students`."""
    return f"{number} student" if number == 1 else f"{number} students"


def examples(modality: str) -> str:
    """What a data set of that modality holds: `pictures`, `utterances`, `windows`."""
    return EXAMPLES[modality]


def listing(names: Sequence[str]) -> str:
    """`Shirt`, `Shirt and Coat`, `Shirt, Coat and Dress`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def finding(
    prefix: int,
    total: int,
    accuracy: float,
    teacher: float,
    *,
    price: str,
    apart: bool = True,
    heard: float = 1.0,
    persons: int | None = None,
) -> str:
    """What a prefix of `total` students does, in one sentence: the headline.

    accuracy, teacher: in [0, 1]. price: what it costs, `12 % of its cost`, or `5.2 M MACs` beside a teacher of
    unknown cost. apart: False where the interval of the difference holds 0, so that the test split leaves it open
    which is better. heard: the share of a series that the prefix has read. persons: how many stand behind the
    interval, None where single examples do.

    `3 of 6 students reach 93.3 %, 1.0 points below the teacher, for 12 % of its cost.`
    """
    if persons and persons < FEWEST_GROUPS:  # no interval: whether they agree is all that there is to say
        who, side = f"{number_word(persons)} test persons", "below" if accuracy < teacher else "above"
        end = f"; {side} it for each of {who}." if apart else f"; {who} cannot tell them apart."
    else:
        end = "." if apart else "; the test split cannot tell them apart."
    reached = f"{_subject(prefix, total)} {percent(accuracy)}{f' after {window(heard)}' if heard < 1 else ''}"
    return f"{reached}, {_against(100 * (teacher - accuracy))}, for {price}{end}"


def window(share: float) -> str:
    """`25 % of the window`, a part of a series from its start."""
    return f"{percent(share, 0)} of the window"


FEWEST_GROUPS = 3  # as in results.frontier: below, the range over the persons stands for an interval


def interval_name(persons: int | None) -> str:
    """`95 % interval`, or `range over two persons` where too few stand behind it; None: single examples do."""
    if persons is not None and persons < FEWEST_GROUPS:
        return f"range over {number_word(persons)} persons"
    return f"95{NO_BREAK}% interval"


def intervals(people: tuple[str, int] | None) -> str:
    """What the whiskers mean; people: what the split holds out whole, and how many of them are tested."""
    plain = "Whiskers are 95 % intervals on the test split."
    if people is None:
        return plain
    who, number = people
    if number == 1:
        return f"{plain} It holds one {who} alone: they say how sure this figure is, not how others would fare."
    if number < FEWEST_GROUPS:
        return (
            f"The test split holds {number_word(number)} {who}s: whiskers, and the range of the difference to the "
            f"teacher, are the range over {number_word(number)} {who}s, not 95 % intervals."
        )
    return f"{plain} They, and the interval of the difference to the teacher, are over {number_word(number)} {who}s."


MOST_NAMES = 20  # classes in one sentence


def scarce(found: Scarce) -> list[str]:
    """`No test examples of 2 of 7 classes: rowing, sitting.`, and the same of classes with few; nothing of no class."""
    kinds = (("No", found.absent), (f"Fewer than {FEWEST}", found.thin))
    return [
        f"{words} {found.split} examples of {len(names)} of {found.classes} classes: {some_of(names)}."
        for words, names in kinds
        if names
    ]


def some_of(names: Sequence[str]) -> str:
    """`rowing, sitting`: names that are the user's text, the first twenty of them."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(quoted, names[:MOST_NAMES])) + more


def below_largest(accuracy: float, name: str, share: float) -> str | None:
    """A sentence where an accuracy is below what always answering the largest class reaches; all in [0, 1]."""
    if accuracy >= share:
        return None
    return f"{percent(accuracy)} is below always answering {quoted(name)}: {percent(share, 0)}."


def split_is_known(teacher: TeacherRecord) -> bool:
    """Whether it is on record which examples a teacher was trained on; older runs say so of saved teachers alone."""
    return teacher.kind is None if teacher.split_known is None else teacher.split_known


def black_box(teacher: TeacherRecord) -> list[str]:
    """What is to be said of figures that rest on a black box, of run.json's `teacher`; nothing of another teacher."""
    said = [] if split_is_known(teacher) else [UNKNOWN_SPLIT]
    if teacher.macs_stated:
        said.append("What the teacher costs is as stated with it, not counted.")
    if teacher.approximate_views:
        said.append("Moved pictures were trained on with the answers to the originals, an approximation.")
    return said


def early(shares: Sequence[float], accuracies: Sequence[float], close: float = 1.0) -> str:
    """What prefixes that have read these shares of a series reach: from where on they are as good as its end.

    close: points below the last prefix that count as the same.
    """
    lost = [100 * (accuracies[-1] - accuracy) for accuracy in accuracies]
    enough = next(place for place, points in enumerate(lost) if all(later <= close for later in lost[place:]))
    place = min(enough, len(shares) - 2)  # where none but the last is, the one before it
    subject = "one student reaches" if place == 0 else f"{place + 1} students reach"
    reached = f"{subject} {percent(accuracies[place])}"
    if enough == len(shares) - 1:
        against = f"{decimal(lost[place])} points below all {len(shares)} at its end"
        return f"Waiting pays: after {percent(shares[place], 0)} of the series {reached}, {against}."
    if lost[place] < 0.05:
        at_its_end = f"all {len(shares)} reach {percent(accuracies[-1])} at its end"
        return f"{window(shares[place])} is as good as all of it: {reached}, {at_its_end}."
    against = f"{decimal(lost[place])} points below all {len(shares)} at its end"
    return f"{window(shares[place])} is nearly as good as all of it: {reached}, {against}."


def _subject(prefix: int, total: int) -> str:
    if prefix == 1:
        return "One student reaches"
    return f"All {total} students reach" if prefix == total else f"{prefix} of {total} students reach"


def _against(lost: float) -> str:
    distance = decimal(abs(lost))
    if float(distance) == 0:
        return "level with the teacher"
    return f"{distance} points {'below' if lost > 0 else 'above'} the teacher"


def hover(point: Point, cost: str) -> list[str]:
    """The lines that a chart shows for a prefix, in the order used everywhere; the first is its name.

    cost: what the prefix costs on the chart's axis, as `CostAxis.hover` words it.
    """
    return [
        students(point.prefix),
        f"accuracy {percent(point.accuracy)} ({interval(point.accuracy_low, point.accuracy_high)})",
        cost,
        f"agrees with the teacher on {percent(point.agreement)}",
    ]


def disagreement(prefix: int, differing: int, examples: int) -> str:
    """The caption above the examples on which a prefix and the teacher differ."""
    if differing == 0:
        verb = "answers" if prefix == 1 else "answer"
        return f"{students(prefix)} {verb} like the teacher on every test example."
    counted = f"{count(differing)} of {count(examples)} test examples"
    return f"{counted}; shown are those that the students are surest of. Filled: right with that many students."

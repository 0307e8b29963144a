"""The guarantee in sentences: what the certificate says, how tight it is, what would make it tighter.

Pure functions of `results.guarantee`'s findings. A bound at or above the trivial one is vacuous: the sentence says so,
with the numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bdistil.records import RoundRecord
from bdistil.report.formats import count, decimal, listing, number_word
from bdistil.results.certificate import Guarantee, Heavy


def finding(found: Guarantee) -> str:
    """What the certificate says, as a headline.

    `Every class has a guarantee from round 12 on: for Shirt the largest error is at most 0.44, where 0.80 would hold
    without boosting. Measured: 0.20.`
    """
    if found.broken:
        at = found.broken
        exceeds, limit = apart(at.measured, at.bound)
        return (
            f"The deviation exceeds its bound in round {at.round} for {named(at.name)} ({exceeds}, where {limit} is "
            "the most there can be): this run’s records are damaged."
        )
    bound, trivial = apart(found.shown.bound, found.shown.trivial)
    name, measured = named(found.shown.name), f"Measured: {decimal(found.shown.measured, 2)}."
    if not found.telling:
        return (
            f"No useful guarantee yet: the theory allows a largest error of {bound} for {name}, and {trivial} would "
            f"hold without boosting. {measured}"
        )
    if found.telling == found.classes:
        return (
            f"Every class has a guarantee from round {found.since} on: for {name} the largest error is at most "
            f"{bound}, where {trivial} would hold without boosting. {measured}"
        )
    classes = f"{found.telling} of {found.classes} classes"
    return (
        f"There is a guarantee for {classes}: for {name} the largest error is at most {bound} from round {found.since} "
        f"on, where {trivial} would hold without boosting. {measured}"
    )


def tighter(found: Guarantee) -> str:
    """What would bring the bound below the trivial one where it is not; nothing where it is for every class."""
    if found.broken or found.telling == found.classes:
        return ""
    levers = (
        "The bound falls about as one over the square root of the number of rounds. Larger edges and smaller largest "
        "errors lower it as well; fewer training examples hardly do."
    )
    return f"{_further(found)} {levers}".strip()


def _further(found: Guarantee) -> str:
    """After how many rounds like those so far the bounds would tell something."""
    if found.needed is None:
        return ""
    waiting = [needed for needed in found.needed if needed > found.rounds]
    coming = [int(needed) for needed in waiting if math.isfinite(needed)]
    left = "class left" if len(waiting) == 1 else f"{number_word(len(waiting))} classes left"
    if not coming:
        who = f"the {left}" if found.telling else "any class"
        return f"However many rounds like these are added, there would be no guarantee for {who}."
    reach = " to ".join(count(number) for number in sorted({min(coming), max(coming)}))
    if len(coming) < len(waiting):
        never = number_word(len(waiting) - len(coming))
        whole = f"the {left}" if found.telling else f"{number_word(found.classes)} classes"
        who, end = f"{number_word(len(coming))} of {whole}", f", for the other {never} never"
    else:
        who, end = f"the {left}" if found.telling else "every class", ""
    return f"With more rounds like these there would be a guarantee for {who} after {reach} rounds in all{end}."


def condition(records: Sequence[RoundRecord]) -> str:
    """Whether students correct those before them on every class, of the records of two rounds or more."""
    later = records[1:]
    missed = [record for record in later if not record.condition_met]
    if not missed:
        return "The weak learning condition is met: each student corrects those before it on every class."
    short = [f"student {record.round} on {_unmet(record)}" for record in missed]
    return (
        f"The weak learning condition is met in {len(later) - len(missed)} of {len(later)} rounds from the second on; "
        f"missed by {listing(short)}."
    )


def _unmet(record: RoundRecord) -> str:
    return f"{sum(edge <= 0 for edge in record.edges)} of {len(record.edges)} classes"


def meaning(examples: int, polished: bool) -> str:
    """What is drawn, in words; examples: N of the training split."""
    whose = " All values are for the students after polishing." if polished else ""
    return (
        f"Deviation: the largest error, as the distance from the teacher’s logits on {count(examples)} training "
        "examples, where the teacher’s largest is 1. Bound: the largest error that boosting theory allows, from the "
        "measured edges and errors of the students. Trivial bound: what holds without boosting, the students’ own "
        f"largest errors, averaged; at most 1. A bound below it is a guarantee.{whose}"
    )


def panels(planned: int, done: int, top: float) -> str:
    """What the small panels share; planned, done: rounds; top: the deviation at their upper edge."""
    across = f"rounds 1 to {planned}" if planned > 1 else "the one round"
    far = "" if done == planned else f" ({done} done)"
    return f"Horizontal: {across}{far}. Vertical: 0 to {decimal(top)} in all panels; higher bounds are cut off."


def edges(relative: bool) -> str:
    """What the chart of edges shows."""
    if relative:
        return "The edge as a share of the largest that deviations of this size could have: from −1 to +1."
    return (
        "Above zero, the student corrects the ensemble on this class; a cross marks one that does not. Hollow: before "
        "its output layer was adjusted. In round 1 every edge is 0."
    )


def effective(round: int, number: float, examples: int) -> str:
    """On how many examples the weight lies in a round, for the class where they are fewest."""
    spread = f"Round {round} uses {count(int(number + 0.5))} of {count(examples)} training examples effectively"
    return f"{spread}, in the class where they are fewest. A small number would mean that a few outliers dominate."


def eta(round: int) -> str:
    """What the chart of the bound over η shows."""
    return f"After round {round}. The bound holds for every step size η; the smallest (filled) is used."


def named(name: str) -> str:
    """A class in a sentence: in quotes where it could be taken for a number."""
    return name if any(character.isalpha() for character in name) else f"“{name}”"


def apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with two decimals, or as many more, up to four, as it takes to tell them apart."""
    for decimals in (2, 3, 4):
        texts = decimal(one, decimals), decimal(other, decimals)
        if texts[0] != texts[1]:
            break
    return texts


def error(pair: Heavy) -> str:
    """How the ensemble errs on a pair: `too low`, `too high`."""
    return "too low" if pair.too_low else "too high"


def times(pair: Heavy) -> str:
    """A pair's weight: `3.2×`."""
    return f"{decimal(pair.times, 1 if pair.times < 100 else 0)}×"


def heaviest(number: int) -> str:
    """The caption above the examples that weighed most for the student of a round."""
    if number == 1:
        return "Round 1 begins with equal weights: no answer counts more, student 1 learns from the teacher alone."
    earlier = "student 1 was" if number == 2 else f"students 1 to {number - 1} were"
    return (
        f"Examples that student {number} had to concentrate on, because {earlier} furthest from the teacher there, "
        "each with the class for which it was. 1× is the weight of every example in round 1."
    )

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

    `The deviation stayed under its bound in all 24 rounds; from round 12 on the bound says more than the trivial one
    for every class (for Shirt 0.44, where 0.80 is trivial).`
    """
    if found.broken:
        at = found.broken
        exceeds, limit = apart(at.measured, at.bound)
        return (
            f"The deviation exceeds its bound in round {at.round} for {named(at.name)} ({exceeds}, where {limit} is "
            "the most there can be): this run’s records are damaged."
        )
    held = f"The deviation stayed under its bound in {_rounds(found.rounds)}"
    bound, trivial = apart(found.shown.bound, found.shown.trivial)
    name = named(found.shown.name)
    if not found.telling:
        return (
            f"{held}, but the bound says nothing yet: it comes closest for {name}, {bound}, where {trivial} is trivial."
        )
    if found.telling == found.classes:
        return (
            f"{held}; from round {found.since} on the bound says more than the trivial one for every class "
            f"({bound} for {name}, where {trivial} is trivial)."
        )
    return (
        f"{held}; the bound says more than the trivial one for {found.telling} of {found.classes} classes, for {name} "
        f"from round {found.since} on ({bound}, where {trivial} is trivial)."
    )


def _rounds(number: int) -> str:
    return {1: "the first round", 2: "both rounds"}.get(number, f"all {number} rounds")


def tighter(found: Guarantee) -> str:
    """What would bring the bound below the trivial one where it is not; nothing where it is for every class."""
    if found.broken or found.telling == found.classes:
        return ""
    levers = (
        "The bound falls about as one over the square root of the number of rounds; smaller largest deviations and "
        "larger edges lower it as well, fewer training examples hardly."
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
        return f"If further rounds were like these, no number of them would bring it below the trivial one for {who}."
    reach = " to ".join(count(number) for number in sorted({min(coming), max(coming)}))
    if len(coming) < len(waiting):
        never = number_word(len(waiting) - len(coming))
        whole = f"the {left}" if found.telling else f"{number_word(found.classes)} classes"
        who, end = f"{number_word(len(coming))} of {whole}", f", for the other {never} never"
    else:
        who, end = f"the {left}" if found.telling else "every class", ""
    return (
        f"If further rounds were like these, it would fall below the trivial one for {who} after {reach} rounds in all"
        f"{end}."
    )


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
    whose = " All are of the polished students." if polished else ""
    return (
        f"Deviation: the largest distance from the teacher’s answer on {count(examples)} training examples, where the "
        "teacher’s largest is 1. Bound: what the boosting game proves of it, from each student’s own deviations and "
        "edges. Trivial: what holds without the game, the mean of the students’ largest deviations, at most 1. "
        f"A bound at or above it says nothing.{whose}"
    )


def panels(planned: int, done: int, top: float) -> str:
    """What the small panels share; planned, done: rounds; top: the deviation at their upper edge."""
    across = f"rounds 1 to {planned}" if planned > 1 else "the one round"
    far = "" if done == planned else f" ({done} done)"
    return f"Across: {across}{far}. Up: 0 to {decimal(top)}, the same in all; a bound above that is out of the picture."


def edges(relative: bool) -> str:
    """What the chart of edges shows."""
    if relative:
        return "The edge as a share of the largest that deviations of this size could have: from −1 to +1."
    return "Above zero, the student corrects the ensemble on that class. Crosses lie below. In round 1 every edge is 0."


def effective(round: int, number: float, examples: int) -> str:
    """On how many examples the weight lies in a round, for the class where they are fewest."""
    spread = f"In round {round} the weight is spread as evenly as over {count(int(number + 0.5))} of {count(examples)}"
    return f"{spread} examples, the least of any class. Were they few, the game would be chasing outliers."


def eta(round: int) -> str:
    """What the chart of the bound over η shows."""
    return f"After round {round}. The bound holds at every η, so the least one counts (filled)."


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
    """A pair's weight: `3.2 equal shares`."""
    return f"{decimal(pair.times, 1 if pair.times < 100 else 0)} equal shares"


def heaviest(number: int) -> str:
    """The caption above the examples that weighed most for the student of a round."""
    if number == 1:
        return "Round 1 begins with equal weights: no answer counts more, student 1 learns from the teacher alone."
    return (
        f"The training examples whose answers counted most for student {number}, each with the class for which it did: "
        "on those the students before it were furthest below or above the teacher. An equal share is what every answer "
        "weighs in round 1."
    )

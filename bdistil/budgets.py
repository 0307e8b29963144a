"""Budgets: where on the cost axis the prefixes of a run shall lie, as upper limits on the MACs of one prediction."""

import re
from dataclasses import dataclass
from itertools import pairwise

from bdistil.errors import UserError, quoted

MOST = 64
TAKES = "rising limits on the MACs of each prefix, such as 0.3%,1%,3% of the teacher's or 200k,1M,5M"
_LIMIT = re.compile(r"(\d+(?:\.\d+)?)(%|k|M|G)?")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class Budgets:
    """Limits on the MACs of prefix 1, 2, …, rising. shares: whether they are shares of the teacher's, in (0, 1]."""

    limits: tuple[float, ...]
    shares: bool

    def __len__(self) -> int:
        return len(self.limits)

    def macs(self, teacher_macs: float | None) -> tuple[int, ...]:
        """The limits in MACs. Raises UserError for shares of a teacher whose MACs are not known."""
        if not self.shares:
            return tuple(map(int, self.limits))
        if not teacher_macs:
            raise UserError(
                "These budgets are shares of the teacher's MACs, which are not known: give `teacher_macs`, or "
                "`budgets` such as 200k,1M,5M."
            )
        return tuple(int(limit * teacher_macs) for limit in self.limits)


def parse(text: str) -> Budgets:
    """What an option's text says: shares (`0.3%,1%`) or MACs (`200k,1M`). Raises UserError for what is neither."""
    found = [_LIMIT.fullmatch(part.strip()) for part in text.split(",")]
    units = {each[2] or "" for each in found if each}
    if not all(found) or len(found) > MOST or ("%" in units and len(units) > 1):
        raise _refused(text)
    scale = {**_UNITS, "%": 0.01}
    limits = tuple(float(each[1]) * scale[each[2] or ""] for each in found if each)
    if limits[0] <= 0 or any(later <= earlier for earlier, later in pairwise(limits)):
        raise _refused(text)
    if "%" in units and limits[-1] > 1:
        raise UserError(f"`budgets` are at most 100% of the teacher's MACs; got “{quoted(text)}”.")
    return Budgets(limits, "%" in units)


def _refused(text: str) -> UserError:
    return UserError(f"`budgets` must be {TAKES}; got “{quoted(text)}”.")

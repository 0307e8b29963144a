"""The guarantee of the shipped samples: which rounds meet the weak learning condition, and what the certificate says.

Reads assets/runs; trains nothing and needs no torch. A round meets the condition if its student has a positive edge on
every class. The certificate is the bound on the largest deviation from the teacher over the training split, on the
normalised scale, with the trivial bound beside it; given for the class of the largest bound after the last round.
Seconds are those that the runs' workers took, on one of two busy cores: epochs, and head corrections beside them.

    python benchmarks/certificate.py

It asserts that the certificate holds and the condition is met in every round of every sample, and that after the last
round of the samples of 12 and 24 students the bound is below the trivial one for every class.
"""

import numpy as np
from table import publish

from bdistil.records import EpochFinished, RoundRecord
from bdistil.runs import Run, list_runs

HEAD = (
    "run",
    "method",
    "rounds",
    "rounds t ≥ 2 that meet the condition",
    "rounds corrected",
    "attempts",
    "largest deviation",
    "its bound",
    "trivial bound",
    "classes below the trivial bound",
    "seconds of epochs",
    "seconds of corrections",
)
MANY = 12  # rounds, from which on the bound is to say something


def row(run: Run) -> tuple:
    """A sample's line."""
    info, records = run.info(), [finished.record for finished in run.rounds()]
    measured, bound, trivial = sides(records[-1])
    place = int(np.argmax(bound))
    return (
        info.title,
        info.method,
        len(records),
        f"{met(records)} of {len(records) - 1}",
        sum(record.corrected for record in records),
        sum(record.attempts for record in records),
        f"{measured[place]:.2f}",
        f"{bound[place]:.2f}",
        f"{trivial[place]:.2f}",
        f"{(bound < trivial).sum()} of {len(bound)}",
        round(sum(event.seconds for event in run.events()[0] if isinstance(event, EpochFinished))),
        round(sum(record.correction_seconds for record in records)),
    )


def sides(record: RoundRecord) -> list[np.ndarray]:
    """The measured deviation, its bound and the trivial bound, by class."""
    return [np.array(getattr(record, f"{name}_by_class")) for name in ("measured", "bound", "trivial")]


def met(records: list[RoundRecord]) -> int:
    """How many rounds after the first meet the weak learning condition."""
    return sum(record.condition_met for record in records[1:])


def check(run: Run) -> None:
    """The claims on one sample."""
    records = [finished.record for finished in run.rounds()]
    for record in records:
        measured, bound, _ = sides(record)
        assert (measured <= bound).all(), f"{run.id}: the certificate fails in round {record.round}"
    assert met(records) == len(records) - 1, f"{run.id}: {met(records)} of {len(records) - 1} rounds"
    if len(records) >= MANY:
        _, bound, trivial = sides(records[-1])
        assert (bound < trivial).all(), f"{run.id}: the bound says nothing for {(bound >= trivial).sum()} classes"


def main() -> None:
    samples = [Run(s.path) for s in list_runs() if s.sample and s.info and s.info.kind == "distil"]
    publish("certificate", HEAD, map(row, samples))
    for run in samples:
        check(run)


if __name__ == "__main__":
    main()

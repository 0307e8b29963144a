"""The methods that a run can choose: what pages and options need to know of each. No torch here.

To add one, write a module with the functions of `bdistil.runs.methods.Trainer` and enter it here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A way to train a run's students.

    trainer: the module that trains a run by it. summary: what it does, in a few words. polishes: whether a round trains
    all students so far, and a last phase, the polish, goes on with all of them. not_extended: why no rounds can be
    added to a finished run, a sentence; None where they can.
    """

    name: str
    trainer: str
    summary: str
    polishes: bool = False
    not_extended: str | None = None


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="b-distil",
            trainer="bdistil.runs.methods.frozen",
            summary="finished students never change; can be extended",
        ),
        Method(
            name="b-distil+polish",
            trainer="bdistil.runs.methods.joint",
            summary="all students keep training together; the best frontier",
            polishes=True,
            not_extended="The students of this run were polished together and are finished for good. "
            "Runs of the method b-distil can be extended.",
        ),
    )
}
DEFAULT_METHOD = "b-distil+polish"


def polishes(method: str | None) -> bool:
    """Whether runs of that name's method end with a polish; no for a teacher's run, and for a name that is unknown."""
    return method in METHODS and METHODS[method].polishes

"""The shipped frontiers: what each prefix of the sample runs reaches on the test split, beside its teacher.

Reads assets/runs; trains nothing and needs no torch. Accuracies carry 95 % Wilson intervals, differences to the teacher
a paired bootstrap on the same examples; of Watch, whose test split holds two persons, both are the range over them.
One seed each. Ends in the claims on the Fashion-MNIST samples of six students:
within 1.0 point of the teacher if polished, 2.0 if not, at no more than 25 % of its MACs, no prefix below its
predecessor by more than 0.2 points; and on the shipped teachers. `certificate.py` is about the same samples' guarantee.

    python benchmarks/frontier.py
"""

from itertools import pairwise

from table import prefix_cells, publish

from bdistil.results import Results, load
from bdistil.runs import list_runs

HEAD = (
    "run",
    "method",
    "students",
    "accuracy (%)",
    "95 % interval",
    "points below the teacher",
    "95 % interval",
    "agreement (%)",
    "M MACs",
    "share of the teacher's MACs (%)",
    "parameters (k)",
)
STUDENTS, MOST_SHARE, MOST_FALL = 6, 0.25, 0.2
MOST_LOST = {"b-distil+polish": 1.0, "b-distil": 2.0}  # points
TEACHERS = {
    "fashion-mnist-resnet-m": 0.94,
    "digits-resnet-s": 0.985,
    "japanese-vowels-conv1d-s": 0.95,
    "watch-conv1d-m": 0.85,
}  # least test accuracy


def rows(results: Results) -> list[tuple]:
    """The teacher's row and one a prefix."""
    title, method, teacher = results.run.title, results.run.method, results.run.known_teacher
    assert teacher.macs and teacher.parameters, f"{teacher.name}: a teacher of unknown cost"
    first = (
        title,
        "",
        "teacher",
        f"{100 * teacher.accuracy:.2f}",
        "",
        "",
        "",
        "",
        f"{teacher.macs / 1e6:.2f}",
        "100",
        f"{teacher.parameters / 1e3:.0f}",
    )
    return [first, *((title, method, *prefix_cells(row)) for row in results.points)]


def check(results: Results) -> None:
    """The claims on one sample."""
    run, points = results.run, results.points
    teacher, last = run.known_teacher, points[-1]
    least = TEACHERS.get(teacher.name, 0.0)
    assert teacher.accuracy >= least, f"{teacher.name}: a teacher of {teacher.accuracy:.4f}"
    if run.known_dataset.name != "fashion-mnist" or len(points) != STUDENTS:
        return
    assert teacher.macs and 45e6 <= teacher.macs <= 60e6, f"a teacher of {teacher.macs} MACs"
    assert last.macs <= MOST_SHARE * teacher.macs, f"{100 * last.macs / teacher.macs:.1f} % of the teacher's MACs"
    assert last.points_lost <= MOST_LOST[str(run.method)], f"{last.points_lost:.2f} points below the teacher"
    fall = max(100 * (before.accuracy - after.accuracy) for before, after in pairwise(points))
    assert fall <= MOST_FALL + 1e-9, f"a prefix falls {fall:.2f} points below its predecessor"


def main() -> None:
    samples = [load(run.path) for run in list_runs() if run.sample and run.info and run.info.kind == "distil"]
    publish("frontier", HEAD, [row for results in samples for row in rows(results)])
    names = {results.run.known_teacher.name for results in samples}
    assert set(TEACHERS) <= names, f"no sample run with {', '.join(sorted(set(TEACHERS) - names))}"
    for results in samples:
        check(results)


if __name__ == "__main__":
    main()

"""What a run would cost, in words: what `bdistil run --dry-run` prints."""

from typing import Any

from bdistil.errors import printable
from bdistil.report.formats import duration, quantity, share, size


def describe(expected: dict[str, Any]) -> str:
    """The estimate in three lines for people, what is known of a black-box teacher before them, how students grow, and
    at the end whether the machine was busy."""
    ratio, teacher = expected["macs_ratio"], expected["teacher"]
    of_teacher = f", {share(ratio)} of the teacher" if ratio else ""
    before = ""
    if teacher:
        of_teacher += " (its MACs as stated)" if ratio else ""
        before = "".join(
            f"{printable(line)}\n"
            for line in (f"teacher {teacher['name']}", teacher["signature"], *teacher["notices"])
            if line
        )
    sizes = expected["sizes"] and ", ".join("-".join(map(str, size)) for size in expected["sizes"])
    grow = f"students of {sizes}\n" if sizes else ""
    return (
        f"{before}{quantity(expected['macs'])} MACs for all students{of_teacher}\n{grow}"
        f"first usable model after about {duration(expected['first_model_seconds'])}, "
        f"the whole run about {duration(expected['seconds'])}\n"
        f"{expected['memory_bytes'] / 1e9:.1f} GB of memory, {size(expected['disk_bytes'])} on disk"
        + (f"\n{expected['busy']}" if expected["busy"] else "")
    )

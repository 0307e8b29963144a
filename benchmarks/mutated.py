"""Damaged files: 200 seeded mutations of a small file of each kind that users give, through the product's own readers.

Truncations, flipped bits, extreme values in the fields near the start or the end, inserted bytes and swapped blocks; of
NPZ files half of them inside of an array. All are read in one child process with a limit of 10 seconds each and of 1 GB
above its memory before (tests/mutations.py): each file has to be read, or refused in one sentence, and nothing may be
unpickled, started or connected to.

    python benchmarks/mutated.py
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from table import publish

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.mutations import KINDS, Reader, intact, mutations  # noqa: E402

COUNT = 200


def main(kinds: Sequence[str]) -> None:
    rows, failures = [], []
    with Reader(kinds=kinds) as reader:
        for kind in kinds:
            content = intact(kind)
            assert reader.read(kind, content).what == "read", f"the intact {kind} file is not read"
            outcomes = [(how, reader.read(kind, damaged)) for how, damaged in mutations(kind, content, COUNT)]
            counts = Counter("failed" if outcome.failed else outcome.what for _, outcome in outcomes)
            failures += [
                f"{kind}, {how}: {outcome.what} ({outcome.sentence})" for how, outcome in outcomes if outcome.failed
            ]
            seconds, grown = (max(getattr(outcome, what) for _, outcome in outcomes) for what in ("seconds", "grown"))
            rows.append(
                (kind, counts["read"], counts["refused"], counts["failed"], f"{seconds:.2f}", f"{grown / 1e6:.0f}")
            )
    head = ("file", "read", "refused in one sentence", "failed", "longest (s)", "most memory above the start (MB)")
    publish("mutated", head, rows, packages=("numpy", "pandas", "pyarrow", "pillow", "soundfile", "onnxruntime"))
    assert not failures, "\n".join(failures)


if __name__ == "__main__":
    main(sys.argv[1:] or KINDS)

"""The accuracy-cost frontier of a run as a data frame: one row per prefix, with its uncertainty.

Everything here reads the *test* split to report; nothing is chosen from it.
"""

from pathlib import Path

import pandas as pd

from bdistil.results.loading import Results, load
from bdistil.runs import Run


def frontier(run: str | Path | Run | Results) -> pd.DataFrame:
    """A tidy data frame, one row per finished prefix of a run (an id, a folder, a `Run` or loaded `Results`).

    Columns: those of one row of `show RUN --json`'s `frontier` (accuracies in [0, 1], MACs and bytes for one
    example), nested ones flattened (`train_accuracy`, `validation_agreement`, …), and `points_lost`,
    `points_lost_low`, `points_lost_high`.
    """
    points = (run if isinstance(run, Results) else load(run)).points
    return pd.json_normalize([point.document() for point in points], sep="_")

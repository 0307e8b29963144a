"""How examples are held out of a part that its source does not split: by class, and always the same ones."""

import numpy as np

_SEED = 0


def hold_out(rows: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows that are kept and the `count` that are held out, each in the order in which they were drawn.

    rows: int64 (N,), places in y, the labels of all examples. Each class is held out in the same proportion.
    """
    # Imported here because scikit-learn takes a second, and listing the data sets must not.
    from sklearn.model_selection import train_test_split

    kept, held = train_test_split(rows, test_size=count, stratify=y[rows], random_state=_SEED)
    return kept, held

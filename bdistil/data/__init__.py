"""Data sets: `catalogue` says what there is, one module a data set reads it, `views` augments images (torch-free)."""

from bdistil.data.catalogue import (
    CATALOGUE,
    Dataset,
    DatasetInfo,
    data_home,
    fetch,
    info,
    is_here,
    load_dataset,
    recordings,
)

__all__ = ["CATALOGUE", "Dataset", "DatasetInfo", "data_home", "fetch", "info", "is_here", "load_dataset", "recordings"]

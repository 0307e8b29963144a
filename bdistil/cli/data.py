"""`bdistil data`: the data sets, and what is in one."""

from typing import Annotated

import typer

from bdistil.cli.arguments import Given, takes
from bdistil.cli.output import say, table


@takes()
def data(
    name: Annotated[
        str | None, typer.Argument(help="A data set to fetch, or a path of your own data to check.")
    ] = None,
    *,
    given: Given,
) -> None:
    """List the data sets, or fetch or check one and say what is in it and what leaks; prints where it is last."""
    from bdistil.data.catalogue import CATALOGUE, data_home, fetch, is_here, load_dataset, skipped

    if name is not None:
        from bdistil.report.data_text import describe

        folder = fetch(name, options=given.data)
        say(*describe(load_dataset(name, given.data)), *skipped(name, given.data), folder)
        return
    rows = []
    for info in CATALOGUE.values():
        size = f"{info.train + info.validation + info.test:,} examples, {len(info.classes)} classes"
        price = f"{info.download_bytes / 1e6:.0f} MB to download" if info.download_bytes else "to be unpacked by hand"
        rows.append((info.name, info.modality, size, info.licence, "here" if is_here(info.name) else price))
    say(*table(rows), data_home())

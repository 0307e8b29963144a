"""Distil: choose a teacher and students and see their price, start, and watch; `?run=ID` is the page of one run."""

import sys
from pathlib import Path

APP = str(Path(__file__).parents[1] / "app")
if APP not in sys.path:  # the page may run alone
    sys.path.insert(0, APP)

import ui  # noqa: E402
from form import form  # noqa: E402
from watch import watch  # noqa: E402

from bdistil.errors import UserError  # noqa: E402
from bdistil.runs import open_run  # noqa: E402

ui.begin()
name = ui.address().run
if name is None:
    form()
else:
    try:
        watch(open_run(name))
    except UserError as error:
        ui.gone(name, str(error))

"""Distil: choose a teacher and students and see their price, start, and watch; `?run=ID` is the page of one run."""

import ui
from form import form
from watch import watch

from bdistil.errors import UserError
from bdistil.runs import open_run

ui.begin("Distil")
name = ui.address().run
if name is None:
    form()
else:
    try:
        run = open_run(name)
        ui.tab("Distil", run.info())
        watch(run)
    except UserError as error:
        ui.gone(name, str(error))
